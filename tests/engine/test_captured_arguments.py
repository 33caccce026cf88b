"""Arguments are as they were at the call, or the run says which was changed."""

from __future__ import annotations

import array
import asyncio
import dataclasses
import time
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import TaskCallError, TaskFailedError
from cascade_nb.graph.values import arrays
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.copying import stamps
from cascade_nb.model.copying.library_copiers import copies_on_write
from cascade_nb.model.copying.stamps import content_stamp
from tests.support.examples import examples


@dataclasses.dataclass
class Row:
    x: Any
    tags: list[Any] = dataclasses.field(default_factory=list)


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


class Listed(list[Any]):
    """A list with an attribute."""


def told(value: Any) -> str:
    """All that can be seen of a value."""
    if isinstance(value, (Row, Plain, Slotted, types.SimpleNamespace)):
        return f"{type(value).__name__}({told(value.x)}, {told(getattr(value, 'tags', None))})"
    if isinstance(value, dict):
        return f"{type(value).__name__}{[(told(k), told(v)) for k, v in value.items()]}"
    if isinstance(value, (list, tuple, deque)):
        return f"{type(value).__name__}{[told(one) for one in value]}{vars_of(value)}"
    if isinstance(value, memoryview):
        return f"memory {value.tobytes()!r}"
    if isinstance(value, np.ndarray) and value.dtype == object:
        return told(value.tolist())
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hash(value.tobytes())}"
    if isinstance(value, (pd.DataFrame, pl.DataFrame)):
        return f"{value.to_dict(as_series=False) if isinstance(value, pl.DataFrame) else value!r}"
    return repr(value)


def vars_of(value: Any) -> str:
    return repr(getattr(value, "__dict__", ""))


@cs.task(executor="inline")
def look(value: Any, other: Any = None) -> str:
    return told(value)


@cs.task(executor="inline")
def same(a: Any, b: Any) -> bool:
    return a is b


mapping: dict[str, int] = {"a": 1}
memory = bytearray(b"abc")
shared = Row(1)
CHANGED: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "deque": (deque([1], maxlen=3), lambda one: one.append(2)),
    "deque of lists": (deque([[1]]), lambda one: one[0].append(2)),
    "defaultdict": (defaultdict(int, {1: 1}), lambda one: one[2]),
    "defaultdict of lists": (defaultdict(list, {1: [1]}), lambda one: one[1].append(2)),
    "OrderedDict": (OrderedDict(a=1, b=2), lambda one: one.move_to_end("a")),
    "Counter": (Counter("ab"), lambda one: one.update("a")),
    "bytearray": (bytearray(b"a"), lambda one: one.extend(b"b")),
    "array.array": (array.array("d", [1.0]), lambda one: one.append(2.0)),
    "memoryview": (memoryview(memory)[1:], lambda one: memory.__setitem__(2, 9)),
    "keys": (mapping.keys(), lambda one: mapping.update(b=1)),
    "items": (mapping.items(), lambda one: mapping.update(a=mapping["a"] + 1)),
    "dataclass": (Row(1, [2]), lambda one: one.tags.append(3)),
    "plain object": (Plain(1), lambda one: setattr(one, "x", 2)),
    "slots": (Slotted([1]), lambda one: one.x.append(2)),
    "namespace": (types.SimpleNamespace(x=1), lambda one: setattr(one, "x", 2)),
    "subclass of list": (Listed([1]), lambda one: setattr(one, "name", "n")),
    "objects in a list": ([shared, shared], lambda one: setattr(one[1], "x", 2)),
    "a set in a tuple": (({1}, 2), lambda one: one[0].add(3)),
    "array": (np.arange(3), lambda one: one.fill(7)),
    "half a megabyte": (np.zeros(60_000), lambda one: one.fill(7)),
    "shape of an array": (np.arange(4), lambda one: one.resize((2, 2), refcheck=False)),
    "arrays in a dict": ({"a": [np.zeros(2)]}, lambda one: one["a"][0].fill(7)),
    "objects in an array": (np.array([[1], None], dtype=object), lambda one: one[0].append(2)),
    "frame": (pd.DataFrame({"a": [1, 2]}), lambda one: one.insert(0, "b", 1)),
    "a cell of a frame": (pd.DataFrame({"a": [1]}), lambda one: one.loc.__setitem__((0, "a"), 9)),
    "series": (pd.Series([1, 2]), lambda one: one.__setitem__(0, 9)),
    "polars": (pl.DataFrame({"a": [1]}), lambda one: one.__setitem__((0, "a"), 9)),
}  # fmt: skip
if copies_on_write(pd):  # else it is too large to be copied, and refused
    CHANGED["large frame"] = (
        pd.DataFrame({"a": np.zeros(200_000)}),
        lambda one: one.insert(0, "b", 1),
    )


