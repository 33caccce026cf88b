"""A kept value never holds instances of a class whose name means another by now."""

from __future__ import annotations

import collections
import dataclasses
import enum
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.fingerprint.value_classes import holds_superseded, user_classes

CELL = """
import enum, dataclasses, collections
class Color(enum.Enum):
    GREEN = 2
@dataclasses.dataclass
class Box:
    inside: object = None
class Outer:
    class Inner: pass
class Slotted:
    __slots__ = ("x",)
Pair = collections.namedtuple("PairOfTwo", "a b")
def local():
    class Here: pass
    return Here()
def unnamed():
    return collections.namedtuple("Row", "a")(1)
"""


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    module = types.ModuleType("a_users_module")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def run() -> Any:
        exec(CELL, module.__dict__)
        return module

    return run


def slotted(names: Any, inside: Any) -> Any:
    made = names.Slotted()
    made.x = inside
    return made


HOLDERS: dict[str, Callable[[Any, Any], Any]] = {
    "bare": lambda names, x: x,
    "list": lambda names, x: [1, x],
    "long list": lambda names, x: [*range(1000), x],
    "tuple": lambda names, x: ("a", x),
    "dict value": lambda names, x: {"a": x},
    "object array": lambda names, x: np.array([None, [x]], dtype=object),
    "frame": lambda names, x: pd.DataFrame({"a": [1, 2], "b": pd.Series([x, None], dtype=object)}),
    "attribute": lambda names, x: types.SimpleNamespace(a=[x]),
    "closure": lambda names, x: lambda: x,
    "exception": lambda names, x: ValueError("no", x),
    "slot": slotted,
    "dataclass": lambda names, x: names.Box(x),
    "default": lambda names, x: collections.defaultdict(list, a=[x]),
}
INSTANCES: dict[str, Callable[[Any], Any]] = {
    "enum member": lambda names: names.Color.GREEN,
    "the class itself": lambda names: names.Box,
    "dataclass": lambda names: names.Box(1),
    "nested class": lambda names: names.Outer.Inner(),
    "named tuple under another name": lambda names: names.Pair(1, 2),
}


@given(
    holders=st.lists(st.sampled_from(sorted(HOLDERS)), max_size=3),
    instance=st.sampled_from(sorted(INSTANCES)),
)
def test_an_instance_is_found_wherever_it_stands(holders: list[str], instance: str) -> None:
    module = types.ModuleType("a_users_module")
    sys.modules[module.__name__] = module
    try:
        exec(CELL, module.__dict__)
        value = INSTANCES[instance](module)
        for holder in holders:
            value = HOLDERS[holder](module, value)
        assert not holds_superseded(value)
        exec(CELL, module.__dict__)
        assert holds_superseded(value)
    finally:
        del sys.modules[module.__name__]


def test_what_was_never_named_stands(cell: Callable[[], Any]) -> None:
    names = cell()
    values = [names.local(), names.unnamed(), np.arange(3), "text", {1: (2.0, None)}]
    cell()
    assert not any(map(holds_superseded, values))


def test_classes_of_libraries_are_none_of_the_users() -> None:
    values = [pd.DataFrame({"a": [1]}), collections.Counter("ab"), ValueError(), enum.Flag]
    assert not any(map(user_classes, values))


@dataclasses.dataclass
class Here:
    x: int


def test_a_value_that_holds_itself_is_looked_through() -> None:
    value: list[Any] = [Here(1)]
    value.append(value)
    assert user_classes(value) == {Here}
