"""Values, classes and states of users that answer with errors end no run without a word."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine import Engine
from cascade_nb.engine.asking.questions import Questions
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.core.scheduler import Scheduler
from cascade_nb.engine.dispatch.admission import Admission
from cascade_nb.engine.dispatch.ready_queues import ReadyQueues
from cascade_nb.engine.runs.assembled_run import AssembledRun
from cascade_nb.errors import RunError, TaskCallError, TaskFailedError
from cascade_nb.events import RunFinished
from cascade_nb.executors import LocalExecutor
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.states import PlainState
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import PATIENCE, outcome


class Odd:
    """Answers every question with an error."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise RuntimeError(f"no {name}")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no ==")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Any:
        raise RuntimeError("no items")

    def __sizeof__(self) -> int:
        raise RuntimeError("no size")


def make() -> Any:
    return Odd()


@every_lane
async def test_a_value_that_answers_nothing_is_handed_on_and_kept(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    odd = task_for(lane, make)().named("odd")
    take = task_for(lane, lambda x: type(x).__name__)
    assert await engine.run(take(odd)) == "Odd"
    assert await engine.run([take(odd), take([odd])]) == ["Odd", "list"]
    assert isinstance(await engine.run(odd), Odd)


@every_lane
@pytest.mark.parametrize(
    ("target", "words"),
    [
        (lambda odd, take, rows: take(1).run_if(odd), "RuntimeError: no truth"),
        (lambda odd, take, rows: take.map(x=odd), "no items"),
        (lambda odd, take, rows: cs.Router(odd, {1: 2}), "no hash|no =="),
        (lambda odd, take, rows: take({odd}), "a set with lazy values inside.*no hash"),
        (lambda odd, take, rows: take({rows}), "a set .*unhashable type: 'list'"),
        (
            lambda odd, take, rows: take(1).with_constraints(gpu=odd),
            "an amount is a number|no repr",
        ),
    ],
)
async def test_what_cannot_be_done_with_a_value_is_the_failure_of_who_wanted_it(
    make_engine: MakeEngine, lane: str, target: Any, words: str
) -> None:
    engine = make_engine(system_resources={"gpu": 1})
    spy = SpySubscriber(engine.bus)
    take = task_for(lane, lambda x: x)
    lazy = target(task_for(lane, make)(), take, task_for(lane, lambda: [1])())
    with pytest.raises(TaskFailedError, match=words):
        await engine.run(lazy)
    assert spy.events_of_type(RunFinished)[0].status == "failed"


@every_lane
async def test_a_failure_with_an_odd_input_is_told(engine: Engine, lane: str) -> None:
    def fail(x: Any) -> None:
        raise ValueError("no")

    run = engine.start(task_for(lane, fail)(task_for(lane, make)()))
    assert isinstance(await outcome(run), TaskFailedError)
    assert run.failures[0].inputs == ("<Odd>",)


@every_lane
async def test_a_state_that_raises_at_once_fails_its_task(
    make_engine: MakeEngine, lane: str
) -> None:
    class Full(PlainState):
        def put(self, entry: Entry, keeper: SaveCallback) -> bool:
            raise OSError("disk full")

    engine = make_engine(state_backend=Full())
    with pytest.raises(TaskFailedError, match=r"OSError: disk full"):
        await engine.run(task_for(lane, lambda: 1)())


@pytest.mark.parametrize("method", ["open", "known", "values"])
async def test_a_state_that_cannot_be_read_ends_the_run_with_its_error(
    make_engine: MakeEngine, method: str
) -> None:
    class Broken(PlainState):
        async def open(self) -> None:
            self._maybe("open")

        async def known(self, keys: Any) -> dict[str, Known]:
            self._maybe("known")
            return dict.fromkeys(keys, Known(1.0, 1.0))

        async def values(self, keys: Any) -> dict[str, Any]:
            self._maybe("values")
            return {}

        def _maybe(self, name: str) -> None:
            if name == method:
                raise OSError(f"no {name}")

    engine = make_engine(state_backend=Broken())
    spy = SpySubscriber(engine.bus)
    error = await outcome(engine.start(cs.task(lambda: 1)()))
    assert f"no {method}" in str(error)
    assert spy.events_of_type(RunFinished)[0].status == "failed"


def test_an_object_that_cleans_up_after_itself_is_not_made_again_but_refused() -> None:
    class Handle:
        def __init__(self, rows: Any) -> None:
            self.rows = rows

        def __del__(self) -> None:
            pass

    with pytest.raises(TaskCallError, match=r"argument x.* holds the lazy value .* a Handle"):
        cs.task(lambda x: x)(Handle([cs.task(lambda: 1)()]))


# An error of the machinery itself must not leave anybody waiting.


@pytest.mark.parametrize(
    ("lane", "where", "name"),
    [
        ("thread", Scheduler, "finish"),
        ("async", Scheduler, "finish"),
        ("inline", Scheduler, "finish"),
        ("thread", Admission, "begin"),
        ("async", Admission, "begin"),
    ],
)
async def test_an_error_of_the_machinery_ends_the_run_with_its_cause(
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    spy: SpySubscriber,
    lane: str,
    where: type,
    name: str,
) -> None:
    def wrong(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a mistake")

    work = task_for(lane, lambda x: x).map(x=[1, 2, 3]).with_retry(2)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, wrong)
        error = await outcome(engine.start(work))
    assert type(error) is RunError
    assert "broken off by an error of cascade_nb itself" in str(error)
    assert isinstance(error.__cause__, AssertionError)
    assert [e.status for e in spy.events_of_type(RunFinished)] == ["failed"]
    assert await engine.run(work) == [1, 2, 3]  # the engine goes on


@every_lane
@pytest.mark.parametrize(
    ("where", "name"),
    [
        (ReadyQueues, "clear"),
        (Questions, "close"),
        (AssembledRun, "abandon"),
        (ReadyQueues, "pump_workers"),
        (RunCore, "stop"),
        (RunCore, "cancel_rest"),
        (ConstraintManager, "leave"),
        (ConstraintManager, "hand_out"),
    ],
)
async def test_an_error_while_a_run_is_broken_off_leaves_no_place_taken_and_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, make_engine: MakeEngine, lane: str, where: type, name: str
) -> None:
    broken_off = threading.Event()
    raises: list[str] = []
    real = getattr(where, name)

    def wrong_once(*args: Any, **kwargs: Any) -> Any:
        if broken_off.is_set() and not raises:
            raises.append(name)
            raise AssertionError("another mistake")
        return real(*args, **kwargs)

    def finish(*args: Any, **kwargs: Any) -> None:
        broken_off.set()
        raise AssertionError("a mistake")

    engine = make_engine(executor=LocalExecutor(2))
    work = task_for(lane, lambda x: x).map(x=[1, 2, 3])
    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "finish", finish)
        patch.setattr(where, name, wrong_once)
        error = await outcome(engine.start(work))
    assert "broken off by an error of cascade_nb itself" in str(error)
    assert isinstance(error, RunError)
    told = {str(error.__cause__), str(getattr(error.__cause__, "__context__", None))}
    assert "a mistake" in told
    if name not in ("abandon", "leave"):  # others were in flight, or none: it comes later, or never
        assert "another mistake" in told
    assert await engine.run(work) == [1, 2, 3]
    meeting = threading.Barrier(2)  # both places are there, or nobody comes through
    meet = cs.task(reuse=False)(lambda x: meeting.wait(PATIENCE))
    assert sorted(await engine.run(meet.map(x=[1, 2]))) == [0, 1]


