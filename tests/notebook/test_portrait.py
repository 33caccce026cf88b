"""What the panel is told: all of it once, then what changed and nothing else."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.panel.portrait import Portrait
from cascade_nb.state import MemoryState
from cascade_nb.view.picture.picture import picture_of

PATIENCE = 60.0


class Gate:
    """Holds tasks up until it is opened, so that a test can look in between."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def pass_through(self) -> None:
        assert self._open.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


class Browser:
    """Puts together what it is told, as `panel.js` does."""

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self.shown: dict[str, Any] = json.loads(json.dumps(portrait.everything()))

    def hear(self) -> dict[str, Any]:
        news: dict[str, Any] = json.loads(json.dumps(self.portrait.changes()))
        boxes = {**self.shown["boxes"], **news.get("boxes", {})}
        self.shown |= {**news, "boxes": boxes}
        return news

    async def hear_until(self, condition: Callable[[dict[str, Any]], object]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not condition(self.shown):
            assert asyncio.get_running_loop().time() < deadline, self.shown
            await asyncio.sleep(0.005)
            self.hear()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    yield made
    await made.aclose()


@pytest.fixture
def gate() -> Gate:
    return Gate()


def watch(run: Run) -> Browser:
    portrait = Portrait(run, TaskOutput())
    portrait.place(picture_of(run.graph), run.graph)
    return Browser(portrait)


async def test_a_pause_of_a_run_that_has_not_begun_is_told_at_once(gate: Gate) -> None:
    opened = asyncio.Event()

    class SlowToOpen(MemoryState):
        async def open(self) -> None:
            await opened.wait()

    engine = Engine(state_backend=SlowToOpen())
    gate.open()
    run = engine.start(flow(gate))
    browser = watch(run)
    assert (browser.shown["phase"], browser.shown["pauses_next"]) == ("starting", False)
    run.pause()
    assert browser.hear()["pauses_next"]
    assert browser.shown["headline"] == ["Starting, then paused"]
    opened.set()
    await browser.hear_until(lambda shown: shown["phase"] == "paused")
    assert not browser.shown["pauses_next"]
    run.resume()
    await run
    await engine.aclose()


def flow(gate: Gate, items: int = 20) -> Any:
    """load → `items` calls of train → choose; train waits at the gate."""

    @cs.task
    def load() -> int:
        return 1

    @cs.task
    def train(data: int, i: int) -> int:
        gate.pass_through()
        return i

    @cs.task
    def choose(models: list[int]) -> int:
        return max(models)

    data = load()
    return choose([train(data, i) for i in range(items)])


async def test_a_browser_that_heard_everything_shows_what_is(engine: Engine, gate: Gate) -> None:
    run = engine.start(flow(gate))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["counts"]["running"])
    states = ("done", "running", "waiting", "queued", "held", "failed")
    for kind in browser.shown["kinds"]:
        assert kind["total"] == sum(kind[state] for state in states), kind
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    late = watch(run).shown
    for field in ("counts", "phase", "headline", "kinds", "boxes", "failures"):
        assert browser.shown[field] == late[field], field
    assert browser.shown["counts"]["done"] == 22


async def test_a_hundred_nodes_that_change_at_once_are_told_in_two_kilobytes(
    engine: Engine, gate: Gate
) -> None:
    @cs.task
    def first() -> int:
        gate.pass_through()
        return 1

    @cs.task(executor="inline")
    def load(n: int) -> int:
        return n

    @cs.task(executor="inline")
    def clean(n: int) -> int:
        return n

    ends: list[cs.LazyResult[int]] = [first()] * 10
    for step in range(10):
        task = load if step % 2 else clean
        ends = [task(end).named(f"step_{step}_of_{n}") for n, end in enumerate(ends)]
    run = engine.start(ends)
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["counts"]["running"] == 1)
    gate.open()
    await asyncio.wait_for(run, PATIENCE)
    news = browser.hear()
    assert browser.shown["counts"]["done"] == 101
    assert len(news["boxes"]) > 10
    assert len(json.dumps(news)) <= 2_000