@pytest.mark.parametrize("kind", CHANGED)
def test_what_is_changed_after_the_call_reaches_the_task_as_it_was(kind: str) -> None:
    value, change = CHANGED[kind]
    before = told(value)
    calls = [look(value), look(other=1, value=value), look.partial(value=value)()]
    maps = [look.map(value=[value]), look.partial(value=value).map(other=[1])]
    change(value)
    assert told(value) != before
    later = look(value)
    assert cs.run([*calls, later]) == [before] * 3 + [told(value)]
    assert cs.run(maps) == [[before], [before]]


def test_a_loop_over_a_changing_value_gives_each_of_its_states() -> None:
    state, rows = Row(0, [1] * 60), [[0] for _ in range(80)]
    calls = []
    for number in range(3):
        state.x = rows[number][0] = number + 1
        calls += [look(state), look(rows)]
    wanted = [told(Row(n, [1] * 60)) for n in (1, 2, 3)]
    assert cs.run(calls)[::2] == wanted
    assert cs.run(calls)[1::2] == [
        told([[1]] + [[0]] * 79),
        told([[1], [2]] + [[0]] * 78),
        told([[1], [2], [3]] + [[0]] * 77),
    ]


def test_what_is_one_thing_in_a_call_stays_one_thing() -> None:
    row, many, big = Row([1]), list(range(5_000)), np.zeros(300_000)
    for one in (row, many, row.tags, [Row(n) for n in range(2_000)]):
        assert cs.run(same(one, one))
        assert cs.run(same(one, b=one))
        assert cs.run(same.partial(a=one, b=one)())

    @cs.task
    def shares(a: Any, held: Any) -> bool:
        return held[0] is a and np.shares_memory(held[1], big)

    assert cs.run(shares(row, [row, big]))


def test_a_value_that_nobody_may_copy_stays_itself() -> None:
    class Connection:
        def __deepcopy__(self, memo: object) -> Any:
            raise TypeError("one of a kind")

    there = Connection()

    @cs.task(reuse=False)
    def uses(connection: Any, held: Any) -> bool:
        return connection is there and held == [there]

    assert cs.run(uses(there, [there]))


LARGE: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "array": (np.zeros(300_000), lambda one: one.__setitem__(123_457, 1)),
    "negated array": (np.ones((600, 600)), lambda one: np.negative(one, out=one)),
    "columns of an array": (np.zeros((600, 600)).T, lambda one: one.__setitem__((7, 7), 1)),
    "slice of an array": (np.zeros((600, 600))[:, ::2], lambda one: one.__setitem__((7, 7), 1)),
    "sorted array": (np.arange(300_000)[::-1].copy(), lambda one: one.sort()),
    "array in a list": ([np.zeros(300_000)], lambda one: one[0].__setitem__(5, 1)),
    "rows": ([[n] for n in range(1_500)], lambda one: one[1_134].append(1)),
    "objects": ([Plain(n) for n in range(1_500)], lambda one: setattr(one[1_134], "x", 1)),
    "slots": ([Slotted(n) for n in range(1_500)], lambda one: setattr(one[1_134], "x", 1)),
    "dicts": ({n: {"n": n} for n in range(1_500)}, lambda one: one[77].update(n=1)),
    "bytearray": (bytearray(1 << 21), lambda one: one.__setitem__(1_234_567, 1)),
    "things that become two": ([[1]] * 1_500, lambda one: one.__setitem__(5, [1])),
}  # fmt: skip


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_argument_that_was_changed_is_refused_by_name_and_the_plan_says_so(
    kind: str,
) -> None:
    value, change = LARGE[kind]
    calls = [look(1, value), look(1, other=value), look.partial(other=value).map(value=[1, 2])]
    assert cs.run(calls) == ["1", "1", ["1", "2"]]
    half = look.partial(other=value)
    change(value)
    for call in calls:
        with pytest.raises(TaskFailedError, match=r"look\(…\): argument other was changed after"):
            cs.run(call)
        assert "argument other was changed after the call was made" in str(cs.plan(call))
    with pytest.raises(TaskCallError, match="argument other was changed after"):
        half(1)
    assert cs.run(look(1, value)) == "1"  # it is called again


