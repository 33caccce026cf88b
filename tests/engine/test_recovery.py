"""A run that its kernel left is taken up by another: nothing completed runs again, nothing is lost.

The first kernel is an engine here that is left alone with its tasks held; real kernels are killed
in the tests of the states that last.
"""

from __future__ import annotations

import asyncio
import importlib
import pickle
import sys
import threading
import time
import types
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.engine.storage import journal_writer
from cascade_nb.engine.storage.journal_writer import UnwrittenRunWarning
from cascade_nb.engine.storage.recovery import choose
from cascade_nb.engine.storage.result_saver import THE_STATE
from cascade_nb.errors import (
    HolderError,
    LeaseHeldError,
    RunCancelledError,
    StateError,
    UnknownNameError,
    UsageError,
)
from cascade_nb.events import RunFinished, RunStarted, event_from_json
from cascade_nb.protocols.journal import RunRecord
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.states import PaperState
from tests.engine.tools import finished, outcome, started, until
from tests.support.patience import tries
from tests.support.same_in_keys import SameInKeys


class Calls(list[Any]):
    """What ran; it counts as the same in a key however much that is, as in another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Calls, ()


class Gate(SameInKeys, threading.Event):
    """The same of what holds tasks up."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Gate, ()


calls = Calls()
gate = Gate()


@cs.task
def first(n: int) -> int:
    calls.append(("first", n))
    return n + 1


@cs.task(reuse=False)
def effect(n: int) -> int:
    calls.append(("first", n))
    return n + 1


@cs.task
def wait_here(n: int) -> int:
    calls.append(("wait_here", n))
    assert gate.wait(60)
    return n * 10


@cs.task
def square(x: int, by: int = 0) -> int:
    calls.append(("square", x))
    if x == by:
        assert gate.wait(60)
    return x * x


@cs.task
def read(path: str, n: int) -> int:
    calls.append(("read", n))
    return n + int(Path(path).read_text())


@cs.task
def total(xs: list[int]) -> int:
    calls.append(("total", tuple(xs)))
    return sum(xs)


@pytest.fixture(autouse=True)
def fresh() -> None:
    calls.clear()
    gate.clear()


@pytest.fixture
async def state() -> AsyncIterator[PaperState]:
    yield PaperState()
    gate.set()


async def left_behind(make_engine: MakeEngine, state: PaperState, target: Any, **more: Any) -> Any:
    """A run in a kernel that hangs in its last task, and whose lease is over."""
    engine = make_engine(state_backend=state, lease=0.3)
    run = engine.start(target, **more)
    return engine, run


async def take_lease_away(state: PaperState, run_id: str) -> None:
    """As if the first kernel were dead: its lease runs out, and it renews it no more."""
    owner, fence, _ = state.paper.leases[run_id]
    state.paper.leases[run_id] = (owner, fence + 1, 0.0)  # which it would, being alive


async def test_nothing_that_was_completed_runs_again(
    make_engine: MakeEngine, state: PaperState
) -> None:
    _, run = await left_behind(make_engine, state, wait_here(first(first(1))))
    await until(lambda: ("wait_here", 3) in calls)
    await take_lease_away(state, run.id)
    other = make_engine(state_backend=state)
    spy = SpySubscriber(other.bus)
    again = await other.attach()
    assert again.id == run.id
    gate.set()
    assert await again == 30
    assert calls == [("first", 1), ("first", 2), ("wait_here", 3), ("wait_here", 3)]
    assert started(spy) == ["wait_here#1"]
    assert again.states()["first#1"] is NodeState.REUSED
    assert isinstance(await outcome(run), RunCancelledError)
    assert "was taken over by" in str(run.exception())


async def test_items_that_were_completed_do_not_run_again(
    make_engine: MakeEngine, state: PaperState
) -> None:
    target = total(square.partial(by=3).map(x=[1, 2, 3, 4]))
    _, run = await left_behind(make_engine, state, target)
    await until(lambda: len(calls) == 4 and len(state.entries) == 3)
    await take_lease_away(state, run.id)
    other = make_engine(state_backend=state)
    again = await other.attach(run.id[:5])
    await until(lambda: len(calls) == 5)
    gate.set()
    assert await again == 30
    assert calls[4:] == [("square", 3), ("total", (1, 4, 9, 16))]


