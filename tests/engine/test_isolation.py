"""Nobody sees what another changed: siblings, retries, the caller, later runs, items of a map."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import decimal
import io
import random
import threading
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import sparse

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import ResultError, TaskFailedError
from cascade_nb.model.copying.isolation import Copying, are_quick_to_copy, kept_copy, reader_copy
from cascade_nb.state import MemoryState
from tests.engine.conftest import MakeEngine
from tests.support.examples import examples

LANES = ("thread", "async", "inline")
every_lane = pytest.mark.parametrize("lane", LANES)


def task_for(lane: str, fn: Callable[..., Any], **options: Any) -> Any:
    """`fn` as a task of that lane."""
    if lane != "async":
        return cs.task(executor=lane, **options)(fn)

    async def body(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    body.__name__ = fn.__name__
    return cs.task(**options)(body)


@dataclasses.dataclass
class Account:
    entries: Any
    name: str = "a"


class Model:
    def __init__(self, weights: Any) -> None:
        self.weights = weights
        self.me = self

    def __repr__(self) -> str:
        return f"Model({self.weights!r})"


class Settings:
    """It says itself how it is copied, as models of pydantic do."""

    def __init__(self, limits: list[Any]) -> None:
        self.limits = limits

    def __deepcopy__(self, memo: Any) -> Settings:
        return Settings(copy.deepcopy(self.limits, memo))


class Measured(pd.DataFrame):  # type: ignore[misc] # pandas has no types here
    _metadata = ["units"]  # noqa: RUF012 - as pandas wants it
    units: list[str]

    @property
    def _constructor(self) -> type[Measured]:
        return Measured


def measured() -> Any:
    frame = Measured({"a": [1, 2]})
    frame.units = ["m"]
    return frame


def drawn() -> Any:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2])
    return {"figure": figure, "axes": axes}


def fitted(xs: list[list[float]]) -> Any:
    """An estimator, of a library that takes seconds to import."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(xs, [x for (x,) in xs])


def change(value: Any) -> Any:
    """Change a value in place, as deep as it goes."""
    if isinstance(value, dict):
        for held in value.values():
            change(held)
        value["changed"] = 1
    elif isinstance(value, (list, deque)):
        for held in value:
            change(held)
        value.append("changed")
    elif isinstance(value, set):
        value.add("changed")
    elif isinstance(value, tuple):
        for held in value:
            change(held)
    elif isinstance(value, bytearray):
        value += b"!"
    elif isinstance(value, np.ndarray):
        value[...] = -1
    elif isinstance(value, pd.DataFrame):
        if isinstance(value, Measured):
            value.units.append("changed")
        for name in value.columns:
            with contextlib.suppress(ValueError):
                value[name].array[0] = value[name].array[1]
        value.loc[0, "a"] = -1
        value["changed"] = 1
    elif isinstance(value, pd.Series):
        value.array[0] = value.array[1]
        value.iloc[0] = value.iloc[1]
    elif isinstance(value, pl.DataFrame):
        value[0, "a"] = -1
    elif isinstance(value, (Account, types.SimpleNamespace)):
        change(value.entries)
        value.name = "changed"
    elif isinstance(value, Model):
        change(value.weights)
        value.weights = None
    elif isinstance(value, io.BytesIO):
        value.read()
    elif isinstance(value, (random.Random, np.random.Generator)):
        value.random()
    elif hasattr(value, "coef_"):
        value.fit([[1.0], [2.0]], [1.0, 9.0])
    elif isinstance(value, sparse.csr_array):
        value.data[:] = 9
    elif isinstance(value, Figure):
        value.axes[0].plot([3])
    elif isinstance(value, Axes):
        value.set_title("changed")
    elif isinstance(value, Settings):
        change(value.limits)
    elif isinstance(value, ET.Element):
        value.set("changed", "1")
    elif isinstance(value, decimal.Context):
        value.prec += 1
    return value