@pytest.mark.parametrize("executor", ["thread", "async", "inline"])
def test_a_change_while_the_body_runs_is_no_result(executor: str) -> None:
    big = np.zeros(300_000)

    def use(data: Any) -> float:
        big[5] += 1
        until = time.perf_counter() + 0.03
        while time.perf_counter() < until:
            pass
        return float(data.sum())

    async def use_async(data: Any) -> float:
        await asyncio.sleep(0.01)
        return use(data)

    task = cs.task(use_async) if executor == "async" else cs.task(use, executor=executor)
    with pytest.raises(TaskFailedError, match="argument data was changed after"):
        cs.run(task(big))


leaves = st.one_of(st.integers(0, 3), st.text(max_size=2), st.floats(0, 1), st.none())


def held_by(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(deque),
        st.dictionaries(st.integers(0, 3), inner, max_size=3),
        st.tuples(inner, inner),
        st.builds(Row, inner, st.lists(inner, max_size=2)),
        st.builds(Plain, inner),
        st.builds(Slotted, inner),
        inner.map(lambda one: types.SimpleNamespace(x=one)),
        inner.map(lambda one: [one, one]),
        st.integers(0, 4).map(lambda n: np.arange(float(n))),
        st.integers(1, 2).map(lambda n: np.full(150_000 * n, n)),
        st.integers(0, 3).map(lambda n: pd.DataFrame({"a": range(n)})),
    )


nested = st.recursive(leaves, held_by, max_leaves=6)
sizes = st.sampled_from([60, 1_200])
many = st.builds(lambda one, n: [*([m] for m in range(n)), one], nested, sizes)


def places(value: Any, found: list[Any]) -> list[Any]:
    """All that can be changed in a value."""
    if isinstance(value, (Row, Plain, Slotted, types.SimpleNamespace)):
        found.append(value)
        places(value.x, found)
        places(getattr(value, "tags", None), found)
    elif isinstance(value, (list, deque, dict, tuple)):
        if not isinstance(value, tuple):
            found.append(value)
        for one in value.values() if isinstance(value, dict) else value:
            places(one, found)
    elif isinstance(value, (np.ndarray, pd.DataFrame)) and len(value):
        found.append(value)
    return found


