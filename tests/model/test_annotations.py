"""Annotations whose names mean nothing by now are no reason to refuse a function."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.model.annotations import annotations_of

# Since Python 3.14 annotations are worked out when they are asked for; before, they may be text.
_FIRST = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"


def made(program: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "somewhere"}
    exec(_FIRST + program, space)
    return space


def test_a_task_may_be_annotated_with_what_only_type_checkers_know() -> None:
    double = cs.task(made("def double(x: Table) -> Table: return 2 * x")["double"])
    assert cs.run(double(4)) == 8


def test_outputs_are_counted_whatever_the_parts_mean() -> None:
    both = cs.task(made("def both(x: Table) -> tuple[Table, int]: return x, 1")["both"])
    first, second = both(4)
    assert cs.run([first, second]) == [4, 1]


def test_a_class_is_keyed_whatever_its_annotations_mean() -> None:
    space = made("class A:\n  x: Table = 1\ndef get(): return A.x")
    assert list(annotations_of(space["A"])) == ["x"]
    get = cs.task(space["get"])
    assert cs.run(get()) == 1


@pytest.mark.parametrize("thing", [len, print, 3, object()])
def test_what_has_no_annotations_has_none(thing: Any) -> None:
    assert annotations_of(thing) == {}
