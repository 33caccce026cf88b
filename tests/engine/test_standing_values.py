"""`x.value`: the result that stands, or why none does; and what is said of what came to none."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.defaults import default_engine
from cascade_nb.engine import Engine
from cascade_nb.errors import LazyValueError, RunError, UnknownNameError
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import until
from tests.graph.cells import Cells


@cs.task(executor="inline")
def load(n: int = 3) -> list[int]:
    return list(range(n))


@cs.task(executor="inline")
def check(x: int, bad: int = 2, after: Any = None) -> int:
    if x == bad:
        raise KeyError("no such column")
    return x


@pytest.fixture(autouse=True)
def nothing_given() -> Iterator[None]:
    default_engine().given.clear()
    yield
    default_engine().given.clear()


def refused(lazy: Any) -> str:
    with pytest.raises(LazyValueError) as caught:
        lazy.value  # noqa: B018 - it is what is tested
    return str(caught.value)


def test_a_value_is_what_the_last_run_made_and_is_never_computed() -> None:
    spy = SpySubscriber(default_engine().bus)
    xs = load(41).named("value_xs")
    assert "not in this kernel's memory; cs.run(…) computes it" in refused(xs)
    assert spy.events == []
    assert cs.run(xs) == xs.value == list(range(41))
    assert load(41).named("value_xs").value == xs.value, "it is found by what it is made of"
    assert len(spy.events_of_type(TaskExecutionStarted)) == 1
    spy.close()


def test_a_map_has_the_list_and_a_parameter_what_was_given_last() -> None:
    n = cs.Param("n", default=2, type=int)
    mapped = check.map(x=load(n), bad=[None] * 4).named("value_map")
    cs.run(mapped, params={"n": 4})
    assert mapped.value == [0, 1, 2, 3]
    assert n.value == 4


def test_what_is_stale_skipped_failed_or_not_started_says_so() -> None:
    cells = Cells()
    cells.run("def _h(x): return x\ndef f(x): return _h(x)")
    x = cs.task(cells.names["f"])(1).named("value_stale")
    assert cs.run(x) == x.value == 1
    cells.run("def _h(x): return x + 1")
    assert "its helper _h changed" in refused(x)
    assert "it is skipped: its condition is false" in refused(load(5).run_if(False))
    mapped = check.map(x=load(4)).named("value_failed")
    later = load(check(1, after=mapped)).named("value_later")
    with pytest.raises(RunError):
        cs.run(later)
    assert "it failed at [2] in run " in refused(mapped)
    assert "KeyError: 'no such column'" in refused(mapped)
    stop = "value_failed[2] failed and the run stops at the first failure"
    assert f": {stop}; cs.run" in refused(later)


def test_what_no_key_stands_for_is_there_as_the_last_run_made_it() -> None:
    cells = Cells()
    cells.run("""
        import cascade_nb as cs, socket
        where = socket.socket()
        @cs.task(executor="inline")
        def ask(where, k): return [k]
        @cs.task(executor="inline", reuse=False)
        def again(xs): return xs + [0]
        """)
    ask, again, where = (cells.names[name] for name in ("ask", "again", "where"))
    spy = SpySubscriber(default_engine().bus)
    first = ask(where, 1).named("first")
    then = again(first).named("then")
    for node in (first, then):
        with pytest.raises(LazyValueError):
            _ = node.value
    assert cs.run(then) == [1, 0]
    assert (first.value, then.value) == ([1], [1, 0])
    first.value.append("mine")  # nobody sees what another changed
    assert first.value == [1]
    default_engine().bus.flush()
    assert len(spy.events_of_type(TaskExecutionStarted)) == 2  # nothing was computed for it
    with pytest.raises(LazyValueError):
        _ = ask(where, 1).value  # which is another call
    cells.run("def ask_more(where, k): return k")
    ask.fn.__code__ = cells.names["ask_more"].__code__
    for node in (first, then):
        with pytest.raises(LazyValueError):
            _ = node.value
    where.close()


async def test_a_run_tells_of_items_and_of_what_it_did_not_start(engine: Engine) -> None:
    mapped = check.map(x=load(4)).named("t")
    run = engine.start(load(check(1, after=mapped)).named("later"))
    with pytest.raises(RunError):
        await run
    first = "was not started: t[2] failed and the run stops at the first failure"
    assert run.why("later") == [f"later {first}"]
    failed, kept = run.why("t")
    assert failed == "t failed at [2]: KeyError: 'no such column'"
    assert kept == "2 of 4 items of t are kept; a new run runs the 2 that are missing"
    for name in ("t[2]", "map(check)[2]"):
        assert run.why(name) == ["t[2] failed: KeyError: 'no such column'", "its input: x=2"]
    assert run.why("t[0]") == ["t[0] is done", "its input: x=0"]
    with pytest.raises(UnknownNameError, match=r"no item 't\[4\]'; t has 4, from 0"):
        run.why("t[4]")
    two = engine.start([load(1).named("one"), load(2).named("two")])
    with pytest.raises(UnknownNameError, match="it is a task's, whose nodes are one, two"):
        two.why("load")
    await two
    plan = await engine.plan(mapped)
    assert plan.step("t[1]") == plan.step("t")
    assert plan.step("t").reason == "it failed at [2] in run 1: KeyError: 'no such column'"
    assert await engine.run(check.map(x=load(2)).named("t")) == [0, 1]
    again = await engine.plan(check.map(x=load(2)).named("t"))
    assert again.step("t").action == "reuse"


async def test_attempts_are_told(engine: Engine) -> None:
    tries: list[int] = []

    @cs.task(executor="inline")
    def third_time(x: int) -> int:
        tries.append(x)
        if len(tries) < 3:
            raise OSError("not yet")
        return x

    run = engine.start(third_time(1).with_retry(3).named("lucky"))
    await run
    assert run.why("lucky") == ["lucky is done in attempt 3"]
    run = engine.start(check(2).with_retry(2).named("unlucky"))
    with pytest.raises(RunError):
        await run
    assert run.why("unlucky") == ["unlucky failed in attempt 2: KeyError: 'no such column'"]


async def test_other_failures_go_on_and_what_needs_them_is_not_started(engine: Engine) -> None:
    run = engine.start([load(check(2)).named("needs"), load(1)], on_error="continue")
    with pytest.raises(RunError):
        await run
    assert run.why("needs") == ["needs was not started: check failed"]
    plan = await engine.plan(load(check(2)).named("needs"))
    assert plan.step("needs").reason == "it was not started in run 1: check failed"


async def test_a_result_that_no_key_stands_for_goes_with_its_lazy_value(engine: Engine) -> None:
    class Big:
        def __copy__(self) -> Big:
            return self  # it has a say in that, so nobody else copies it

    born: list[weakref.ref[Big]] = []

    @cs.task(reuse=False)
    def make() -> Big:
        made = Big()
        born.append(weakref.ref(made))
        return made

    big = make().named("big")
    await engine.run(big)
    gc.collect()
    assert born[0]() is not None  # `big.value` gives it
    del big
    gc.collect()
    assert born[0]() is None


async def test_what_only_another_try_would_read_goes_with_its_run(engine: Engine) -> None:
    class Big:
        def __copy__(self) -> Big:
            return self

    born: list[weakref.ref[Big]] = []

    @cs.task(reuse=False)
    def make() -> Big:
        made = Big()
        born.append(weakref.ref(made))
        return made

    @cs.task(reuse=False)
    def fail(x: Any) -> None:
        raise ValueError("no")

    made = make()  # which is still there afterwards, but has no name and was no target
    with pytest.raises(ValueError, match="no"):
        await engine.run(fail(made))
    await until(lambda: gc.collect() is not None and born[0]() is None)
    del made