@every_lane
async def test_an_error_that_never_says_what_it_is_holds_up_nobody(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    asked = threading.Event()

    class MuteError(Exception):
        def __str__(self) -> str:
            asked.wait(60)
            return "too late"

    def fail() -> None:
        raise MuteError

    run = engine.start(task_for(lane, fail)())
    try:
        with pytest.raises(TaskFailedError, match=r"MuteError: <its text cannot be had: it takes"):
            await run
        (failure,) = run.failures
        assert failure.traceback == failure.text  # a panel that shows it does not wait, either
        assert await engine.run(task_for(lane, lambda: 1)()) == 1
    finally:
        asked.set()


@every_lane
async def test_no_code_of_an_error_runs_while_the_engine_is_locked(
    engine: Engine, lane: str
) -> None:
    lock: Any = engine.constraints.lock
    asked_under_lock: set[str] = set()

    def look(name: str) -> None:
        if lock._is_owned():
            asked_under_lock.add(name)

    class Kind(type):
        def __getattribute__(cls, name: str) -> Any:
            look(f"class.{name}")
            return super().__getattribute__(name)

        def __subclasscheck__(cls, other: type) -> bool:
            look("__subclasscheck__")
            return super().__subclasscheck__(other)

        def __instancecheck__(cls, other: object) -> bool:
            look("__instancecheck__")
            return super().__instancecheck__(other)

    class NosyError(Exception, metaclass=Kind):
        def __getattribute__(self, name: str) -> Any:
            look(name)
            return super().__getattribute__(name)

        def __str__(self) -> str:
            look("__str__")
            return "nosy"

        def __eq__(self, other: object) -> bool:
            look("__eq__")
            return self is other

        def __hash__(self) -> int:
            look("__hash__")
            return 1

    def fail(x: int) -> None:
        raise NosyError(x)

    def odd() -> Any:
        return 1

    task = task_for(lane, fail)
    for target in (
        task(1),
        task.map(x=[1, 2]),
        task(task_for(lane, odd)()).with_retry(2, on=(OSError, NosyError)),
        [task(3), task_for(lane, odd)()],
    ):
        run = engine.start(target, on_error="continue")
        assert "nosy" in str(await outcome(run)) or len(run.failures) > 1
        assert run.failures[0].text == "NosyError: nosy"
        # An error that were of its class, too, would be asked in its way.
        assert not issubclass(type(await outcome(run)), NosyError)
        assert len(run.status.failures) == len(run.failures)
        assert run.why(run.graph.nodes[0].id)
        await outcome(run.retry_failed())
    assert asked_under_lock == set()
