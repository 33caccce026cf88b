"""Measures how much memory a value takes with all inside it, by a sample where that is much."""

from __future__ import annotations

import itertools
import sys
import types
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.model.copying.library_classes import is_of_a_library, told_by_a_library

_LOOKED_AT: Final = 1000  # objects; a microsecond each
_ATOMS: Final = frozenset({int, float, complex, bool, str, bytes, bytearray, type(None)})
_PLAIN: Final = frozenset({list, tuple, dict, set, frozenset})
_CONTAINERS: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset, deque)
_SAMPLE: Final = 50  # items of one container that stand for all of them


def size_in_memory(value: Any) -> int:
    """Bytes of `value` and of all that is inside lists, tuples, sets, dicts and plain objects.

    What is there twice counts once, and arrays and frames say for themselves what they have. A few
    items of a large container stand for the others, so that it takes no longer for a large value
    than for a small one; it is a measure, not a promise.

    No code of a class of the user's runs: whoever measures may hold a lock.

    Args:
        value: anything.
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
        except Exception:  # a class of a library may have a say in these questions
            size, count, some = object.__sizeof__(item), 0, []
        total += size * times
        distinct = {id(one): one for one in some}
        # A million times the same object is one object; where most of a sample differ, all may.
        stands_for = count / len(some) if 2 * len(distinct) > len(some) else 1
        todo += [(one, times * stands_for) for one in distinct.values()]
    return int(total)


def _parts(item: Any) -> tuple[int, int, list[Any]]:
    """Bytes of one object alone, how many objects are in it, and some of them."""
    kind = type(item)
    if kind in _ATOMS:
        return sys.getsizeof(item), 0, []
    if issubclass(kind, Elsewhere):
        return sys.getsizeof(item), 0, []
    said = None if kind in _PLAIN else _told_size(item)
    if said is not None:
        return said
    of = next(one for one in kind.__mro__ if "__sizeof__" in vars(one) and is_of_a_library(one))
    size = int(vars(of)["__sizeof__"](item))
    base = next((one for one in _CONTAINERS if issubclass(kind, one)), None)
    if base is dict:
        count = dict.__len__(item)
        return size, 2 * count, [*itertools.chain(*_some(dict.items(item), count))]
    if base is not None:
        count = base.__len__(item)
        return size, count, _some(item, count, base)
    if is_of_a_library(kind) and issubclass(kind, Mapping):
        return size, 2 * len(item), [*itertools.chain(*_some(item.items(), len(item)))]
    held = {} if issubclass(kind, (type, types.ModuleType)) else attributes(item)
    said_size = held.get("nbytes")  # as what stands for an array in a file may have it
    if type(said_size) is int:
        return max(0, said_size), 0, []
    return size, len(held), _some(held.values(), len(held))


def _told_size(item: Any) -> tuple[int, int, list[Any]] | None:
    """For arrays, and frames of pandas, polars and Arrow."""
    if issubclass(type(item), type):
        return None
    told = partial(told_by_a_library, item)
    usage = told("memory_usage")
    if callable(usage) and told("dtypes") is not None:  # pandas: of objects it counts pointers only
        names, column_of = told("columns"), told("__getitem__")
        columns = [item] if names is None else [column_of(name) for name in names]
        objects = [column for column in columns if column.dtype == object]
        some = [one for column in objects for one in _some(column.array, len(column))]
        deep = sum(len(column) for column in objects)
        total = usage(deep=False)
        return int(total if isinstance(total, int) else sum(total)), deep, some
    size = told("nbytes")
    if isinstance(size, int):
        if getattr(told("dtype"), "hasobject", False):
            return max(0, size), int(item.size), _some(item.flat, int(item.size))
        return max(0, size), 0, []
    estimate = told("estimated_size")
    if callable(estimate):  # polars
        return int(estimate()), 0, []
    return None


def _some(items: Any, count: int, base: Any = None) -> list[Any]:
    """A few of many, from all over where they can be got at by number: those of a `base`."""
    if base is list or base is tuple:
        step = max(1, count // _SAMPLE)
        return list(base.__getitem__(items, slice(None, None, step))[:_SAMPLE])
    if base is not None:
        items = base.__iter__(items)
    return list(itertools.islice(items, _SAMPLE))