async def test_nothing_is_told_when_nothing_changed(engine: Engine, gate: Gate) -> None:
    # Elapsed time, the age of a pause and the estimate move by themselves in the browser.
    run = engine.start(flow(gate))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["counts"]["running"] == engine_width(run))
    run.pause()
    assert await comes_to_rest(browser)
    gate.open()
    await browser.hear_until(lambda shown: shown["phase"] == "paused")
    assert await comes_to_rest(browser)
    assert browser.shown["time"]["remaining"] is None, "nobody knows when it is resumed"
    run.resume()
    await run


async def comes_to_rest(browser: Browser) -> bool:
    """Whether a time comes in which nothing is told, of more than a second: what happened before
    may be told late.
    """
    quiet = 0
    for _ in range(400):
        await asyncio.sleep(0.15)
        quiet = 0 if browser.hear() else quiet + 1
        if quiet == 12:
            return True
    return False


def engine_width(run: Run) -> int:
    return min(20, run.engine.adapters.executors("thread").capacity)


async def test_how_long_a_pause_lasts_is_left_to_the_browser(engine: Engine, gate: Gate) -> None:
    gate.open()
    engine.pause("global", reason="lunch")
    run = engine.start(flow(gate))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["phase"] == "paused")
    await asyncio.sleep(1.6)
    browser.hear()
    before, after = browser.shown["headline"]
    assert before == "Paused "
    assert "lunch" in after
    assert browser.shown["time"]["paused"] is not None
    assert browser.shown["time"]["ticking"] is False
    engine.resume("global")
    await run


async def test_what_is_in_force_is_told_in_words_where_it_is_about_the_run(
    engine: Engine, gate: Gate
) -> None:
    run = engine.start(flow(gate))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["counts"]["running"] == engine_width(run))
    run.limit("task:train", 3)
    run.limit("task:train", 4, by="agent:claude")
    run.pause(reason="lunch", by="agent:claude")
    run.pause("task:ch*", before=True, ttl=900)
    for elsewhere in ("run:another", "task:elsewhere", "node:nobody", "from:nobody", "tag:gpu"):
        engine.pause(elsewhere)
    browser.hear()
    rows = browser.shown["force"]
    assert [(one["scope"], one["what"], one["words"]) for one in rows] == [
        (
            "task:train",
            "train tasks",
            "at most 3 at once, by you; at most 4 at once, by the agent claude",
        ),
        (run.scope, "this run", "paused by the agent claude: lunch"),
        ("task:ch*", "ch* tasks", "held before it starts, by you"),
    ]
    assert [one["until"] and one["until"] - one["since"] for one in rows[:2]] == [None, None]
    assert 899 <= rows[2]["until"] - rows[2]["since"] <= 901
    # what stays as it is is no news, whatever clocks say
    assert all("force" not in browser.hear() for _ in range(50))
    run.limit("task:train", None)
    assert len(browser.hear()["force"]) == 2
    run.cancel()
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    assert browser.shown["force"] == []


async def test_what_is_in_force_for_an_item_or_inside_of_a_run_is_told_too(
    engine: Engine, gate: Gate
) -> None:
    @cs.task
    def inner(x: int) -> int:
        gate.pass_through()
        return x

    @cs.task
    def outer(x: int) -> int:
        return cs.run(inner.lazy(x), fresh=True)

    run = engine.start(outer.map(x=[1, 2]).named("m"))
    browser = watch(run)
    await browser.hear_until(lambda _: len(run.status.nested) == 2)
    engine.pause("node:m[1]", before=True)
    engine.limit("task:inner", 2)
    engine.limit("task:elsewhere", 2)
    nested = run.status.nested[0].status
    engine.pause(f"run:{nested.run_id}")
    # the tasks of a run that is just about to begin are not known yet
    await browser.hear_until(lambda shown: len(shown["force"]) == 3)
    told = [one["what"] for one in browser.shown["force"]]
    assert told == ["m[1]", "inner tasks", f"run {nested.number}"]
    run.cancel()
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])


async def test_a_stack_tells_how_many_of_its_nodes_are_done(engine: Engine, gate: Gate) -> None:
    run = engine.start(flow(gate, items=30))
    browser = watch(run)
    stack = next(b for b, told in browser.shown["boxes"].items() if len(told) == 3)
    await browser.hear_until(lambda shown: shown["boxes"][stack][0] == "running")
    assert browser.shown["boxes"][stack] == ["running", 0, 30]
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    assert browser.shown["boxes"][stack] == ["done", 30, 30]