def seen(value: Any) -> str:
    """All that can be seen of one."""
    if isinstance(value, (Account, types.SimpleNamespace)):
        return f"{type(value)} {seen(value.entries)} {value.name}"
    if isinstance(value, Model):
        return f"model {seen(value.weights)} {value.me is value}"
    if isinstance(value, (list, tuple, deque)):
        return f"{type(value)} {[seen(held) for held in value]}"
    if isinstance(value, dict):
        return f"{type(value)} {[(key, seen(held)) for key, held in value.items()]}"
    if isinstance(value, Figure):
        return f"figure of {seen(value.axes)}"
    if isinstance(value, Axes):
        there = value in value.figure.axes
        return f"axes {value.get_title()} of {len(value.lines)} lines, on the figure: {there}"
    if isinstance(value, Measured):
        return f"{pd.DataFrame(value)!r} in {value.units}"
    if isinstance(value, Settings):
        return f"settings {seen(value.limits)}"
    if isinstance(value, ET.Element):
        return ET.tostring(value, encoding="unicode")
    if isinstance(value, io.BytesIO):
        return f"{value.tell()} {value.getvalue()!r}"
    if isinstance(value, random.Random):
        return str(value.getstate())
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if hasattr(value, "coef_"):
        return str(value.coef_)
    if isinstance(value, sparse.csr_array):
        return str(value.toarray())
    return f"{type(value)} {value!r} {getattr(value, 'dtype', '')}"


VALUES: dict[str, Callable[[], Any]] = {
    "a list": lambda: [1, [2], {"k": [3]}],
    "a dict": lambda: {"a": 1, "b": [2]},
    "a set": lambda: {1, 2},
    "a tuple of lists": lambda: ([1], 2),
    "a deque": lambda: deque([1, [2]], maxlen=9),
    "a defaultdict": lambda: defaultdict(list, a=[1]),
    "an OrderedDict": lambda: OrderedDict(b=[1], a=2),
    "a bytearray": lambda: bytearray(b"abc"),
    "a dataclass": lambda: Account([1, 2]),
    "a namespace": lambda: types.SimpleNamespace(entries=[1], name="n"),
    "an object of one's own": lambda: Model([1.0, [2.0]]),
    "a small array": lambda: np.arange(4.0),
    "a small array in a dict": lambda: {"x": np.arange(4.0), "y": [np.zeros(2)]},
    "an array of lists": lambda: np.array([[1], None, "x"], dtype=object)[:1],
    "a frame": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "a series": lambda: pd.Series([1, 2]),
    "a series that can be missing": lambda: pd.Series([1, None, 3], dtype="Int64"),
    "a series of times": lambda: pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"])),
    "a series of categories": lambda: pd.Series(["x", "y"], dtype="category"),
    "a series of times in a zone": lambda: pd.Series(pd.date_range("2020", periods=2, tz="UTC")),
    "a frame of pandas' own kinds": lambda: pd.DataFrame({"a": [1, 2]}).astype("Int64"),
    "a frame of many kinds": lambda: pd.DataFrame(
        {"a": [1, 2], "t": pd.date_range("2020", periods=2), "s": ["x", "y"]}
    ),
    "a polars frame": lambda: pl.DataFrame({"a": [1, 2]}),
    "a buffer": lambda: io.BytesIO(b"abc"),
    "a random generator": lambda: random.Random(3),
    "NumPy's random generator": lambda: np.random.default_rng(3),
    "an estimator": lambda: fitted([[1.0], [2.0]]),
    "a sparse matrix": lambda: sparse.csr_array(np.eye(2)),
    "a model with a copy of its own": lambda: Settings([1, [2]]),
    "a figure and its axes": drawn,
    "a frame with attributes of its own": measured,
    "an element of XML": lambda: ET.fromstring("<a><b/></a>"),
    "a decimal context": lambda: decimal.Context(prec=5),
}
every_value = pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)


@every_value
async def test_siblings_the_caller_and_later_runs_do_not_see_a_change(
    make_engine: MakeEngine, make: Callable[[], Any]
) -> None:
    engine = make_engine()
    want = seen(make())
    source = task_for("thread", make)().named("source")
    spoil, look = cs.task(lambda v: seen(change(v))), cs.task(executor="inline")(seen)
    later = look(source).after(spoil(source))
    assert await engine.run([spoil(source), later, later]) == [seen(change(make())), want, want]
    mine = await engine.run(source)
    assert seen(mine) == want
    change(mine)
    assert seen(await engine.run(source)) == want
    both = await engine.run([source, source])
    assert both[0] is both[1]  # as where the list was written
    assert await engine.run(look(source)) == want


