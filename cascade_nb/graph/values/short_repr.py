"""Shows a value in a few characters, at little cost whatever it is."""

from __future__ import annotations

import dataclasses
import itertools
import reprlib
import types
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.raised import args_of, class_name, is_asked_by_python
from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.library_classes import is_of_a_library, told_by_a_library
from cascade_nb.model.lazy.lazy import Lazy

_ITEMS: Final = 12
_CUT: Final = "…"
_CLASS_NAME: Final[Any] = type.__dict__["__qualname__"]
_NAMED: Final = (type, types.BuiltinFunctionType, types.ModuleType)


class ValueSnapshot(NamedTuple):
    """How a value looked at one moment.

    Attributes:
        text: the whole short text.
        object: the `id` of what can be changed in place, else 0. Objects of two moments that have
            one id are most likely one object.
    """

    text: str
    object: int


class _Short(reprlib.Repr):
    """Looks at a few items of a few levels, and never at all of a large value.

    It asks no object of the user's for its `repr`, which may take as long as it likes; dataclasses
    are shown by their fields, arrays and frames by their shape.
    """

    def __init__(self, results: Mapping[object, Any] | None = None) -> None:
        super().__init__()
        self._results = results or {}
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdeque = self.maxarray = _ITEMS
        self.maxstring = self.maxlong = self.maxother = 200

    def repr_set(self, x: Any, level: int) -> str:
        """In order where there are few; sorting many would take long."""
        if not x or level <= 0:
            return f"{type(x).__name__}({_CUT if x else ''})"
        shown = [self.repr1(one, level - 1) for one in itertools.islice(x, _ITEMS)]
        inside = ", ".join([*sorted(shown), *([_CUT] if len(x) > _ITEMS else [])])
        return f"{{{inside}}}" if type(x) is set else f"{type(x).__name__}({{{inside}}})"

    repr_frozenset = repr_set

    def repr_dict(self, x: Any, level: int) -> str:
        """In the order of the dict; the inherited one sorts it."""
        if not x or level <= 0:
            return f"{{{_CUT if x else ''}}}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in itertools.islice(x.items(), _ITEMS)
        ]
        return f"{{{', '.join([*shown, *([_CUT] if len(x) > _ITEMS else [])])}}}"

    def repr_bytes(self, x: Any, level: int) -> str:
        """The first of them; all of a file that was read would take long."""
        return repr(x[: self.maxstring]) + (_CUT if len(x) > self.maxstring else "")

    repr_bytearray = repr_bytes

    def repr1(self, x: Any, level: int) -> str:
        """By its class, whatever a class of another module calls itself."""
        kind = type(x)
        way = _WAYS.get(kind)
        if way is not None:
            return way(self, x, level)
        if issubclass(kind, Lazy) and self._results:
            return self.repr1(self._results.get(x.identity), level)
        return self.repr_instance(x, level)

    def repr_instance(self, x: Any, level: int) -> str:
        """What is none of Python's containers."""
        kind = type(x)
        if kind in FROZEN and kind not in _NAMED:
            return super().repr_instance(x, level) if _is_told_by_python(x) else f"<{_name(kind)}>"
        if issubclass(kind, (*_NAMED, types.FunctionType)):
            return _name(x)
        if issubclass(kind, BaseException) and kind.__module__ == "builtins":
            said = args_of(x)[:_ITEMS] if level > 0 else ()
            inside = [self.repr1(one, level - 1) for one in said]
            return f"{_name(kind)}({', '.join(inside)})"
        if not is_asked_by_python(kind):
            return f"<{_name(kind)}>"
        if dataclasses.is_dataclass(kind) and level > 0:
            held = attributes(x)
            fields = [f.name for f in dataclasses.fields(kind) if f.repr and f.name in held]
            inside = [f"{n}={self.repr1(held[n], level - 1)}" for n in fields[:_ITEMS]]
            more = [_CUT] if len(fields) > _ITEMS else []
            return f"{_name(kind)}({', '.join([*inside, *more])})"
        shape = told_by_a_library(x, "shape")
        if shape == ():
            item = told_by_a_library(x, "item")
            only = item() if callable(item) else None
            return repr(only) if only is not None and type(only) in FROZEN else f"<{_name(kind)}>"
        if isinstance(shape, tuple):
            dtype = told_by_a_library(x, "dtype")
            size = " by ".join(map(str, shape))
            return f"<{size} {_name(kind)}{'' if dtype is None else f' of {dtype}'}>"
        return f"<{_name(kind)}>"


def _is_told_by_python(x: Any) -> bool:
    """Whether a time says what it is without a time zone of the user's."""
    zone = getattr(x, "tzinfo", None)
    return zone is None or is_of_a_library(type(zone))


def _name(what: Any) -> str:
    """Without the function that it was made in."""
    if issubclass(type(what), types.ModuleType):
        return str(vars(what).get("__name__"))
    is_class = issubclass(type(what), type)
    name = _CLASS_NAME.__get__(what) if is_class else what.__qualname__
    return str(name).rpartition("<locals>.")[2]


def short_repr(value: Any, limit: int = 300, results: Mapping[object, Any] | None = None) -> str:
    """`value` in at most `limit` characters, as Python would write it where it is short and plain.

    Large collections are cut, arrays and frames shown by their shape, other objects by their type.
    No code of a class of the user's runs: whoever shows something may hold a lock.

    Args:
        value: of any kind.
        limit: characters at most.
        results: what to show for lazy values inside, by their identity.
    """
    try:
        shorter = _Short(results) if results else _SHORT
        found = shorter.repr1(value, shorter.maxlevel)
    except BaseException as error:  # a library's attribute that raises, a dict that grows
        name = _name(type(value))
        found = f"<{name} that cannot be shown: {class_name(error)}>"
    return found if len(found) <= limit else found[: limit - 1] + _CUT


def value_snapshot(value: Any) -> ValueSnapshot:
    """How `value` looks now."""
    unchanging = issubclass(type(value), _UNCHANGING)
    return ValueSnapshot(short_repr(value), 0 if unchanging else id(value))


_UNCHANGING: Final = (int, float, complex, str, bytes, type(None), tuple, frozenset, range)
_WAYS: Final[Mapping[type, Callable[[_Short, Any, int], str]]] = {
    int: _Short.repr_int,
    str: _Short.repr_str,
    tuple: _Short.repr_tuple,
    list: _Short.repr_list,
    dict: _Short.repr_dict,
    set: _Short.repr_set,
    frozenset: _Short.repr_frozenset,
    deque: _Short.repr_deque,
    array: _Short.repr_array,
    bytes: _Short.repr_bytes,
    bytearray: _Short.repr_bytearray,
}
_SHORT: Final = _Short()
