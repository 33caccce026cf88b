"""Pause, redefine, resume: what has not begun takes the new code, and what stands stays."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase, Run
from cascade_nb.engine.runs.edits import _IN_VAIN, Edits
from cascade_nb.engine.runs.preparation import Preparation
from cascade_nb.errors import DroppedNameError, RunCancelledError, StateError
from cascade_nb.events import RunFinished, RunStarted
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.task import Task
from cascade_nb.protocols.state_backend import Known
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.states import PaperState, PlainState
from tests.engine.tools import PATIENCE, Hold, outcome, started, until
from tests.support.same_in_keys import SameInKeys

_versions = itertools.count()


class Names:
    """What names mean today, as a notebook's workspace would say."""

    def __init__(self) -> None:
        self.tasks: dict[AnyTask, AnyTask] = {}
        self.lazies: dict[object, Lazy] = {}
        self.trouble: Exception | None = None

    @property
    def version(self) -> int:
        return next(_versions)

    def current(self, lazy: Lazy) -> Lazy:
        if self.trouble is not None:
            raise self.trouble
        return self.lazies.get(lazy.identity, lazy)

    def current_task(self, task: AnyTask) -> AnyTask:
        return self.tasks.get(task, task)

    def is_lost(self, lazy: Lazy) -> bool:
        return False

    def name_of(self, lazy: Lazy) -> str | None:
        return None


