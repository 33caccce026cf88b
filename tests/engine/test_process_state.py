"""Tasks that use the same state of the process run one at a time, and never wait in a circle."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import functools
import heapq
import io
import logging
import os
import pathlib
import random
import sqlite3
import sys
import threading
import time
import types
from collections import Counter
from typing import Any
from unittest import mock

import matplotlib.figure
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

import cascade_nb as cs
from cascade_nb.control.gate_kinds import process_state
from cascade_nb.engine import Engine
from cascade_nb.events import TaskBlocked
from cascade_nb.graph.effects.effects import effects_of
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, until
from tests.support.examples import examples

matplotlib.use("Agg")


class Together:
    """Counts how many of a kind run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def __call__(self, *kinds: str, seconds: float = 0.002) -> None:
        self.enter(*kinds)
        time.sleep(seconds)
        self.leave(*kinds)

    def enter(self, *kinds: str) -> None:
        with self._lock:
            self.now.update(kinds)
            for kind in kinds:
                self.most[kind] = max(self.most[kind], self.now[kind])

    def leave(self, *kinds: str) -> None:
        with self._lock:
            self.now.subtract(kinds)


TOGETHER = Together()


@pytest.fixture
def together() -> Together:
    TOGETHER.__init__()  # type: ignore[misc]
    return TOGETHER


@pytest.fixture(autouse=True)
def nothing_is_left_taken() -> Any:
    yield
    assert process_state._inside == {}


@cs.task
def numpy_seeded(i: int) -> float:
    np.random.seed(i)
    TOGETHER("numpy", "any")
    return float(np.random.rand())


@cs.task
def plain_seeded(i: int) -> float:
    random.seed(i)
    TOGETHER("random", "any")
    return random.random()


@cs.task
def both_seeded(i: int) -> tuple[float, float]:
    np.random.seed(i)
    random.seed(i)
    TOGETHER("numpy", "random", "any")
    return float(np.random.rand()), random.random()


@cs.task
async def async_seeded(i: int) -> float:
    random.seed(i)
    TOGETHER.enter("random", "any")
    await asyncio.sleep(0.001)
    TOGETHER.leave("random", "any")
    return random.random()


@cs.task(executor="inline")
def inline_seeded(i: int) -> float:
    random.seed(i)
    return random.random()


@cs.task
def env_read(i: int) -> str | None:
    TOGETHER("read")
    return os.environ.get("CASCADE_TEST_X")


@cs.task
def env_written(i: int) -> bool:
    os.environ["CASCADE_TEST_X"] = str(i)
    TOGETHER("write")
    return os.environ["CASCADE_TEST_X"] == str(i)


@cs.task
def gather(*parts: Any) -> tuple[Any, ...]:
    return parts


def of_numpy(i: int) -> float:
    return float(np.random.RandomState(i).rand())


def of_random(i: int) -> float:
    return random.Random(i).random()


async def test_forty_that_seed_and_draw_are_right_forty_times(
    engine: Engine, together: Together
) -> None:
    got = await engine.run(numpy_seeded.map(i=range(40)))
    assert got == [of_numpy(i) for i in range(40)]
    assert together.most["numpy"] == 1


async def test_items_draw_in_their_order_as_in_a_loop(engine: Engine) -> None:
    @cs.task
    def draw(i: int) -> float:
        time.sleep(0.001)
        return random.random()

    random.seed(7)
    got = await engine.run(draw.map(i=range(30)))
    alone = random.Random(7)
    assert got == [alone.random() for _ in range(30)]


async def test_kinds_do_not_wait_for_each_other_and_both_kinds_for_both(
    engine: Engine, together: Together
) -> None:
    maps = [task.map(i=range(8)) for task in (numpy_seeded, plain_seeded, async_seeded)]
    target = gather(*maps, both_seeded.map(i=range(8)), inline_seeded.map(i=range(8)))
    numpy_ones, plain, on_loop, both, inline = await engine.run(target)
    assert numpy_ones == [of_numpy(i) for i in range(8)]
    assert plain == on_loop == inline == [of_random(i) for i in range(8)]
    assert both == [(of_numpy(i), of_random(i)) for i in range(8)]
    assert (together.most["numpy"], together.most["random"]) == (1, 1)
    assert together.most["any"] == 2


