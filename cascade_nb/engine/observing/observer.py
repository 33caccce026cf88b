"""Looks at a run for whoever asks, and counts what changed since the last look, not all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeVar

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.explanations import explain, stopper
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.asking.question_status import QuestionStatus, questions_in
from cascade_nb.engine.core.driven_run import NestedRun
from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.observing.answers import dashboards_of, idle_for, item_of, node_named, why_of
from cascade_nb.engine.observing.early_ends import ended_with, why_before_start
from cascade_nb.engine.observing.headline import HeadlineFacts, headline
from cascade_nb.engine.observing.kind_status import kind_status, suspended_of, through_pauses
from cascade_nb.engine.observing.partial_value import Missing, partial_of
from cascade_nb.engine.observing.retries import nested_in, retries_of
from cascade_nb.engine.observing.run_view import ObservedRun, RunView
from cascade_nb.engine.observing.state_counts import StateCounts
from cascade_nb.engine.observing.status import (
    FailureLine,
    NodeState,
    Phase,
    RunStatus,
)
from cascade_nb.engine.storage.carry_over import AN_EDIT
from cascade_nb.engine.storage.result_saver import THE_STATE
from cascade_nb.graph.graph import Node

T = TypeVar("T")
_SOON = 5.0  # seconds of waiting of which nothing need be said
_SOME = 1000  # of what is parked, looked at one by one
_ALL_WAIT = -2  # the version of a run that has no machinery yet


class RunObserver:
    """What can be seen of one run.

    Args:
        run: its handle.
        manager: whose constraints it goes by.
        unreachable: gives what to say of a connector that is gone.
    """

    def __init__(
        self, run: ObservedRun, manager: ConstraintManager, unreachable: Callable[[], str | None]
    ) -> None:
        self._run, self._manager, self._unreachable = run, manager, unreachable
        self._view: RunView | None = None
        self._state_counts: StateCounts | None = None
        self._since = 0  # versions that were given of machinery before

    def begin(self, view: RunView) -> None:
        """The run has its machinery, or another after an edit; nothing is counted before a look."""
        self._since += 1 + (len(self._view.core.state_changes) if self._view is not None else -1)
        self._view, self._state_counts = view, StateCounts(view)

    def elapsed(self) -> float:
        """See `Readings.elapsed`."""
        with self._manager.lock:
            return self._elapsed()

    def blocked_by(self) -> str | None:
        """What keeps the run from going on while nothing of it runs, and time alone will not end
        soon.
        """
        with self._manager.lock:
            phase, pauses, _ = self._phase()
            view = self._view
            if phase is Phase.PAUSED and pauses:
                return f"{pauses[0]} {pauses[0].reason}"
            if phase is not Phase.RUNNING or view is None:
                return None
            if view.core.questions or view.core.retry_at:
                return f"asks {[*view.core.questions]}" if view.core.questions else None
            if self._running():
                return None
            now = self._manager.clock.now()
            for ticket in view.core.parked.values():
                gate = stopper(self._manager, ticket)
                if gate is not None and gate.opens_at(now) - now > _SOON:
                    return str(gate.constraint)
            return None if view.queues.loop_is_held_up else idle_for(view)

    def status(self) -> RunStatus:
        """The run at this moment."""
        with self._manager.lock:
            kinds = self._kinds()
            spent = self._view.core.kinds.spent() if self._view is not None else {}
            counts: Counter[NodeState] = Counter()
            for of_one in kinds.values():
                counts.update(of_one)
            phase, pauses, paused_for = self._phase()
            failures = tuple(FailureLine(f.task, f.text, f.where) for f in (self.failures()))
            blocker = self._blocker()
            retries = retries_of(self._view) if self._view is not None else ()
            running = self._running()
            waiting, queued, held = self._standing(counts, running, bool(pauses))
            suspended, suspended_for = suspended_of(self._view)
            asking, questions = counts[NodeState.ASKING], self._questions()
            moment = HeadlineFacts(
                phase=phase,
                running=running,
                queued=queued,
                held=held,
                failed=len(failures),
                elapsed=self._elapsed(),
                pauses=pauses,
                paused_for=paused_for,
                blocker=blocker,
                retrying=retries[0] if retries else None,
                failure=failures[0] if failures else ended_with(self._run),
                still_running=self._run.still_running,
                unreachable=self._unreachable(),
                finishing=bool(counts) and not (running or waiting or queued or held or asking),
                edits=self._run.edits,
                kept=tuple(self._run.kept.values()),
                unkept=self._view.saver.refused if self._view is not None else 0,
                through=through_pauses(self._view),
                suspended=min(suspended, held),
                suspended_for=suspended_for or 0.0,
                asking=tuple(one.words for one in questions),
            )
            return RunStatus(
                run_id=self._run.id,
                number=self._run.number,
                title=self._run.graph.title,
                phase=phase,
                total=sum(counts.values()),
                done=counts[NodeState.DONE],
                reused=counts[NodeState.REUSED],
                failed=counts[NodeState.FAILED],
                skipped=counts[NodeState.SKIPPED],
                cancelled=counts[NodeState.CANCELLED],
                running=running,
                waiting=waiting,
                queued=queued,
                held=held,
                elapsed=moment.elapsed,
                paused_for=paused_for,
                remaining=None if held or asking else self._remaining(phase),
                headline=headline(moment),
                kinds=tuple(
                    kind_status(self._manager, name, of_one, spent.get(name))
                    for name, of_one in kinds.items()
                ),
                failures=failures,
                blocked_by=blocker if held or queued else None,
                parent=self._run.parent,
                retries=retries,
                suspended=suspended,
                suspended_for=suspended_for,
                asking=asking,
                questions=questions,
                dashboards=dashboards_of(self._view),
            )

    def nested(self) -> list[tuple[Node, str, NestedRun]]:
        """The runs that its tasks have started and wait for, see `nested_in`."""
        with self._manager.lock:
            return nested_in(self._view) if self._view is not None else []

    def failures(self) -> list[Failure]:
        """What failed so far."""
        return list(self._view.failures) if self._view is not None else []

    def look(self, read: Callable[[RunView, Callable[[int], NodeState]], T]) -> T | None:
        """See `Readings.look`."""
        with self._manager.lock:
            self._kinds()
            return None if self._view is None else read(self._view, self._state)

    def partial(self, name: str | None) -> Any:
        """What is there of the target's value, or of a node's."""
        view, graph = self._view, self._run.graph
        if view is not None:
            return partial_of(view, name)
        node = graph.nodes[graph.targets[0]] if name is None else node_named(graph, name)
        return Missing(node.label, "is not there: nothing of the run has started")

    def states(self) -> dict[str, NodeState]:
        """How each node of the graph stands, by id."""
        nodes = self._run.graph.nodes
        return {nodes[index].id: state for index, state in self.changed_since(-1)[1].items()}

    def changed_since(self, version: int) -> tuple[int, dict[int, NodeState]]:
        """States by index of the graph's nodes that changed since `version`, and the version of
        now.
        """
        own = len(self._run.graph)
        with self._manager.lock:
            view = self._view
            if view is None or self._state_counts is None or view.core.graph is not self._run.graph:
                told = version == _ALL_WAIT
                return _ALL_WAIT, {} if told else dict.fromkeys(range(own), NodeState.WAITING)
            now, since = self._since + len(view.core.state_changes), version - self._since
            if since >= 0:
                changed = set(view.core.state_changes[since:])
            elif version == _ALL_WAIT and not self._since:
                # Of what is there from the start no change in the log says it.
                there = self._run.graph.param_indexes
                changed = {*view.core.state_changes, *view.core.reused, *view.core.carried, *there}
            else:
                return now, self._state_counts.states(range(own))
            if len(view.core.scheduler.state) > own:
                root_of = view.core.root_of
                changed = {i if i < own else root_of(i) for i in changed}
            return now, self._state_counts.states(changed)

    def progress_of(self, index: int) -> tuple[int, int]:
        """Items done and in all."""
        with self._manager.lock:
            self._kinds()
            items = None if self._state_counts is None else self._state_counts.items(index)
            if items is None:
                return int(self._state(index) in (NodeState.DONE, NodeState.REUSED)), 1
            return items[NodeState.DONE] + items[NodeState.REUSED], sum(items.values())

    def why(self, name: str) -> list[str]:
        """Reasons in words."""
        found = item_of(self._run.graph, name)
        node = found[0] if found is not None else node_named(self._run.graph, name)
        with self._manager.lock:
            view = self._view
            if view is None:
                return [why_before_start(self._run, node.id)]
            lines = why_of(view, name, self._state)
        kept = self._run.kept.get(node.index)
        return lines if found is not None or kept is None else [*lines, kept]

    def _questions(self) -> tuple[QuestionStatus, ...]:
        if self._view is None or self._run.outcome is not None:
            return ()
        return questions_in(self._view.core, self._manager.clock.now())

    def _kinds(self) -> dict[str, Counter[NodeState]]:
        """By task name, how its nodes stand now."""
        if self._state_counts is None:
            return {}
        self._state_counts.catch_up()
        return self._state_counts.kinds()

    def _state(self, index: int) -> NodeState:
        return NodeState.WAITING if self._state_counts is None else self._state_counts.state(index)

    def _phase(self) -> tuple[Phase, tuple[Constraint, ...], float | None]:
        """How it stands; the pauses that hold all of it, and for how long nothing has run."""
        view = self._view
        if self._run.outcome is not None:
            return self._run.outcome, (), None
        pauses = self._whole_pauses()
        since = min((pause.since for pause in pauses), default=0.0)
        if view is None:
            ours = [pause for pause in pauses if pause.holder in (THE_STATE, AN_EDIT)]
            if not ours:
                return Phase.STARTING, pauses, None
            return Phase.PAUSED, pauses, max(0.0, self._manager.clock.now() - ours[0].since)
        if view.core.stopping == "cancelled":
            return Phase.CANCELLING, (), None
        if not pauses:
            return Phase.RUNNING, (), None
        if not self.is_quiet():
            return Phase.PAUSING, pauses, None
        since = max(since, view.last_end)
        return Phase.PAUSED, pauses, max(0.0, self._manager.clock.now() - since)

    def _whole_pauses(self) -> tuple[Constraint, ...]:
        """Those that hold all of it, whoever has put them there."""
        standing = self._manager.standing
        return (*standing("global"), *standing(Scope("run", self._run.id)))

    def _running(self) -> int:
        """How many tasks are under way; those that rest at a checkpoint are not."""
        view = self._view
        if view is None or self._run.outcome is not None:
            return 0
        return sum(
            1 for a in view.in_flight.values() if a.started is not None and not a.resting
        ) + (view.inline is not None)

    def is_quiet(self) -> bool:
        """Whether none of its tasks is under way, but for those that wait for runs in which nothing
        is either. Under the lock.
        """
        view = self._view
        if not self._running() or view is None:
            return True
        if view.inline is not None or not view.nested:
            return False
        inside = list(view.nested.items())
        return all(
            a.ticket in view.lent and all(run.rests(self._manager) for run, of in inside if of is a)
            for a in view.in_flight.values()
            if a.started is not None and not a.resting
        )

    def _standing(
        self, counts: Mapping[NodeState, int], running: int, paused: bool
    ) -> tuple[int, int, int]:
        """How many are waiting, queued and held, of those that do not run.

        Some that do not run have begun: what they continued themselves with stands still, or they
        rest at a checkpoint. And a pause of the whole run holds all that is left of it.
        """
        begun = max(0, counts[NodeState.RUNNING] - running)
        waiting, queued = counts[NodeState.WAITING], counts[NodeState.QUEUED]
        held = counts[NodeState.HELD]
        if paused:
            return 0, 0, waiting + queued + held + begun
        view = self._view
        if view is None or not begun:
            return waiting, queued, held
        resting = min(begun, sum(a.resting for a in view.in_flight.values()))
        held, begun = held + resting, begun - resting
        some = islice(view.core.parked.values(), _SOME)  # of 100,000, and it is asked often
        words = {gate.word for t in some if (gate := stopper(self._manager, t))}
        if "held" in words:
            return waiting, queued, held + begun
        return (waiting, queued + begun, held) if words else (waiting + begun, queued, held)

    def _elapsed(self) -> float:
        if (view := self._view) is None:
            return 0.0
        now = self._run.ended_at or self._manager.clock.now()
        rested = view.rested
        pauses = self._whole_pauses() if self._run.outcome is None else ()
        if pauses and self.is_quiet():
            since = min(pause.since for pause in pauses)
            rested += max(0.0, now - max(since, view.last_end))
        return max(0.0, now - view.began - rested)

    def _remaining(self, phase: Phase) -> float | None:
        view = self._view
        return None if view is None or phase is not Phase.RUNNING else view.left(view)

    def _blocker(self) -> str | None:
        if (view := self._view) is None:
            return None
        for ticket in view.core.parked.values():
            if (gate := stopper(self._manager, ticket)) is not None:
                return explain(gate, self._manager.clock.now(), ticket)
        gate = None if self._state_counts is None else self._state_counts.holding()
        return idle_for(view) if gate is None else explain(gate, self._manager.clock.now())