@pytest.mark.parametrize("size", [2, 5_000])
async def test_who_asks_a_run_again_is_given_what_its_task_returned(
    engine: Engine, size: int
) -> None:
    @cs.task
    def rows() -> dict[str, list[int]]:
        return {"rows": list(range(size))}

    run = engine.start(rows())
    first = await run
    first["rows"].append(-1)
    second = run.result()
    second["rows"].clear()
    assert await run == run.result() == {"rows": list(range(size))}
    whole = engine.start([rows(), rows()])
    (await whole).clear()
    assert len(whole.result()) == 2
    same = engine.start(cs.task(lambda: "text", name="text")())
    assert (await same) is same.result()  # what nobody can change is no copy


@every_lane
async def test_another_attempt_is_given_what_the_first_was_given(engine: Engine, lane: str) -> None:
    tried: list[str] = []

    def flaky(rows: Any, *, deep: Any) -> Any:
        tried.append(seen((rows, deep)))
        change(rows)
        change(deep)
        if len(tried) < 3:
            raise ValueError("again")
        return rows

    rows = task_for(lane, lambda: [[1]])()
    target = task_for(lane, flaky, retry=3)(rows, deep={"k": [rows, 2]})
    assert await engine.run(target) == [[1, *2 * ["changed"]], *2 * ["changed"]]
    assert len(set(tried)) == 1


@every_lane
async def test_what_a_body_still_holds_is_not_what_it_returned(engine: Engine, lane: str) -> None:
    held: list[Any] = []
    array = np.arange(3)

    def collect(x: int) -> Any:
        held.append(x)
        array[0] = x
        return held, array

    def look(value: Any) -> str:
        return str(value)

    first = task_for(lane, collect)(7).named("first")
    second = task_for(lane, collect)(8).after(first)
    read = task_for(lane, look)(first).after(second)
    assert str(await engine.run([first, second, read])) == (
        "[([7], array([7, 1, 2])), ([7, 8], array([8, 1, 2])), '([7], array([7, 1, 2]))']"
    )


@every_lane
async def test_items_of_a_map_do_not_see_what_others_did_to_what_they_share(
    engine: Engine, lane: str
) -> None:
    def use(x: Any, shared: Any, rows: Any) -> Any:
        shared.append(x)
        rows.append(x)
        return shared, rows

    rows = task_for(lane, lambda: [0])()
    mapped = task_for(lane, use).partial(shared=[9], rows=rows).map(x=[1, 2, 3])
    assert await engine.run(mapped) == [([9, x], [0, x]) for x in (1, 2, 3)]


async def test_what_is_one_thing_in_a_call_or_a_result_stays_one(engine: Engine) -> None:
    def twice() -> Any:
        row = [1]
        return {"a": row, "b": row, "round": (row,)}

    rows = cs.task(twice)()
    same = cs.task(
        lambda a, b, r: (a is b, r["a"] is r["b"], r["round"][0] is r["a"], a["a"] is r["a"])
    )
    assert await engine.run(same(rows, rows, rows)) == (True, True, True, True)
    mine = await engine.run(rows)
    assert mine["a"] is mine["b"]


def test_what_nobody_can_change_is_handed_on_as_it_is() -> None:
    frozen: list[Any] = [
        1, "a", b"b", (1, ("a", None)), frozenset({1}), range(3), Path("x"), slice(1, 2), len, seen,
        pd.Timestamp("2020-01-01"), Account, types,
    ]  # fmt: skip
    for value in frozen:
        assert kept_copy(value) is value
        assert reader_copy(value) is value


LARGE = 1 << 20


async def test_a_large_array_is_not_copied_and_cannot_be_written_to(engine: Engine) -> None:
    places = []

    def make() -> Any:
        return {"x": np.zeros(LARGE)}

    def add(held: Any) -> Any:
        places.append(held["x"].ctypes.data)
        held["x"] += 1
        return held

    def fine(held: Any) -> Any:
        places.append(held["x"].ctypes.data)
        mine = held["x"].copy()
        mine += 1
        return float(mine.sum()), float(held["x"].sum())

    source = cs.task(make)().named("source")
    with pytest.raises(TaskFailedError, match=r"read-only.*\.copy\(\)"):
        await engine.run(cs.task(add)(source))
    assert await engine.run(cs.task(fine)(source)) == (LARGE, 0.0)
    mine = await engine.run(source)
    assert len({*places, mine["x"].ctypes.data}) == 1
    with pytest.raises(ValueError, match="read-only"):
        mine["x"][0] = 1


