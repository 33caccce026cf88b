"""Whether what runs came to, and what was told of them, is what it ought to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from cascade_nb.engine import Run
from cascade_nb.errors import DependencyMissingError, RunCancelledError, RunError, RunFailures
from cascade_nb.events import Event
from tests.engine.machine.bench import Bench
from tests.engine.machine.expected import Expected
from tests.support.history import check_history


@dataclasses.dataclass
class Started:
    """One run of a program."""

    bench: Bench
    run: Run
    cancelled: bool = False

    def ids_of(self, steps: Iterable[int]) -> set[str]:
        """The ids of steps, as far as they are in the graph."""
        graph, lazies = self.run.graph, self.bench.lazies
        places = [graph.place.get(lazies[step].identity) for step in steps]
        return {graph.nodes[place].id for place in places if place is not None}


def judge_runs(
    started: Sequence[Started], events: Iterable[Event], totals: Mapping[str, float], lag: float
) -> None:
    """Fail when a run did not come to what it ought to, or a promise was broken on the way."""
    continued: set[str] = set()
    stopping = set()
    for each in started:
        judge(each)
        continued |= each.ids_of(each.bench.continued)
        if each.bench.program.on_error == "stop":
            stopping.add(each.run.id)
    check_history(
        events,
        {each.run.id: each.run.graph for each in started},
        totals=totals,
        stopping=stopping,
        continued=continued,
        lag=lag,
    )


def judge(each: Started) -> None:
    """Fail when the end of one run is not what a plain recursion gives."""
    program, expected = each.bench.program, Expected(each.bench.program)
    error = each.run.exception()
    if each.cancelled and isinstance(error, RunCancelledError):
        return
    if expected.failed:
        assert isinstance(error, (RunError, RunFailures)), f"{error!r}, not a failure"
        _judge_failures(each, expected)
    elif expected.clear:
        ends = [expected.end(index) for index in program.targets]
        if any(end.how == "skipped" for end in ends):
            assert isinstance(error, DependencyMissingError), f"{error!r}, not a skip"
        else:
            assert error is None, error
            assert each.run.result() == each.bench.value_of([end.value for end in ends])
        _judge_bodies(each, expected)
    for key, times in each.bench.bodies.items():
        most = program.steps[key[0]].attempts
        assert times <= most or program.shares, f"{times} attempts of {most} at {key}"


def _judge_bodies(each: Started, expected: Expected) -> None:
    """Everything that is needed ran, and nothing else."""
    ran, could = each.bench.bodies, expected.bodies
    assert ran.keys() <= could.keys(), f"{ran.keys() - could.keys()} ran, which nobody needed"
    left = {key for key in could.keys() - ran.keys() if key[0] in expected.asked}
    assert not left, f"{left} did not run"
    wrong = [key for key in ran if ran[key] != could[key]]
    assert each.bench.program.shares or not wrong, f"{wrong} ran too often, or not often enough"


def _judge_failures(each: Started, expected: Expected) -> None:
    """What failed could fail, and what had to fail did."""
    program = each.bench.program
    # What is not tried again, because the run is stopping, fails with its first attempt.
    stops = program.on_error == "stop" or each.cancelled
    could = each.ids_of(s.index for s in program.steps if s.can_fail or (stops and s.fails))
    said = {failure.task_id.partition("[")[0] for failure in each.run.failures}
    assert said, "it failed, and nobody says what did"
    unplanned = (said & {node.id for node in each.run.graph.nodes}) - could
    assert not unplanned, f"{unplanned} failed, which nobody had planned"
    # What is shared may have been let go of, and then fails under another id.
    if not stops and not program.shares:
        missing = each.ids_of(expected.failed) - said
        assert not missing, f"{missing} should have failed"
