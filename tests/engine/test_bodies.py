"""In the body of a task a task is a plain function, and what makes a node there says so."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import DependencyMissingError, LazyValueError, TargetError, TaskFailedError
from cascade_nb.model.containers.containers import holds
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.body import ARE_VALUES, enter_body
from cascade_nb.testing import SpySubscriber
from tests.engine.test_dataflow import every_lane
from tests.engine.tools import finished, started


@cs.task
def norm(text: str) -> str:
    return text.strip().lower()


@cs.task(executor="inline")
def double(x: int) -> int:
    return 2 * x


@cs.task
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@cs.task
def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any = 7


@cs.resource
def database() -> Iterator[str]:
    yield "database"


@cs.task
def query(sql: str, db: str = cs.inject(database)) -> str:
    return f"{sql} of {db}"


def _in_lane(lane: str, body: Any) -> Any:
    if lane != "async":
        return cs.task(executor=lane)(body)

    @functools.wraps(body)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return body(*args, **kwargs)

    return cs.task(coroutine)


@every_lane
async def test_a_task_called_in_a_body_is_called(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    same = _in_lane(lane, lambda a, b: norm(a) == norm(b) and f"<{norm(a)}>")
    assert await engine.run(same(" A", "a ")) == "<a>"
    assert await engine.run(same.map(a=["x", " Y"], b=["z", "y"])) == [False, "<y>"]
    assert not any("norm" in node for node in started(spy))


async def test_tasks_call_themselves_and_each_other(engine: Engine) -> None:
    even = cs.task(name="even")(lambda n: n == 0 or odd(n - 1))  # type: ignore[has-type, misc]
    odd = cs.task(name="odd")(lambda n: n != 0 and even(n - 1))
    assert await engine.run([factorial(20), even(50), odd(50)]) == [
        2432902008176640000,
        True,
        False,
    ]


async def test_an_async_task_called_in_a_body_is_awaited_there(engine: Engine) -> None:
    @cs.task
    async def both(x: int) -> int:
        return sum(await asyncio.gather(later(x), later(x))) + await later.partial(x=x)()  # type: ignore[no-any-return]

    assert await engine.run(both(1)) == 6


async def test_threads_and_coroutines_that_a_body_starts_belong_to_it(engine: Engine) -> None:
    @cs.task
    def in_threads(words: list[str]) -> list[str]:
        found: list[str] = []
        for word in words:
            context = contextvars.copy_context()
            helper = threading.Thread(target=lambda w=word, c=context: found.append(c.run(norm, w)))
            helper.start()
            helper.join()
        return found

    @cs.task
    async def beside(words: list[str]) -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(norm, word) for word in words))  # type: ignore[return-value]

    assert await engine.run([in_threads([" A", "B "]), beside([" A", "B "])]) == [["a", "b"]] * 2


async def test_a_body_leaves_no_trace_where_the_graph_is_built(engine: Engine) -> None:
    here = [
        _in_lane(lane, lambda x: norm(x).upper().lower()) for lane in ("inline", "thread", "async")
    ]
    assert await engine.run([task("A") for task in here]) == ["a"] * 3
    assert isinstance(norm("A"), cs.LazyResult)
    assert isinstance(norm.lazy("A"), cs.LazyResult)
    run = engine.start(here[0]("A"))
    made: list[Any] = []
    run.add_done_callback(lambda _: made.append(norm("B")))
    await run
    assert isinstance(made[0], cs.LazyResult)


async def test_a_call_with_a_lazy_value_in_a_body_makes_a_node(engine: Engine) -> None:
    @cs.task
    def total(xs: list[int], start: int = 0) -> int:
        return sum(xs, start)

    @cs.task
    def body(n: int, named: bool) -> Any:
        squares = double.map(x=list(range(n)))
        return total(xs=squares) if named else total(squares, double.lazy(1))

    assert await engine.run([body(4, True), body(4, False)]) == [12, 14]


async def test_a_resource_is_given_to_nodes_alone_and_a_body_is_told(engine: Engine) -> None:
    @cs.task
    def at_once() -> str:
        return query("rows")  # type: ignore[return-value]

    @cs.task
    def by_hand() -> str:
        return query("rows", "mine")  # type: ignore[return-value]

    @cs.task
    def as_node() -> Any:
        return query.lazy("rows")

    assert await engine.run([by_hand(), as_node()]) == ["rows of mine", "rows of database"]
    with pytest.raises(TaskFailedError, match=r"borrows the resource 'database'.*query\.lazy"):
        await engine.run(at_once())


async def test_a_wrong_call_in_a_body_is_what_python_says(engine: Engine) -> None:
    @cs.task
    def wrong() -> Any:
        return norm()

    with pytest.raises(TaskFailedError, match=r"missing 1 required positional argument: 'text'"):
        await engine.run(wrong())


@every_lane
async def test_lazy_values_in_returned_containers_are_run(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    def fan(n: int) -> Any:
        one = double.lazy(n)
        return [
            *(double.lazy(i) for i in range(n)),
            (one, {"map": double.map(x=[1, 2]), 6: {one, 1}}),
            Pair(Pair([one])),
            frozenset({double.lazy(5)}),
        ]

    task = _in_lane(lane, fan)
    want = [0, 2, 4, (6, {"map": [2, 4], 6: {6, 1}}), Pair(Pair([6])), frozenset({10})]
    assert await engine.run(task(3)) == want
    assert len([node for node in finished(spy) if node.startswith("double")]) == 7
    assert await engine.run(task.map(n=[0, 3])) == [
        [(0, {"map": [2, 4], 6: {0, 1}}), Pair(Pair([0])), frozenset({10})],
        want,
    ]


async def test_a_fan_out_that_is_kept_does_not_run_again(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def fan(n: int) -> Any:
        return {"all": [double.lazy(i) for i in range(n)]}

    kept = fan(3).named("kept")
    assert await engine.run(kept) == await engine.run(kept) == {"all": [0, 2, 4]}
    assert len(finished(spy)) == 4


async def test_a_fan_out_with_a_part_that_fails_or_is_skipped_has_no_value(engine: Engine) -> None:
    @cs.task
    def broken() -> int:
        raise ValueError("no luck")

    @cs.task
    def fan(kind: str) -> Any:
        return [double.lazy(1), broken.lazy() if kind == "bad" else double.lazy(2).run_if(False)]

    with pytest.raises(TaskFailedError, match=r"because broken failed: ValueError: no luck"):
        await engine.run(fan("bad"))
    with pytest.raises(DependencyMissingError, match=r"its condition is false"):
        await engine.run(fan("gone"))


async def test_a_failing_step_of_a_fan_out_is_tried_again(engine: Engine) -> None:
    tries: list[int] = []

    @cs.task(retry=3)
    def flaky(x: int) -> int:
        tries.append(x)
        if len(tries) < 3:
            raise ConnectionError
        return x

    @cs.task
    def fan() -> Any:
        return (flaky.lazy(5), 6)

    assert await engine.run(fan()) == (5, 6)


async def test_containers_of_a_loop_are_no_deeper_than_one_step(engine: Engine) -> None:
    # Each step waits for the next inside of a tuple, so that here the chain must be kept.
    @cs.task(executor="inline")
    def step(n: int) -> Any:
        return (n, step.lazy(n - 1)) if n else ()

    found = await engine.run(step(3000))
    length = 0
    while found:
        length, found = length + 1, found[1]
    assert length == 3000


@pytest.mark.parametrize("value", [[], {}, (), set(), [1, {"a": 2}], {"a": 1}, Pair(1)])
async def test_a_container_of_plain_values_gives_itself(engine: Engine, value: Any) -> None:
    assert await engine.run(value) is value
    assert await engine.start(value) is value
    assert cs.run(value) is value


@pytest.mark.parametrize("wrong", [3, "text", None, norm, [norm], {"a": norm.partial(text="a")}])
def test_a_plain_value_or_a_task_is_no_target_outside_of_a_body(wrong: Any) -> None:
    with pytest.raises(TargetError, match=r"nothing to run"):
        cs.run(wrong)


async def test_in_a_body_run_gives_what_is_there(engine: Engine) -> None:
    @cs.task
    def body(x: int) -> list[Any]:
        return [cs.run(double(x)), cs.run(double.lazy(x)), cs.run(None), cs.run([double.lazy(1)])]

    @cs.task
    def of_a_task() -> Any:
        return cs.run(norm)

    @cs.task
    async def twice(x: int) -> int:
        return double(await later(x))  # type: ignore[return-value]

    @cs.task
    def of_a_coroutine(x: int) -> int:
        return cs.run(later(x)) + cs.run(twice(x))

    assert await engine.run(body(4)) == [8, 8, None, [2]]
    assert await engine.run(of_a_coroutine(1)) == 6
    with pytest.raises(TaskFailedError, match=r"call the task: norm\(…\)"):
        await engine.run(of_a_task())


async def test_a_lazy_value_is_no_value_in_a_body_either(engine: Engine) -> None:
    @cs.task
    def body() -> Any:
        return 1 if norm.lazy("a") else 2

    with pytest.raises(TaskFailedError) as caught:
        await engine.run(body())
    assert isinstance(caught.value.__cause__, LazyValueError)


containers = st.recursive(
    st.integers() | st.text() | st.none(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | inner.map(Pair)
    ),
)


@given(containers, st.data())
def test_a_lazy_value_is_found_wherever_a_container_holds_it(
    value: Any, data: st.DataObject
) -> None:
    assert not holds(value, Lazy)
    spots = list(_lists_in(value))
    if spots:
        data.draw(st.sampled_from(spots)).append(norm("a"))
        assert holds(value, Lazy)


def _lists_in(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, Pair):
        inside = (value.left,)
    elif isinstance(value, (list, tuple)):
        inside = value
    for part in inside:
        yield from _lists_in(part)


def test_a_list_that_holds_itself_is_searched_once() -> None:
    round_trip: list[Any] = [1]
    round_trip.append(round_trip)
    assert not holds(round_trip, Lazy)
    round_trip.append(norm("a"))
    assert holds(round_trip, Lazy)


def test_a_task_that_is_called_in_a_body_costs_one_call_of_ours() -> None:
    """Recursion and simulations make hundreds of thousands of them."""

    @cs.task
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    made: list[str] = []

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            made.append(frame.f_code.co_name)

    def body() -> None:
        enter_body()
        sys.setprofile(count)
        try:
            assert fib(8) == 21
        finally:
            sys.setprofile(None)

    contextvars.copy_context().run(body)
    assert made.count("fib") == made.count("__call__") == 67
    assert len(made) == 2 * 67


def test_the_types_that_are_learned_in_bodies_are_those_of_libraries() -> None:
    """A class of the user's may be another one with its next cell, and is not kept alive."""

    class Own:
        pass

    @cs.task
    def take(*args: Any) -> int:
        return len(args)

    def body() -> None:
        enter_body()
        assert take(np.zeros(3), Own(), take) == 3
        later = take(np.zeros(3), take.lazy())
        assert isinstance(later, Lazy)

    contextvars.copy_context().run(body)
    assert ARE_VALUES([np.ndarray, type(take), int])
    assert not ARE_VALUES([Own])
    assert not ARE_VALUES([type(take.lazy())])