@pytest.mark.parametrize("when", ["changed", "the same"])
async def test_what_was_made_of_a_file_that_changed_since_is_made_again(
    when: str, make_engine: MakeEngine, state: PaperState, tmp_path: Path
) -> None:
    file = tmp_path / "in.txt"
    file.write_text("1")
    path = str(file)
    target = total([*[read(path, n) for n in (10, 20)], wait_here(first(read(path, 0)))])
    items = total([total(read.partial(path=path).map(n=[1, 2])), wait_here(0)])
    _, run = await left_behind(make_engine, state, [target, items])
    await until(lambda: len(calls) == 9 and len(state.entries) == 8)
    await take_lease_away(state, run.id)
    calls.clear()
    if when == "changed":
        file.write_text("1000")
    other = make_engine(state_backend=state)
    again = await other.attach()
    gate.set()
    more = 999 * (when == "changed")
    assert await again == [11 + 21 + 20 + 2 * more + more * 10, 2 + 3 + 2 * more]
    assert sum(name == "read" for name, _ in calls) == (5 if more else 0)


async def test_what_has_no_fingerprint_is_found_by_whoever_takes_up_the_run_and_nobody_else(
    make_engine: MakeEngine, state: PaperState
) -> None:
    target = wait_here(effect(1))
    _, run = await left_behind(make_engine, state, target)
    await until(lambda: ("wait_here", 2) in calls)
    await take_lease_away(state, run.id)
    other = make_engine(state_backend=state)
    again = await other.attach()
    gate.set()
    assert await again == 20
    assert calls.count(("first", 1)) == 1
    assert await other.run(target) == 20  # a run of its own: the effect is wanted again
    assert calls.count(("first", 1)) == 2


async def test_a_fresh_run_goes_on_with_what_it_made_itself(
    make_engine: MakeEngine, state: PaperState
) -> None:
    target = wait_here(first(1))
    gate.set()
    await make_engine(state_backend=state).run(target)
    gate.clear()
    for key, entry in state.entries.items():
        state.entries[key] = entry._replace(seconds=7.0)
    calls.clear()
    _, run = await left_behind(make_engine, state, target, fresh=True)
    await until(lambda: ("wait_here", 2) in calls)
    await take_lease_away(state, run.id)
    gate.set()
    assert await (await make_engine(state_backend=state).attach(run.id)) == 20
    assert calls.count(("first", 1)) == 1


async def test_pauses_and_limits_are_in_force_before_anything_starts(
    make_engine: MakeEngine, state: PaperState
) -> None:
    engine = make_engine(state_backend=state, lease=5.0)
    run = engine.start(total([first(1), wait_here(2)]))
    await until(lambda: ("wait_here", 2) in calls)
    engine.pause("task:total", reason="not yet", by="ada")
    engine.pause("task:total", by="agent:claude")
    engine.limit("task:first", 2)
    engine.pause("tag:old", ttl=0.001)
    engine.pause("task:total", before=True)
    run.pause()
    engine.constraints.apply(f"run:{run.id}", reason="no room here", by=THE_STATE)
    written = state.paper.parts

    def all_are_written() -> bool:
        there = pickle.loads(written.get((run.id, "constraints"), pickle.dumps([])))
        return {"task:total", "task:first"} <= {one["scope"] for one in there}

    await until(all_are_written)
    await take_lease_away(state, run.id)
    other = make_engine(state_backend=state)
    spy = SpySubscriber(other.bus)
    again = await other.attach()
    await until(lambda: again.status.phase is Phase.PAUSED)
    assert started(spy) == []
    assert len(other.constraints.standing(f"run:{run.id}")) == 1  # not that of a state elsewhere
    standing = other.constraints.standing("task:total")
    assert [one.by for one in standing] == ["ada", "the agent claude"]
    with pytest.raises(HolderError, match="paused by ada: not yet, and by the agent claude"):
        other.resume("task:total", by="agent:x")
    found = {(str(c.scope), c.type): c for c in reversed(other.constraints.constraints())}
    assert found["task:total", "pause"].reason == "not yet"
    assert found["task:first", "concurrency"].limit == 2
    assert ("tag:old", "pause") not in found
    gate.set()
    again.resume()
    again.resume("task:total")
    await until(lambda: "at a breakpoint" in again.why("total#1")[0])
    again.resume("task:total")
    assert await again == 22