def change(one: Any) -> None:
    if isinstance(one, (Row, Plain, Slotted, types.SimpleNamespace)):
        one.x = "changed"
    elif isinstance(one, dict):
        one["changed"] = 1
    elif isinstance(one, pd.DataFrame):
        one.iloc[0, 0] = 99
    elif isinstance(one, np.ndarray):
        one[len(one) // 2] = 99
    else:
        one.append("changed")


@settings(max_examples=examples(30))
@given(nested | many, st.data())
def test_whatever_is_changed_after_the_call_is_not_seen_or_is_told(value: Any, data: Any) -> None:
    before, stamp = told(value), content_stamp(value)
    call, again = look(value), look(value, 1)
    look_first = data.draw(st.sampled_from(["no", "plan", "run"]))
    if look_first == "plan":
        cs.plan(call)
    elif look_first == "run":
        assert cs.run(call) == before
    assert content_stamp(value) == stamp
    found = places(value, [])
    if found:
        change(data.draw(st.sampled_from(found)))
        assert content_stamp(value) != stamp
    for one in (call, again):
        try:
            seen = cs.run(one)
        except TaskFailedError as error:
            seen = before if "argument value was changed after the call" in str(error) else error  # type: ignore[assignment]
        assert seen == before
    assert cs.run(look(value)) == told(value)


@pytest.mark.parametrize("inner", [lambda: 1, lambda: Plain(1), lambda: {"a": [1, 2]}])
def test_what_is_nested_without_end_is_stamped_in_time_by_its_depth(
    inner: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look at a whole goes a hundred levels down, so that one for each level takes very long.
    looks: list[Any] = []
    look_whole = stamps._plainly

    def counted(value: Any, most: int) -> Any:
        looks.append(value)
        return look_whole(value, most)

    monkeypatch.setattr(stamps, "_plainly", counted)
    depth, innermost = 5_000, [inner()]
    nested: Any = innermost
    for _ in range(depth):
        nested = [nested]
    before = content_stamp(nested)
    assert len(looks) < depth / 20
    assert content_stamp(nested) == before
    innermost.append(2)
    assert content_stamp(nested) != before
    while nested is not innermost:  # level by level: the interpreter's own way to let go is deep
        nested = nested[0]


ONCE: dict[str, Callable[[], Any]] = {
    "generator": lambda: (n for n in (1, 2)),
    "zip": lambda: zip([1], [2], strict=False),
    "map": lambda: map(str, [1]),
    "list_iterator": lambda: iter([1]),
}


@pytest.mark.parametrize("kind", ONCE)
def test_what_can_be_gone_through_only_once_is_refused_at_the_call(kind: str) -> None:
    match = rf"look\(…\): argument (value|other) is or holds an? {kind}.* give a list"
    for call in (
        lambda: look(ONCE[kind]()),
        lambda: look(1, other=[ONCE[kind]()]),
        lambda: look.partial(value=Plain(ONCE[kind]())),
    ):
        with pytest.raises(TaskCallError, match=match):
            call()
    assert len(cs.run(look.map(value=ONCE[kind]()))) == len(list(ONCE[kind]()))


def test_a_large_argument_is_hashed_once_however_often_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: list[int] = []
    digest = arrays.digest  # type: ignore[attr-defined]
    monkeypatch.setattr(arrays, "digest", lambda data: hashed.append(len(data)) or digest(data))  # type: ignore[func-returns-value]
    big = np.zeros(300_000)
    calls = [look(number, big) for number in range(5)]
    for _ in range(2):
        cs.plan(calls)
        cs.run(calls)
        cs.run(look.partial(other=[big]).map(value=[1]))
    assert hashed.count(big.nbytes) <= 3  # once for these calls, and for those of each map
    cs.plan(calls)
    big[7] = 1
    with pytest.raises(TaskFailedError):
        cs.run(calls)
    assert cs.run(look(1, big)) == "1"


def test_a_list_of_numbers_is_hashed_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    items = Encoder.items

    def count(self: Any, values: list[Any]) -> bytes:
        seen.append(len(values))
        return items(self, values)

    monkeypatch.setattr(Encoder, "items", count)
    many = list(range(50_000))
    calls = [look(1, many), look(2, many)]
    for _ in range(3):
        cs.plan(calls)
        cs.run(calls)
    assert seen.count(len(many)) == 1


def test_a_list_of_lazy_values_is_not_looked_into_again_by_whoever_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The usual fan-in: a stamp of ten thousand lazy values at each look doubled the time of a run.
    looks: list[Any] = []
    monkeypatch.setattr("cascade_nb.model.arguments.watched.content_stamp", looks.append)
    many = [look(n, []) for n in range(2_000)]
    call = look(0, many)
    many.append("afterwards")  # type: ignore[arg-type]
    assert len(call.inputs) == 2_000
    assert cs.run(call) == told(0)
    assert looks == []
