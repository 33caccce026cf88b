"""Every changeable container of Python's own is taken as it was at the call."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest

import cascade_nb as cs

CHANGED: list[tuple[Any, Callable[[Any], object]]] = [
    (deque([1], maxlen=3), lambda one: one.append(2)),
    (deque([[1]]), lambda one: one[0].append(2)),
    (defaultdict(int, {1: 1}), lambda one: one[2]),
    (defaultdict(list, {1: [1]}), lambda one: one[1].append(2)),
    (OrderedDict(a=1, b=2), lambda one: one.move_to_end("a")),
    (Counter("ab"), lambda one: one.update("a")),
    (bytearray(b"a"), lambda one: one.extend(b"b")),
    ([deque([1])], lambda one: one[0].append(2)),
]


@cs.task
def look(value: Any) -> str:
    return repr(value)


@pytest.mark.parametrize(("value", "change"), CHANGED, ids=lambda one: type(one).__name__)
def test_what_is_changed_after_the_call_reaches_the_task_as_it_was(
    value: Any, change: Callable[[Any], object]
) -> None:
    before = repr(value)
    first = look(value)
    change(value)
    assert repr(value) != before
    second = look(value)
    assert cs.run([first, second]) == [before, repr(value)]
