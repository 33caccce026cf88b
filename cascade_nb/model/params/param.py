"""Parameters: values that are given when a run starts, not when its graph is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.errors import ParamError, nearest
from cascade_nb.model.lazy.lazy import PLAIN, Lazy
from cascade_nb.model.options.checks import checked_name
from cascade_nb.model.params.param_types import ParamType, param_type_of
from cascade_nb.text import quoted


class _Required:
    """The default of a parameter that has none."""

    def __reduce__(self) -> str:
        return "REQUIRED"  # there is one, and it is known by its identity

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Final = _Required()


class Param(Lazy):
    """A named input of a workflow; pass it to tasks like any lazy value.

    Args:
        name: the key in ``params={…}``.
        default: its value when none is given; without one a run must give it.
        type: what a value is checked against and, where nothing is lost, coerced to: a class,
            `list[int]`, `dict[str, float]`, `Literal["fast", "exact"]`, an `Enum`, a date, a union
            such as `int | None`; `range(1, 11)`, or `Annotated[float, …]` with bounds of
            `annotated_types` or pydantic. Text is read, as a terminal, a form or JSON gives it.
        description: one line for people.

    Attributes:
        kind: its type as values are checked against it; None where it has none.

    Raises:
        ParamError: the default does not fit the type, or no value can be checked against that.
        UsageError: the name is empty, too long, or has '/', '#' or '+' in it.

    Example:
        >>> size = cs.Param("size", default=3, type=int)
        >>> cs.run(total(fetch(size)), params={"size": 4})
        6
    """

    __slots__ = ("default", "description", "kind", "name", "type")

    def __init__(
        self,
        name: str,
        default: Any = REQUIRED,
        type: Any = None,
        description: str = "",
    ) -> None:
        self.name = checked_name(name, "parameter name")
        self.type = type
        self.kind: ParamType | None = None if type is None else param_type_of(type)
        self.description = description
        self.identity = object()
        self.inputs = ()
        self.options = PLAIN
        self.default = default if default is REQUIRED else self.checked(default)

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def checked(self, value: Any) -> Any:
        """`value` as this parameter takes it: checked against its type, read where it is text.

        Args:
            value: what a run is given for it.

        Returns:
            The value that its readers get.

        Raises:
            ParamError: `value` does not fit the type.

        Example:
            >>> cs.Param("size", type=int).checked("12")
            12
        """
        kind = self.kind
        if kind is None:
            return value
        try:
            return kind.take(value)
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ParamError(
                f"parameter {self.name!r} takes {kind.name}, and "
                f"{quoted(value, 200)} ({type(value).__name__}) is none"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        # Its kind is made anew of its type.
        return Param, (self.name, self.default, self.type, self.description)

    def value_in(self, given: Mapping[str, Any]) -> Any:
        """The value for a run that was given these parameters.

        Args:
            given: value by name of parameter, as in ``params={…}``.

        Returns:
            What is given for it, or else its default.

        Raises:
            ParamError: it is required and missing, or does not fit the type.

        Example:
            >>> size = cs.Param("size", default=3, type=int)
            >>> size.value_in({}), size.value_in({"size": 4})
            (3, 4)
        """
        if self.name in given:
            return self.checked(given[self.name])
        if self.default is REQUIRED:
            raise ParamError(
                f"parameter {self.name!r} has no default: start the run with "
                f"params={{{self.name!r}: …}}"
            )
        return self.default


def checked_params(params: object) -> dict[str, Any]:
    """The values of parameters that a run is given, by name.

    Raises:
        ParamError: they are no dict of names.
    """
    if params is None:
        return {}
    if not isinstance(params, Mapping) or not all(isinstance(name, str) for name in params):
        raise ParamError(
            f"params is a dict of names and values, params={{'size': 3}}, not {quoted(params)}"
        )
    return dict(params)


def check_given(given: Mapping[str, Any], known: Mapping[str, Param]) -> None:
    """Refuse parameters that no node of the graph reads.

    Raises:
        ParamError: one of `given` is not among `known`.
    """
    for name in given:
        if name not in known:
            fix = nearest(name, known) or f"; a task reads one that is given cs.Param({name!r}, …)"
            raise ParamError(f"nothing here reads a parameter {name!r}{fix}")
