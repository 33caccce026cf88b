"""Measures how much memory a value takes with all inside it, by a sample where that is much."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

_LOOKED_AT: Final = 1000  # objects; a microsecond each
_ATOMS: Final = frozenset({int, float, complex, bool, str, bytes, bytearray, type(None)})
_PLAIN: Final = frozenset({list, tuple, dict, set, frozenset})
_SAMPLE: Final = 50  # items of one container that stand for all of them


def size_in_memory(value: Any) -> int:
    """Bytes of `value` and of all that is inside lists, tuples, sets, dicts and plain objects.

    What is there twice counts once, and arrays and frames say for themselves what they have. A few
    items of a large container stand for the others, so that it takes no longer for a large value
    than for a small one; it is a measure, not a promise.

    Args:
        value: anything; one that answers every question with an error counts without its parts.
    """
    if type(value) in _ATOMS:  # nearly always, and runs keep many results
        return sys.getsizeof(value)
    seen: set[int] = set()
    todo: deque[tuple[Any, float]] = deque([(value, 1.0)])
    total = 0.0
    for _ in range(_LOOKED_AT):
        if not todo:
            break
        item, times = todo.popleft()
        if id(item) in seen:
            continue
        seen.add(id(item))
        try:
            size, count, some = _parts(item)
        except Exception:  # its own class has a say in every one of these questions
            size, count, some = object.__sizeof__(item), 0, []
        total += size * times
        distinct = {id(one): one for one in some}
        # A million times the same object is one object; where most of a sample differ, all may.
        stands_for = count / len(some) if 2 * len(distinct) > len(some) else 1
        todo += [(one, times * stands_for) for one in distinct.values()]
    return int(total)


def _parts(item: Any) -> tuple[int, int, list[Any]]:
    """Bytes of one object alone, how many objects are in it, and some of them."""
    if type(item) in _ATOMS:
        return sys.getsizeof(item), 0, []
    said = None if type(item) in _PLAIN else _told_size(item)
    if said is not None:
        return said
    size = sys.getsizeof(item)
    if isinstance(item, Mapping):
        return size, 2 * len(item), [*itertools.chain(*_some(item.items(), len(item)))]
    if isinstance(item, (list, tuple, set, frozenset, deque)):
        return size, len(item), _some(item, len(item))
    held = getattr(item, "__dict__", None)
    if isinstance(held, dict) and not isinstance(item, type):
        return size, 1, [held]
    return size, 0, []


def _told_size(item: Any) -> tuple[int, int, list[Any]] | None:
    """For arrays, and frames of pandas, polars and Arrow."""
    usage = getattr(item, "memory_usage", None)
    if callable(usage) and hasattr(item, "dtypes"):  # pandas: of objects it counts pointers only
        columns = [item[name] for name in item.columns] if hasattr(item, "columns") else [item]
        objects = [column for column in columns if column.dtype == object]
        some = [one for column in objects for one in _some(column.array, len(column))]
        deep = sum(len(column) for column in objects)
        total = usage(deep=False)
        return int(total if isinstance(total, int) else sum(total)), deep, some
    size = getattr(item, "nbytes", None)
    if isinstance(size, int) and not isinstance(item, type):
        if getattr(getattr(item, "dtype", None), "hasobject", False):
            return max(0, size), int(item.size), _some(item.flat, int(item.size))
        return max(0, size), 0, []
    estimate = getattr(item, "estimated_size", None)
    if callable(estimate) and not isinstance(item, type):  # polars
        return int(estimate()), 0, []
    return None


def _some(items: Iterable[Any], count: int) -> list[Any]:
    """A few of many, from all over where they can be got at by number."""
    step = max(1, count // _SAMPLE)
    if isinstance(items, (list, tuple)):
        return list(items[::step][:_SAMPLE])
    return list(itertools.islice(items, _SAMPLE))
