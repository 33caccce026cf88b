"""A glance sees what is changed in place, at whatever place, where there is not much."""

from __future__ import annotations

import types
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.model.copying.glances import MANY, Glance, may_change
from tests.support.examples import examples


class Row(NamedTuple):
    a: Any


class Bag(list[Any]):
    def __init__(self, one: Any) -> None:
        self.kept = one

    def __len__(self) -> int:
        raise AssertionError("nobody asks it")


class Slim:
    __slots__ = ("a",)

    def __init__(self, one: Any) -> None:
        self.a = one


INSIDE: list[Callable[[Any], Any]] = [
    lambda one: [0, one],
    lambda one: {"a": 1, "b": one},
    lambda one: (one, "x"),
    lambda one: types.SimpleNamespace(a=one),
    lambda one: deque([one]),
    lambda one: defaultdict(int, a=one),
    Row,
    Bag,
    Slim,
]
CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "append": (lambda: [1], lambda one: one.append(1)),
    "exchange": (lambda: [1, 2], lambda one: one.reverse()),
    "set an item": (lambda: {"a": 1}, lambda one: one.update(a=2)),
    "take a key": (lambda: {"a": 1, "b": 1}, lambda one: one.pop("a")),
    "put another order": (lambda: {"a": 1, "b": 1}, lambda one: one.update(a=one.pop("a"))),
    "add": (lambda: {1}, lambda one: one.add(2)),
    "attribute": (lambda: types.SimpleNamespace(a=1), lambda one: setattr(one, "a", 2)),
    "rotate": (lambda: deque([1, 2]), lambda one: one.rotate()),
    "byte": (lambda: bytearray(b"ab"), lambda one: one.reverse()),
    "cell of an array": (lambda: np.zeros((2, 3)), lambda one: one.__setitem__((1, 2), 1)),
    "object in an array": (lambda: np.array([None, 1]), lambda one: one.__setitem__(0, 2)),
    "far more": (lambda: list(range(100 * MANY)), lambda one: one.append(1)),
    "a key of many": (lambda: dict.fromkeys(range(100 * MANY)), lambda one: one.update(a=1)),
}


@pytest.mark.parametrize("how", CHANGES)
@settings(max_examples=examples(20))
@given(ways=st.lists(st.integers(0, len(INSIDE) - 1), max_size=4))
def test_a_change_is_seen_wherever_it_is_made(how: str, ways: list[int]) -> None:
    make, change = CHANGES[how]
    innermost = value = make()
    for way in ways:
        value = INSIDE[way](value)
    assert may_change(value)
    glance = Glance(value)
    assert glance.holds()
    assert glance.holds()
    change(innermost)
    assert not glance.holds()
    assert Glance(value).holds()


def test_what_holds_itself_is_looked_at_once() -> None:
    value: list[Any] = []
    value.append(value)
    assert Glance(value).holds()


@pytest.mark.parametrize("value", [1, "text", None, 2.5, b"", len, int])
def test_of_what_cannot_change_there_is_nothing_to_see(value: object) -> None:
    assert not may_change(value)
