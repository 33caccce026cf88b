"""Shows a value in a few characters, at little cost whatever it is."""

from __future__ import annotations

import dataclasses
import itertools
import reprlib
import types
from typing import Any, Final, NamedTuple

_ITEMS: Final = 12
_CUT: Final = "…"
# Their `repr` is quick, and says what they are.
_PLAIN: Final = frozenset(
    {"builtins", "datetime", "decimal", "fractions", "pathlib", "pathlib._local", "uuid", "re"}
)


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

    def __init__(self) -> None:
        super().__init__()
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

    def repr_instance(self, x: Any, level: int) -> str:
        """What is none of Python's containers."""
        kind = type(x)
        if isinstance(x, (types.FunctionType, types.BuiltinFunctionType, type)):
            return _name(x)
        if isinstance(x, types.ModuleType):
            return x.__name__
        if dataclasses.is_dataclass(x) and level > 0:
            fields = [f.name for f in dataclasses.fields(x) if f.repr and hasattr(x, f.name)]
            inside = [f"{n}={self.repr1(getattr(x, n), level - 1)}" for n in fields[:_ITEMS]]
            more = [_CUT] if len(fields) > _ITEMS else []
            return f"{_name(kind)}({', '.join([*inside, *more])})"
        shape = getattr(x, "shape", None)
        if shape == () and callable(getattr(x, "item", None)):
            return repr(x.item())
        if isinstance(shape, tuple):
            dtype = getattr(x, "dtype", None)
            size = " by ".join(map(str, shape))
            return f"<{size} {kind.__name__}{'' if dtype is None else f' of {dtype}'}>"
        text = super().repr_instance(x, level) if kind.__module__ in _PLAIN else ""
        return text if text and " at 0x" not in text else f"<{_name(kind)}>"


def _name(what: Any) -> str:
    """Without the function that it was made in."""
    return str(what.__qualname__).rpartition("<locals>.")[2]


def short_repr(value: Any, limit: int = 300) -> str:
    """`value` in at most `limit` characters, as Python would write it where it is short and plain.

    Large collections are cut, arrays and frames shown by their shape, other objects by their type.
    """
    try:
        found = _SHORT.repr(value)
    except BaseException as error:  # an attribute of the user's that raises, a dict that grows
        found = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return found if len(found) <= limit else found[: limit - 1] + _CUT


def value_snapshot(value: Any) -> ValueSnapshot:
    """How `value` looks now."""
    return ValueSnapshot(short_repr(value), 0 if isinstance(value, _UNCHANGING) else id(value))


_UNCHANGING: Final = (int, float, complex, str, bytes, type(None), tuple, frozenset, range)
_SHORT: Final = _Short()
