"""A kept result stands only if a run now would compute it: conditions, order, values instead."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine import Engine
from cascade_nb.engine.reuse import lookup as reuse
from cascade_nb.errors import DependencyMissingError
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.graph.serialization.graph_pickle import pack_graph, unpack_graph
from cascade_nb.graph.serialization.graph_reader import from_json
from cascade_nb.graph.serialization.graph_writer import to_json
from cascade_nb.testing import SpySubscriber


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


@cs.task(executor="inline")
def label(x: Any = "nothing") -> str:
    return f"<{x}>"


@cs.task(executor="inline", reuse=False)
def anew(x: Any) -> Any:
    return x


class Runs:
    """Runs targets one after the other and tells what ran."""

    def __init__(self, engine: Engine, spy: SpySubscriber) -> None:
        self.engine = engine
        self._spy = spy
        self.ran: list[str] = []

    async def __call__(self, target: Any, **params: Any) -> Any:
        before = len(self._spy.events)
        try:
            return await self.engine.run(target, params=params)
        except DependencyMissingError as error:
            return str(error)
        finally:
            new = self._spy.events[before:]
            self.ran = [e.task_id for e in new if isinstance(e, TaskExecutionStarted)]


@pytest.fixture
def run(engine: Engine, spy: SpySubscriber) -> Runs:
    return Runs(engine, spy)


FLAG = cs.Param("flag", default=True, type=bool)


async def test_a_kept_result_does_not_stand_where_the_condition_is_false(run: Runs) -> None:
    await run(give(3).named("x"))
    assert await run(label(give(3).named("x"))) == "<3>"
    for condition in (False, give(0), give(0).named("no"), FLAG):
        node = give(3).named("x").run_if(condition)
        assert "x was skipped: its condition" in await run(node, **_flag(node, False))
        assert await run(label(node), **_flag(node, False)) == "<nothing>"
        assert "x" not in run.ran


async def test_a_kept_result_stands_once_its_condition_turned_out_true(run: Runs) -> None:
    await run(give(give(3).named("input")).named("x"))
    node = give(give(3).named("input")).named("x").run_if(anew(True))
    assert await run(label(node)) == "<3>"
    assert run.ran == ["anew#1", "label#1"]
    assert await run(node) == 3
    assert run.ran == ["anew#1"]


async def test_parameters_that_change_decide_anew_each_time(run: Runs) -> None:
    target = label(give(3).named("x").run_if(FLAG))
    values = [await run(target, flag=flag) for flag in (True, False, True, False)]
    assert values == ["<3>", "<nothing>"] * 2
    assert run.ran == []


async def test_a_value_stands_for_a_skipped_result(run: Runs) -> None:
    plain, lazy = (give(3).named("x").run_if(FLAG, otherwise=e) for e in (None, give(9)))
    several = give(3).named("x").run_if(FLAG, otherwise={"a": give(8), "b": [give(9)]})
    for flag in (False, True, False):
        got = [await run(label(node), flag=flag) for node in (plain, lazy, several)]
        assert got == (["<3>"] * 3 if flag else ["<None>", "<9>", "<{'a': 8, 'b': [9]}>"])
        assert await run(lazy, flag=flag) == (3 if flag else 9)
    assert await run(give(3).named("x").run_if(False, otherwise=4)) == 4
    assert await run(give(3).named("x")) == 3, "what stood for it was not kept as its result"


async def test_what_stands_for_a_result_runs_only_where_it_is_needed(run: Runs) -> None:
    node = give(give(2)).run_if(FLAG, otherwise=give(9).named("else"))
    await run(label(node).named("a"), flag=True)
    assert "else" not in run.ran
    await run(label(node).named("b"), flag=False)
    assert run.ran == ["else", "b"]
    skipped = give(1).run_if(False, otherwise=give(2).run_if(False))
    assert "was skipped" in await run(skipped)


async def test_a_router_may_have_a_default(run: Runs) -> None:
    choice = cs.Param("choice", type=int)
    router = cs.Router(give(choice), {0: give("a")}, default=give("rest").named("rest"))
    assert [await run(label(router), choice=n) for n in (0, 1, 2)] == ["<a>", "<rest>", "<rest>"]
    plain = cs.Router(give([]), {0: 1}, default=None)
    assert await run(plain) is None, "a key that cannot be one is none of the routes' either"
    other = cs.Router(give(choice), {0: give("a")}, default=give("b"))
    assert await run(label(other), choice=2) == "<b>"


async def test_what_comes_after_stands_on_what_it_comes_after(run: Runs) -> None:
    for order in (lambda a, b: b.after(a), cs.sequence):
        assert await run(order(give(1), label("x"))) == "<x>"
        await run(order(give(2), label("x")))
        assert run.ran == ["give#1", "label#1"]
        await run(order(give(1), label("x")))
        assert run.ran == []
    plan = await run.engine.plan(label("x").named("y").after(give(5).named("first")))
    assert plan.step("y").action == "run"


async def test_what_comes_after_a_node_that_runs_runs_too(run: Runs) -> None:
    first = give(1)
    last = give(label("x").named("after").after(first)).named("last")
    await run([last, label(first)])
    await run([last, label(first)])
    assert run.ran == []
    await run([last, label(2)])
    assert run.ran == ["label#1"]
    plan = await run.engine.plan([last, give([first])])
    step = plan.step("after")
    assert (step.action, step.reason) == ("run", "its step before it, give#1, runs")
    assert plan.step("last").reason == "it reads after, whose step before it, give#1, runs"
    await run([last, give([first])])  # the first has no name and is not kept
    assert set(run.ran) == {"give#1", "after", "last", "give#2"}


async def test_the_items_of_a_map_come_after_too(run: Runs) -> None:
    for n in (1, 2):
        node = label.map(x=give([1, 2]).named("xs")).after(give(n)).named("m")
        await run(node)
        assert [one for one in run.ran if one.startswith("m[")] == ["m[0]", "m[1]"]


async def test_what_comes_after_something_new_each_time_always_runs(run: Runs) -> None:
    for order in (lambda a, b: b.after(a), cs.sequence):
        node = order(anew(1).named("write"), label("x").named("read"))
        for _ in range(2):
            await run(node)
            assert run.ran == ["write", "read"]
        reason = (await run.engine.plan(node)).step("read").reason
        assert "it comes after write, and write's results are new each time" in reason


async def test_a_skipped_step_takes_along_what_follows_and_never_what_precedes(run: Runs) -> None:
    for condition in (False, FLAG, anew(False)):
        middle = give(2).named("b").run_if(condition)
        steps = cs.sequence(give(1).named("a"), middle, give(3).named("c"))
        assert "c was skipped: b was skipped" in await run(steps, **_flag(steps, False))
        assert "c" not in run.ran
        assert await run(label(steps), **_flag(steps, False)) == "<nothing>"
    run_all = cs.sequence(anew(1).named("a"), give(2).named("b").run_if(False), give(3).named("c"))
    await run(run_all)
    assert run.ran == ["a"]
    after = give(3).named("c").after(give(2).named("b").run_if(False))
    assert await run(after) == 3, "only `.after` takes what was skipped for done"


async def test_a_step_that_stands_asks_for_no_earlier_one_unless_it_is_skipped(run: Runs) -> None:
    node = cs.sequence(give(1), give(2).named("b").run_if(anew(FLAG)))
    assert await run(node, flag=True) == 2
    assert await run(node, flag=True) == 2
    assert run.ran == ["anew#1"]
    await run(node, flag=False)
    assert run.ran == ["anew#1", "give#1"]


def test_conditions_with_values_and_steps_travel() -> None:
    first, other = give(1), give(2)
    node = give(3).run_if(give(0), otherwise=[other])
    target = cs.sequence(first, cs.Router(node, {1: first}, default=node))
    graph = cs.build_graph(target)
    for again in (unpack_graph(pack_graph(graph)), from_json(to_json(graph))):
        assert [(n.inputs, n.control) for n in again.nodes] == [
            (n.inputs, n.control) for n in graph.nodes
        ]


def _flag(node: Any, value: bool) -> dict[str, bool]:
    return {"flag": value} if "flag" in cs.build_graph(node).params() else {}


async def test_small_calls_of_known_code_are_looked_at_without_a_thread(
    run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    async def counted(work: Any) -> Any:
        looks.append(1)
        return await run_in_thread(work)

    monkeypatch.setattr(reuse, "run_in_thread", counted)

    def shift(x: Any, by: Any = 0) -> Any:
        return x

    move = cs.task(shift)
    assert [await run(move(n)) for n in range(5)] == list(range(5))
    assert len(looks) == 1
    for large in ([1, 2], "a" * 5_000):
        assert await run(move(large)) == large
    assert await run(move(1, cs.Param("p", 2))) == 1
    assert await run(move(2).with_cache(files="nothing.csv")) == 2
    assert len(looks) == 5
