"""Turns operators on lazy values into further lazy values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cascade_nb.model.lazy.refusals import refused

_node: Callable[..., Any]


def use_operations(node: Callable[..., Any]) -> None:
    """Say how an operation, by name, becomes a node; `operations` does, once."""
    global _node  # noqa: PLW0603 - said once, by `operations`
    _node = node


class Operators:
    """What lazy values and anything else can be put together with before they are computed.

    `==` and `!=` are not among them: what they gave would be true wherever it was asked.
    """

    __slots__ = ()

    # NumPy and pandas leave an operation with an array on its left to us.
    __pandas_priority__ = 1_000_000

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        name = _UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or more:
            raise refused(self, f"numpy.{ufunc.__name__} cannot take it")
        return _node(name, *inputs)

    def __getitem__(self, key: Any, /) -> Any:
        return _node("item", self, key)

    def __add__(self, other: Any, /) -> Any:
        return _node("add", self, other)

    def __radd__(self, other: Any, /) -> Any:
        return _node("add", other, self)

    def __sub__(self, other: Any, /) -> Any:
        return _node("sub", self, other)

    def __rsub__(self, other: Any, /) -> Any:
        return _node("sub", other, self)

    def __mul__(self, other: Any, /) -> Any:
        return _node("mul", self, other)

    def __rmul__(self, other: Any, /) -> Any:
        return _node("mul", other, self)

    def __truediv__(self, other: Any, /) -> Any:
        return _node("truediv", self, other)

    def __rtruediv__(self, other: Any, /) -> Any:
        return _node("truediv", other, self)

    def __floordiv__(self, other: Any, /) -> Any:
        return _node("floordiv", self, other)

    def __rfloordiv__(self, other: Any, /) -> Any:
        return _node("floordiv", other, self)

    def __mod__(self, other: Any, /) -> Any:
        return _node("mod", self, other)

    def __rmod__(self, other: Any, /) -> Any:
        return _node("mod", other, self)

    def __pow__(self, other: Any, modulo: Any = None, /) -> Any:
        if modulo is not None:
            raise refused(self, "it has no power with a modulo")
        return _node("pow", self, other)

    def __rpow__(self, other: Any, /) -> Any:
        return _node("pow", other, self)

    def __matmul__(self, other: Any, /) -> Any:
        return _node("matmul", self, other)

    def __rmatmul__(self, other: Any, /) -> Any:
        return _node("matmul", other, self)

    def __and__(self, other: Any, /) -> Any:
        return _node("and_", self, other)

    def __rand__(self, other: Any, /) -> Any:
        return _node("and_", other, self)

    def __or__(self, other: Any, /) -> Any:
        return _node("or_", self, other)

    def __ror__(self, other: Any, /) -> Any:
        return _node("or_", other, self)

    def __xor__(self, other: Any, /) -> Any:
        return _node("xor", self, other)

    def __rxor__(self, other: Any, /) -> Any:
        return _node("xor", other, self)

    def __neg__(self) -> Any:
        return _node("neg", self)

    def __pos__(self) -> Any:
        return _node("pos", self)

    def __invert__(self) -> Any:
        return _node("invert", self)

    def __abs__(self) -> Any:
        return _node("abs", self)

    def __lt__(self, other: Any, /) -> Any:
        return _node("lt", self, other)

    def __le__(self, other: Any, /) -> Any:
        return _node("le", self, other)

    def __gt__(self, other: Any, /) -> Any:
        return _node("gt", self, other)

    def __ge__(self, other: Any, /) -> Any:
        return _node("ge", self, other)


_UFUNCS: Final = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "true_divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "power": "pow",
    "matmul": "matmul",
    "bitwise_and": "and_",
    "bitwise_or": "or_",
    "bitwise_xor": "xor",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}


def unpacked(lazy: Operators, count: int, star: int | None = None) -> tuple[Any, ...]:
    """What `a, b = lazy` or `a, *rest = lazy` binds, one lazy value for each name.

    A run whose result has another number of items fails as Python does, with a `ValueError`.

    Args:
        lazy: what is unpacked.
        count: how many names there are, a starred one counted.
        star: the place of the starred one among them, if there is one.

    Returns:
        As many lazy values as there are names.

    Example:
        >>> from cascade_nb.model import unpacked
        >>> first, rest = unpacked(fetch(3), 2, star=1)
        >>> cs.run([first, rest])
        [0, [1, 2]]
    """
    if star is None:
        return tuple(_node("part", lazy, position, count) for position in range(count))
    after = count - star - 1
    return tuple(
        _node("rest", lazy, star, after)
        if position == star
        else _node("from_end", lazy, position - (count if position > star else 0), star, after)
        for position in range(count)
    )
