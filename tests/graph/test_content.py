"""What a value is worth."""

from __future__ import annotations

import asyncio
import collections
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import gc
import io
import os
import pathlib
import pickle
import re
import socket
import struct
import sys
import threading
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.fingerprint.content import Unkeyed, content_key
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.tasks.decorator import task

ROOT = pathlib.Path(__file__).parents[2]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Item:
    name: str
    parts: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


class Plain:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


class Words(list[str]):
    pass


def key(value: Any) -> bytes:
    found = content_key(value)
    assert not isinstance(found, Unkeyed), str(found)
    return found


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.sampled_from([Colour.RED, Colour.BLUE, Level.LOW])
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(dt.timezone.utc))
    | st.timedeltas()
    | st.uuids()
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9))
)
HASHABLE = st.recursive(
    ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner), max_leaves=4
)
VALUES = st.recursive(
    HASHABLE | st.builds(bytearray, st.binary()),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.builds(Item, st.text(), st.lists(st.integers()))
        | st.builds(Point, st.integers(), st.integers())
        | st.builds(Slotted, inner)
        | st.dictionaries(st.sampled_from("abc"), inner).map(lambda d: Plain(**d))
        | st.dictionaries(st.text(), inner).map(collections.OrderedDict)
        | st.lists(inner).map(collections.deque)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equality as the keys mean it: of types too, of floats by their bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, decimal.Decimal):
        return str(one) == str(other)
    if isinstance(one, collections.OrderedDict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, dict):
        pairs = list(other.items())
        return len(one) == len(other) and all(
            any(same(k, x) and same(v, y) for x, y in pairs) for k, v in one.items()
        )
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if isinstance(one, (list, tuple, collections.deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (Item, Plain)):
        return same(vars(one), vars(other))
    if isinstance(one, Slotted):
        return same(one.x, other.x)
    return bool(one == other)


@given(VALUES)
def test_a_copy_has_the_same_key(value: Any) -> None:
    assert key(copy.deepcopy(value)) == key(value)


@given(VALUES)
def test_what_went_through_pickle_has_the_same_key(value: Any) -> None:
    assert key(pickle.loads(pickle.dumps(value))) == key(value)


@given(VALUES, VALUES)
def test_keys_are_equal_exactly_for_equal_values(one: Any, other: Any) -> None:
    assert (key(one) == key(other)) == same(one, other)


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_change_anywhere_inside_changes_the_key(values: list[Any], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    other = [*values[:place], [values[place]], *values[place + 1 :]]
    assert key(values) != key(other)


@given(st.lists(st.tuples(HASHABLE, ATOMS), max_size=6, unique_by=lambda pair: pair[0]))
def test_the_order_in_which_a_set_was_filled_does_not_count_and_that_of_a_dict_does(
    pairs: list[Any],
) -> None:
    one, other = dict(pairs), dict(reversed(pairs))
    assert (key(one) == key(other)) == (len(pairs) < 2)
    keys = [k for k, _ in pairs]
    backwards = set()
    for one in reversed(keys):
        backwards.add(one)
    assert key(set(keys)) == key(backwards)


DIFFERENT: list[list[Any]] = [
    [0, 0.0, False, None, "", b"", 0j, (), [], {}, set(), frozenset(), bytearray()],
    [1, 1.0, True, "1", b"1", 1 + 0j, (1,), [1], {1: 1}, {1}, frozenset({1}), range(1, 2)],
    [1, Level.LOW, Colour.RED, decimal.Decimal(1), fractions.Fraction(1), np.int64(1)],
    [1.0, np.float64(1), np.float32(1), np.array(1.0), np.array([1.0])],
    ["ab", ["a", "b"], ["ab"], ["", "ab"], ["ab", ""], [["ab"]], "a,b", b"ab", bytearray(b"ab")],
    [0.0, -0.0, float("nan"), float("inf"), -float("inf")],
    [(1, 2), Point(1, 2), [1, 2], collections.deque([1, 2]), range(1, 3), slice(1, 2)],
    [{"a": 1}, collections.OrderedDict(a=1), collections.Counter(a=1), Plain(a=1)],
    [{"a": 1}, collections.defaultdict(int, a=1), types.MappingProxyType({"a": 1})],
    [Item("a"), Frozen("a"), Slotted("a"), Plain(name="a", parts=[])],
    [["a"], Words(["a"]), ("a",), {"a"}],
    [int, float, "int", len, 2**64, -(2**64), 2**65],
    [2**63 - 1, 2**63, -(2**63), -(2**63) - 1],
    [pathlib.PurePosixPath("a"), "a", pathlib.Path("a")],
    [{1: 2}, {2: 1}, [(1, 2)], {(1, 2)}],
    [{"a": {"b": 1}}, {"a": {}, "b": 1}, {"a": "b"}],
    [[1, 2, [3]], [1, [2, 3]], [[1, 2], 3], [1, 2, 3]],
    [[[], []], [[[]]], [[]]],
    [Ellipsis, NotImplemented, None],
    [memoryview(b"ab"), b"ab", memoryview(b"ac")],
    [re.compile("a"), re.compile("a", re.IGNORECASE), re.compile(b"a")],
    [
        dt.date(2020, 1, 1),
        dt.datetime(2020, 1, 1),  # noqa: DTZ001 - naive ones are values too
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc),
        dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
        dt.time(0),
    ],
    [ValueError("a"), TypeError("a"), ValueError("b")],
]


# Named by what is the same in every process that collects them: no address, no order of a set.
@pytest.mark.parametrize("values", DIFFERENT, ids=[type(row[0]).__name__ for row in DIFFERENT])
def test_values_that_only_look_alike_differ(values: list[Any]) -> None:
    assert len({key(value) for value in values}) == len(values)


SAME_TWICE = [
    "x" * 1000,
    2**1000,
    10**5000,
    list(range(1000)),
    [str(i) for i in range(1000)],
    {str(i): i for i in range(1000)},
    {"a": [1, {"b": (2, 3)}]},
    range(0, 10, 3),
    uuid.UUID(int=7),
    collections.Counter("abca"),
    collections.defaultdict(list, a=[1]),
    threading.Lock(),
    types.SimpleNamespace(a=1, b=[2]),
    np.random.default_rng(3),
    np.dtype("f8"),
    np.ma.masked_array([1, 2], [True, False]),
    ValueError("a"),
    object(),
    "\ud800",
]


@pytest.mark.parametrize("value", SAME_TWICE, ids=lambda value: type(value).__name__)
def test_a_value_has_one_key(value: Any) -> None:
    made_again = value if isinstance(value, type(threading.Lock())) else copy.deepcopy(value)
    assert key(value) == key(made_again)
    assert len(key(value)) < 100


@pytest.mark.parametrize(
    "taken",
    [threading.Semaphore(3), threading.BoundedSemaphore(3), threading.Lock(), asyncio.Semaphore(3)],
    ids=lambda taken: type(taken).__name__,
)
def test_how_many_have_taken_a_lock_does_not_count(taken: Any) -> None:
    before = key([taken])
    if isinstance(taken, asyncio.Semaphore):
        asyncio.run(taken.acquire())
    else:
        taken.acquire()
    assert key([taken]) == before != key([threading.Event()])


def test_what_numpy_makes_of_a_function_has_no_key() -> None:
    for made in (np.frompyfunc(lambda x: x + 1, 1, 1), np.frompyfunc(abs, 1, 1)):
        found = content_key(made)
        assert isinstance(found, Unkeyed)
        assert "what it is made of cannot be seen" in str(found)
    assert key(np.add) != key(np.multiply)


def test_what_is_alike_but_for_its_name_has_two_keys() -> None:
    class MissingError(Exception):
        pass

    class DeniedError(Exception):
        pass

    def one() -> int:
        return 1

    def first() -> int:
        return 1

    class Again:
        class MissingError(Exception):
            pass

    different = [
        MissingError,
        DeniedError,
        Again.MissingError,
        MissingError(),
        DeniedError(),
        one,
        first,
        [one],
        [first],
    ]
    assert len({key(value) for value in different}) == len(different)
    one.mode = 2  # type: ignore[attr-defined]
    assert key(one) not in {key(first), key(different[5:6])}
    caused, other = ValueError("a"), ValueError("a")
    caused.__cause__ = KeyError("b")
    assert key(caused) != key(other)


def test_ranges_count_by_all_that_can_be_asked_of_them() -> None:
    assert key(range(3)) == key(range(0, 3, 1))
    assert len({key(range(3)), key(range(4)), key(range(0, 4, 2)), key(range(0, 3, 2))}) == 4
    assert key(range(5, 5)) != key(range(0)), "its `start` is another"


def test_shared_and_equal_texts_are_the_same_to_a_key() -> None:
    # Pickle writes the second of two identical objects as a reference.
    one = ("a" * 100,)
    assert key([one, one]) == key([("a" * 100,), ("a" * 100,)])
    name = b"name".decode()  # another object than the constant
    assert key([name, "name", 1]) == key(["name", "name", 1])


def test_a_value_inside_itself_has_a_key() -> None:
    def ring(n: int) -> list[Any]:
        made: list[Any] = [n]
        made.append({"again": made})
        return made

    assert key(ring(1)) == key(ring(1))
    assert key(ring(1)) != key(ring(2))


def test_what_is_shared_is_looked_at_once() -> None:
    # Without a memory, this would take 2 ** 60 steps.
    value: Any = ["something that is longer than its digest would be, so that it is remembered"]
    for _ in range(60):
        value = [value, value]
    assert len(key(value)) < 100


def test_the_memory_of_shared_values_does_not_mistake_new_objects_for_old_ones() -> None:
    # What a reducer returns lives only for a moment, and its address is soon another object's.
    class Fleeting:
        def __init__(self, n: int) -> None:
            self.n = n

        def __getstate__(self) -> dict[str, Any]:
            return {"n": self.n, "text": f"{self.n} " * 50}

    many = [Fleeting(i) for i in range(500)]
    encoder = Encoder(lambda _: b"@", lambda _: b"<")
    seen = set()
    for one in many:
        seen.add(encoder.encode(one))
        gc.collect(0)
    assert len(seen) == len(many)


@pytest.mark.parametrize(
    "make", [lambda: functools.partial(max, 1), lambda: io.BytesIO(b"a"), lambda: io.StringIO("a")]
)
def test_a_value_has_one_key_whether_its_attributes_were_asked_for_or_not(
    make: Callable[[], Any],
) -> None:
    value = make()
    before = key(value)
    assert key(value) == before
    vars(value)
    assert key(value) == key(make()) == before


def test_a_path_counts_by_what_stands_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "data.csv"
    absent = key(path)
    path.write_text("a")
    os.utime(path, ns=(1, 1_000))
    first = key(path)
    os.utime(path, ns=(1, 2_000))
    later = key(path)
    path.write_text("ab")
    os.utime(path, ns=(1, 2_000))
    longer = key(path)
    assert len({absent, first, later, longer}) == 4
    assert key(path) == longer
    assert key(str(path)) != longer
    assert key(tmp_path / "." / "data.csv") == longer


def test_a_relative_path_counts_by_where_it_leads(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    one = key(pathlib.Path("x"))
    monkeypatch.chdir(tmp_path / "here")
    assert key(pathlib.Path("x")) != one
    assert key(pathlib.Path("../x")) != one  # what is written is another, and a body can see that


def test_functions_count_by_code_and_objects_by_their_class_too() -> None:
    def adder(n: int) -> Any:
        return lambda x: x + n

    assert key(adder(1)) == key(adder(1)) != key(adder(2))
    assert key([adder(1)]) != key([adder(2)])
    assert key(task(adder)) != key(adder)  # a task has methods of its own

    def made(result: int) -> Any:
        class A:
            def m(self) -> int:
                return result

        return A()

    assert key(made(1)) == key(made(1)) != key(made(2))


@task
def load() -> int:
    return 1


WITHOUT = [
    (lambda: (i for i in [1]), "a generator cannot be keyed: "),
    (load, "a LazyResult with the lazy value load in it cannot be keyed: it is not"),
    (lambda: [load()], "a list with the lazy value load in it cannot be keyed: it is not computed"),
    (sys._getframe, "a frame cannot be keyed: "),
    (lambda: {"a": (iter(()) for _ in ())}, "a dict with a generator in it cannot be keyed: "),
]


@pytest.mark.parametrize(("make", "reason"), WITHOUT)
def test_what_has_no_content_is_said_in_words(make: Any, reason: str) -> None:
    found = content_key(make())
    assert isinstance(found, Unkeyed)
    assert str(found).startswith(reason)


def test_a_socket_deep_inside_is_named() -> None:
    with socket.socket() as one:
        assert str(content_key(one)).startswith("a socket cannot be keyed: cannot pickle 'socket'")
        found = content_key(Plain(model={"connections": [one]}))
        assert isinstance(found, Unkeyed)
        assert found.what == "a Plain with a socket in it"


def test_a_reducer_that_raises_is_a_reason_and_no_error() -> None:
    class Broken:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise ZeroDivisionError

    found = content_key([Broken()])
    assert isinstance(found, Unkeyed)
    assert found.why == "ZeroDivisionError"


def test_what_is_nested_beyond_all_measure_is_a_reason_and_no_error() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    found = content_key(value)
    assert isinstance(found, Unkeyed)
    assert found.why == "it is nested too deeply"
    while value:  # else the interpreter takes it apart with its own stack
        value = value.pop()


def test_what_grows_while_it_is_read_is_a_reason_and_no_error() -> None:
    growing: set[Any] = set()

    class Grows:
        def __reduce_ex__(self, protocol: Any) -> Any:
            growing.add(len(growing))
            return (Grows, ())

    growing.add(Grows())
    found = content_key(growing)
    assert isinstance(found, Unkeyed)
    assert "it changed meanwhile" in found.why
