"""Values that are given when a run starts, not when its graph is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.errors import ParamError, nearest
from cascade_nb.model.lazy import Lazy
from cascade_nb.model.policy import PLAIN, checked_name


class _Required:
    """The default of a parameter that has none."""

    def __reduce__(self) -> str:
        return "REQUIRED"  # there is one, and it is known by its identity

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Final = _Required()
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FROM_TEXT: Final = frozenset({"pathlib", "decimal", "fractions", "uuid"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class Param(Lazy):
    """A named input of a workflow; pass it to tasks like any lazy value.

    Args:
        name: the key in ``params={…}``.
        default: its value when none is given; without one a run must give it.
        type: what a value is checked against and, where nothing is lost, coerced to: text to a
            number or truth value (as a terminal or a form gives it), a whole number to a float.
        description: one line for people.

    Raises:
        ParamError: the default does not fit the type.
        UsageError: the name is empty, too long, or has '/', '#' or '+' in it.
    """

    __slots__ = ("default", "description", "name", "type")

    def __init__(
        self,
        name: str,
        default: Any = REQUIRED,
        type: type[Any] | None = None,
        description: str = "",
    ) -> None:
        self.name = checked_name(name, "parameter name")
        self.type = type
        self.description = description
        self.inputs = ()
        self.options = PLAIN
        self.default = default if default is REQUIRED else self.checked(default)

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def checked(self, value: Any) -> Any:
        """`value` as this parameter takes it.

        Raises:
            ParamError: it does not fit the type.
        """
        kind = self.type
        if kind is None or (isinstance(value, kind) and not _bool_as_number(value, kind)):
            return value
        try:
            return _coerced(value, kind)
        except (TypeError, ValueError) as error:
            raise ParamError(
                f"parameter {self.name!r} takes {kind.__name__}, and "
                f"{value!r} ({type(value).__name__}) is none"
            ) from error

    def settled(self, given: Mapping[str, Any]) -> Any:
        """The value for a run that was given these parameters.

        Raises:
            ParamError: it is required and missing, or does not fit the type.
        """
        if self.name in given:
            return self.checked(given[self.name])
        if self.default is REQUIRED:
            raise ParamError(
                f"parameter {self.name!r} has no default: start the run with "
                f"params={{{self.name!r}: …}}"
            )
        return self.default


def check_given(given: Mapping[str, Any], known: Mapping[str, Param]) -> None:
    """Refuse parameters that no node of the graph reads.

    Raises:
        ParamError: one of `given` is not among `known`.
    """
    for name in given:
        if name not in known:
            fix = nearest(name, known) or f"; a task reads one that is given cs.Param({name!r}, …)"
            raise ParamError(f"nothing here reads a parameter {name!r}{fix}")


def _bool_as_number(value: Any, kind: type[Any]) -> bool:
    return isinstance(value, bool) and kind in (int, float, complex)


def _coerced(value: Any, kind: type[Any]) -> Any:
    if kind is bool:
        word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise ValueError(value)
    if isinstance(value, bool) or (kind is int and isinstance(value, float) and value % 1):
        raise ValueError(value)  # True is no count, and 2.5 is not 2
    if kind in (list, tuple, set, frozenset) and isinstance(value, (list, tuple, set, frozenset)):
        return kind(value)
    if kind in (int, float, complex) and isinstance(value, (int, float, str)):
        return kind(value)
    if isinstance(value, str) and kind.__module__.partition(".")[0] in _FROM_TEXT:
        return kind(value)
    raise TypeError(value)