async def test_parameters_and_the_rule_for_errors_come_along(
    make_engine: MakeEngine, state: PaperState
) -> None:
    n = cs.Param("n", type=int)
    _, run = await left_behind(
        make_engine, state, wait_here(first(n)), params={"n": "4"}, on_error="continue"
    )
    await until(lambda: ("wait_here", 5) in calls)
    await take_lease_away(state, run.id)
    again = await make_engine(state_backend=state).attach()
    gate.set()
    assert await again == 50
    assert again.request.on_error == "continue"


async def test_the_history_goes_on_where_it_was(make_engine: MakeEngine, state: PaperState) -> None:
    _, run = await left_behind(make_engine, state, wait_here(first(1)))
    await until(lambda: len(state.paper.lines.get(run.id, ())) >= 4)
    await take_lease_away(state, run.id)
    again = await make_engine(state_backend=state).attach()
    told = [event_from_json(line) for line in again.history]
    assert isinstance(told[0], RunStarted)
    assert len(told) >= 4
    gate.set()
    await again
    after = [event_from_json(line) for line in state.paper.lines[run.id]]
    assert isinstance(after[-1], RunFinished)
    assert state.paper.records[run.id].status == "succeeded"


async def test_a_run_that_ended_well_gives_its_value_at_once(
    make_engine: MakeEngine, state: PaperState
) -> None:
    gate.set()
    run = make_engine(state_backend=state).start(wait_here(first(1)))
    await run
    calls.clear()
    assert await (await make_engine(state_backend=state).attach(run.id)) == 20
    assert calls == []


async def test_of_two_kernels_one_goes_on_and_the_other_is_told_who_has_it(
    make_engine: MakeEngine, state: PaperState
) -> None:
    for attempt in tries(0.3):
        with attempt as lease:  # within which it renews it
            calls.clear()
            gate.clear()
            engine = make_engine(state_backend=state, lease=lease)
            run = engine.start(wait_here(first(1)), fresh=True)
            await until(lambda: ("wait_here", 2) in calls)
            other = make_engine(state_backend=state)
            assert engine.journal_writer is not None
            with pytest.raises(LeaseHeldError) as held:
                await other.attach(run.id)
            assert held.value.owner == engine.journal_writer.owner
            gate.set()
            assert await run == 20


