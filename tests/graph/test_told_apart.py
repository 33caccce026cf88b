"""What a task can tell apart has two keys, and what it cannot has one: values, and code."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import pathlib
import re
import struct
import threading
import types
import zoneinfo
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NewType, TypeVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.fingerprint.content import Unkeyed, content_key
from tests.graph.cells import Cells
from tests.support.examples import examples


class Word(str):
    __slots__ = ()


class Number(int):
    pass


class Level(enum.IntEnum):
    LOW = 1


class Kind(enum.Enum):
    A = 1
    B = "1"


class Mask(enum.Flag):
    R = 1
    W = 2


class Pair(NamedTuple):
    a: Any
    b: Any


class Other(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Box:
    a: Any
    b: Any = None


class Thing:
    def __init__(self, **named: Any) -> None:
        self.__dict__.update(named)


class Slim:
    __slots__ = ("a", "b")

    def __init__(self, a: Any, b: Any = None) -> None:
        self.a = a
        if b is not None:
            self.b = b


class Nothing(Exception):  # noqa: N818 - a name is all it has
    pass


class Nobody(Exception):  # noqa: N818 - likewise
    pass


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2024, 10, 27, 2, 30)  # noqa: DTZ001 - a naive one; it comes twice in Berlin


def made(value: Any, *changes: Callable[[Any], object]) -> Any:
    for change in reversed(changes):
        change(value)
    return value


class Grid(np.ndarray):
    pass


FRAME = pd.DataFrame({"q": [1, 2]})
TIMES = pd.date_range("2020", periods=3)

#: Each row is of values that are equal, or look alike.
ALIKE: list[list[Any]] = [
    [0, 0.0, -0.0, False, 0j, -0j, decimal.Decimal(0), decimal.Decimal("0.0"), np.int8(0)],
    [1, 1.0, True, Number(1), Level.LOW, fractions.Fraction(1), np.int64(1), np.float32(1), Mask.R],
    [decimal.Decimal("1.0"), decimal.Decimal("1.00"), decimal.Decimal(1), Kind.A, Kind.B],
    [float("nan"), -float("nan"), float("inf"), np.float64("nan"), decimal.Decimal("nan")],
    ["1", b"1", bytearray(b"1"), Word("1"), memoryview(b"1"), np.str_("1"), np.bytes_(b"1")],
    ["é", "e\u0301", "É", "é ", "é\0"],
    [None, Ellipsis, NotImplemented, type(None), "None", "", (), []],
    [NOON, NOON.replace(fold=1), NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=BERLIN, fold=1)],
    [NOON.replace(tzinfo=dt.timezone.utc), NOON.replace(tzinfo=zoneinfo.ZoneInfo("UTC"))],
    [pd.Timestamp(NOON), np.datetime64(NOON, "s"), np.datetime64(NOON, "ms"), NOON.date()],
    [dt.timedelta(1), dt.timedelta(hours=25), np.timedelta64(1, "D"), pd.Timedelta(1, "D")],
    [range(0), range(0, 0, 2), range(1, 1), slice(0), slice(0, None), slice(0, 0, 1)],
    [Nothing, Nobody, Nothing(), Nobody(), Nothing(1), Thing, Box, int, float],
    [len, sum, max, str.upper, str.lower, "a".upper, "b".upper, [].append],
    [functools.partial(max, 1), functools.partial(max, 1.0), functools.partial(min, 1)],
    [
        np.zeros(2),
        np.zeros(2, "f4"),
        np.zeros(2, ">f8"),
        -np.zeros(2),
        np.zeros((1, 2)),
        np.zeros(1),
    ],
    [np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2, order="F"), np.arange(4)[::-1]],
    [np.ones((2, 2)), np.ones((2, 2), order="F"), np.ones((2, 4))[:, ::2]],
    [
        np.ma.masked_array([1, 2], [False, True]),
        np.ma.masked_array([1, 3], [False, False]),
        np.array([1, 2]),
    ],
    [
        pd.Series([1, 2]),
        pd.Series([1, 2], name="a"),
        pd.Series([1, 2], [0, 1]),
        pd.Series([1.0, 2]),
    ],
    [pd.Index([0, 1]), pd.Index([0, 1], name="a"), pd.RangeIndex(2), pd.Index([0.0, 1.0])],
    [
        pd.DataFrame({"a": [1], "b": [2]}),
        pd.DataFrame({"b": [2], "a": [1]}),
        pd.DataFrame({"a": [1], "b": [2]}).rename_axis("x"),
        pd.DataFrame({"a": [1], "b": [2]}).rename_axis("x", axis=1),
    ],
    [
        pd.Categorical(["a"], ["a", "b"]),
        pd.Categorical(["a"], ["b", "a"]),
        pd.Categorical(["a"], ["a", "b"], ordered=True),
        pd.Categorical(["a"], ["a"]),
    ],
    [
        FRAME,
        FRAME.set_flags(allows_duplicate_labels=False),
        made(FRAME.copy(), lambda one: one.attrs.update(x=1)),
        made(FRAME.copy(), lambda one: one.attrs.update(x=True)),
        made(FRAME.copy(), lambda one: object.__setattr__(one, "note", 1)),
        made(FRAME.copy(), lambda one: object.__setattr__(one, "note", 2)),
    ],
    [
        FRAME["q"],
        FRAME["q"].set_flags(allows_duplicate_labels=False),
        made(FRAME["q"].copy(), lambda one: object.__setattr__(one, "note", 1)),
    ],
    [
        pd.MultiIndex.from_product([[0, 1], ["a"]]),
        pd.MultiIndex.from_product([[0, 1], ["a"]], names=["x", "y"]),
        pd.MultiIndex(levels=[[0, 1, 2], ["a"]], codes=[[0, 1], [0, 0]]),
        pd.MultiIndex(levels=[[1, 0], ["a"]], codes=[[1, 0], [0, 0]]),
    ],
    [
        np.zeros(1, "i8"),
        np.zeros(1, np.longlong),
        np.zeros(1, np.dtype("i8", metadata={"unit": "m"})),
        np.zeros(1, np.dtype("i8", metadata={"unit": "s"})),
    ],
    [
        np.zeros(1, [("a", "i4")]),
        np.zeros(1, [(("title", "a"), "i4")]),
        np.zeros(1, {"names": ["a"], "formats": ["i4"], "itemsize": 8}),
    ],
    [
        np.ma.masked_array([7, 8], [False, True]),
        np.ma.masked_array([7, 8], [False, True], fill_value=3),
        np.ma.masked_array([7, 8], [False, True], hard_mask=True),
        np.ma.masked_array([7, 8], [False, False]),
        np.ma.masked_array([7, 8]),
    ],
    [
        np.zeros(3).view(Grid),
        made(np.zeros(3).view(Grid), lambda one: setattr(one, "unit", 1)),
        made(np.zeros(3).view(Grid), lambda one: setattr(one, "unit", 2)),
    ],
    [
        pl.Series([1, 2]),
        pl.Series([1, 2]).set_sorted(),
        pl.Series([1.0, 2.0]),
        pl.Series("x", [1, 2]),
    ],
    [
        pl.Series(["a"], dtype=pl.Enum(["a", "b"])),
        pl.Series(["a"], dtype=pl.Enum(["b", "a"])),
        pl.Series(["a"], dtype=pl.Categorical),
        pl.Series(["a"]),
    ],
    [
        pa.table({"a": [1]}),
        pa.table({"a": [1]}).replace_schema_metadata({"x": "1"}),
        pa.table([pa.array([1])], pa.schema([pa.field("a", pa.int64(), metadata={"x": "1"})])),
        pa.table([pa.array([1])], pa.schema([pa.field("a", pa.int64(), nullable=False)])),
    ],
    [
        pa.array(["a", "b"]),
        pa.DictionaryArray.from_arrays([0, 1], ["a", "b"]),
        pa.DictionaryArray.from_arrays([1, 0], ["b", "a"]),
        pa.DictionaryArray.from_arrays([0, 1], ["a", "b", "c"]),
    ],
    [
        ValueError("x"),
        made(ValueError("x"), lambda one: setattr(one, "__notes__", ["m", "n"])),
        made(ValueError("x"), lambda one: setattr(one, "__cause__", KeyError(1))),
        made(ValueError("x"), lambda one: setattr(one, "__context__", KeyError(1))),
    ],
    [memoryview(b"mv"), memoryview(bytearray(b"mv")), memoryview(b"mv").cast("c")],
    [pathlib.Path("nowhere"), pathlib.Path("nowhere").absolute(), pathlib.PurePosixPath("nowhere")],
    [TypeVar("T"), TypeVar("T", bound=int), TypeVar("T", int, str), TypeVar("U")],
    [NewType("N", int), NewType("N", str), NewType("O", int)],
    [struct.Struct("i"), struct.Struct("<i"), struct.Struct("q")],
    [functools.cmp_to_key, functools.lru_cache(len), functools.lru_cache(maxsize=1)(len)],
    [array.array("i", [1]), array.array("q", [1]), array.array("d", [1])],
    [collections.Counter(a=1), collections.Counter(a=1, b=0), collections.Counter(b=1)],
    [re.compile("a"), re.compile("a", re.IGNORECASE), re.compile(b"a")],
    [list[int], list[str], Literal[1], Literal[True], int | None],
    [pd.offsets.Day(2), pd.offsets.Hour(48), pd.offsets.BDay(2), pd.offsets.MonthEnd(2)],
    [pd.Interval(0, 1), pd.Interval(0, 1, closed="left"), pd.Period("2020-01", "M")],
    [TIMES, pd.DatetimeIndex(list(TIMES)), TIMES.as_unit("s")],
]

WRAPPED: list[Callable[[Any, Any], Any]] = [
    lambda a, b: [a, b],
    lambda a, b: (a, b),
    Pair,
    Other,
    lambda a, b: {"a": a, "b": b},
    lambda a, b: {"b": b, "a": a},
    lambda a, b: collections.OrderedDict(a=a, b=b),
    lambda a, b: collections.defaultdict(list, a=a, b=b),
    lambda a, b: collections.defaultdict(tuple, a=a, b=b),
    lambda a, b: types.MappingProxyType({"a": a, "b": b}),
    lambda a, b: types.SimpleNamespace(a=a, b=b),
    lambda a, b: collections.ChainMap({"a": a}, {"b": b}),
    lambda a, b: collections.ChainMap({"a": a, "b": b}),
    lambda a, b: collections.deque([a, b]),
    lambda a, b: collections.deque([a, b], 2),
    Box,
    lambda a, b: Thing(a=a, b=b),
    lambda a, b: Thing(b=b, a=a),
    Slim,
    lambda a, b: [[a], b],
    lambda a, b: [[a, b]],
    lambda a, b: functools.partial(max, a, key=b),
]


def key(value: Any) -> bytes:
    found = content_key(value)
    assert not isinstance(found, Unkeyed), found
    return found


def test_values_that_look_alike_have_two_keys() -> None:
    every = [value for row in ALIKE for value in row]
    by_key: dict[bytes, list[Any]] = {}
    for value in every:
        by_key.setdefault(key(value), []).append(value)
    doubles = [values for values in by_key.values() if len(values) > 1]
    assert not doubles
    assert [key(value) for value in every] == [key(value) for value in every]


@settings(max_examples=examples(150))
@given(st.data())
def test_values_that_look_alike_have_two_keys_wherever_they_stand(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(ALIKE))
    places = st.integers(0, len(row) - 1)
    wraps = st.integers(0, len(WRAPPED) - 1)
    ways = data.draw(st.lists(st.tuples(wraps, wraps, st.booleans()), min_size=1, max_size=3))
    one, other = data.draw(places), data.draw(places)
    a, b = row[one], row[other]
    same = one == other
    for way, twin, alike in ways:
        a, b = WRAPPED[way](a, 1), WRAPPED[way if alike else twin](b, 1)
        same = same and (alike or way == twin)
    assert (key(a) == key(b)) == same


PROGRAM = '''
import functools
import io
{k}
class Base:
    shared = {c}
    {slots}
class Rest:
    shared = "rest"
class C({bases}):
    {member}
    def value(self): return self.shared, {c2}
def deco(n):
    def around(g):
        @functools.wraps(g)
        def inner(*args): return g(*args), n
        return inner
    return around
def h(a, b={d}, *, c={kwd}): return a {op} 2, b, c
h.mode = {c3}
def make(n):
    def inner(x): return x, n, [y {op2} n for y in ({c4}, 2)]
    return inner
g = make({c5})
lam = lambda x, y={c6}: (x, y)
{decorator}
def f(x):
    """{doc}"""
    {scope}
    def nested(z=({c7},)): return z
    try:
        z = {text}
    except NameError as error:
        z = type(error)
    {noise}
    return h(x{named}), C().value(), g(x), lam(x), nested(), z, h.mode, hasattr(C(), "extra"), K
'''

PLAIN = ("1", "1.0", "True", "2", "'1'")
SLOTS: dict[str, tuple[str, ...]] = {
    "k": (
        "K = 1",
        "K = True",
        "K = [1]",
        "K = (1,)",
        "K = {'a': 1, 'b': 2}",
        "K = {'b': 2, 'a': 1}",
    ),
    "slots": ("", "__slots__ = ('a',)", "extra = None", "__slots__ = ('extra',)"),
    "bases": ("Base", "Base, Rest", "Rest, Base", "Rest"),
    "member": (
        "pass",
        "shared = 3",
        "shared = property(lambda self: 3)",
        "extra = 1",
        "x: int = 1",
    ),
    "op": ("+", "-", "*", "//", "<", "<="),
    "op2": ("+", "-", "is not"),
    "decorator": ("", "@deco(1)", "@deco(True)", "@deco(1)\n@deco(2)", "@deco(2)\n@deco(1)"),
    "scope": ("pass", "K = 5", "global L; L = 5", "K: int = 5"),
    "text": ("'{x}'", "f'{x}'", "f'{x!r}'", "b'{x}'", "L", "M", "x if x else K", "K and x"),
    "named": ("", ", 2", ", b=1", ", c=1", ", b=True"),
    **dict.fromkeys(("c", "c2", "c3", "c4", "c5", "c6", "c7", "d", "kwd"), PLAIN),
}
NOISE = {
    "doc": ("", "What it does.", "Another."),
    "noise": ("pass", "# a remark", "'text'", "...", "\n\n    pass"),
}

BASE = {**dict.fromkeys(SLOTS, 0), "member": 3}


def program(choice: dict[str, int], noise: dict[str, int]) -> Any:
    filled = {name: some[choice[name] % len(some)] for name, some in SLOTS.items()}
    filled |= {name: some[noise[name] % len(some)] for name, some in NOISE.items()}
    text = PROGRAM
    for name, said in filled.items():
        text = text.replace("{" + name + "}", said)
    cells = Cells()
    try:
        cells.run(text)
    except (TypeError, ValueError):  # `__slots__` against a class attribute, an impossible order
        return None
    return cells.names["f"]


def behaviour(f: Any) -> list[str]:
    said = []
    for x in (0, 1, 3):
        try:
            said.append(repr(f(x)))
        except Exception as error:
            said.append(repr(error))
    return said


@settings(max_examples=examples(60))
@given(st.data())
def test_code_that_behaves_otherwise_has_another_key_and_noise_does_not_count(
    data: st.DataObject,
) -> None:
    numbers = st.integers(0, 59)
    choice = {name: data.draw(numbers) for name in SLOTS}
    noise = [{name: data.draw(numbers) for name in NOISE} for _ in range(2)]
    changed = dict(choice)
    for name in data.draw(st.lists(st.sampled_from(sorted(SLOTS)), max_size=2)):
        changed[name] = data.draw(numbers)
    one, other = program(choice, noise[0]), program(changed, noise[1])
    if one is None or other is None:
        return
    keys = [code_key(f) for f in (one, other)]
    assert not any(found.unkeyed for found in keys)
    same = all(choice[n] % len(some) == changed[n] % len(some) for n, some in SLOTS.items())
    if same:
        assert keys[0].digest == keys[1].digest
    elif behaviour(one) != behaviour(other):
        assert keys[0].digest != keys[1].digest


@pytest.mark.parametrize("name", SLOTS)
def test_each_small_change_of_code_that_changes_what_it_does_changes_its_key(name: str) -> None:
    noise = dict.fromkeys(NOISE, 0)
    found = [program({**BASE, name: n}, noise) for n in range(len(SLOTS[name]))]
    there = [(code_key(f).digest, behaviour(f)) for f in found if f is not None]
    assert len(there) > 1
    for number, (one, does) in enumerate(there):
        for other, does_too in there[:number]:
            assert one != other or does == does_too


class LeavesOut:
    """Pickles without one of its attributes."""

    def __init__(self, x: int, cache: Any) -> None:
        self.x, self.cache = x, cache

    def __getstate__(self) -> dict[str, Any]:
        return {"x": self.x}


class PutsAnother:
    """Pickles with nothing in the place of one of its attributes."""

    def __init__(self, x: int, client: Any) -> None:
        self.x, self.client = x, client

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "client": None}


class LeavesAll:
    def __init__(self, x: int, tag: Any) -> None:
        self.x, self.tag = x, tag

    def __reduce__(self) -> tuple[Any, ...]:
        return LeavesAll, (self.x, None)


class Slotted:
    __slots__ = ("tag", "x")

    def __init__(self, x: int, tag: Any) -> None:
        self.x, self.tag = x, tag

    def __getstate__(self) -> int:
        return self.x

    def __setstate__(self, x: int) -> None:
        self.x = x


class Dated(dt.date):
    tag: Any


def dated(x: int, tag: Any) -> Dated:
    made = Dated(2026, 1, x)
    made.tag = tag
    return made


@pytest.mark.parametrize("kind", [LeavesOut, PutsAnother, LeavesAll, Slotted, dated])
@given(x=st.integers(1, 2), tags=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_what_a_pickle_leaves_out_is_told_apart_all_the_same(
    kind: Callable[[int, Any], Any], x: int, tags: tuple[int, int]
) -> None:
    first, second = (key(kind(x, tag)) for tag in tags)
    assert (first == second) == (tags[0] == tags[1])
    assert key(kind(x, threading.Lock())) == key(kind(x, threading.Lock()))
    assert key(kind(x, io.BytesIO(b"a"))) == key(kind(x, io.BytesIO(b"a")))
