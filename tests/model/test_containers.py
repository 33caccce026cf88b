"""An argument reaches its task as it was written, with results in the place of lazy values: the
same kind of thing with all that it carried, or the call is refused and says where the lazy value
stands.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import itertools
import operator
import sys
import types
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from time import thread_time
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import TargetError, TaskCallError
from cascade_nb.model.arguments.inputs import replace, scan
from cascade_nb.model.containers.containers import holds
from cascade_nb.model.lazy.lazy import Lazy


@cs.task
def load() -> int:
    return 1


@cs.task
def take(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@cs.task
def use(cfg: Any) -> Any:
    return cfg


lazy = load()
RAN: list[str] = []


@dataclasses.dataclass
class Full:
    x: Any
    start: dataclasses.InitVar[int] = 0
    made: int = dataclasses.field(init=False, default=0)

    def __post_init__(self, start: int) -> None:
        RAN.append("post_init")
        self.made = start


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    x: Any
    y: int = 3


@dataclasses.dataclass(kw_only=True)
class OnlyByName:
    x: Any
    y: int = 3


class Plain:
    def __init__(self, x: Any, y: int = 2) -> None:
        RAN.append("init")
        self.x = x
        self.y = y

    def __setattr__(self, name: str, value: Any) -> None:
        RAN.append("setattr")
        object.__setattr__(self, name, value)

    def value(self) -> Any:
        return self.x


class Slotted:
    __slots__ = ("unset", "x", "y")

    def __init__(self, x: Any) -> None:
        self.x = x
        self.y = 5


class Mixed(Slotted):
    """Slots of its parent and a dict of its own."""


@attrs.define
class Attrs:
    x: Any
    y: int = 4


@attrs.frozen
class FrozenAttrs:
    x: Any


class Numbers(list[Any]):
    unit = "m"

    def __init__(self, items: Any = (), note: str = "") -> None:
        RAN.append("init")
        super().__init__(items)
        self.note = note

    def __iter__(self) -> Any:
        RAN.append("iter")
        return super().__iter__()


class Table(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        RAN.append("setitem")
        super().__setitem__(key, value)


class Words(set[Any]):
    pass


class Pair(tuple[Any, ...]):  # noqa: SLOT001 - it has attributes
    pass


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped one is what users have too


class NotedPoint(Point):
    pass


class Colour(Enum):
    RED = 1


class OfTheClass:
    held = lazy


def noted(value: Any, note: str) -> Any:
    value.note = note
    return value


def with_extra() -> Any:
    full = Full(lazy, start=7)
    full.made = 4
    full.extra = "kept"  # type: ignore[attr-defined]
    return full


def state(value: Any) -> Any:
    """All that can be seen of a value, so that two can be compared."""
    if isinstance(value, Lazy):
        return value
    if isinstance(value, (list, deque, tuple)):
        items: Any = [state(one) for one in list.__iter__(value)] if isinstance(value, list) else [
            state(one) for one in value
        ]  # fmt: skip
    elif isinstance(value, dict):
        items = [(state(k), state(v)) for k, v in value.items()]
    elif isinstance(value, (set, frozenset)):
        items = sorted(map(repr, value))
    elif isinstance(value, np.ndarray):
        items = value.tolist()
    elif isinstance(value, slice):
        items = tuple(map(state, (value.start, value.stop, value.step)))
    elif isinstance(value, types.MappingProxyType):
        items = state(dict(value))
    elif isinstance(value, functools.partial):
        items = state((value.func, value.args, value.keywords))
    elif isinstance(value, types.MethodType):
        items = (value.__func__, state(value.__self__))
    else:
        items = None if hasattr(value, "__dict__") or hasattr(type(value), "__slots__") else value
    slots = [n for c in type(value).__mro__ for n in getattr(c, "__slots__", ())]
    held = {n: state(getattr(value, n)) for n in slots if n != "__weakref__" and hasattr(value, n)}
    own = vars(value) if hasattr(value, "__dict__") and not isinstance(value, type) else {}
    if isinstance(value, types.FunctionType):
        own = {}
    extra = {
        "maxlen": getattr(value, "maxlen", None),
        "factory": getattr(value, "default_factory", None),
    }
    return type(value), items, held, {n: state(v) for n, v in own.items()}, extra


#: Each makes a value around what it is given.
LOSSLESS: dict[str, Callable[[Any], Any]] = {
    "a dataclass with more than its init": lambda x: noted(Full(x, 7), "n"),
    "a frozen dataclass with slots": FrozenSlots,
    "a dataclass of keywords": lambda x: OnlyByName(x=x, y=9),
    "a plain object": Plain,
    "an object with slots": Slotted,
    "an object with slots and a dict": lambda x: noted(Mixed(x), "n"),
    "an attrs class": Attrs,
    "a frozen attrs class": FrozenAttrs,
    "a list with attributes": lambda x: Numbers([1, x], note="n"),
    "a dict of one's own": lambda x: noted(Table(a=1, b=x), "n"),
    "a set of one's own": lambda x: noted(Words({1, x}), "n"),
    "a tuple of one's own": lambda x: noted(Pair([1, x]), "n"),
    "a namedtuple": lambda x: Point(1, x),
    "a namedtuple with attributes": lambda x: noted(NotedPoint(1, x), "n"),
    "a defaultdict": lambda x: defaultdict(list, a=x),
    "an OrderedDict": lambda x: OrderedDict(b=1, a=x),
    "a Counter": lambda x: Counter({"a": x}),
    "a deque": lambda x: deque([1, x], maxlen=3),
    "a slice": lambda x: slice(1, x, None),
    "a partial": lambda x: noted(functools.partial(max, x, key=abs), "n"),
    "a namespace": lambda x: types.SimpleNamespace(a=1, x=x),
    "a ChainMap": lambda x: ChainMap({"a": x}, {"b": 2}),
    "a UserDict": lambda x: UserDict(a=x),
    "a mappingproxy": lambda x: types.MappingProxyType({"a": x}),
    "an array of objects": lambda x: np.array([[1, x], [None, "s"]], dtype=object),
    "a bound method": lambda x: Plain(x).value,
}  # fmt: skip
every_kind = pytest.mark.parametrize("make", LOSSLESS.values(), ids=LOSSLESS)


@every_kind
def test_what_holds_a_lazy_value_arrives_as_it_was_written(make: Callable[[Any], Any]) -> None:
    made = make(lazy)
    before = state(made)
    RAN.clear()
    call = use(made)
    done = replace(call.args[0], Lazy, lambda _: 42)
    assert not RAN  # no code of the user's
    assert call.inputs == (lazy,)
    assert state(done) == state(make(42))
    assert state(made) == before  # what the user has is left as it is


@every_kind
def test_it_may_stand_inside_something_else(make: Callable[[Any], Any]) -> None:
    call = use({"k": [(make(lazy), 1)]})
    done = replace(call.args[0], Lazy, lambda _: 42)
    assert state(done) == state({"k": [(make(42), 1)]})


@every_kind
@pytest.mark.parametrize("around", [lambda v: {"k": v}, lambda v: (v, 1), lambda v: ((v,), "a")])
def test_it_is_found_where_the_collector_sees_nothing(
    make: Callable[[Any], Any], around: Callable[[Any], Any]
) -> None:
    # Of a tuple or dict of arrays and numbers Python's collector says that it holds nothing.
    given = [around(make(lazy))]
    gc.collect()
    done = replace(use(given).args[0], Lazy, lambda _: 42)
    assert state(done) == state([around(make(42))])


def test_a_task_gets_it_so() -> None:
    full = with_extra()
    got = cs.run(use(full))
    assert (got.x, got.made, got.extra) == (1, 4, "kept")


def test_one_thing_that_stands_twice_in_a_call_is_one_thing() -> None:
    rows = [lazy]
    (first, second), named = cs.run(take(rows, rows, again={"k": rows}))
    assert first == [1]
    assert first is second is named["again"]["k"]


def test_what_holds_itself_holds_itself_still() -> None:
    rows: list[Any] = [lazy]
    pair = (rows, lazy)
    rows.append(pair)
    thing = Plain(lazy)
    thing.me = thing
    done = cs.run(use(pair))
    assert done[0][1] is done
    assert done[1] == 1
    again = cs.run(use(thing))
    assert again.me is again
    assert again.x == 1


def test_what_an_object_has_of_its_class_is_its_own_afterwards() -> None:
    got = cs.run(use(OfTheClass()))
    assert got.held == 1
    assert OfTheClass.held is lazy


def generator(value: Any) -> Any:
    yield value


def closing(value: Any) -> Any:
    return lambda: value


@dataclasses.dataclass
class Config:
    rows: Any


REFUSED: dict[str, tuple[Any, str]] = {
    "an iterator": (iter([1, lazy]), "argument cfg .*list_iterator"),
    "a map": (map(str, [lazy]), r"argument cfg .*map"),
    "a chain": (itertools.chain([lazy]), r"argument cfg .*chain"),
    "a closure": (closing(lazy), r"argument cfg .*uses value"),
    "a closure deep inside": (
        Config([0, 1, Plain(closing(lazy))]),
        r"argument cfg\.rows\[2\]\.x .*<lambda> uses value",
    ),
    "a function of a global": (lambda: lazy, r"argument cfg .*uses lazy"),
    "a default": (lambda x=lazy: x, r"argument cfg .*default 1"),
    "a frame": (pd.DataFrame({"n": [1, 2], "o": [None, lazy]}), r"argument cfg\['o'\]\[1\]"),
    "a series": (pd.Series([None, lazy], dtype=object), r"argument cfg\[1\]"),
    "an item getter": (operator.itemgetter(lazy), r"argument cfg .*itemgetter"),
    "an error": (ValueError(lazy), "argument cfg .*ValueError"),
    "a class": (OfTheClass, r"argument cfg\.held"),
}


@pytest.mark.parametrize("value", [generator(lazy), (one for one in [lazy])])
def test_a_generator_is_refused_whatever_it_would_give(value: Any) -> None:
    with pytest.raises(TaskCallError, match=r"use\(…\): argument cfg .*generator"):
        use(value)


@pytest.mark.parametrize(("value", "place"), REFUSED.values(), ids=REFUSED)
def test_where_no_result_can_be_put_the_call_is_refused_and_names_the_place(
    value: Any, place: str
) -> None:
    with pytest.raises(TaskCallError, match=rf"use(.map)?\(…\): {place}.* the lazy value load"):
        use(value)
    with pytest.raises(TaskCallError, match=r"cfg.* the lazy value load"):
        use.map(cfg=[value])
    with pytest.raises(TargetError, match=r"the target.* the lazy value load"):
        cs.run([value])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda bad: take(1, bad), r"\*args"),
        (lambda bad: take(1, k=bad), r"argument k"),
        (lambda bad: use.map(cfg=[1, [bad]]), r"argument cfg\[1\]\[0\]"),
    ],
)
def test_the_argument_is_called_by_its_name(call: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(TaskCallError, match=name):
        call(closing(lazy))


NOTHING_INSIDE: dict[str, Any] = {
    "a function": closing(3),
    "a generator": generator(3),
    "a frame": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "an enumeration": Colour.RED,
    "a path": Path("a"),
    "an array": np.zeros(3),
    "a module": sys,
    "a task": use,
    "an open file": sys.stderr,
    "a class": Config,
}


@pytest.mark.parametrize("value", NOTHING_INSIDE.values(), ids=NOTHING_INSIDE)
def test_what_holds_no_lazy_value_is_taken_as_it_is(value: Any) -> None:
    assert scan((value,)) == ((), False)
    assert replace([value], Lazy, lambda _: 42)[0] is value


plain = st.none() | st.integers(-3, 3) | st.text(max_size=2)
kinds = st.sampled_from([
    "a plain object", "an object with slots", "an attrs class", "a deque", "a namespace",
    "a ChainMap", "a mappingproxy", "a list with attributes", "a dict of one's own",
    "a namedtuple with attributes", "a bound method", "a partial", "a slice",
])  # fmt: skip
nested = st.recursive(
    plain | st.just(lazy),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=1), inner, max_size=2)
        | st.builds(lambda kind, held: LOSSLESS[kind](held), kinds, inner)
    ),
    max_leaves=10,
)


def rebuilt(value: Any) -> Any:
    return replace(value, Lazy, lambda _: 42)


@given(nested)
def test_of_any_nesting_only_the_lazy_values_are_replaced(value: Any) -> None:
    before = state(value)
    there = holds(value, Lazy)
    done = rebuilt(value)
    assert there == ("lazy load" in repr(before))
    assert not holds(done, Lazy)
    assert (done is value) == (not there)
    assert state(value) == before
    assert _with_42(before) == state(done)


def _with_42(seen: Any) -> Any:
    """A `state` with that of 42 in the place of the lazy value's."""
    if seen is lazy:
        return state(42)
    if isinstance(seen, tuple):
        return tuple(_with_42(one) for one in seen)
    if isinstance(seen, list):
        return [_with_42(one) for one in seen]
    if isinstance(seen, dict):
        return {name: _with_42(one) for name, one in seen.items()}
    return seen


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (lambda i: i, 2_000_000),
        (lambda i: (i, "x", 1.0), 500_000),
        (lambda i: {"a": i, "b": "x"}, 500_000),
        (lambda i: [i, "x"], 500_000),
    ],
    ids=["numbers", "tuples", "dicts", "lists"],
)
def test_a_long_list_of_rows_is_bound_in_no_time(row: Callable[[int], Any], count: int) -> None:
    rows = list(map(row, range(count)))

    def bound() -> float:
        began = thread_time()
        assert use(rows).inputs == ()
        return thread_time() - began

    began = thread_time()
    set(map(type, rows))
    once = thread_time() - began
    assert min(bound() for _ in range(3)) < max(0.3, 30 * once)
    rows.append([{"deep": (1, lazy)}])
    assert use(rows).inputs == (lazy,)


def test_a_class_that_hides_its_attributes_has_none_to_see() -> None:
    # Written in C, it has a place for them that nothing but itself can read.
    from asyncio import new_event_loop

    from cascade_nb.model.containers.attributes import attributes

    loop = new_event_loop()
    assert attributes(loop.create_future()) == {}
    loop.close()
