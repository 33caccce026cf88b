"""OpenTelemetry is told of each run and attempt, with the SDK's own exporters in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import TaskFailedError
from cascade_nb.otel import OpenTelemetry
from tests.engine.tools import until_blocking


class Watched:
    """An engine that tells OpenTelemetry, and what that was told."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.engine = Engine()
        self.telling = OpenTelemetry(
            self.engine, tracer_provider=self.traces, meter_provider=self.meters
        )

    def spans(self) -> dict[str, ReadableSpan]:
        """By node or item and attempt; the run's own by its title."""
        self.engine.bus.flush(30)
        found = {}
        for span in self.exporter.get_finished_spans():
            node = (span.attributes or {}).get("cascade.node")
            attempt = (span.attributes or {}).get("cascade.attempt")
            found[span.name if node is None else f"{node} {attempt}"] = span
        return found

    def numbers(self) -> dict[str, float]:
        """By instrument, the sum of what it says."""
        self.engine.bus.flush(30)
        data = self.reader.get_metrics_data()
        found: dict[str, float] = {}
        for resource in data.resource_metrics if data is not None else ():
            for metric in resource.scope_metrics[0].metrics:
                points: Any = metric.data.data_points
                values = [getattr(p, "value", getattr(p, "count", 0)) for p in points]
                found[metric.name] = sum(values)
        return found

    def close(self) -> None:
        self.telling.close()
        self.engine.close()
        self.traces.shutdown()
        self.meters.shutdown()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.close()


@cs.task
def give(x: Any) -> Any:
    return x


@cs.task
def add(x: Any, y: Any) -> Any:
    return x + y


def linked(span: ReadableSpan, spans: dict[str, ReadableSpan]) -> set[str]:
    by_id = {span.context.span_id: name for name, span in spans.items() if span.context}
    return {by_id[link.context.span_id] for link in span.links}


def test_a_run_is_a_trace_and_an_attempt_a_span_with_links_to_what_it_read(
    watched: Watched,
) -> None:
    a, b = give(1).named("a"), give(2).named("b")
    run = watched.engine.start(add(a, b).named("sum"))
    assert run.result() == 3
    spans = watched.spans()
    assert set(spans) == {"sum", "a 1", "b 1", "sum 1"}
    root = spans["sum"]
    assert root.parent is None
    assert root.attributes is not None
    assert root.context is not None
    assert root.attributes["cascade.run.id"] == run.id
    assert root.attributes["cascade.status"] == "succeeded"
    for name in ("a 1", "b 1", "sum 1"):
        span = spans[name]
        assert span.context is not None
        assert span.parent is not None
        assert span.context.trace_id == root.context.trace_id
        assert span.parent.span_id == root.context.span_id
        assert (root.start_time or 0) <= (span.start_time or 0)
        assert (span.start_time or 0) <= (span.end_time or 0) <= (root.end_time or 0)
    assert linked(spans["sum 1"], spans) == {"a 1", "b 1"}
    assert linked(spans["a 1"], spans) == set()


def test_each_attempt_and_item_has_its_span_and_a_failure_its_error(watched: Watched) -> None:
    tries: list[int] = []

    @cs.task
    def flaky(x: int) -> int:
        tries.append(x)
        if len(tries) < 2:
            raise ValueError("not yet")
        return x

    @cs.task
    def fails(xs: list[int]) -> int:
        raise ValueError(f"no {sum(xs)}")

    each = flaky.map(x=[1]).with_retry(2).named("each")
    with pytest.raises(TaskFailedError):
        watched.engine.start(fails(each).named("bad")).result()
    spans = watched.spans()
    assert set(spans) == {"bad", "each[0] 1", "each[0] 2", "bad 1"}
    assert spans["each[0] 1"].status.status_code is StatusCode.ERROR
    assert "not yet" in str(spans["each[0] 1"].status.description)
    assert spans["each[0] 2"].status.status_code is StatusCode.UNSET
    assert "no 1" in str(spans["bad 1"].status.description)
    assert spans["bad"].status.status_code is StatusCode.ERROR
    assert linked(spans["bad 1"], spans) == {"each[0] 2"}


def test_two_runs_are_two_traces_and_one_in_a_span_has_a_link_to_it(watched: Watched) -> None:
    tracer = watched.traces.get_tracer("mine")
    with tracer.start_as_current_span("mine") as mine:
        watched.engine.start(give(1).named("first")).result()
    watched.engine.start(give(2).named("second")).result()
    spans = watched.spans()
    first, second = spans["first"], spans["second"]
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id
    assert [link.context.span_id for link in first.links] == [mine.get_span_context().span_id]
    assert not second.links


def test_what_is_reused_or_skipped_has_no_span_and_an_answer_is_no_attribute(
    watched: Watched,
) -> None:
    watched.engine.start(give(1).named("a")).result()
    watched.engine.bus.flush()
    watched.exporter.clear()
    question = cs.ask("The secret word?", type=str).named("q")
    run = watched.engine.start([give(1).named("a"), question, give(3).run_if(False).named("no")])
    until_blocking(lambda: run.questions)
    assert watched.numbers()["cascade.tasks.asking"] == 1
    run.answer("q", "swordfish", by="ada")
    until_blocking(run.done)
    spans = watched.spans()
    assert {name for name in spans if name.startswith(("a ", "no "))} == set()
    assert [event.name for event in spans["q 1"].events] == ["asked", "answered"]
    assert "swordfish" not in "".join(span.to_json() for span in spans.values())


def test_queued_and_held_tasks_are_gauges_and_ends_and_times_are_counted(watched: Watched) -> None:
    watched.engine.pause("task:give")
    run = watched.engine.start([give(n) for n in range(5)])
    until_blocking(lambda: run.status.held == 5)
    numbers = watched.numbers()
    assert (numbers["cascade.tasks.held"], numbers["cascade.tasks.queued"]) == (5, 0)
    watched.engine.limit("task:give", 0)
    watched.engine.resume("task:give")
    until_blocking(lambda: run.status.queued == 5)
    numbers = watched.numbers()
    assert (numbers["cascade.tasks.held"], numbers["cascade.tasks.queued"]) == (0, 5)
    watched.engine.limit("task:give", None)
    run.result()
    numbers = watched.numbers()
    assert numbers["cascade.tasks.queued"] == 0
    assert numbers["cascade.runs"] == 1
    assert numbers["cascade.task.duration"] == 5
    assert numbers["cascade.tasks.blocked"] >= 5


def test_a_cancelled_run_leaves_no_span_open_and_a_closed_teller_tells_nothing(
    watched: Watched,
) -> None:
    run = watched.engine.start(cs.ask("Go on?").named("q"))
    until_blocking(lambda: run.questions)
    run.cancel()
    until_blocking(run.done)
    spans = watched.spans()
    assert (spans["q 1"].attributes or {})["cascade.status"] == "cancelled"
    assert (spans["q"].attributes or {})["cascade.status"] == "cancelled"
    assert not watched.telling._runs
    going = watched.engine.start(cs.ask("Go on?").named("other"))
    until_blocking(lambda: going.questions)
    watched.engine.bus.flush(30)
    watched.telling.close()
    assert (watched.spans()["other 1"].attributes or {})["cascade.status"] == "left behind"
    count = len(watched.exporter.get_finished_spans())
    going.answer("other", True)
    going.result()
    watched.engine.start(give(9)).result()
    assert len(watched.exporter.get_finished_spans()) == count
    assert not watched.engine.bus.listening