async def test_a_view_of_what_is_the_users_own_is_copied_when_it_is_returned(
    engine: Engine,
) -> None:
    mine = np.zeros((2, LARGE))
    got = await engine.run(cs.task(lambda a: a[1])(mine))
    mine[:] = 5  # which is not forbidden
    assert float(got.sum()) == 0.0


@pytest.mark.parametrize("option", ["pandas 3", "pandas 2"])
async def test_frames_are_right_with_and_without_copy_on_write(
    engine: Engine, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if option == "pandas 2":  # where a shallow copy shares what is written to
        monkeypatch.setattr(pd, "__version__", "2.2.3")
        monkeypatch.setattr(pd, "get_option", lambda name: False)
    frame = pd.DataFrame({"a": np.zeros(9), "o": [[1]] * 9})
    source = cs.task(lambda: frame)().named("frame")

    def spoil(f: Any) -> Any:
        f.loc[0, "a"] = 9
        f["o"].iloc[0].append(2)
        return 0

    await engine.run(cs.task(spoil)(source))
    got = await engine.run(source)
    assert got["a"].sum() == 0
    assert got["o"].iloc[0] == [1]
    assert frame["o"].iloc[0] == [1]


def numbers() -> Any:
    yield 1


async def numbers_later() -> Any:
    yield 1


async def later() -> int:
    return 1


ONCE: dict[str, tuple[Callable[[], Any], str]] = {
    "a generator": (numbers, r"a generator.*return list\(…\)"),
    "a map": (lambda: map(str, [1]), r"a map.*return list\(…\)"),
    "an iterator": (lambda: iter([1]), r"a list_iterator.*return list\(…\)"),
    "one in a list": (lambda: [1, {"k": (zip([1]),)}], r"a zip.*return list\(…\)"),
    "one in a dataclass": (lambda: Account(iter([1])), r"a list_iterator"),
    "an asynchronous generator": (numbers_later, r"an async_generator.*return \[one async for"),
    "an open file": (Path(__file__).open, r"an open file.*its path"),
    "an awaitable": (later, r"a coroutine.*async def"),
}  # fmt: skip


@every_lane
@pytest.mark.parametrize(("make", "words"), ONCE.values(), ids=ONCE)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
async def test_what_can_be_read_once_is_no_result(
    engine: Engine, lane: str, make: Callable[[], Any], words: str
) -> None:
    made = [make() for _ in range(3)]
    left = list(made)

    def body(x: int = 0) -> Any:
        return left.pop()

    body.__name__ = "reader"
    task = task_for(lane, body)
    words = rf"reader.* failed: ResultError: what it returned is, or holds, {words}"
    try:
        for target in (task(), task.map(x=[1]), cs.task(len)(task())):
            with pytest.raises(TaskFailedError, match=words) as caught:
                await engine.run(target)
            assert isinstance(caught.value.__cause__, ResultError)
    finally:
        for value in made:
            getattr(value, "close", lambda: None)()


# Random programs: what each node makes of what it reads, with results that nobody can change.

plain = st.none() | st.integers(-2, 2) | st.text(max_size=1)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=1), inner, max_size=2)
        | st.builds(Account, inner)
        | st.builds(Model, inner)
        | st.builds(lambda held: deque([held]), inner)
        | st.builds(lambda held: np.array([held, None], dtype=object)[:1], inner)
        | st.just(np.arange(3)).map(np.copy)
    ),
    max_leaves=6,
)
KINDS = ("source", "read", "change", "change and keep", "join", "map", "retry")


@dataclasses.dataclass
class Step:
    kind: str
    lane: str
    value: Any
    reads: tuple[int, int]
    named: bool


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(KINDS),
        st.sampled_from(LANES),
        values,
        st.tuples(st.integers(0, 9), st.integers(0, 9)),
        st.booleans(),
    ),
    min_size=2,
    max_size=8,
)


def body_of(step: Step, held: list[Any], failed: list[bool]) -> Callable[..., Any]:
    """What a node of a kind does; `held` is what the function has to itself."""

    def work(a: Any, b: Any) -> Any:
        if step.kind == "source":
            return held[0]
        if step.kind == "read":
            return seen((a, b))
        if step.kind == "join":
            return {"a": a, "b": b, "c": [a]}
        if step.kind == "change and keep":
            held.append(a)
            return [change(a), b]
        if step.kind == "retry":
            change(a)
            if not failed:
                failed.append(True)
                raise ValueError("again")
            return a
        change(b)
        return change(a)

    return work


