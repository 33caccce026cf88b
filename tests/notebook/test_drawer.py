"""What a panel answers about one node: each tab, each deed, and values that resist being shown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import queue
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.state_counts import MOST_URGENT_FIRST
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import RunError, RunFailures
from cascade_nb.model.resources import resource
from cascade_nb.notebook.drawer import results, shown_value
from cascade_nb.notebook.drawer.desk import Desk
from cascade_nb.notebook.kernel.output import route
from cascade_nb.notebook.kernel.shims import LaunchingCell
from cascade_nb.notebook.kernel.task_output import KEPT, PIECE, TaskOutput
from cascade_nb.notebook.panel.page_messages import PageMessages
from cascade_nb.view.picture.picture import picture_of
from tests.notebook.conftest import Notebook

PATIENCE = 60.0
Json = dict[str, Any]


class Page:
    """Asks as a page does, and waits for the answer."""

    def __init__(self, run: Run) -> None:
        self.output = TaskOutput()
        self.shown: list[Run] = []
        self.answers: queue.Queue[Json] = queue.Queue()
        self._undo = route(run.id, self.output)
        self.desk = Desk(run, self.output, LaunchingCell(), self.shown.append)
        self.desk.send = lambda message: self.answers.put(dict(message))
        self.desk.drawn(picture_of(run.graph))
        self._asks = itertools.count(1)

    async def ask(self, **what: Any) -> Json:
        """The answer to one message."""
        number = next(self._asks)
        assert self.desk.hear({"type": "node", "page": "one", "ask": number, **what})
        answer = await asyncio.to_thread(self.answers.get, True, PATIENCE)
        assert (answer["type"], answer["page"], answer["ask"]) == ("node", "one", number)
        return answer

    async def when(self, **what: Any) -> Json:
        """When what ran."""
        return await self.asked("timeline", **what)

    async def asked(self, kind: str, **what: Any) -> Json:
        """The answer to a message about the whole run."""
        number = next(self._asks)
        others: Any = None  # nothing else of a panel has to do with it
        heard = PageMessages(others, others, others, self.desk, others)
        heard.hear({"type": kind, "page": "one", "ask": number, **what})
        answer = await asyncio.to_thread(self.answers.get, True, PATIENCE)
        assert (answer.pop("type"), answer.pop("ask")) == (kind, number)
        assert answer.pop("page") == "one"
        return answer

    async def ref(self, name: str) -> str:
        """The reference of a node by the name that the page shows."""
        box = next(box for box, names in _members(self.desk).items() if name in names)
        answer = await self.ask(box=box, tab="Why")
        if "head" in answer:
            return str(answer["head"]["ref"])
        nodes = answer["group"]["nodes"]
        return next(str(ref) for ref, shown, _ in nodes if shown.split(" = ")[0] == name)

    async def tab(self, name: str, tab: str) -> Json:
        """What a tab of a node shows."""
        answer = await self.ask(node=await self.ref(name), tab=tab)
        assert answer.get("tab") == tab, answer
        body: Json = answer["body"]
        return body

    async def head(self, name: str) -> Json:
        """The head of a node."""
        answer = await self.ask(node=await self.ref(name), only="head")
        head: Json = answer["head"]
        return head

    async def do(self, name: str, deed: str, **more: Any) -> str:
        """What is said of what was done."""
        answer = await self.ask(node=await self.ref(name), do=deed, **more)
        return str(answer.get("said") or answer["problem"])

    def close(self) -> None:
        self._undo()


def _members(desk: Desk) -> dict[str, list[str]]:
    run = desk._run()
    assert run is not None
    nodes = run.graph.nodes
    return {box: [nodes[i].id for i in indexes] for box, indexes in desk._members.items()}


Watch = Callable[[Any], Page]


@pytest.fixture
async def engine(plain_notebook: Notebook) -> AsyncIterator[Engine]:
    made = Engine()
    yield made
    await made.aclose()


@pytest.fixture
async def start(engine: Engine) -> AsyncIterator[Callable[..., tuple[Run, Page]]]:
    pages: list[Page] = []

    def made(target: Any, **more: Any) -> tuple[Run, Page]:
        run = engine.start(target, **more)
        pages.append(Page(run))
        return run, pages[-1]

    yield made
    for page in pages:
        page.close()


Start = Callable[..., tuple[Run, Page]]


@cs.task
def load(n: int) -> list[int]:
    sys.stdout.write(f"loading {n}\n")
    return list(range(n))


@cs.task
def double(rows: list[int], by: int = 2) -> list[int]:
    sys.stdout.write("doubling\n")
    return [row * by for row in rows]


@cs.task
def fails(rows: list[int]) -> int:
    return int("no number")


async def over(run: Run) -> None:
    with contextlib.suppress(RunError, RunFailures):
        await run


def pairs(told: list[list[str]]) -> dict[str, str]:
    return dict(told)


async def test_the_head_says_what_ran_and_how_long(start: Start) -> None:
    run, page = start(double(load(3).named("rows")).named("twice").with_retry(3))
    await over(run)
    head = await page.head("twice")
    assert (head["name"], head["task"], head["state"]) == ("twice", "double", "done")
    facts = pairs(head["facts"])
    assert facts["attempt"] == "1 of 3"
    assert facts["ran in"] == "a thread"
    assert {"started", "took"} <= facts.keys()
    assert head["can"] == ["run_to"]
    assert head["tabs"] == ["Result", "Why", "Log", "Code", "Inputs", "Reproduce"]


async def test_the_number_of_the_attempt_that_succeeded_stays(start: Start) -> None:
    tries: list[int] = []

    @cs.task
    def second() -> int:
        tries.append(1)
        if len(tries) < 2:
            raise OSError("not yet")
        return 7

    run, page = start(second().named("late").with_retry(3))
    await over(run)
    assert pairs((await page.head("late"))["facts"])["attempt"] == "2 of 3"


async def test_a_result_is_shown_as_jupyter_shows_it(start: Start) -> None:
    @cs.task
    def table() -> Any:
        class Table:
            def _repr_html_(self) -> str:
                return "<b>rich</b>"

            def __repr__(self) -> str:
                return "plain"

        return Table()

    run, page = start(table().named("t"))
    await over(run)
    shown = await page.tab("t", "Result")
    assert shown["text"] == "plain"
    assert shown["data"]["text/html"] == "<b>rich</b>"
    assert pairs(shown["facts"])["type"].endswith("Table")
    assert "in memory" in pairs(shown["facts"])


async def test_a_result_that_is_not_there_says_why(start: Start) -> None:
    run, page = start(double(load(3)).named("twice"))
    await over(run)
    assert "let go after its last reader" in (await page.tab("load#1", "Result"))["none"]
    failed, other = start(fails(load(2)).named("bad"))
    await over(failed)
    assert "bad failed: ValueError" in (await other.tab("bad", "Result"))["none"]


async def test_a_reused_result_is_got_from_where_it_is_kept_with_its_age(
    engine: Engine, start: Start
) -> None:
    rows = load(3).named("rows")
    await over(engine.start(rows))
    run, page = start(double(rows).named("twice"))
    await over(run)
    assert (await page.head("rows"))["state"] == "reused"
    shown = await page.tab("rows", "Result")
    assert shown["text"] == "[0, 1, 2]"
    assert "ago" in pairs(shown["facts"])["made"] or "now" in pairs(shown["facts"])["made"]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
async def test_a_repr_that_raises_is_said_and_does_no_harm(
    start: Start, kind: type[BaseException]
) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise kind("no picture")

        def _repr_html_(self) -> str:
            raise kind("no picture")

    @cs.task
    def odd() -> Any:
        return Odd()

    run, page = start(odd().named("o"))
    await over(run)
    shown = await page.tab("o", "Result")
    assert "Odd" in shown["text"]
    name = kind.__name__
    assert [note.split(" raised ")[1].split(":")[0].strip(".") for note in shown["notes"]] == [
        name,
        name,
    ], shown


async def test_a_repr_that_hangs_is_not_waited_for_and_not_begun_twice(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = [], threading.Event()

    class Hangs:
        def __repr__(self) -> str:
            asked.append(1)
            assert go_on.wait(PATIENCE)
            return "at last"

    @cs.task
    def slow() -> Any:
        return Hangs()

    monkeypatch.setattr(results, "PATIENCE", 0.2)
    run, page = start(slow().named("s"))
    await over(run)
    assert "takes more than 200 ms" in (await page.tab("s", "Result"))["notes"][0]
    assert "not there yet" in (await page.tab("s", "Result"))["notes"][0]
    assert len(asked) == 1
    go_on.set()
    deadline = time.monotonic() + PATIENCE
    while (shown := await page.tab("s", "Result"))["text"] != "at last":
        assert time.monotonic() < deadline, shown


async def test_a_huge_repr_is_cut_and_says_so(start: Start) -> None:
    class Huge:
        def __repr__(self) -> str:
            return "x" * 100_000_000

        def _repr_html_(self) -> str:
            return "<p>" * 40_000_000

    @cs.task
    def huge() -> Any:
        return Huge()

    run, page = start(huge().named("h"))
    await over(run)
    shown = await page.tab("h", "Result")
    assert shown["text"].startswith("xxx")
    assert shown["text"].endswith("more characters")
    assert "text/html" not in shown["data"]
    assert "too much to show" in shown["notes"][0]
    assert len(str(shown)) < 50_000


async def test_a_value_that_changes_when_shown_says_so_and_what_is_kept_stays(
    start: Start,
) -> None:
    class Counts(dict[str, int]):
        def __repr__(self) -> str:
            self["shown"] = self.get("shown", 0) + 1
            return "counts"

    @cs.task
    def counts() -> Any:
        return Counts()

    run, page = start(counts().named("c"))
    await over(run)
    notes = (await page.tab("c", "Result"))["notes"]
    assert any(note.startswith("Showing this value changes it") for note in notes)


async def test_why_is_followed_to_the_pause_that_holds_it_and_resume_lifts_that(
    start: Start,
) -> None:
    data = load(3).named("rows")
    run, page = start(fails_never(double(data).named("twice")).named("last"))
    run_held = run.pause  # before anything could begin, or at least before the last
    run_held("node:twice")
    await until(lambda: run.states()["twice"].value == "held")
    why = await page.tab("last", "Why")
    assert "waits for twice" in why["lines"][0]
    (step,) = why["causes"]
    assert step["name"] == "twice"
    assert "paused" in step["lines"][0]
    assert step["pause"] == "node:twice"
    assert (await page.head("twice"))["can"] == ["resume"]
    assert await page.do("last", "resume", scope=step["pause"]) == "node:twice may go on."
    await over(run)
    assert (await page.tab("last", "Why"))["lines"] == ["last is done"]


@cs.task
def fails_never(rows: list[int]) -> int:
    return sum(rows)


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_log_has_the_output_of_its_node_alone_its_items_with_it(
    engine: Engine, start: Start
) -> None:
    go = threading.Event()

    @cs.task
    def speak(i: int) -> int:
        assert go.wait(PATIENCE)
        sys.stdout.write(f"item {i}\n")
        return i

    @cs.task
    def nests(xs: list[int]) -> int:
        sys.stdout.write("before\n")
        return len(engine.start(inner(1)).result())

    run, page = start(nests(speak.map(i=[1, 2]).named("m")).named("n"))
    go.set()
    await over(run)
    lines = "".join(text for _, text in (await page.tab("m", "Log"))["chunks"]).split("\n")
    assert sorted(lines) == ["", "item 1", "item 2"]
    one = await page.ask(node=f"{await page.ref('m')}:1", tab="Log")
    assert "head" in one, one
    assert one["head"]["name"] == "m[1]"
    assert "".join(text for _, text in one["body"]["chunks"]) == "item 2\n"
    inside = "".join(text for _, text in (await page.tab("n", "Log"))["chunks"])
    assert inside == "before\nwithin 1\n"


@cs.task
def inner(i: int) -> list[int]:
    sys.stdout.write(f"within {i}\n")
    return [i]


async def test_an_error_is_taken_apart_with_the_lines_of_libraries_apart(start: Start) -> None:
    @cs.task
    def reads() -> Any:
        import json

        try:
            json.loads("{nothing")
        except ValueError as error:
            raise RuntimeError("cannot be read\nin two lines") from error

    run, page = start(reads().named("r"))
    await over(run)
    assert (await page.head("r"))["tabs"][0] == "Error"
    (failure,) = (await page.tab("r", "Error"))["failures"]
    raised, cause = failure["chain"]
    assert raised["text"] == "RuntimeError: cannot be read\nin two lines"
    assert cause["link"] == "which was raised because of"
    assert "JSONDecodeError" in cause["text"]
    own = [frame["own"] for frame in cause["frames"]]
    assert own == [True] + [False] * (len(own) - 1)
    assert len(own) > 2
    assert raised["frames"][0]["code"].startswith("raise RuntimeError")
    assert not any("cascade_nb" in frame["file"].split("/")[-3:] for frame in raised["frames"])


async def test_code_says_line_by_line_what_changed_since_the_run_before(
    plain_notebook: Notebook, engine: Engine, start: Start
) -> None:
    plain_notebook.ok(
        "import cascade_nb as cs\n@cs.task\ndef scale(x):\n    y = x + 1\n    return y * 2"
    )
    await over(engine.start(plain_notebook.names["scale"](1).named("s")))
    plain_notebook.ok("@cs.task\ndef scale(x):\n    y = x + 1\n    return y * 3")
    run, page = start(plain_notebook.names["scale"](1).named("s"))
    await over(run)
    code = await page.tab("s", "Code")
    assert code["parts"][0]["name"] == "scale"
    assert code["parts"][0]["text"].strip().endswith("return y * 3")
    (changed,) = code["changes"]
    assert "-    return y * 2" in changed["lines"]
    assert "+    return y * 3" in changed["lines"]


async def test_inputs_name_nodes_values_and_files(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("1 2 3", encoding="utf-8")

    @cs.task
    def read(path: str) -> list[int]:
        return list(map(int, Path(path).read_text(encoding="utf-8").split()))

    run, page = start(double(read(str(file)).named("rows"), by=5).named("five"))
    await over(run)
    shown = await page.tab("five", "Inputs")
    rows, by = shown["inputs"]
    assert (rows["name"], rows["shown"]) == ("rows", "[1, 2, 3]")
    assert [(one["name"], one["state"]) for one in rows["sources"]] == [("rows", "done")]
    assert (by["name"], by["shown"], by["sources"]) == ("by", "5", [])
    assert [Path(path).name for path in (await page.tab("rows", "Inputs"))["files"]] == ["rows.txt"]


async def test_reproduce_is_a_cell_that_makes_the_same_call_again(
    plain_notebook: Notebook, start: Start
) -> None:
    plain_notebook.ok(
        "import cascade_nb as cs\n@cs.task\ndef total(xs, *, start=0): return sum(xs, start)"
    )
    names = plain_notebook.names
    run, page = start(names["total"](load(4).named("rows"), start=10).named("sum"))
    await over(run)
    told = await page.tab("sum", "Reproduce")
    assert told["cell"].endswith("\ntotal.fn(**sum_inputs)")
    assert await page.do("sum", "put_inputs") == "Its inputs are in sum_inputs."
    assert names["sum_inputs"] == {"xs": [0, 1, 2, 3], "start": 10}
    # with what stands in the cell, and as a reader would: what is changed there is its own
    assert plain_notebook.ok(told["cell"]).result == 16
    names["sum_inputs"]["xs"].append(99)
    assert (await page.tab("rows", "Result"))["text"] == "[0, 1, 2, 3]"


async def test_reproduce_says_what_is_in_the_way(start: Start) -> None:
    run, page = start(double(double(load(3))).named("four"))
    await over(run)
    assert "was let go" in (await page.tab("four", "Reproduce"))["problem"]


async def test_a_value_is_put_into_a_variable_that_nobody_has(
    plain_notebook: Notebook, start: Start
) -> None:
    run, page = start(load(2).named("rows"))
    await over(run)
    plain_notebook.names["rows_value"] = "mine"
    assert await page.do("rows", "put") == "It is in rows_value_2."
    assert await page.do("rows", "put") == "It is in rows_value_2."
    assert plain_notebook.names["rows_value"] == "mine"
    assert plain_notebook.names["rows_value_2"] == [0, 1]


async def test_what_failed_is_run_again_and_shown_below(start: Start) -> None:
    good: list[bool] = []

    @cs.task
    def flaky() -> int:
        if not good:
            raise OSError("down")
        return 5

    run, page = start(flaky().named("f"))
    assert "is not over" in await page.do("f", "retry") or run.done()
    await over(run)
    assert (await page.head("f"))["can"] == ["retry", "run_to"]
    good.append(True)
    assert await page.do("f", "retry") == "It runs again; its panel is below."
    (again,) = page.shown
    assert await again == 5
    assert (await page.ask(do="again"))["said"] == "It runs again; its panel is below."
    assert await page.shown.pop() == 5
    assert (await page.ask(failure=0, tab="Error"))["head"]["name"] == "f"
    assert await page.do("f", "run_to") == "f runs; its panel is below."
    assert await page.shown[1] == 5


async def test_a_node_is_held_and_let_go(start: Start) -> None:
    go = threading.Event()

    @cs.task
    def first() -> list[int]:
        assert go.wait(PATIENCE)
        return [1]

    run, page = start(double(first()).named("twice"))
    await until(lambda: run.status.running)
    shown = await page.head("twice")
    assert shown["can"] == ["hold", "hold_after", "break"]
    assert shown["does"] == {"hold": "Holds 1.", "hold_after": "Holds 1."}
    assert await page.do("twice", "hold") == "twice is held."
    go.set()
    await until(lambda: run.states()["twice"].value == "held")
    assert await page.do("twice", "resume") == "twice may go on."
    await over(run)
    assert (await page.head("twice"))["state"] == "done"


async def test_what_boxes_of_several_nodes_have_is_found_by_name_and_task(start: Start) -> None:
    data = load(3).named("rows")
    run, page = start([double(data, by=n) for n in range(20)])
    await over(run)
    (box,) = (box for box, names in _members(page.desk).items() if len(names) == 20)
    for query, count in (("DOUBLE", 20), ("double #1", 11), ("double#7", 1), (".*", 0), ("", 0)):
        told = await page.asked("find", query=query)
        assert told == {"query": query, "inside": {box: count} if count else {}}
    assert (await page.asked("find", query="rows"))["inside"] == {}  # it has a box of its own


async def test_clicks_are_done_in_the_order_in_which_they_came(start: Start) -> None:
    run, page = start(double([1]).named("one"))
    await over(run)
    clicks = [{"kind": "double", "most": most} for most in range(20, 0, -1)]
    with run.engine.constraints.lock:  # each click has a thread, and all of them wait
        for ask, click in enumerate(clicks):
            page.desk.hear({"type": "node", "page": "one", "ask": ask, "do": "limit", **click})
    done = [await asyncio.to_thread(page.answers.get, True, PATIENCE) for _ in clicks]
    assert [one["ask"] for one in done] == [*range(20)]
    assert [one["said"] for one in done] == [
        f"At most {n} of double at once." for n in range(20, 0, -1)
    ]


async def test_what_a_hold_would_do_is_told_first_and_then_it_does_that(start: Start) -> None:
    go = threading.Event()

    @cs.task
    def wait(x: int) -> list[int]:
        assert go.wait(PATIENCE)
        return [x]

    each = wait.map(x=list(range(9))).named("each")
    run, page = start(fails_never(double(each[0]).named("twice")).named("last"))
    most = min(9, run.engine.adapters.executors("thread").capacity)
    await until(lambda: run.status.running == most)
    run.limit("task:wait", 1)  # from now on it stays at what runs
    shown = await page.head("each")
    holds = 9 - run.status.running
    assert shown["does"]["hold"] == f"Holds {holds}, {9 - holds} will finish."
    assert shown["does"]["hold_after"] == f"Holds {holds + 3}, {9 - holds} will finish."
    assert await page.do("each", "hold_after") == "each and what comes after it are held."
    go.set()
    await until(lambda: run.status.held and not run.status.running)
    assert run.states()["twice"].value == "waiting"
    run.resume("from:each")
    await over(run)


async def test_how_many_of_a_task_run_at_once_is_changed_in_the_drawer(start: Start) -> None:
    go = threading.Event()

    @cs.task
    def wait(x: int) -> int:
        assert go.wait(PATIENCE)
        return x

    run, page = start([wait(0).named("one"), *(wait(n) for n in range(1, 9))])
    await until(lambda: run.status.running)
    limit = {"kind": "wait", "most": None}
    assert {**(await page.head("one"))["limit"], "running": 0} == {**limit, "running": 0}
    told = (await page.ask(do="limit", kind="wait", most=0))["said"]
    assert told == "At most 0 of wait at once: none starts."
    group = (await page.ask(kind="wait"))["group"]
    assert (group["limit"]["most"], group["limit"]["kind"]) == (0, "wait")
    assert (group["hold"]["kind"], group["hold"]["do"]) == ("wait", "hold_all")
    assert re.fullmatch(r"Holds \d, \d will finish\.", group["hold"]["does"])
    assert (await page.ask(do="hold_all", kind="wait"))["said"] == "wait is held."
    assert run.engine.constraints.standing("task:wait", "pause")
    assert (await page.ask(kind="wait"))["group"]["hold"]["do"] == "resume_all"
    assert (await page.ask(do="resume_all", kind="wait"))["said"] == "wait may go on."
    assert not run.engine.constraints.standing("task:wait", "pause")
    run.limit("task:wait", 2, by="agent:claude")
    told = (await page.ask(do="limit", kind="wait", most=5))["said"]
    assert told == "At most 2 of wait at once, which is what the agent claude allows."
    run.limit("task:wait", None)
    told = (await page.ask(do="limit", kind="wait", most=None))["said"]
    assert told == "Any number of wait may run at once."
    for nonsense in (-1, "many", 1.5, [2]):
        assert "limit" in (await page.ask(do="limit", kind="wait", most=nonsense))["problem"]
    for deed in ("limit", "hold_all", "resume_all"):
        told = await page.ask(do=deed, kind="nope", most=1)
        assert told["problem"] == "there is no such task"
    go.set()
    await over(run)
    assert (await page.head("one"))["limit"] is None


async def test_a_breakpoint_is_set_let_go_and_taken_away_in_the_drawer(start: Start) -> None:
    go = threading.Event()

    @cs.task
    def first() -> list[int]:
        assert go.wait(PATIENCE)
        return [1]

    run, page = start(fails_never(double(first()).named("twice")).named("last"))
    await until(lambda: run.status.running)
    told = await page.do("twice", "break")
    assert told == "twice will be held when it would start, with its inputs there."
    assert (await page.head("twice"))["can"] == ["hold", "hold_after", "no_break"]
    go.set()
    await until(lambda: run.states()["twice"].value == "held")
    why = await page.tab("twice", "Why")
    assert "at a breakpoint before twice" in why["lines"][0]
    assert why["pause"] == "node:twice"
    assert (await page.head("twice"))["can"] == ["resume", "no_break"]
    assert await page.do("twice", "resume") == "twice may go on."
    await over(run)
    assert await page.do("twice", "no_break") == "There is no breakpoint before twice any more."
    assert not run.engine.constraints.constraints()


async def test_a_run_that_nobody_has_any_more_says_so(engine: Engine, start: Start) -> None:
    run, page = start(load(2).named("rows"))
    await over(run)
    ref = await page.ref("rows")
    assert (await page.ask(node=ref, tab="Result"))["body"]["text"] == "[0, 1]"
    del run

    def gone() -> bool:
        gc.collect()
        return page.desk._run() is None

    await until(gone)
    assert "nobody has it any more" in (await page.ask(node=ref, tab="Result"))["problem"]


async def test_an_older_question_is_void_and_nonsense_is_refused(start: Start) -> None:
    run, page = start(load(2).named("rows"))
    await over(run)
    ref = await page.ref("rows")
    page.desk._latest["one"] = 10_000
    page.desk.hear({"type": "node", "page": "one", "ask": 5, "node": ref, "tab": "Why"})
    page.desk._latest["one"] = 0
    for nonsense in ({"node": "0:99"}, {"node": "x"}, {"box": "none"}, {"kind": "none"}, {}):
        assert "no such node" in (await page.ask(**nonsense))["problem"]
    assert "nobody knows" in (await page.ask(node=ref, do="explode"))["problem"]
    assert not page.desk.hear({"type": "node", "page": 3, "ask": "x"})
    assert page.answers.empty()


async def test_a_box_of_several_nodes_lists_those_that_failed_first(start: Start) -> None:
    @cs.task
    def part(i: int) -> int:
        if i == 15:
            raise ValueError("fifteen")
        return i

    @cs.task
    def all_of(xs: list[int]) -> int:
        return len(xs)

    run, page = start(all_of([part(i) for i in range(20)]), on_error="continue")
    await over(run)
    box = next(box for box, names in _members(page.desk).items() if len(names) == 20)
    group = (await page.ask(box=box))["group"]
    assert (group["name"], group["total"]) == ("part", 20)
    assert group["nodes"][0][2] == "failed"
    assert group["counts"] == [["failed", 1], ["done", 19]]
    same = (await page.ask(kind="part"))["group"]
    assert same == group
    failed = await page.ask(node=group["nodes"][0][0])
    assert failed["tab"] == "Error"


async def test_what_an_edit_made_another_node_is_asked_for_once_more(start: Start) -> None:
    run, page = start(load(2).named("rows"))
    await over(run)
    ref = await page.ref("rows")
    run.take(cs.build_graph(load(5).named("rows")), ["rows"])
    assert "click the node once more" in (await page.ask(node=ref))["problem"]


async def test_texts_of_anybody_are_cut_and_obey_no_terminal(start: Start) -> None:
    evil = "\x1b[2J\u202e<img src=x onerror=alert(1)>" + "n" * 100_000

    @cs.task
    def says() -> Any:
        raise ValueError(evil)

    run, page = start(says())
    await over(run)
    answer = await page.ask(node=await page.ref("says#1"))
    told = str(answer)
    assert "\x1b" not in told
    assert len(told) < 30_000


async def test_a_node_that_is_given_a_resource_says_that_a_run_alone_opens_it(
    start: Start,
) -> None:
    @resource
    def line() -> Any:
        yield "open"

    @cs.task
    def uses(x: int, there: str = cs.inject(line)) -> str:
        return there

    run, page = start(uses(1).named("u"))
    await over(run)
    assert "a run alone opens" in (await page.tab("u", "Reproduce"))["problem"]


def test_the_patience_is_ten_seconds() -> None:
    assert shown_value.PATIENCE == 10


async def test_the_items_of_a_map_are_squares_and_rows_that_are_sorted_and_searched(
    start: Start,
) -> None:
    @cs.task
    def odd_fails(i: int) -> int:
        if i % 10 == 7:
            raise ValueError("seven")
        return i * 100

    run, page = start(odd_fails.map(i=list(range(300))).named("m"), on_error="continue")
    await over(run)
    assert (await page.head("m"))["tabs"][:2] == ["Items", "Error"]
    ref = await page.ref("m")

    async def items(**rows: Any) -> Json:
        answer = await page.ask(node=ref, tab="Items", rows=rows)
        body: Json = answer["body"]
        return body

    told = await items()
    assert (told["total"], told["found"], len(told["rows"])) == (300, 300, 200)
    kinds = [told["letters"][letter] for letter in told["states"]]
    assert [i for i, kind in enumerate(kinds) if kind == "failed"] == list(range(7, 300, 10))
    assert sorted(told["counts"]) == [["done", 270], ["failed", 30]]
    first, row = told["rows"][3][0], told["rows"][3]
    assert row[1:4] == ["3", "done", 1]
    assert row[5:] == ["i=3", "300"]
    assert (await page.ask(node=first, only="head"))["head"]["name"] == "m[3]"
    failed = await items(state="failed", sort="item", down=True, count=3)
    assert [row[1] for row in failed["rows"]] == ["297", "287", "277"]
    assert failed["found"] == 30
    searched = await items(text="I=25", count=5, **{"from": 1})
    assert [row[5] for row in searched["rows"]] == ["i=250", "i=251", "i=252", "i=253", "i=254"]
    slowest = await items(sort="took", down=True, count=1)
    assert slowest["rows"][0][4]
    # Whatever else is asked, something is shown.
    for nonsense in ({"from": -5}, {"from": 10**9}, {"count": "x"}, {"sort": 3}, {"text": ["a"]}):
        assert (await items(**nonsense))["total"] == 300
    assert (await page.ask(node=ref, tab="Items", rows="none"))["body"]["total"] == 300


async def test_items_are_there_when_the_map_is_done_and_while_it_goes_on(start: Start) -> None:
    go = threading.Event()

    @cs.task
    def waits(i: int) -> int:
        assert i == 0 or go.wait(PATIENCE)
        return i + 1

    run, page = start(waits.map(i=load(4).named("rows")).named("m"))
    await until(lambda: run.progress_of(1)[0] == 1 and run.status.running == 3)
    body = await page.tab("m", "Items")
    assert body["rows"][0][2:] == ["done", 1, body["rows"][0][4], "i=0", "1"]
    assert body["rows"][1][2] == "running"
    assert body["rows"][1][6] == ""
    go.set()
    await over(run)
    rows = (await page.tab("m", "Items"))["rows"]
    assert [row[5] for row in rows] == ["i=0", "i=1", "i=2", "i=3"]
    assert [row[6] for row in rows] == ["1", "2", "3", "4"]


async def test_what_is_left_of_a_map_can_be_held_though_an_item_of_it_has_failed(
    start: Start,
) -> None:
    go = threading.Event()

    @cs.task
    def may_fail(i: int) -> int:
        if i == 0:
            raise ValueError("no convergence")
        go.wait(PATIENCE)
        return i

    mapped = may_fail.map(i=list(range(100))).named("m")
    run, page = start(mapped, on_error="continue")
    await until(lambda: run.status.failed == 1 and run.status.queued)
    head = await page.head("m")
    assert head["state"] == "failed"
    assert {"hold", "hold_after"} <= set(head["can"])
    assert "runs in" in pairs(head["facts"])
    assert await page.do("m", "hold")
    go.set()
    await until(lambda: run.status.held and not run.status.running)
    assert (await page.head("m"))["can"][:1] == ["resume"]
    run.cancel()
    await over(run)


async def test_items_that_ask_or_go_on_as_another_node_are_counted_as_what_they_do(
    start: Start,
) -> None:
    go = threading.Event()

    @cs.task
    def waits(i: int) -> int:
        assert go.wait(PATIENCE)
        return i

    @cs.task
    def goes_on(i: int) -> Any:
        return waits.lazy(i)

    asks = cs.ask.map(question=["one?", "two?"]).named("asks")
    heirs = goes_on.map(i=[1, 2]).named("heirs")
    run, page = start([asks, heirs])
    await until(lambda: run.status.asking == 2 and not (run.status.queued or run.status.waiting))
    for name, state in (("asks", "asking"), ("heirs", "running")):
        told = await page.tab(name, "Items")
        assert [row[2] for row in told["rows"]] == [state, state], name
        assert told["counts"] == [[state, 2]]
    go.set()
    for item in range(2):
        run.answer(f"asks[{item}]", "yes")
    await over(run)


async def test_a_group_has_every_state_the_most_urgent_first(start: Start) -> None:
    assert set(MOST_URGENT_FIRST) == set(NodeState)

    @cs.task
    def count(xs: list[bool]) -> int:
        return len(xs)

    run, page = start(count([cs.ask(f"{n}?") for n in range(20)]))
    await until(lambda: run.status.asking == 20)
    run.answer(run.questions[0].name, "yes")
    await until(lambda: run.status.asking == 19)
    group = (await page.ask(kind="ask"))["group"]
    assert group["counts"] == [["asking", 19], ["done", 1]]
    run.cancel()
    await over(run)


async def test_twenty_thousand_items_are_told_in_a_small_message(start: Start) -> None:
    @cs.task
    def item(i: int) -> int:
        return i

    run, page = start(item.map(i=range(25_000)).named("m"))
    await over(run)
    body = await page.tab("m", "Items")
    assert (body["total"], body["listed"], body["found"]) == (25_000, 20_000, 20_000)
    assert len(json.dumps(body)) < 60_000


async def test_when_what_ran_is_told_in_numbers_with_each_name_once_and_kept_when_it_is_over(
    engine: Engine, start: Start
) -> None:
    @cs.task
    def part(i: int) -> int:
        return i

    run, page = start(part.map(i=[0, 1, 2]).named("parts"))
    await over(run)
    told = await page.when()
    assert (told["serial"], told["over"], told["ended"]) == (0, True, 3)
    assert told["names"] == ["parts"]
    assert told["kinds"] == [("part", "thread")]
    assert sorted(bar[:4] for bar in told["bars"]) == [[0, i, 0, 0] for i in range(3)]
    assert {bar[7] for bar in told["bars"]} == {"d"}
    # What a bar names can be asked about.
    head = (await page.ask(node=f"{told['serial']}:0:2", only="head"))["head"]
    assert head["name"] == "parts[2]"
    assert (await page.when(serial=0, since=3))["bars"] == []
    assert len(json.dumps(told)) < 700
    page.desk.keep_timeline()
    page.desk._forget()
    assert json.dumps(await page.when()) == json.dumps(told)


async def test_all_that_was_written_can_be_had_as_long_as_somebody_has_the_run(
    start: Start,
) -> None:
    @cs.task
    def part(i: int) -> int:
        sys.stdout.write(f"part {i}\n")
        return i

    run, page = start(part.map(i=[0]).named("parts"))
    await over(run)
    page.output.write("stdout", "x" * (KEPT + 1))
    found, place = "", 0
    while place is not None:
        told = await page.asked("output", start=place)
        assert told["dropped"] == 0
        assert len(told["text"]) <= PIECE
        found, place = found + told["text"], told["more"]
    assert found == "part 0\n" + "x" * (KEPT + 1)
    page.desk._forget()
    assert "nobody has it any more" in (await page.asked("output", start=0))["problem"]


async def test_a_hundred_more_attempts_are_told_in_a_few_bytes_each(start: Start) -> None:
    @cs.task
    def part(i: int) -> int:
        return i

    run, page = start(part.map(i=list(range(600))).named("parts"))
    await over(run)
    some = await page.when(serial=0, since=0)
    assert len(some["bars"]) == 500
    rest = await page.when(serial=0, since=some["last"])
    assert len(rest["bars"]) == 100
    assert len(json.dumps(rest, separators=(",", ":"))) < 4_000
