"""Lazy values are found anywhere inside arguments, and their results put in their place."""

from __future__ import annotations

import dataclasses
import sys
from collections import OrderedDict, defaultdict, namedtuple
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import UsageError
from cascade_nb.model.arguments.capture import is_fixed
from cascade_nb.model.arguments.inputs import inputs_of_plain, replace, scan, snapshot
from cascade_nb.model.lazy.lazy import Lazy


@cs.task
def one() -> int:
    return 1


@cs.task
def same(x: Any) -> Any:
    return x


@cs.task
def take(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@dataclasses.dataclass
class Settings:
    x: Any
    y: Any = 0
    made: Any = dataclasses.field(init=False, default=7)


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: Any


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped one is what users have too

a = one()
CONTAINERS = {
    "list": [1, a],
    "tuple": (1, a),
    "dict value": {"k": a},
    "set": {1, a},
    "frozenset": frozenset({a}),
    "dataclass": Settings(a),
    "frozen dataclass": Frozen([a]),
    "namedtuple": Point(1, a),
    "OrderedDict": OrderedDict(k=a),
    "defaultdict": defaultdict[str, Any](list, k=a),
    "deep": {"k": [({"k": (Settings([a]),)},)]},
}
every_container = pytest.mark.parametrize("value", CONTAINERS.values(), ids=CONTAINERS)


SOME = [a, one(), same.map(x=[1])]
OTHERS = [
    1,
    2.5,
    "a",
    None,
    b"",
    max,
    bytearray(b"a"),
    [1],
    [a],
    len,
    int,
    lambda: a,
    cs.Param("p"),
]


@given(st.lists(st.sampled_from(SOME) | st.sampled_from(OTHERS), max_size=6))
def test_the_short_way_to_the_inputs_finds_what_the_general_one_finds(values: list[Any]) -> None:
    short = inputs_of_plain(tuple(values))
    if short is not None:
        assert (short, False) == scan(tuple(values))


def test_the_short_way_is_taken_by_nearly_every_call() -> None:
    assert inputs_of_plain((1,)) == inputs_of_plain(()) == inputs_of_plain(("b", None, 2)) == ()
    args = (a, SOME[1])
    assert inputs_of_plain(args) is args
    assert inputs_of_plain((a, 1, a)) == (a,)


@every_container
def test_a_lazy_value_inside_is_an_input(value: Any) -> None:
    assert take(value).inputs == (a,)
    assert take(key=value).inputs == (a,)
    assert take(value).nested


@every_container
def test_its_result_stands_in_its_place(value: Any) -> None:
    done = replace(value, Lazy, lambda lazy: 42)
    assert type(done) is type(value)
    assert scan((done,)) == ((), False)
    assert "42" in repr(done)
    assert scan((value,))[0] == (a,)  # what the user has is left as it is


def test_a_defaultdict_keeps_its_factory_and_a_dataclass_its_own_fields() -> None:
    done = replace(CONTAINERS["defaultdict"], Lazy, lambda lazy: 42)
    assert done["other"] == []
    assert replace(Settings(a, y=3), Lazy, lambda lazy: 42) == Settings(42, y=3)


def test_each_lazy_value_is_an_input_once_in_the_order_of_the_arguments() -> None:
    b, c = one(), one()
    assert take([b, a], b, key={"k": c, "l": [a, b]}).inputs == (b, a, c)


def test_a_container_changed_after_the_call_does_not_change_the_call() -> None:
    rows = [a]
    lazy = take(rows)
    rows.append(one())
    assert len(lazy.args[0]) == 1
    assert lazy.inputs == (a,)


def test_arguments_are_as_they_were_at_the_call() -> None:
    rows: list[Any] = [1, {"k": (2, [3])}]
    flat = list(range(5_000))
    call = take(rows, flat, again=rows, flat=flat, inside={"flat": flat})
    rows.append(4)
    rows[1]["k"][1].append(5)
    flat.append(6)
    assert call.args == ([1, {"k": (2, [3])}], list(range(5_000)))
    assert call.kwargs["again"] is call.args[0]
    assert call.kwargs["flat"] is call.kwargs["inside"]["flat"] is call.args[1]
    fixed = take.partial(rows=rows).map(x=[1])
    rows.clear()
    assert len(fixed.fixed["rows"]) == 3


def test_calls_that_are_given_one_unchanged_list_share_its_copy() -> None:
    flat = list(range(100))
    first, second = take(flat), take(flat)
    flat[3] = -1
    third = take(flat)
    assert first.args[0] is second.args[0]
    assert (first.args[0][3], third.args[0][3]) == (3, -1)


def test_a_container_without_lazy_values_has_nothing_put_in() -> None:
    rows = [1, {"k": (2,)}]
    assert not take(rows).nested
    assert snapshot(rows) is rows


def test_a_list_that_holds_itself_is_no_endless_walk() -> None:
    rows: list[Any] = [1]
    rows.append(rows)
    assert take(rows).inputs == ()


def test_arguments_nested_beyond_reason_are_refused_in_a_sentence() -> None:
    deep: list[Any] = [a]
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UsageError, match=r"nested too deeply"):
        take(deep)


def test_a_result_that_a_container_cannot_hold_is_refused_in_a_sentence() -> None:
    why = "unhashable type|cannot use 'list' as a set element"
    with pytest.raises(UsageError, match=rf"a set with lazy values inside .* ({why})"):
        replace({a}, Lazy, lambda lazy: [1])


plain = st.none() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False)
nested = st.recursive(
    plain | st.just(a),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.builds(Settings, inner, inner)
        | st.builds(Frozen, inner)
    ),
    max_leaves=12,
)


@given(nested)
def test_what_is_found_is_what_is_replaced(value: Any) -> None:
    found, _ = scan((value,))
    count = 0

    def put(lazy: Lazy) -> int:
        nonlocal count
        count += 1
        assert lazy in found
        return 42

    done = replace(value, Lazy, put)
    assert scan((done,))[0] == ()
    assert bool(found) == bool(count)
    if not found:
        assert done is value


def test_rows_of_plain_values_are_told_from_others_without_a_step_for_each() -> None:
    """A table of two million rows is given to a task while its cell holds up the loop."""
    steps = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal steps
        steps += event == "call"

    rows = [(i, str(i), (i,)) for i in range(1_000)]
    sys.setprofile(count)
    try:
        assert is_fixed(rows)
    finally:
        sys.setprofile(None)
    assert steps < 20
    fixed: list[Any] = [[], [1], [(1,)], [(1, (2, (3,))), 4], [((),)], {}, {(1, 2): (3,)}]
    assert all(map(is_fixed, fixed))
    others: list[Any] = [[[]], [(1, [])], [1, (2, ([],))], {(1,): [2]}, [((1, {}),)], ([],)]
    assert not any(map(is_fixed, others))