def expected(program: list[Step]) -> list[Any]:
    """What each node gives where every result and every argument is a deep copy."""
    results: list[Any] = []
    for step in program:
        a, b = (results[r % len(results)] if results else None for r in step.reads)
        work = body_of(step, [copy.deepcopy(step.value)], [True])
        if step.kind == "map":
            out = [work(*copy.deepcopy((n, b))) for n in (a, a)]
        else:
            out = work(*copy.deepcopy((a, b)))
        results.append(copy.deepcopy(out))
    return results


def lazies(program: list[Step]) -> list[Any]:
    """The same as tasks."""
    nodes: list[Any] = []
    for n, step in enumerate(program):
        a, b = (nodes[r % len(nodes)] if nodes else None for r in step.reads)
        task = task_for(step.lane, body_of(step, [copy.deepcopy(step.value)], []), retry=2)
        node = task.partial(b=b).map(a=[a, a]) if step.kind == "map" else task(a, b)
        nodes.append(node.named(f"n{n}") if step.named else node)
    return nodes


@settings(max_examples=examples(60))
@given(steps)
def test_random_programs_give_what_they_give_when_each_result_is_copied_deeply(
    program: list[Step],
) -> None:
    want = [seen(value) for value in expected(program)]
    nodes = lazies(program)
    engine = Engine(state_backend=MemoryState())
    try:
        for _ in range(2):
            got = [cs_run(engine, node) for node in reversed(nodes)]
            assert [seen(value) for value in reversed(got)] == want
            change(got)
        assert [seen(value) for value in cs_run(engine, nodes)] == want
    finally:
        engine.close()


def cs_run(engine: Engine, target: Any) -> Any:
    """The value of a target, from outside of any loop."""
    return engine.start(target).result(60)


@given(values)
def test_a_value_of_ones_own_is_the_same_and_shares_nothing_that_can_change(value: Any) -> None:
    before = seen(value)
    kept = kept_copy(copy.deepcopy(value))
    mine = reader_copy(kept)
    assert seen(mine) == before
    change(mine)
    assert seen(kept) == before
    assert seen(reader_copy(kept)) == before


def test_a_copy_of_a_figure_is_no_figure_of_pyplot_s() -> None:
    figure = plt.figure()
    try:
        open_ones = plt.get_fignums()
        mine = reader_copy(figure)
        assert mine is not figure
        assert plt.get_fignums() == open_ones
        assert plt.gcf() is figure
    finally:
        plt.close(figure)


def test_what_is_on_a_figure_and_cannot_be_pickled_lets_all_have_the_same() -> None:
    figure = Figure()
    figure.note = lambda: 1  # type: ignore[attr-defined]
    assert reader_copy(figure) is figure


def test_containers_nested_beyond_the_stack_are_copied_too() -> None:
    deep: Any = []
    for n in range(50_000):
        deep = (n, [deep])
    mine = reader_copy(deep)
    depth = 0
    while mine:
        assert mine is not deep
        assert mine[1] is not deep[1]
        assert mine[0] == deep[0]
        mine, deep = mine[1][0], deep[1][0]
        depth += 1
    assert depth == 50_000


LARGE_VALUES: dict[str, Callable[[], Any]] = {
    "a list": lambda: list(range(5_000)),
    "rows": lambda: [[n, n + 1] for n in range(2_000)],
    "a dict": lambda: {n: str(n) for n in range(5_000)},
    "an object": lambda: Account([list(range(5_000))]),
    "a model": lambda: fitted([[0.0], [1.0]]),
    "a frame": lambda: pd.DataFrame({"a": ["x"] * 5_000}),
    "objects in an array": lambda: np.array([[1], None] * 2_000, dtype=object),
}


