"""What cannot be sent yet is kept within a limit, and what goes first is what is missed least."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.events import (
    ConstraintApplied,
    ConstraintLifted,
    Event,
    RunFinished,
    RunStarted,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskSkipped,
)
from cascade_nb.events.backlog import Backlog


def progress(n: int) -> Event:
    return TaskProgress(done=n)


def step(n: int) -> Event:
    return (TaskExecutionStarted, TaskExecutionFinished, TaskSkipped)[n % 3](task_id=str(n))


def never(n: int) -> Event:
    return (
        RunStarted(total=n),
        RunFinished(error=str(n)),
        ConstraintApplied(scope=str(n)),
        ConstraintLifted(scope=str(n)),
        TaskExecutionFinished(task_id=str(n), status="failed"),
        TaskExecutionFinished(task_id=str(n), status="cancelled"),
    )[n % 6]


KINDS = {"progress": progress, "step": step, "never": never}
kinds = st.lists(st.sampled_from(list(KINDS)), max_size=120)


@given(kinds, st.integers(1, 40), st.integers(0, 10))
def test_it_loses_nothing_uncounted_and_never_what_must_be_told(
    given_kinds: list[str], limit: int, under_way: int
) -> None:
    backlog = Backlog(limit)
    events = [KINDS[kind](n) for n, kind in enumerate(given_kinds)]
    half = len(events) // 2
    for event in events[:half]:
        backlog.add([event])
    going = backlog.first(under_way)
    for event in events[half:]:
        backlog.add([event])
    left = backlog.first(len(events))
    assert left[: len(going)] == going  # what is under way stays
    assert len(left) + backlog.dropped == len(events)
    places = [next(i for i, one in enumerate(events) if one is event) for event in left]
    assert places == sorted(places)
    must = [event for event, kind in zip(events, given_kinds, strict=True) if kind == "never"]
    assert [event for event in left if any(event is one for one in must)] == must
    assert len(left) <= limit + len(must) + len(going) + limit // 10 + 1


def test_progress_goes_before_anything_else() -> None:
    backlog = Backlog(10)
    backlog.add([*map(step, range(5)), *map(progress, range(5))])
    backlog.add([step(5)])
    assert backlog.dropped == 2
    assert [type(e) for e in backlog.first(99)].count(TaskProgress) == 3


def test_what_was_sent_is_gone() -> None:
    backlog = Backlog()
    events = list(map(step, range(5)))
    backlog.add(events)
    assert backlog.first(3) == events[:3]
    assert backlog.first(2) == events[:2]  # the connection was lost meanwhile
    backlog.sent()
    assert backlog.first(9) == events[2:]
    backlog.clear()
    assert not backlog
