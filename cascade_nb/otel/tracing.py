"""Tells OpenTelemetry of runs: one trace a run, one span an attempt, and how many tasks wait.

The only file that knows OpenTelemetry's API. Where its spans and numbers go is for whoever sets up
the SDK, or an agent of it; without one nothing goes anywhere.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, TracerProvider

from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.events.bus import Subscription
from cascade_nb.events.events import (
    Event,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskEvent,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskRetrying,
)
from cascade_nb.events.outside_events import QuestionAnswered, QuestionAsked
from cascade_nb.graph.graph import Graph

NAME: Final = "cascade_nb"
LINKS: Final = 32  # of a span to what it read, at most
_RUNS: Final = 1_000  # that are told of at once
#: The numbers that are gauged, by instrument; each is an attribute of a run's status.
GAUGES: Final = {
    "cascade.tasks.queued": ("queued", "Tasks that a limit keeps from starting"),
    "cascade.tasks.held": ("held", "Tasks that a pause keeps from starting"),
    "cascade.tasks.running": ("running", "Tasks that are under way"),
    "cascade.tasks.asking": ("asking", "Tasks that wait for an answer"),
}


class _Traced:
    """What is known of one run while it goes on.

    Attributes:
        graph: what runs, for what reads what.
        links: to what it was started in.
        root: its span, once it has begun.
        open: by id of a node or an item, the span of the attempt that is under way.
        made: by id of a node, the spans of what gave its result, for those that read it.
    """

    def __init__(self, graph: Graph, links: list[Link]) -> None:
        self.graph, self.links = graph, links
        self.root: Span | None = None
        self.open: dict[str, Span] = {}
        self.made: dict[str, list[SpanContext]] = {}

    @functools.cached_property
    def _place(self) -> dict[str, int]:
        return {node.id: node.index for node in self.graph.nodes}

    def read_by(self, node: str) -> list[SpanContext]:
        """The spans of what a node reads, or comes after."""
        index, nodes = self._place.get(node), self.graph.nodes
        sources = () if index is None else nodes[index].sources
        return [one for i in sources for one in self.made.get(nodes[i].id, ())][:LINKS]


class OpenTelemetry:
    """Tells OpenTelemetry what the engines of this process do, until it is closed.

    A run is a trace: its first span is the run, and each attempt at a node or an item is a span
    below that, with links to the spans of what it read. A run that is started inside of a span has
    a link to it. Spans carry ids, names, states and errors, and never a value or an answer. The
    numbers of queued, held, running and asking tasks are gauges, how long attempts take is a
    histogram, and runs are counted by how they ended.

    Args:
        engine: the one that is told of; default all of this process, also those made later.
        tracer_provider, meter_provider: where to; default those that are set for the process.

    Example:
        >>> from cascade_nb.otel import OpenTelemetry
        >>> telling = OpenTelemetry()
        >>> cs.run(report)
        3
        >>> telling.close()
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(NAME, meter_provider=meter_provider)
        self._engine = engine
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, _Traced] = OrderedDict()
        self._heard: dict[Engine, Subscription] = {}
        self._closed = False
        for name, (attribute, words) in GAUGES.items():
            meter.create_observable_gauge(name, [self._gauge(attribute)], "{task}", words)
        self._durations = meter.create_histogram(
            "cascade.task.duration", "s", "How long an attempt at a task took"
        )
        self._ends = meter.create_counter("cascade.runs", "{run}", "Runs that have ended")
        self._blocked = meter.create_counter(
            "cascade.tasks.blocked", "{task}", "Starts that a constraint did not allow"
        )
        Engine.on_begun.append(self._begun)
        Engine.on_made.append(self._hear)
        for one in [engine] if engine is not None else Engine.alive():
            self._hear(one)

    def close(self) -> None:
        """Tell nothing more; the spans of runs that go on end now.

        Example:
            >>> from cascade_nb.otel import OpenTelemetry
            >>> OpenTelemetry().close()
        """
        self._closed = True
        if self._begun in Engine.on_begun:
            Engine.on_begun.remove(self._begun)
            Engine.on_made.remove(self._hear)
        for subscription in self._heard.values():
            subscription.flush()
            subscription.close()
        self._heard.clear()
        with self._lock:
            traced, self._runs = self._runs, OrderedDict()
        for run in traced.values():
            _end(run, None, None, "left behind")

    def _gauge(self, attribute: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def look(_: CallbackOptions) -> Iterable[Observation]:
            if self._closed:
                return []
            engines = list(self._heard)
            number = sum(getattr(run.status, attribute) for one in engines for run in one.runs)
            return [Observation(number)]

        return look

    def _hear(self, engine: Engine) -> None:
        if (self._engine is None or engine is self._engine) and engine not in self._heard:
            self._heard[engine] = engine.bus.subscribe(
                self._told, RunStarted, RunFinished, TaskEvent
            )

    def _begun(self, run: Run) -> None:
        """In the thread that starts it, before its first event."""
        if run.engine not in self._heard:
            return
        around = trace.get_current_span().get_span_context()
        links = [Link(around)] if around.is_valid else []
        with self._lock:
            outer = self._runs.get(run.parent or "")
            if outer is not None and outer.root is not None:
                links.append(Link(outer.root.get_span_context()))
            self._runs[run.id] = _Traced(run.graph, links)
            while len(self._runs) > _RUNS:
                self._runs.popitem(last=False)

    def _told(self, event: Event) -> None:
        with self._lock:
            run = self._runs.get(event.run_id)
        if run is None:
            return
        at = round(event.timestamp * 1e9)
        if isinstance(event, RunStarted):
            said: dict[str, Any] = {
                "cascade.run.id": event.run_id,
                "cascade.run.nodes": event.total,
            }
            run.root = self._tracer.start_span(
                event.title or "run", Context(), attributes=said, links=run.links, start_time=at
            )
        elif isinstance(event, RunFinished):
            self._ends.add(1, {"cascade.status": event.status})
            with self._lock:
                self._runs.pop(event.run_id, None)
            _end(run, at, event.error if event.status != "succeeded" else None, event.status)
        elif isinstance(event, TaskEvent) and run.root is not None:
            self._of_task(run, run.root, event, at)

    def _of_task(self, run: _Traced, root: Span, event: TaskEvent, at: int) -> None:
        span = run.open.get(event.task_id)
        if isinstance(event, TaskExecutionStarted):
            if span is not None:
                span.end(at)
            node = event.task_id.rpartition("[")[0] if event.task_id.endswith("]") else ""
            said: dict[str, Any] = {
                "cascade.run.id": event.run_id,
                "cascade.task": event.task_name,
                "cascade.node": event.task_id,
                "cascade.attempt": event.attempt,
            }
            run.open[event.task_id] = self._tracer.start_span(
                event.task_name,
                trace.set_span_in_context(root, Context()),
                attributes=said,
                links=[Link(one) for one in run.read_by(node or event.task_id)],
                start_time=at,
            )
        elif isinstance(event, TaskBlocked):
            self._blocked.add(1, {"cascade.task": event.task_name})
        elif span is None:
            return
        elif isinstance(event, TaskRetrying):
            self._over(run, event, "failed", event.error, at)
        elif isinstance(event, TaskExecutionFinished):
            self._durations.record(
                event.duration, {"cascade.task": event.task_name, "cascade.status": event.status}
            )
            self._over(run, event, event.status, event.error, at)
        elif isinstance(event, QuestionAsked):
            span.add_event("asked", timestamp=at)
        elif isinstance(event, QuestionAnswered):
            span.add_event("answered", {"cascade.default": not event.by}, at)

    def _over(
        self, run: _Traced, event: TaskEvent, status: str, error: str | None, at: int
    ) -> None:
        span = run.open.pop(event.task_id)
        span.set_attribute("cascade.status", status)
        if status == "failed":
            span.set_status(Status(StatusCode.ERROR, error or ""))
        span.end(at)
        if status == "completed":
            node = event.task_id.rpartition("[")[0] if event.task_id.endswith("]") else ""
            made = run.made.setdefault(node or event.task_id, [])
            if len(made) < LINKS:
                made.append(span.get_span_context())


def _end(run: _Traced, at: int | None, error: str | None, status: str = "") -> None:
    """End what is open of a run."""
    for span in run.open.values():
        span.set_attribute("cascade.status", "left behind")
        span.end(at)
    run.open.clear()
    if run.root is not None:
        if status:
            run.root.set_attribute("cascade.status", status)
        if error is not None:
            run.root.set_status(Status(StatusCode.ERROR, error))
        run.root.end(at)