@pytest.mark.parametrize("lane", ["thread", "async"])
@pytest.mark.parametrize("make", LARGE_VALUES.values(), ids=list(LARGE_VALUES))
async def test_large_values_are_not_copied_on_the_loop(
    engine: Engine, lane: str, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = []
    original = Copying.of

    def noted(copying: Copying, value: Any) -> Any:
        where.append((threading.current_thread() is threading.main_thread(), value))
        return original(copying, value)

    value = make()
    made = task_for(lane, lambda: copy.copy(value))
    read = task_for(lane, lambda x: x)
    target = read(made())
    monkeypatch.setattr(Copying, "of", noted)
    await engine.run(target)
    assert len(where) >= 3
    assert not [of for on_the_loop, of in where if on_the_loop]


def test_what_is_quickly_lent_has_few_parts() -> None:
    assert are_quick_to_copy(["a" * 10_000, 1, None, np.zeros(100_000), {"a": [1, (2,)]}, print])
    assert are_quick_to_copy([Account([1, 2]), [[n] for n in range(300)]])
    for large in LARGE_VALUES.values():
        assert not are_quick_to_copy([large()])
        assert not are_quick_to_copy([1, {"a": (large(),)}])
    round_about: list[Any] = [1]
    round_about.append(round_about)
    assert not are_quick_to_copy([round_about])


WRITES: dict[str, Callable[[Any], object]] = {
    "an item": lambda a: a.__setitem__(0, 1),
    "in place": lambda a: a.__iadd__(1),
    "sort": lambda a: a.sort(),
    "out=": lambda a: np.add(a, 1, out=a),
    "fill": lambda a: a.fill(1),
    "put": lambda a: np.put(a, [0], [1]),
    "copyto": lambda a: np.copyto(a, 1),
    "shuffle": lambda a: np.random.default_rng(1).shuffle(a),
    "a view of it": lambda a: a.reshape(10, -1)[1].fill(1),
    "resize": lambda a: a.resize(10),
    "of a series": lambda a: pd.Series(a, copy=False).to_numpy().__setitem__(0, 1),
}


@every_lane
@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
async def test_a_write_to_a_large_array_says_that_a_copy_can_be_written_to(
    engine: Engine, lane: str, write: Callable[[Any], object]
) -> None:
    given = np.zeros(100_000)
    change = task_for(lane, lambda a: write(a) and None, reuse=False)
    make = task_for(lane, lambda: np.zeros(100_000))
    for array in (given, make()):
        with pytest.raises(TaskFailedError, match=r"write to a copy of it, x = x\.copy\(\)"):
            await engine.run(change(array))
    assert not given.any()
    assert given.flags.writeable


def pattern(*given: Any, **named: Any) -> str:
    """Which of the lists that it is given are one, by what becomes of the others."""
    lists = [*given, *named.values()]
    if lists[0] and isinstance(lists[0][0], list):
        (lists,) = lists
    for number, one in enumerate(lists):
        one.append(number)
    return str(lists)


calls = st.lists(
    st.tuples(
        st.sampled_from(["by place", "by name", "in a list", "of a map"]),
        st.tuples(*[st.integers(0, 2)] * 3),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=examples(60))
@given(program=calls, kept=st.booleans())
def test_equal_calls_give_two_results_and_one_result_given_twice_is_one(
    program: list[tuple[str, tuple[int, int, int]]], kept: bool
) -> None:
    makers = [cs.task(lambda: [1])().named(f"made{n}") for n in range(3)]
    task = cs.task(pattern)
    engine = Engine(state_backend=MemoryState())
    try:
        if kept:
            cs_run(engine, makers)
            found = cs_run(engine, makers)
            assert len(set(map(id, found))) == 3
        for way, chosen in program:
            nodes = [makers[n] for n in chosen]
            own = [[1] for _ in makers]
            given = [own[n] for n in chosen]
            if way == "of a map":
                target: Any = task.partial(a=nodes[0], b=nodes[1]).map(c=[[1], [1]])
                want: Any = [
                    pattern(**dict(zip("abc", (*copy.deepcopy(given[:2]), [1]), strict=True)))
                    for _ in range(2)
                ]
            elif way == "in a list":
                target, want = task([*nodes]), pattern(given)
            elif way == "by name":
                target = task(**dict(zip("abc", nodes, strict=True)))
                want = pattern(*given)
            else:
                target, want = task(*nodes), pattern(*given)
            assert cs_run(engine, target) == want
    finally:
        engine.close()


class Connection:
    """It can be pickled, and is then connected anew."""

    made = 0

    def __init__(self) -> None:
        Connection.made += 1

    def __reduce__(self) -> tuple[Any, ...]:
        return Connection, ()


def test_what_says_how_it_is_pickled_is_not_made_anew_for_each_reader() -> None:
    one = Connection()
    assert reader_copy(one) is one
    assert reader_copy([one])[0] is one
    assert Connection.made == 1