async def test_who_only_reads_goes_beside_others_that_read_and_not_beside_who_writes(
    engine: Engine, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASCADE_TEST_X", raising=False)
    target = gather(env_read.map(i=range(6)), env_written.map(i=range(6)))
    _, written = await engine.run(target)
    assert written == [True] * 6
    assert together.most["write"] == 1
    assert together.most["read"] > 1


async def test_a_task_that_says_so_shares_the_process(engine: Engine) -> None:
    hold = Hold()

    @cs.task(shares_process=True)
    def draw(i: int) -> float:
        hold.wait(i)
        return random.random()

    run = engine.start(draw.map(i=range(3)))
    await until(lambda: len(hold.came) == 3)
    hold.let_go()
    await run


async def test_plan_and_why_say_what_is_used_and_who_has_it(engine: Engine) -> None:
    hold = Hold()

    @cs.task
    def draw(i: int) -> float:
        hold.wait(i)
        return random.random()

    words = "one at a time: uses the random module's global state"
    spy = SpySubscriber(engine.bus)
    first, second = draw(1).named("first"), draw(2).named("second")
    plan = await engine.plan([first, second])
    assert plan.step("first").reason.endswith(f"; {words}; draws random numbers")
    run = engine.start([first, second])
    await until(lambda: len(hold.came) == 1 and run.status.queued == 1)
    (waits,) = {"first", "second"} - {"first" if hold.came == [1] else "second"}
    has = "first" if waits == "second" else "second"
    assert run.why(waits)[0] == f"{waits} is queued: {words}; now: {has}"
    (blocked,) = spy.events_of_type(TaskBlocked)
    assert (blocked.constraint, blocked.detail.partition(";")[0]) == ("process:random", words)
    hold.let_go()
    await run
    assert run.why("first")[1] == f"first: {words}; draws random numbers"


async def test_a_result_of_chance_says_how_old_it_is(engine: Engine) -> None:
    @cs.task
    def draw() -> float:
        return random.random()

    target = gather(draw().named("x")).named("end")
    await engine.run(target)
    run = engine.start(draw().named("x"))
    await run
    words = "draws random numbers; made just now"
    assert run.why("x")[-1] == f"x: {words}"
    step = (await engine.plan(draw().named("x"))).step("x")
    assert (step.action, step.reason) == ("reuse", f"its code and inputs are the same; {words}")


async def test_what_is_made_of_chance_says_so_too(engine: Engine) -> None:
    @cs.task
    def stamp() -> float:
        return time.time()

    target = gather(stamp()).named("end")
    await engine.run(target)
    assert (await engine.plan(target)).step("end").reason == (
        "its code and inputs are the same; made of stamp#1, which reads the clock; made just now"
    )


async def test_engines_of_one_process_share_its_state(
    make_engine: MakeEngine, together: Together
) -> None:
    engines = [make_engine() for _ in range(3)]
    runs = [engine.start(plain_seeded.map(i=range(6))) for engine in engines]
    for run in runs:
        assert await run == [of_random(i) for i in range(6)]
    assert together.most["random"] == 1


async def test_a_run_inside_a_task_has_what_the_task_has(engine: Engine) -> None:
    @cs.task
    def outer(i: int) -> list[float]:
        random.seed(i)
        return list(cs.run(plain_seeded.map(i=[i, i + 1])))

    got = await asyncio.wait_for(engine.run(outer.map(i=[1, 5])), 60)
    assert got == [[of_random(1), of_random(2)], [of_random(5), of_random(6)]]


async def test_a_limit_and_a_pause_hold_what_waits_for_state_and_let_it_go(
    engine: Engine, together: Together
) -> None:
    engine.limit("task:numpy_seeded", 3)
    run = engine.start(numpy_seeded.map(i=range(12)))
    await until(lambda: together.most["numpy"] == 1)
    run.pause()
    # What was admitted and had not begun when the pause came gives its place back when it wakes up.
    await until(lambda: run.status.running == 0 and not process_state._inside)
    run.resume()
    assert await run == [of_numpy(i) for i in range(12)]
    assert together.most["numpy"] == 1


async def test_a_failure_a_timeout_and_a_cancel_give_back_what_they_had(engine: Engine) -> None:
    hold = Hold()

    @cs.task(retry=2)
    def fails() -> None:
        random.seed(1)
        raise ValueError("no")

    @cs.task
    async def never() -> float:
        await hold.rest()
        return random.random()

    with pytest.raises(cs.errors.RunError):
        await engine.run(fails())
    run = engine.start([never(), never()])
    await until(lambda: hold.came)
    run.cancel()
    with pytest.raises(cs.errors.RunCancelledError):
        await run
    assert await engine.run(plain_seeded(3)) == of_random(3)


@cs.task
def drawn(i: int) -> Any:
    import matplotlib.pyplot as plt

    plt.plot([i, i])
    time.sleep(0.001)
    plt.plot([i])
    plt.title(str(i))
    return plt.gcf()


@cs.task(executor="inline")
def drawn_inline(i: int) -> Any:
    import matplotlib.pyplot as plt

    plt.plot([i])
    return plt.gcf()


async def test_pyplot_figures_of_twenty_items_are_each_their_own(engine: Engine) -> None:
    import matplotlib.pyplot as plt

    mine = plt.figure()
    kind = type(plt._pylab_helpers.Gcf.figs)  # type: ignore[attr-defined]
    try:
        figures = await engine.run(drawn.map(i=range(20)))
        for i, figure in enumerate(figures):
            (axes,) = figure.axes
            assert (len(axes.lines), axes.get_title()) == (2, str(i))
        figures = await engine.run(drawn_inline.map(i=range(20)))
        assert [len(figure.axes[0].lines) for figure in figures] == [1] * 20
        assert plt.get_fignums() == [mine.number]
        assert not mine.axes
    finally:
        plt.close(mine)
    assert type(plt._pylab_helpers.Gcf.figs) is kind  # type: ignore[attr-defined]


TASKS = {
    "numpy": (numpy_seeded, of_numpy),
    "random": (plain_seeded, of_random),
    "async": (async_seeded, of_random),
    "inline": (inline_seeded, of_random),
    "both": (both_seeded, lambda i: (of_numpy(i), of_random(i))),
}


@settings(max_examples=examples(20))
@given(
    st.lists(st.tuples(st.sampled_from(sorted(TASKS)), st.integers(0, 9)), min_size=1, max_size=14),
    st.integers(1, 3),
    st.sampled_from([None, 1, 2]),
)
def test_whatever_runs_beside_whatever_draws_what_it_would_alone(
    chosen: list[tuple[str, int]], runs: int, limit: int | None
) -> None:
    async def main() -> None:
        engines = [Engine(reuse=False) for _ in range(runs)]
        engines[0].limit("global", limit)
        target = gather(*(TASKS[name][0](i) for name, i in chosen))  # type: ignore[operator]
        want = tuple(TASKS[name][1](i) for name, i in chosen)
        for run in [engine.start(target) for engine in engines]:
            assert await asyncio.wait_for(run._wait(), 60) == want
        for engine in engines:
            await engine.aclose()

    asyncio.run(main())


class Settings:
    level = -1


@cs.task
def in_its_own_precision(digits: int) -> int:
    decimal.getcontext().prec = digits
    time.sleep(0.002)
    return len(str(decimal.Decimal(1) / 3)) - 2


@cs.task
def in_a_patched_environment(i: int) -> str:
    with mock.patch.dict(os.environ, {"CASCADE_TEST_PATCHED": str(i)}):
        time.sleep(0.002)
        return os.environ["CASCADE_TEST_PATCHED"]


@cs.task
def with_a_patched_attribute(i: int) -> int:
    with mock.patch.object(Settings, "level", i):
        time.sleep(0.002)
        return Settings.level


@cs.task
def as_a_command(i: int) -> str:
    before, sys.argv = sys.argv, ["command", str(i)]
    try:
        time.sleep(0.002)
        return sys.argv[1]
    finally:
        sys.argv = before


def test_a_context_a_patch_and_the_command_line_are_each_tasks_own() -> None:
    numbers = list(range(1, 13))
    # The context that exists already is the one that every task would inherit.
    with decimal.localcontext():
        assert cs.run(in_its_own_precision.map(digits=numbers), fresh=True) == numbers
    texts = [str(i) for i in numbers]
    assert cs.run(in_a_patched_environment.map(i=numbers), fresh=True) == texts
    assert cs.run(with_a_patched_attribute.map(i=numbers), fresh=True) == numbers
    assert cs.run(as_a_command.map(i=numbers), fresh=True) == texts


COUNTER = 0
CACHE: dict[int, int] = {}
STATE: list[int] = []
BOX = types.SimpleNamespace(n=0)


class Tally:
    n = 0


@cs.task
def counts(i: int) -> int:
    global COUNTER  # noqa: PLW0603 - as people do
    before = COUNTER
    TOGETHER("written")
    COUNTER = before + 1
    return COUNTER


@cs.task
def caches(i: int) -> int:
    TOGETHER("written")
    CACHE[i % 3] = CACHE.get(i % 3, 0) + 1
    return CACHE[i % 3]


@cs.task
def appends(i: int) -> int:
    STATE.append(i)
    TOGETHER("written")
    return STATE[-1]


@cs.task
def through_helper(i: int) -> int:
    return _note(i)


def _note(i: int) -> int:
    STATE.insert(0, i)
    TOGETHER("written")
    return STATE[0]


@cs.task
def sets_attribute(i: int) -> int:
    BOX.n = i
    TOGETHER("written")
    return int(BOX.n)


@cs.task
def of_class(i: int) -> int:
    Tally.n = i
    TOGETHER("written")
    return Tally.n


@cs.task
def deletes(i: int) -> int:
    CACHE[i] = i
    TOGETHER("written")
    del CACHE[i]
    return i


@cs.task
def pushes(i: int) -> int:
    heapq.heappush(STATE, -i)
    TOGETHER("written")
    return -heapq.heappop(STATE)


@cs.task
def sets_by_name(i: int) -> int:
    setattr(BOX, "n" * 1, i)
    TOGETHER("written")
    return int(BOX.n)


class Meter:
    """What it measures it keeps."""

    every = 0

    def __init__(self) -> None:
        self.last = 0
        self.all: list[int] = []
        self.inner = types.SimpleNamespace(list=[])

    def take(self, i: int) -> None:
        self.note(i)

    def note(self, i: int) -> None:
        self.last = i

    def hit(self, i: int) -> int:
        self.last = i
        TOGETHER("written")
        return self.last

    def __call__(self, i: int) -> int:
        return self.hit(i)

    def collect(self, i: int) -> None:
        self.all.append(i)

    @classmethod
    def count(cls, i: int) -> None:
        cls.every = i

    def read(self, i: int) -> int:
        own = [self.last]
        own.append(i)
        return own[-1] + len(self.all)


class Guarded(Meter):
    """It looks after itself."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()


METER = Meter()
GUARDED = Guarded()
MODEL = LinearRegression()
TEXT = io.StringIO("0123456789ab")
GRID = np.zeros(1)


@cs.task
def by_method(i: int) -> int:
    METER.take(i)
    TOGETHER("written")
    return METER.last


@cs.task
def by_method_of_a_container(i: int) -> int:
    METER.collect(i)
    TOGETHER("written")
    return METER.all[-1]


@cs.task
def deep_inside(i: int) -> int:
    METER.inner.list.append(i)
    TOGETHER("written")
    return int(METER.inner.list[-1])


@cs.task
def by_class_method(i: int) -> int:
    Meter.count(i)
    TOGETHER("written")
    return Meter.every


@cs.task
def fits(i: int) -> int:
    MODEL.fit([[0.0], [1.0]], [0.0, float(i)])
    TOGETHER("written")
    return int(MODEL.predict([[1.0]])[0] + 0.5)


def _put(where: Any, i: int) -> None:
    where.last = i


@cs.task
def hands_on(i: int) -> int:
    _put(METER, i)
    TOGETHER("written")
    return METER.last


def _collect(rows: list[int], i: int) -> None:
    rows.append(i)


@cs.task
def hands_on_a_list(i: int) -> int:
    _collect(STATE, i)
    TOGETHER("written")
    return STATE[-1]


def _looks(where: Any, i: int) -> int:
    rows = [where.last]
    rows.append(i)
    return len(rows)


@cs.task
def moves(i: int) -> int:
    TEXT.seek(i)
    TOGETHER("written")
    return int(TEXT.read(1), 12)


@cs.task
def copies_into(i: int) -> int:
    np.copyto(GRID, i)
    TOGETHER("written")
    return int(GRID[0])


SCORES = {"n": 0}
NESTED: dict[str, Any] = {"of": {"n": 0}, "rows": []}
BOXES = [types.SimpleNamespace(n=0)]
LOGGER = logging.getLogger("tests.of.nobody")


@cs.task
def adds_to_an_item(i: int) -> int:
    SCORES["n"] += i
    TOGETHER("written")
    SCORES["n"] -= i
    return i + SCORES["n"]


@cs.task
def item_of_an_item(i: int) -> int:
    NESTED["of"]["n"] = i
    TOGETHER("written")
    return int(NESTED["of"]["n"])


@cs.task
def method_of_an_item(i: int) -> int:
    NESTED["rows"].append(i)
    TOGETHER("written")
    return int(NESTED["rows"][-1])


@cs.task
def attribute_of_an_item(i: int) -> int:
    BOXES[0].n = i
    TOGETHER("written")
    return int(BOXES[0].n)


@cs.task
def writes_out(i: int) -> int:
    np.add(i, 0, out=GRID)
    TOGETHER("written")
    return int(GRID[0])


@cs.task
def adds_at(i: int) -> int:
    np.add.at(GRID, 0, i)
    TOGETHER("written")
    np.add.at(GRID, 0, -i)
    return i


@cs.task
def sets_level(i: int) -> int:
    LOGGER.setLevel(i + 1)
    TOGETHER("written")
    return LOGGER.level - 1


def _made() -> Any:
    n = 0

    @cs.task
    def binds(i: int) -> int:
        nonlocal n
        n = i
        TOGETHER("written")
        return n

    return binds


WRITERS = {
    "COUNTER": counts,
    "CACHE": caches,
    "STATE": appends,
    "STATE ": through_helper,
    "BOX": sets_attribute,
    "Tally": of_class,
    "CACHE ": deletes,
    "STATE  ": pushes,
    "BOX ": sets_by_name,
    "n": _made(),
    "METER": by_method,
    "METER ": by_method_of_a_container,
    "METER  ": deep_inside,
    "METER   ": hands_on,
    "STATE   ": hands_on_a_list,
    "Meter": by_class_method,
    "MODEL": fits,
    "TEXT": moves,
    "GRID": copies_into,
    "GRID ": writes_out,
    "GRID  ": adds_at,
    "SCORES": adds_to_an_item,
    "NESTED": item_of_an_item,
    "NESTED ": method_of_an_item,
    "BOXES": attribute_of_an_item,
    "LOGGER": sets_level,
}


@pytest.mark.parametrize("name", WRITERS)
async def test_tasks_that_write_a_global_run_one_at_a_time(
    engine: Engine, together: Together, name: str
) -> None:
    task = WRITERS[name]
    mapped = task.map(i=range(12)).named("m")
    what = "variable" if name == "n" else "global"
    words = f"one at a time: writes the {what} `{name.strip()}`"
    assert words in (await engine.plan(mapped)).step("m").reason
    got = await engine.run(mapped)
    assert together.most["written"] == 1
    if task not in (counts, caches, pushes):
        assert got == list(range(12))


@cs.task
def default(i: int, kept: list[int] = []) -> int:  # noqa: B006 - as people write it
    kept.append(i)
    TOGETHER("written")
    return kept[-1]


@cs.task
def named_default(i: int, *, last: dict[str, int] = {}) -> int:  # noqa: B006
    last["i"] = i
    TOGETHER("written")
    return last["i"]


@cs.task
def added_to(i: int, kept: list[int] = []) -> int:  # noqa: B006
    kept += [i]
    TOGETHER("written")
    return kept[-1]


@cs.task
def default_of_a_helper(i: int) -> int:
    return _keeps(i)


def _keeps(i: int, heap: list[int] = []) -> int:  # noqa: B006
    heapq.heappush(heap, -i)
    TOGETHER("written")
    return -heapq.heappop(heap)


def _binds(kept: dict[str, int], i: int) -> int:
    kept["i"] = i
    TOGETHER("written")
    return kept["i"]


HELD: dict[str, tuple[Any, str]] = {
    "default": (default, "the default of `kept`"),
    "named": (named_default, "the default of `last`"),
    "added": (added_to, "the default of `kept`"),
    "helper": (default_of_a_helper, "the default of `heap`"),
    "partial": (cs.task(functools.partial(_binds, {}), name="binds"), "the default of `kept`"),
}


@pytest.mark.parametrize("name", HELD)
async def test_tasks_that_change_what_their_function_carries_along_run_one_at_a_time(
    engine: Engine, together: Together, name: str
) -> None:
    task, words = HELD[name]
    mapped = task.map(i=range(12)).named("m")
    assert f"one at a time: writes {words}" in (await engine.plan(mapped)).step("m").reason
    got = await engine.run(mapped)
    assert together.most["written"] == 1
    assert got == list(range(12))


async def test_who_writes_what_stands_in_a_function_around_it_waits_for_nobody(
    engine: Engine, together: Together
) -> None:
    seen: list[int] = []

    @cs.task
    def notes(i: int) -> int:
        seen.append(i)
        TOGETHER("noted", seconds=0.02)
        return i

    mapped = notes.map(i=range(12))
    assert "one at a time" not in str(await engine.plan(mapped))
    await engine.run(mapped)
    assert together.most["noted"] > 1
    assert sorted(seen) == list(range(12))


async def test_who_reads_what_it_carries_along_or_changes_a_copy_waits_for_nobody(
    engine: Engine, together: Together
) -> None:
    known = {"a": 1}

    def bind(options: dict[str, int], i: int) -> int:
        return i + options.get("n", 0)

    @cs.task
    def free(i: int, options: dict[str, int] = {}) -> int:  # noqa: B006
        options = dict(options)
        options["i"] = i + known["a"]
        own = [i]
        own.append(len(known))
        TOGETHER("read", seconds=0.02)
        return bind(options, i)

    target = [free.map(i=range(12)), cs.task(functools.partial(bind, {}), name="b").map(i=[1])]
    assert "one at a time" not in str(await engine.plan(target))
    await engine.run(target)
    assert together.most["read"] > 1


async def test_items_that_write_one_file_of_sqlite_lose_nothing_of_each_other(
    engine: Engine, together: Together, tmp_path: pathlib.Path
) -> None:
    file = str(tmp_path / "counts.db")
    with contextlib.closing(sqlite3.connect(file)) as there:
        there.execute("create table counts as select 0 as n")
        there.commit()

    @cs.task
    def count(i: int, file: str) -> int:
        with contextlib.closing(sqlite3.connect(file)) as there:
            (n,) = there.execute("select n from counts").fetchone()
            TOGETHER("written")
            there.execute("update counts set n = ?", (n + 1,))
            there.commit()
        return int(n)

    mapped = count.partial(file=file).map(i=range(12)).named("m")
    words = "one at a time: uses SQLite files that are written"
    assert words in (await engine.plan(mapped)).step("m").reason
    assert await engine.run(mapped) == list(range(12))
    assert together.most["written"] == 1


async def test_two_tasks_that_write_one_global_exclude_each_other_others_do_not(
    engine: Engine, together: Together
) -> None:
    await engine.run([appends.map(i=range(6)), through_helper.map(i=range(6))])
    assert together.most["written"] == 1
    await engine.run([appends.map(i=range(12)), of_class.map(i=range(12))])
    assert together.most["written"] == 2


async def test_who_says_so_writes_globals_side_by_side(engine: Engine, together: Together) -> None:
    @cs.task(shares_process=True)
    def free(i: int) -> int:
        STATE.append(i)
        TOGETHER("written", seconds=0.02)
        return i

    target = free.map(i=range(12)).named("m")
    assert "one at a time" not in (await engine.plan(target)).step("m").reason
    await engine.run(target)
    assert together.most["written"] > 1


async def test_who_only_reads_globals_or_changes_what_is_its_own_waits_for_nobody(
    engine: Engine, together: Together
) -> None:
    @cs.task
    def reads(i: int) -> int:
        own: list[int] = []
        box = types.SimpleNamespace()
        box.n = i
        own.append(len(STATE) + len(CACHE) + COUNTER)
        own[0] = i
        TOGETHER("read", seconds=0.02)
        return own[0]

    @cs.task
    def looks(i: int) -> Any:
        mine = dict(NESTED["of"])
        mine["n"] += i
        return mine, SCORES["n"] + 1, NESTED["rows"].count(i), BOXES[0].n

    @cs.task
    def asks(i: int) -> Any:
        GUARDED.take(i)
        GUARDED.all.append(i)
        _looks(METER, i)
        return METER.read(i), MODEL.get_params(), norm.fit([1.0, 2.0, i]), GRID.sum(), TEXT.tell()

    assert effects_of(asks).states == {}
    assert effects_of(looks).states == {}
    assert effects_of(reads).states == {}
    assert await engine.run(reads.map(i=range(8))) == list(range(8))
    assert together.most["read"] > 1