class Gate(SameInKeys, Hold):
    """A hold that counts as the same however many came: what a task was given is in its key."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Gate, ()


def double(x: int) -> int:
    return 2 * x


def triple(x: int) -> int:
    return 3 * x


def named(fn: Callable[..., Any], **options: Any) -> Task[..., Any]:
    return cs.task(name="scale", **options)(fn)


@pytest.fixture(params=["thread", "inline"])
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cs.task
def first(x: int) -> int:
    return x + 1


@cs.task
def last(*xs: int) -> tuple[int, ...]:
    return xs


async def test_what_has_not_begun_takes_the_new_code_and_what_is_done_stays(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    names = Names()
    scale, new = named(double, executor=lane), named(triple, executor=lane)
    begun = first(1).named("begun")
    engine.pause("task:scale")
    run = engine.start(last(begun, scale(begun)), bindings=names)
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    names.tasks[scale] = new
    engine.edited()
    engine.resume("task:scale")
    assert await run == (2, 6)
    assert started(spy) == ["begun", "scale#1", "last#1"]
    assert run.edits == ("scale",)
    assert len(spy.events_of_type(RunStarted)) == len(spy.events_of_type(RunFinished)) == 1
    assert run.states()["begun"] is NodeState.DONE


async def test_what_was_made_of_a_file_that_changed_while_held_runs_again_with_the_edit(
    engine: Engine, spy: SpySubscriber, tmp_path: Path
) -> None:
    file = tmp_path / "in.txt"
    file.write_text("1")
    path = str(file)

    @cs.task
    def read(n: int) -> int:
        return n + int(Path(path).read_text())

    names = Names()
    scale, new = named(double), named(triple)
    files, items = read(1).named("files"), read.map(n=[5, 6]).named("items")
    kept = first(1).named("kept")
    engine.pause("task:scale")
    run = engine.start(last(kept, scale(files), items), bindings=names)
    # All that is not held has ended: an item that starts later would read half of the next text.
    done = NodeState.DONE
    await until(lambda: all(run.states()[name] is done for name in ("files", "items", "kept")))
    file.write_text("1000")
    names.tasks[scale] = new
    engine.edited()
    engine.resume("task:scale")
    assert await run == (2, 3003, [1005, 1006])
    assert started(spy).count("kept") == 1
    assert started(spy).count("files") == 2


async def test_what_is_done_and_does_not_stand_runs_again(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    scale = named(double)
    scaled = scale(first(1)).named("scaled")
    engine.pause("task:last")
    run = engine.start(last(scaled), bindings=names)
    await until(lambda: run.status.held == 1)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:last")
    assert await run == (6,)
    assert started(spy, "scale") == ["scaled", "scaled"]


async def test_a_cell_that_changed_nothing_changes_nothing(
    engine: Engine, spy: SpySubscriber
) -> None:
    engine.pause("task:last")
    run = engine.start(last(first(1)), bindings=Names())
    await until(lambda: run.status.held == 1)
    graph = run.graph
    engine.edited()
    engine.resume("task:last")
    assert await run == (2,)
    assert run.graph is graph
    assert run.edits == ()
    assert started(spy) == ["first#1", "last#1"]


async def test_nothing_starts_between_the_resume_and_the_end_of_the_look(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    scale = named(double)
    run = engine.start([scale(n) for n in range(20)], bindings=names)
    run.pause()
    names.tasks[scale] = named(triple)
    await until(lambda: run.status.phase is Phase.PAUSED)
    before = set(started(spy))
    engine.edited()
    run.resume()
    result = await run
    assert result == [3 * n for n in range(20)]
    again = [node for node in started(spy)[len(before) :] if node in before]
    assert len(started(spy)) == 20 + len(again)


async def test_what_is_under_way_finishes_before_the_new_code_is_taken(
    engine: Engine, spy: SpySubscriber
) -> None:
    names, hold = Names(), Gate()
    scale = named(double)
    waiting = cs.task(name="waiting")(hold.wait)
    run = engine.start(last(waiting(1), scale(5)), bindings=names)
    engine.pause("task:scale")
    await until(lambda: hold.came)
    if started(spy, "scale"):
        hold.let_go()
        await run
        return
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:scale")
    await until(lambda: not run.status.held and run.status.running == 1)
    assert started(spy, "scale") == []
    hold.let_go()
    assert await run == (1, 15)
    assert hold.came == [1]  # what finished while the edit was taken up stands


@cs.task
def tracks(gate: Gate) -> str:
    gate.wait("tracks")
    cs.checkpoint()
    return "tracked"


@cs.task
async def awaits(gate: Gate) -> str:
    await gate.rest("awaits")
    await cs.checkpoint()
    return "awaited"


@cs.task
def nests(gate: Gate) -> str:
    gate.wait("nests")
    return str(cs.run(first.lazy(1), fresh=True))


@pytest.mark.parametrize(
    ("task", "value"), [(tracks, "tracked"), (awaits, "awaited"), (nests, "2")]
)
async def test_what_stands_still_in_its_body_goes_on_when_an_edit_is_taken_up(
    engine: Engine, task: Task[..., Any], value: str
) -> None:
    # The run was held for its look at the edit until all that was under way had come to its end,
    # and what rests at a checkpoint, or waits for a nested run, does that only when it is let go.
    names, gate = Names(), Gate()
    scale = named(double)
    run = engine.start(last(task(gate).named("rests"), scale(5)), bindings=names)
    await until(lambda: gate.came)
    engine.pause()
    gate.let_go()
    await until(lambda: run.status.phase is Phase.PAUSED or len(engine.runs) == 2)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume()
    await until(run.done, "its end")
    assert await run == (value, 15)
    assert len(gate.came) == 1  # what was under way counts, since nothing of it was edited


async def test_items_that_are_done_stay_and_the_others_take_a_new_helper(
    engine: Engine, spy: SpySubscriber
) -> None:
    names, hold = Names(), Gate()
    scale = named(double)
    items = cs.task(name="item")(hold.wait)
    run = engine.start(last(items.map(who=[1, 2]), scale(1)), bindings=names)
    engine.pause("task:last")
    await until(lambda: len(hold.came) == 2)
    hold.let_go()
    await until(lambda: run.status.held == 1)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:last")
    assert await run == ([1, 2], 3)
    assert sorted(hold.came) == [1, 2]


async def test_a_name_bound_anew_feeds_what_has_not_begun(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    old, new = first(1), first(10)
    engine.pause("task:last")
    run = engine.start(last(old), bindings=names)
    await until(lambda: run.status.held == 1)
    names.lazies[old.identity] = new
    engine.edited()
    engine.resume("task:last")
    assert await run == (11,)


async def test_an_edit_that_does_not_fit_keeps_the_run_held_and_says_why(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    engine.pause("task:last")
    run = engine.start(last(first(1)), bindings=names)
    await until(lambda: run.status.held == 1)
    names.trouble = DroppedNameError("`last` reads `x`, which was dropped")
    engine.edited()
    engine.resume("task:last")
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert "cannot be taken up: `last` reads `x`, which was dropped" in run.status.headline
    assert started(spy, "last") == []
    names.trouble = None
    run.resume()
    assert await run == (2,)


async def test_it_can_be_cancelled_while_an_edit_is_taken_up(
    engine: Engine, spy: SpySubscriber
) -> None:
    names, hold = Names(), Gate()
    scale = named(double)
    waiting = cs.task(name="waiting")(hold.wait)
    engine.pause("task:scale")
    run = engine.start(last(waiting(1), scale(5)), bindings=names)
    await until(lambda: hold.came)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:scale")
    await until(lambda: not run.status.held)
    run.cancel("no more")
    hold.let_go()
    assert isinstance(await outcome(run), RunCancelledError)
    assert [e.status for e in spy.events_of_type(RunFinished)] == ["cancelled"]


async def test_a_run_that_is_written_down_is_written_down_as_edited(
    make_engine: MakeEngine,
) -> None:
    names, state = Names(), PaperState()
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    scale = named(double)
    items = scale.map(x=[1, 2, 3])
    engine.pause("task:last")
    run = engine.start(last(items), bindings=names)
    await until(lambda: run.status.held == 1)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.pause("task:scale")
    engine.resume("task:last")
    await until(lambda: run.status.held == 3)
    owner, fence, _ = state.paper.leases[run.id]
    state.paper.leases[run.id] = (owner, fence, 0.0)
    other = make_engine(state_backend=state)
    again = await other.attach()
    other.resume("task:scale")
    other.resume("task:last")  # the hold from the beginning may be what was written down
    assert await again == ([3, 6, 9],)
    assert len(started(spy, "scale")) == 3  # here the new code never began
    engine.resume("task:scale")
    assert isinstance(await outcome(run), RunCancelledError)


async def test_whoever_watches_is_told_of_everything_anew(engine: Engine) -> None:
    names = Names()
    scale = named(double)
    engine.pause("task:last")
    run = engine.start(last(scale(1)), bindings=names)
    version = run.changed_since(-1)[0]
    await until(lambda: run.status.held == 1)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:last")
    assert await run == (3,)
    later, states = run.changed_since(version)
    assert later > version
    assert states[run.graph.node("scale#1").index] is NodeState.DONE


def _helper(x: int) -> int:
    return x


@cs.task
def waits_and_helps(gate: Gate, x: int) -> int:
    gate.wait(x)
    return _helper(x)


@pytest.mark.parametrize("told", [True, False])
async def test_what_ran_with_another_helper_than_its_key_says_stands_for_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    # The run is not held: what is under way looks its helper up when it calls it. The cell that
    # edits it may itself go on meanwhile, so that nobody was told of its end.
    gate = Gate()
    target = waits_and_helps(gate, 3)
    run = engine.start(target, bindings=Names())
    await until(lambda: gate.came)
    original = _helper
    monkeypatch.setitem(globals(), "_helper", lambda x: x * 100)
    if told:
        engine.edited()
    gate.let_go()
    assert await run == 300
    monkeypatch.setitem(globals(), "_helper", original)
    assert await engine.run(target) == 3


async def test_what_read_a_result_of_other_code_stands_for_nothing_either(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, other = Gate(), Gate()
    target = last(cs.task(name="rest")(other.wait)(waits_and_helps(gate, 4)))
    run = engine.start(target, bindings=Names())
    await until(lambda: gate.came)
    original = _helper
    monkeypatch.setitem(globals(), "_helper", lambda x: x * 100)
    engine.edited()
    gate.let_go()
    await until(lambda: other.came)
    monkeypatch.setitem(globals(), "_helper", original)  # what reads it begins under the old code
    engine.edited()
    other.let_go()
    assert await run == (400,)
    assert await engine.run(target) == (4,)


async def test_an_edit_undone_while_held_costs_nothing(
    engine: Engine, spy: SpySubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    gate.let_go()
    target = waits_and_helps(gate, first(6)).named("helped")
    engine.pause("task:waits_and_helps")
    run = engine.start(target, bindings=Names())
    await until(lambda: run.status.held == 1)
    original = _helper
    for helper in (lambda x: x * 100, original):
        engine.editing()
        monkeypatch.setitem(globals(), "_helper", helper)
        engine.edited()
    engine.resume("task:waits_and_helps")
    assert await run == 7
    assert started(spy) == ["first#1", "helped"]
    assert await engine.run(target) == 7
    assert len(started(spy)) == 2


class SlowToOpen(PlainState):
    """A state that a run waits for until it is let go."""

    keeps_all = False

    def __init__(self) -> None:
        super().__init__()
        self.asked = False
        self.go = asyncio.Event()

    async def open(self) -> None:
        self.asked = True
        await self.go.wait()


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("late", [True, False])
async def test_an_edit_counts_while_the_run_is_still_starting(
    make_engine: MakeEngine, held: bool, late: bool
) -> None:
    names, state = Names(), SlowToOpen()
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    scale = named(double)
    if held:
        engine.pause()
    run = engine.start(last(scale(5)), bindings=names)
    if late:  # else it has not even begun
        await until(lambda: state.asked)
    names.tasks[scale] = named(triple)
    engine.edited()
    if held:
        engine.resume()
    state.go.set()
    assert await run == (15,)
    assert started(spy) == ["scale#1", "last#1"]


async def test_an_edit_counts_while_an_earlier_one_is_taken_up(
    engine: Engine, spy: SpySubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names()
    scale = named(double)
    engine.pause("task:last")
    run = engine.start(last(scale(5)), bindings=names)
    await until(lambda: run.status.held == 1)
    prepared = Preparation.revise
    again = [named(lambda x: 4 * x), named(lambda x: 5 * x)]

    async def revise(self: Preparation, *args: Any) -> Any:
        result = await prepared(self, *args)
        if again:
            names.tasks[scale] = again.pop(0)
            engine.edited()
        return result

    monkeypatch.setattr(Preparation, "revise", revise)
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:last")
    assert await run == (25,)
    assert started(spy) == ["scale#1", "scale#1", "last#1"]


class AmidCells(Names):
    """Names of a session in which a cell is run during each look at them.

    Args:
        engine: who is told.
        edits: what the cells do; the others are of no concern to the run.
    """

    def __init__(self, engine: Engine, edits: Mapping[int, Callable[[Names], None]]) -> None:
        super().__init__()
        self.engine, self.edits = engine, edits
        self.looks = 0

    def current_task(self, task: AnyTask) -> AnyTask:
        found = super().current_task(task)
        if task.name == "scale":
            self.looks += 1
            if (edit := self.edits.get(self.looks)) is not None:
                edit(self)
            self.engine.edited()
        return found


@pytest.mark.parametrize("held", [True, False], ids=["held", "starting"])
async def test_cells_that_come_faster_than_looks_keep_no_run_from_going_on(
    engine: Engine, spy: SpySubscriber, held: bool
) -> None:
    names = AmidCells(engine, {})
    if held:
        engine.pause("task:last")
    run = engine.start(last(named(double)(5)), bindings=names)
    engine.edited()
    if held:
        await until(lambda: run.status.held == 1)
        engine.edited()
        engine.resume("task:last")
    assert await run == (10,)
    assert started(spy) == ["scale#1", "last#1"]


@pytest.mark.parametrize("at", range(1, _IN_VAIN + 1))
async def test_an_edit_counts_at_whichever_look_of_those_in_a_row_it_comes(
    engine: Engine, spy: SpySubscriber, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale, new = named(double), named(triple)
    held, look = [], Edits.look_while_held

    async def count(self: Edits, driver: Any) -> None:
        held.append(driver)
        await look(self, driver)

    monkeypatch.setattr(Edits, "look_while_held", count)

    def edit(names: Names) -> None:
        names.tasks[scale] = new

    engine.pause("task:last")
    engine.pause("task:scale")
    names = AmidCells(engine, {})
    run = engine.start(last(scale(5)), bindings=names)
    engine.edited()  # it begins among cells, too, and has looked in vain as often as it may
    await until(lambda: run.status.held == 1)
    await until(lambda: names.looks == 2 + _IN_VAIN + 1)  # as it was made, and one look beside it
    names.edits = {names.looks + at: edit}
    engine.edited()
    engine.resume("task:scale")
    # It cannot end: whatever it started with, what it takes up now it takes up by itself.
    await until(lambda: run.edits == ("scale",))
    assert len(held) == 1  # to let it go after that is no lift that asks for another
    engine.resume("task:last")
    assert await run == (15,)
    # What comes before the last of these looks is known before anything starts.
    assert at == _IN_VAIN or started(spy).count("scale#1") == 1


async def test_an_edit_that_does_not_fit_holds_a_run_that_is_still_starting(
    make_engine: MakeEngine,
) -> None:
    names, state = Names(), SlowToOpen()
    engine = make_engine(state_backend=state)
    run = engine.start(last(first(1)), bindings=names)
    await until(lambda: state.asked)
    names.trouble = DroppedNameError("`last` reads `x`, which was dropped")
    engine.edited()
    state.go.set()
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert "cannot be taken up: `last` reads `x`, which was dropped" in run.status.headline
    names.trouble = None
    run.resume()
    assert await run == (2,)


async def test_it_can_be_cancelled_while_an_edit_waits_for_a_state_that_is_gone(
    make_engine: MakeEngine,
) -> None:
    class Gone(PlainState):
        trouble = False

        async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
            if self.trouble:
                raise StateError("the disk is full")
            return await super().known(keys)

    names, state = Names(), Gone()
    engine = make_engine(state_backend=state)
    scale = named(double)
    engine.pause("task:last")
    run = engine.start(last(scale(5)), bindings=names)
    await until(lambda: run.status.held == 1)
    state.trouble = True
    names.tasks[scale] = named(triple)
    engine.edited()
    engine.resume("task:last")
    await until(lambda: engine.constraints.find(run.scope))
    run.cancel("no more")
    assert isinstance(await outcome(run), RunCancelledError)


async def test_what_a_retry_is_given_stands_only_with_the_code_that_made_it(
    engine: Engine, spy: SpySubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, broken = Gate(), True
    gate.let_go()

    def once(x: int) -> int:
        if broken:
            raise ValueError("not yet")
        return x

    kept = first(1)
    run = engine.start(last(kept, cs.task(once)(waits_and_helps(gate, 3))), bindings=Names())
    await outcome(run)
    broken = False
    monkeypatch.setitem(globals(), "_helper", lambda x: x * 100)
    assert await run.retry_failed() == (2, 300)
    assert started(spy, "first") == ["first#1"]
    assert len(started(spy, "waits_and_helps")) == 2


@cs.task
def up_to(n: int) -> list[int]:
    return list(range(n))


@cs.task
def or_none(x: Any = None) -> Any:
    return x


class Edited:
    """A run, the code of whose first task is another for the moment in which that ends."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = Gate()
        self.broken = True
        self._engine = engine
        self._set = functools.partial(monkeypatch.setitem, globals(), "_helper")
        self.until_mended = cs.task(self._until_mended, name="until_mended")

    def _until_mended(self, x: Any) -> Any:
        if self.broken:
            raise ValueError("not yet")
        return x

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("it is not to be part of any key")

    async def start(self, target: Any, helper: Callable[[int], int], held: int = 0) -> Run:
        """Start it, and edit the helper and undo that, as soon as so much is held or all over."""
        run = self._engine.start(target, bindings=Names())
        await until(lambda: self.gate.came)
        original = _helper
        for edit in (helper, original):
            self._engine.editing()
            self._set(edit)
            self._engine.edited()
            self.gate.let_go()
            await until(lambda: run.status.held == held if held else run.done())
        return run


