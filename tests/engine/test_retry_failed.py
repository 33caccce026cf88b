"""A second try runs what failed and what waited for it, and takes the rest as it is."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.errors import RunFailures, TaskFailedError, UsageError
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import Hold, finished, outcome, skips, started, until


class Broken:
    """A body that fails until it is mended; counts its calls."""

    def __init__(self, *bad: Any) -> None:
        self.bad = set(bad)
        self.calls: list[Any] = []

    def __call__(self, x: Any, *more: Any) -> Any:
        self.calls.append(x)
        if x in self.bad:
            raise ValueError(f"{x} is bad")
        return x


def task_of(body: Broken, name: str = "work", executor: str = "thread") -> Any:
    return cs.task(name=name, executor=executor, reuse=False)(body)


both_ways = pytest.mark.parametrize("on_error", ["stop", "continue"])


@both_ways
async def test_only_what_failed_and_what_waited_for_it_runs_again(
    engine: Engine, on_error: str
) -> None:
    body = Broken("b")
    work = task_of(body)
    a = work("a")
    b = work("b", a)
    c = work("c", a)
    d = work("d", b, c)
    run = engine.start(d, on_error=on_error)
    assert isinstance(await outcome(run), TaskFailedError)
    before = list(body.calls)
    body.bad.clear()
    again = run.retry_failed()
    assert await again == "d"
    rerun = body.calls[len(before) :]
    assert rerun[-2:] == ["b", "d"] or set(rerun) == {"b", "c", "d"}
    assert "a" not in rerun
    if on_error == "continue":
        assert rerun == ["b", "d"]
    assert again.number == run.number + 1
    assert again.graph is run.graph
    assert again.states()["work#1"] is NodeState.REUSED


@both_ways
@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_items_that_are_there_do_not_run_again(
    engine: Engine, on_error: str, executor: str
) -> None:
    body = Broken(2, 5)
    source = cs.task(lambda: list(range(8)))()
    run = engine.start(task_of(body, executor=executor).map(x=source), on_error=on_error)
    await outcome(run)
    done = [x for x in body.calls if x not in body.bad]
    body.calls.clear()
    body.bad.clear()
    again = run.retry_failed()
    assert await again == list(range(8))
    assert not set(body.calls) & set(done)
    assert set(body.calls) | set(done) == set(range(8))
    status = again.status
    assert (status.reused, status.done) == (len(done) + 1, 8 - len(done))


async def test_it_may_fail_again_and_be_tried_again(engine: Engine) -> None:
    body = Broken("a", "b")
    work = task_of(body)
    first = engine.start([work("a"), work("b"), work("c")], on_error="continue")
    assert isinstance(await outcome(first), RunFailures)
    body.bad = {"b"}
    second = first.retry_failed()
    assert isinstance(await outcome(second), TaskFailedError)
    body.bad = set()
    assert await second.retry_failed() == ["a", "b", "c"]
    assert sorted(body.calls) == ["a", "a", "b", "b", "b", "c"]
    assert await first.retry_failed() == ["a", "b", "c"]  # each run keeps what it had itself


async def test_skips_that_a_condition_decided_stand(engine: Engine, spy: SpySubscriber) -> None:
    body = Broken("bad")
    work = task_of(body)
    flag = work(0).named("flag")
    skipped = work("never").named("skipped").run_if(flag)

    @cs.task
    def last(x: Any, y: Any = "default") -> Any:
        return x, y

    run = engine.start(last(work("bad"), skipped), on_error="continue")
    await outcome(run)
    body.bad.clear()
    calls = len(body.calls)
    again = run.retry_failed()
    assert await again == ("bad", "default")
    assert body.calls[calls:] == ["bad"]
    assert again.states()["skipped"] is NodeState.SKIPPED
    assert skips(spy)["skipped"] == "ConditionFalse"


async def test_skips_that_followed_from_the_failure_do_not_stand(engine: Engine) -> None:
    body = Broken("flag")
    work = task_of(body)
    target = work("t", work("input")).run_if(work("flag"))
    run = engine.start(target, on_error="continue")
    await outcome(run)
    assert "input" not in body.calls
    body.bad.clear()
    assert await run.retry_failed() == "t"


@pytest.mark.parametrize("bad", ["key", "left"])
async def test_a_branch_is_chosen_by_what_stands(engine: Engine, bad: str) -> None:
    body = Broken(bad)
    work = task_of(body)
    router = cs.Router(work("key"), {"key": work("left"), "other": work("right")})
    run = engine.start(work("end", router), on_error="continue")
    await outcome(run)
    body.bad.clear()
    assert await run.retry_failed() == "end"
    assert body.calls.count("key") == (2 if bad == "key" else 1)
    assert "right" not in body.calls


async def test_a_task_that_was_continued_is_run_again_with_what_continues_it(
    engine: Engine,
) -> None:
    body = Broken("inner")
    work = task_of(body)

    @cs.task
    def outer() -> Any:
        return work("inner")

    run = engine.start([outer(), work("other")], on_error="continue")
    await outcome(run)
    body.bad.clear()
    assert await run.retry_failed() == ["inner", "other"]
    assert body.calls.count("other") == 1


async def test_parameters_and_the_rule_for_errors_are_those_of_the_first_try(
    engine: Engine,
) -> None:
    body = Broken(7)
    run = engine.start(task_of(body)(cs.Param("p", type=int)), params={"p": "7"})
    await outcome(run)
    body.bad.clear()
    assert await run.retry_failed() == 7


async def test_a_cancelled_run_goes_on_where_it_was(engine: Engine, spy: SpySubscriber) -> None:
    hold = Hold()
    quick = cs.task(name="quick", reuse=False)(lambda: 1)
    slow = cs.task(name="slow", reuse=False)(hold.rest)
    run = engine.start(
        [
            quick(),
            slow(
                2,
            ),
        ]
    )
    await until(lambda: hold.came and "quick#1" in finished(spy))
    run.cancel()
    await outcome(run)
    hold.let_go()
    assert await run.retry_failed() == [1, 2]
    assert started(spy, "quick") == ["quick#1"]


async def test_a_run_that_was_cancelled_before_it_began_starts_from_the_beginning(
    engine: Engine,
) -> None:
    run = engine.start(task_of(Broken())(1))
    run.cancel()
    await outcome(run)
    assert await run.retry_failed() == 1


async def test_what_goes_on_or_did_not_fail_is_refused(engine: Engine) -> None:
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)(1))
    with pytest.raises(UsageError, match=r"is not over; wait for its end"):
        run.retry_failed()
    hold.let_go()
    await run
    with pytest.raises(UsageError, match=r"nothing failed in .*nothing to do again"):
        run.retry_failed()
    skipped = engine.start(task_of(Broken())(1).run_if(False))
    await outcome(skipped)
    with pytest.raises(UsageError, match=r"nothing failed"):
        skipped.retry_failed()


async def test_a_second_try_obeys_pause_and_limit(engine: Engine, spy: SpySubscriber) -> None:
    body = Broken(1, 2)
    work = task_of(body)
    run = engine.start([work(1), work(2)], on_error="continue")
    await outcome(run)
    body.bad.clear()
    engine.pause("task:work")
    again = run.retry_failed()
    await until(lambda: again.status.held == 2)
    count = len(started(spy))
    engine.resume("task:work")
    assert await again == [1, 2]
    assert again.outcome is Phase.SUCCEEDED
    assert len(started(spy)) == count + 2


async def test_what_a_try_keeps_goes_with_its_run(engine: Engine) -> None:
    class Big:
        def __copy__(self) -> Big:
            return self  # it has a say in that, so nobody else copies it

    born: list[weakref.ref[Big]] = []

    @cs.task(reuse=False)
    def make() -> Big:
        made = Big()
        born.append(weakref.ref(made))
        return made

    @cs.task(reuse=False)
    def fail(x: Any) -> None:
        raise ValueError("no")

    run = engine.start(fail(make()))
    error = await outcome(run)
    gc.collect()
    assert born[0]() is not None  # a second try would read it
    again = run.retry_failed()
    await outcome(again)
    assert len(born) == 1
    del run, again, error
    await until(lambda: gc.collect() is not None and born[0]() is None)