async def test_a_mapped_node_tells_how_many_of_its_items_are_done(
    engine: Engine, gate: Gate
) -> None:
    # Its own state stays "running" while its items come and go.
    @cs.task
    def square(x: int) -> int:
        if x >= 3:
            gate.pass_through()
        return x * x

    run = engine.start(square.map(x=list(range(5))).named("squares"))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["boxes"]["node-squares"] == ["running", 3, 5])
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    assert browser.shown["boxes"]["node-squares"] == ["done", 5, 5]


async def test_items_that_end_after_one_has_failed_are_told(engine: Engine, gate: Gate) -> None:
    @cs.task
    def item(i: int) -> int:
        if i == 0:
            raise ValueError("first")
        gate.pass_through()
        return i

    run = engine.start(item.map(i=[0, 1, 2, 3]).named("m"), on_error="continue")
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["failures"])
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    assert browser.shown["boxes"]["node-m"] == ["failed", 3, 4]
    assert run.exception() is not None


async def test_a_map_that_stops_its_run_at_a_failed_item_has_failed(
    engine: Engine, gate: Gate
) -> None:
    """It is cancelled with the rest; but nobody who looks for the failure looks for that."""

    @cs.task
    def item(i: int) -> int:
        if i == 0:
            raise ValueError("first")
        gate.pass_through()
        return i

    @cs.task
    def last(items: list[int]) -> int:
        return len(items)

    run = engine.start(last(item.map(i=[0, 1, 2, 3]).named("m")).named("n"))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["failures"])
    gate.open()
    await browser.hear_until(lambda shown: shown["ended"])
    late = watch(run)
    for told in (browser.shown, late.shown):
        assert told["boxes"]["node-m"][0] == "failed"
        assert told["boxes"]["node-n"] == ["cancelled"]
    assert {name: state.value for name, state in run.states().items()} == {
        "m": "failed",
        "n": "cancelled",
    }


async def test_held_items_are_told_when_the_last_running_one_ends(
    engine: Engine, gate: Gate
) -> None:
    # The last thing that happens before a run is paused is the end of an item; the box must not go
    # on looking as if something ran.
    @cs.task
    def square(x: int) -> int:
        gate.pass_through()
        return x * x

    run = engine.start(square.map(x=list(range(40))).named("squares"))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["counts"]["running"] > 3)
    run.pause()
    gate.open()
    await browser.hear_until(lambda shown: shown["phase"] == "paused")
    await browser.hear_until(lambda shown: shown["boxes"]["node-squares"][0] == "held")
    run.resume()
    await run


async def test_a_failure_is_told_with_the_users_line(engine: Engine) -> None:
    @cs.task
    def divide(x: int) -> float:
        return 1 / x

    run = engine.start(divide(0).named("ratio"))
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["ended"])
    (failure,) = browser.shown["failures"]
    assert failure["error"] == "ZeroDivisionError: division by zero"
    assert "return 1 / x" in failure["where"]
    assert browser.shown["boxes"]["node-ratio"] == ["failed"]
    assert run.exception() is not None


async def test_a_failure_is_told_with_its_input_its_calls_and_what_fell_with_it(
    engine: Engine,
) -> None:
    def helper(x: int) -> float:
        return 1 / x

    @cs.task
    def divide(x: int) -> float:
        return helper(x)

    @cs.task
    def after(x: float) -> float:
        return x

    good = divide(2).named("good")
    bad = after(divide(0).named("ratio")).named("last")
    run = engine.start([good, bad], on_error="continue")
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["ended"])
    (failure,) = browser.shown["failures"]
    assert failure["inputs"] == ["0"]
    assert [call["name"] for call in failure["calls"]] == ["divide", "helper"]
    assert failure["fell"] == "so last did not run"
    assert browser.shown["again"] == "Retry takes the result that is there and runs 2."


async def test_of_many_failures_the_first_are_told_and_the_others_counted(engine: Engine) -> None:
    @cs.task
    def fails(i: int) -> int:
        raise ValueError("x" * 100_000)

    run = engine.start([fails(i) for i in range(300)], on_error="continue")
    browser = watch(run)
    await browser.hear_until(lambda shown: shown["ended"])
    assert len(browser.shown["failures"]) == 20
    assert browser.shown["unlisted"] == 280
    assert len(json.dumps(browser.shown)) < 100_000