async def test_a_dead_kernels_run_is_taken_over_when_its_lease_is_over(
    make_engine: MakeEngine, state: PaperState, capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = await left_behind(make_engine, state, wait_here(first(1)))
    await until(lambda: ("wait_here", 2) in calls)
    state.paper.steal(run.id, "process 7 on ada")  # which renews it no more
    gate.set()
    taking = asyncio.ensure_future(make_engine(state_backend=state).attach(run.id))
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "in the hands of" in said

    await until(is_said)
    owner, fence, _ = state.paper.leases[run.id]
    state.paper.leases[run.id] = (owner, fence, 0.0)
    assert await (await taking) == 20
    said += capsys.readouterr().err
    assert said.count("this run was last in the hands of process 7 on ada; if that is gone") == 1


async def test_a_kernel_that_lost_its_run_writes_nothing_more_about_it(
    make_engine: MakeEngine, state: PaperState
) -> None:
    engine, run = await left_behind(make_engine, state, wait_here(first(1)))
    await until(lambda: ("wait_here", 2) in calls)
    state.paper.steal(run.id, "process 7 on ada")
    lines = list(state.paper.lines.get(run.id, ()))
    kept = dict(state.entries)
    engine.grace = 0.05
    assert isinstance(await outcome(run), RunCancelledError)
    assert "taken over by process 7 on ada" in str(run.exception())
    gate.set()
    await asyncio.sleep(0.05)
    assert state.paper.records[run.id].status == "running"
    assert state.paper.lines.get(run.id, []) == lines
    assert state.entries == kept


async def test_a_journal_in_trouble_pauses_the_run_before_its_first_task(
    make_engine: MakeEngine, state: PaperState
) -> None:
    gate.set()
    state.paper.trouble = StateError("no disk; bring it back")
    engine = make_engine(state_backend=state)
    run = engine.start(wait_here(first(1)))
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert "no disk; bring it back" in run.status.headline
    assert calls == []
    state.paper.trouble = None
    run.resume()
    assert await run == 20


async def test_history_that_could_not_be_written_is_written_later(
    make_engine: MakeEngine, state: PaperState
) -> None:
    engine = make_engine(state_backend=state)
    run = engine.start(wait_here(first(1)))
    await until(lambda: ("wait_here", 2) in calls)
    state.paper.trouble = StateError("no disk")
    await asyncio.sleep(0.5)
    state.paper.trouble = None
    gate.set()
    assert await run == 20
    told = [type(event_from_json(line)).__name__ for line in state.paper.lines[run.id]]
    assert told[0] == "RunStarted"
    assert told[-1] == "RunFinished"
    assert told.count("TaskExecutionFinished") == 2


@pytest.mark.filterwarnings("always::cascade_nb.engine.storage.journal_writer.UnwrittenRunWarning")
async def test_a_graph_that_has_no_bytes_runs_and_cannot_be_taken_up_and_both_is_said(
    make_engine: MakeEngine, state: PaperState
) -> None:
    lock = threading.Lock()

    @cs.task
    def hold() -> int:
        with lock:
            return 3

    engine = make_engine(state_backend=state)
    run = engine.start(hold())
    with pytest.warns(UnwrittenRunWarning, match=r"cannot be taken up after a crash"):
        assert await run == 3
    with pytest.raises(UsageError, match=r"cannot be taken up: .*pickle.*run its cells again"):
        await make_engine(state_backend=state).attach(run.id)


async def test_a_run_that_goes_on_here_is_not_taken_up_here(
    make_engine: MakeEngine, state: PaperState
) -> None:
    engine, run = await left_behind(make_engine, state, wait_here(1))
    await until(lambda: ("wait_here", 1) in calls)
    with pytest.raises(UsageError, match=r"goes on in this kernel already"):
        await engine.attach(run.id)
    gate.set()
    await run


async def test_a_state_in_memory_has_nothing_to_take_up_and_says_what_to_do(
    engine: Engine,
) -> None:
    with pytest.raises(UsageError, match=r'state_backend="sqlite:///cascade.db"'):
        await engine.attach()
    with pytest.raises(UsageError, match=r"CASCADE_STATE"):
        await engine.recorded()


def record(run_id: str, status: str, begun: float) -> RunRecord:
    return RunRecord(run_id, "t", "somebody", begun, status, 1, 0.0)


def test_what_a_dead_kernel_left_comes_before_what_was_given_up() -> None:
    records = [record("a", "failed", 3.0), record("b", "running", 1.0), record("c", "running", 2.0)]
    assert choose(records, None).run_id == "c"
    assert choose(records, "a").run_id == "a"


def test_a_run_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no run 'abx'.*'abc'"):
        choose([record("abc", "failed", 1.0)], "abx")
    with pytest.raises(UsageError, match=r"nothing to take up: the only run, abc, came to its"):
        choose([record("abc", "succeeded", 1.0)], None)
    with pytest.raises(UsageError, match=r"several runs begin with 'ab': abc, abd"):
        choose([record("abc", "failed", 1.0), record("abd", "failed", 1.0)], "ab")


async def test_the_scribe_leaves_nothing_when_its_engine_is_closed(
    make_engine: MakeEngine, state: PaperState
) -> None:
    gate.set()
    engine = make_engine(state_backend=state)
    assert await engine.run(wait_here(1)) == 10
    assert not engine.bus.listening
    await engine.aclose()
    assert not [t for t in threading.enumerate() if t.name == "cascade-journal"]


async def test_finished_is_told_when_the_result_is_safe_and_the_run_written_down(
    make_engine: MakeEngine, state: PaperState
) -> None:
    gate.set()
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    assert await engine.run(wait_here(first(1))) == 20
    assert finished(spy) == ["first#1", "wait_here#1"]
    assert [r.status for r in await engine.recorded()] == ["succeeded"]


async def test_a_run_is_listed_only_when_it_can_be_taken_up(
    make_engine: MakeEngine, state: PaperState, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kernel that was killed between the two left an entry that nobody could do anything with.
    # One that was killed in the first moments of a run forgot what was held from its beginning.
    gate.set()
    listed: list[Any] = []
    describe = state.paper.describe

    async def look_first(lease: Any, *args: Any) -> None:
        listed.append((lease.run_id, "order") in state.paper.parts)
        held = await state.paper.read(lease.run_id, "constraints")
        listed.extend(one["scope"] for one in held)
        await describe(lease, *args)

    monkeypatch.setattr(state.paper, "describe", look_first)
    engine = make_engine(state_backend=state)
    engine.pause("task:second")
    await engine.run(first(1))
    assert listed == [True, "task:second"]


HELPER = "K = {k}\ndef times(x): return x * K\n"


async def test_code_that_was_edited_since_runs_under_keys_of_its_own(
    make_engine: MakeEngine,
    state: PaperState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A module is edited between the death of a kernel and the attach of the next, which imports it
    # anew. What its code made stands for nothing, what others made stands, and no result of the
    # new code is found by whoever goes back to the old.
    name = "recovered_helper"
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{name}.py").write_text(HELPER.format(k=2))
    module = importlib.import_module(name)
    space: dict[str, Any] = {"__name__": "__main__", "me": sys.modules[__name__], name: module}
    exec(
        "def times(x):\n    me.calls.append(('times', x))\n"
        f"    if x == 3: assert me.gate.wait(60)\n    return {name}.times(x)\n",
        space,
    )
    times = cs.task(space["times"])
    target = total(times.map(x=first.map(n=[0, 1, 2])))
    _, run = await left_behind(make_engine, state, target)
    await until(lambda: calls.count(("times", 3)) and len(state.entries) == 6)
    await take_lease_away(state, run.id)
    (tmp_path / f"{name}.py").write_text(HELPER.format(k=100))
    importlib.reload(module)
    calls.clear()
    other = make_engine(state_backend=state)
    again = await other.attach()
    gate.set()
    assert await again == 600
    assert "times" in again.edits
    assert sorted(c for c in calls if c[0] != "total") == [("times", 1), ("times", 2), ("times", 3)]
    (tmp_path / f"{name}.py").write_text(HELPER.format(k=2))
    importlib.reload(module)
    calls.clear()
    assert await other.run(times(2)) == 4
    assert await other.run(times(3)) == 6
    assert calls == [("times", 3)]
    del sys.modules[name]


async def test_whoever_takes_up_a_run_whose_code_was_edited_can_die_too(
    make_engine: MakeEngine, state: PaperState, monkeypatch: pytest.MonkeyPatch
) -> None:
    space: dict[str, Any] = {"__name__": "edited_since", "calls": calls, "gate": gate, "K": 2}
    module = types.ModuleType("edited_since")
    module.__dict__.update(space)
    monkeypatch.setitem(sys.modules, "edited_since", module)
    source = "def times(x):\n    calls.append(x)\n    if x == 3: assert gate.wait(60)\n"
    exec(source + "    return x * K\n", module.__dict__)
    times = cs.task(module.__dict__["times"])
    target = [times.map(x=first.map(n=[0, 1, 2])), wait_here(first(4))]
    _, run = await left_behind(make_engine, state, target)
    await until(lambda: 3 in calls and ("wait_here", 5) in calls)
    await take_lease_away(state, run.id)
    module.__dict__["K"] = 100
    second = make_engine(state_backend=state)
    again = await second.attach()
    await until(lambda: calls.count(1) == calls.count(3) == 2)
    mapped = again.graph.targets[0]
    await until(lambda: again.progress_of(mapped)[0] == 2)  # and not only begun
    await take_lease_away(state, run.id)
    third = make_engine(state_backend=state)
    last = await third.attach()
    gate.set()
    assert await last == [[100, 200, 300], 50]
    assert calls.count(1) == 2  # the second kernel's result stood for the third
    assert calls.count(("first", 4)) == 1
    for left in (run, again):
        assert isinstance(await outcome(left), RunCancelledError)


async def test_who_writes_first_at_one_time_shares_a_thread(
    make_engine: MakeEngine, state: PaperState, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[LoopThread] = []

    def slowly(name: str) -> LoopThread:
        time.sleep(0.05)  # in which another thread comes here
        made.append(LoopThread(name))
        return made[-1]

    monkeypatch.setattr(journal_writer, "LoopThread", slowly)
    writer = make_engine(state_backend=state).journal_writer
    assert writer is not None

    def send(n: int) -> int:
        return writer.wait_on_own_loop(asyncio.sleep(0, n))

    both = [run_in_thread(partial(send, n)) for n in (1, 2)]
    assert await asyncio.gather(*both) == [1, 2]
    assert len(made) == 1