@pytest.fixture
def edited(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Edited:
    return Edited(engine, monkeypatch)


async def test_a_held_map_over_what_other_code_made_goes_through_what_takes_its_place(
    engine: Engine, edited: Edited
) -> None:
    target = first.map(x=up_to(waits_and_helps(edited.gate, 2)))
    engine.pause("task:first")
    run = await edited.start(target, lambda x: 2 * x, held=4)
    engine.resume("task:first")
    assert await run == [1, 2]
    assert await engine.run(target) == [1, 2]


async def test_a_retried_map_over_what_other_code_made_goes_through_what_takes_its_place(
    edited: Edited,
) -> None:
    target = edited.until_mended.map(x=up_to(waits_and_helps(edited.gate, 2)))
    run = await edited.start(target, lambda x: 2 * x)
    edited.broken = False
    assert await run.retry_failed() == [0, 1]


class SlowToKey:
    """What a helper names, of which it takes a while to say what it is."""

    def __init__(self) -> None:
        self.asked = False
        self.go = threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        self.asked = True
        assert self.go.wait(PATIENCE), "nobody let go"
        return SlowToKey, ()


_slow = SlowToKey()


@pytest.mark.parametrize("told", [True, False])
async def test_a_retry_does_not_take_what_nobody_knows_yet_with_what_code_it_was_made(
    engine: Engine, edited: Edited, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    # The run ends while it is being found out, or while the cell that edits the helper goes on.
    slow, original = SlowToKey(), _helper
    monkeypatch.setitem(globals(), "_slow", slow)
    run = engine.start(edited.until_mended(waits_and_helps(edited.gate, 2)), bindings=Names())
    await until(lambda: edited.gate.came)
    monkeypatch.setitem(globals(), "_helper", lambda x: (2 * x, _slow)[0])
    if told:
        engine.edited()
        await until(lambda: slow.asked)
    edited.gate.let_go()
    await until(run.done)
    monkeypatch.setitem(globals(), "_helper", original)
    edited.broken = False
    again = run.retry_failed()
    slow.go.set()
    assert await again == 2


@pytest.mark.parametrize("fails", [False, True], ids=["run-again", "retried"])
async def test_a_skip_that_other_code_decided_stands_for_nothing_nor_does_who_did_without(
    engine: Engine, edited: Edited, fails: bool
) -> None:
    skipped = first(1).run_if(waits_and_helps(edited.gate, 1))
    without = or_none(or_none(skipped)).named("without")
    run = await edited.start(edited.until_mended(without) if fails else without, lambda x: 0)
    edited.broken = False
    if fails:
        assert await run.retry_failed() == 2
    else:
        assert await run is None
        assert await engine.run(without) == 2


CLASS_CELL = "class Point:\n    def __init__(self, x): self.x = x\n"
POINT_TASKS = "def make(x): return Point(x)\ndef is_point(p): return isinstance(p, Point)\n"


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a user's module, with a class and two functions."""
    module = types.ModuleType("a_module_with_points")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(CLASS_CELL + POINT_TASKS, module.__dict__)
    return module.__dict__


@pytest.mark.parametrize("lasting", [False, True])
async def test_what_is_kept_is_of_the_class_that_its_name_means(
    make_engine: MakeEngine, space: dict[str, Any], tmp_path: Path, lasting: bool
) -> None:
    state = f"sqlite:///{tmp_path / 'results.db'}" if lasting else None
    engine = make_engine(state_backend=state)
    point = cs.task(space["make"])(3).named("point")
    target = cs.task(space["is_point"])(point)
    assert await engine.run([target, point])
    exec(CLASS_CELL, space)  # the cell is run again, as it was
    assert isinstance(await engine.run(point), space["Point"])
    assert await engine.run(target, fresh=True)


async def test_a_held_run_goes_on_with_instances_of_todays_class(
    engine: Engine, spy: SpySubscriber, space: dict[str, Any]
) -> None:
    point = cs.task(space["make"])(3)
    engine.pause("task:is_point")
    run = engine.start(cs.task(space["is_point"])(point), bindings=Names())
    await until(lambda: run.status.held == 1)
    engine.editing()
    exec(CLASS_CELL, space)
    engine.edited()
    engine.resume("task:is_point")
    assert await run
    assert started(spy, "make") == ["make#1", "make#1"]


@pytest.mark.parametrize("retried", [False, True])
async def test_a_map_goes_on_through_instances_of_todays_class(
    engine: Engine, space: dict[str, Any], retried: bool
) -> None:
    broken = retried

    def is_point(p: Any) -> bool:
        if broken:
            raise ValueError("not yet")
        return isinstance(p, space["Point"])

    points = cs.task(lambda make: [make(1), make(2)])(space["make"])
    if not retried:
        engine.pause("task:is_point")
    run = engine.start(cs.task(is_point).map(p=points), bindings=Names())
    await until(lambda: run.done() or run.status.held == 2)
    engine.editing()
    exec(CLASS_CELL, space)
    engine.edited()
    engine.resume("task:is_point")
    broken = False
    assert await (run.retry_failed() if retried else run) == [True, True]


async def test_a_retry_goes_on_with_instances_of_todays_class(
    engine: Engine, space: dict[str, Any]
) -> None:
    broken = True

    @cs.task
    def once(p: Any) -> Any:
        if broken:
            raise ValueError("not yet")
        return p

    point = cs.task(space["make"])(3)
    run = engine.start(cs.task(space["is_point"])(once(point)))
    await outcome(run)
    broken = False
    exec(CLASS_CELL, space)
    assert await run.retry_failed()


@pytest.mark.parametrize("edited", [False, True], ids=["as-it-was", "edited-meanwhile"])
async def test_what_imports_a_file_is_kept_only_where_the_file_is_what_its_key_says(
    engine: Engine,
    spy: SpySubscriber,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edited: bool,
) -> None:
    # The guard against calls that hold up the loop sees to it that nobody looks at the file there.
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # else nobody knows what was imported
    module = f"late_{next(_versions)}"
    file = tmp_path / f"{module}.py"
    file.write_text("FACTOR = 2\n")
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"def times(x, _):\n    import {module}\n    return {module}.FACTOR * x\n", space)
    scale, factor = cs.task(name="scale", executor="inline")(space["times"]), 300 if edited else 2

    @cs.task(track_files=False)
    def edit() -> None:
        if edited and "300" not in file.read_text():
            file.write_text("FACTOR = 300\n")

    first_this = edit()
    scaled = [scale(x, first_this) for x in (1, 2)]
    for times in (2, 4 if edited else 2, 4 if edited else 2):
        assert await engine.run(scaled) == [factor, 2 * factor]
        assert sum(label.startswith("scale") for label in started(spy)) == times