async def test_a_picture_that_comes_late_shows_what_happened_before(
    engine: Engine, gate: Gate
) -> None:
    gate.open()
    run = engine.start(flow(gate))
    portrait = Portrait(run, TaskOutput())
    browser = Browser(portrait)
    assert browser.shown["boxes"] == {}
    await run
    browser.hear()
    portrait.place(picture_of(run.graph), run.graph)
    states = {told[0] for told in portrait.everything()["boxes"].values()}
    assert states == {"done"}


async def test_what_is_painted_at_the_end_is_how_the_nodes_ended(
    engine: Engine, gate: Gate
) -> None:
    gate.open()
    run = engine.start(flow(gate).named("best"))
    browser = watch(run)
    await run
    marks = browser.portrait.marker()()
    assert marks.states == {node: state.value for node, state in run.states().items()}


async def test_what_is_reused_is_told_to_who_has_watched_since_before_the_run_began(
    engine: Engine,
) -> None:
    # A panel is opened in the cell that starts the run, which begins when that cell gives way.
    @cs.task
    def load() -> int:
        return 1

    @cs.task
    def add(x: int, y: int) -> int:
        return x + y

    data = load().named("data")
    await engine.run(add(data, 1))
    run = engine.start(add(data, 2).named("sum"))
    browser = watch(run)
    assert {told[0] for told in browser.shown["boxes"].values()} == {"waiting"}
    await browser.hear_until(lambda shown: shown["ended"])
    states = {box: told[0] for box, told in browser.shown["boxes"].items()}
    assert states == {"node-data": "reused", "node-sum": "done"}


async def test_the_picture_of_another_graph_is_not_told_about(engine: Engine, gate: Gate) -> None:
    # An edit can be taken up while the picture of the graph before is laid out.
    gate.open()
    run = engine.start(flow(gate))
    await run
    portrait = Portrait(run, TaskOutput())
    other = cs.build_graph(flow(gate, items=3))
    portrait.place(picture_of(other), other)
    assert portrait.everything()["boxes"] == {}
    portrait.place(picture_of(run.graph), run.graph)
    assert {told[0] for told in portrait.everything()["boxes"].values()} == {"done"}


async def test_painting_what_is_saved_takes_no_news_from_who_watches(
    engine: Engine, gate: Gate
) -> None:
    # The picture is painted now and then, between two looks of the browser.
    gate.open()
    run = engine.start(flow(gate).named("best"))
    browser = watch(run)
    while not run.done():
        await asyncio.sleep(0.001)
        browser.portrait.marker()()
    browser.portrait.marker()()
    browser.hear()
    assert {told[0] for told in browser.shown["boxes"].values()} == {"done"}


async def test_what_tasks_wrote_is_told_once_and_again_to_who_asks_late(
    engine: Engine, gate: Gate
) -> None:
    output = TaskOutput()
    run = engine.start(flow(gate))
    portrait = Portrait(run, output)
    output.write("stdout", "early\n", "train[1]")
    assert portrait.everything()["output"] == {
        "anew": True,
        "chunks": [("stdout", "early\n", "train[1]")],
    }
    output.write("stderr", "more\n")
    assert portrait.changes()["output"] == {"anew": False, "chunks": [("stderr", "more\n", "")]}
    assert "output" not in portrait.changes()
    gate.open()
    await run


async def test_boxes_say_how_long_their_nodes_took_and_which_the_end_waited_for(
    engine: Engine, gate: Gate
) -> None:
    run = engine.start(flow(gate).named("best"))
    browser = watch(run)
    assert (browser.shown["times"], browser.shown["path"]) == ({}, [])
    gate.open()
    took: dict[str, str] = {}
    while not run.done():
        await asyncio.sleep(0.005)
        took |= browser.hear().get("took", {})
    took |= browser.hear().get("took", {})
    portrait = browser.portrait
    single = {box.id for box in portrait._boxes if not box.stacked}
    assert single
    assert took.keys() == single
    assert all(told.endswith((" ms", " s")) for told in took.values())
    assert portrait.everything()["times"] == took
    path = portrait.mark_path([0, len(run.graph) - 1], run.graph)
    assert path[1] == "node-best"
    assert portrait.everything()["path"] == path
    # Another graph's nodes are no news of this one's picture.
    assert portrait.mark_path([0], cs.build_graph(flow(gate, items=3))) == path
