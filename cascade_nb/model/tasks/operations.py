"""The small tasks behind `x[0]`, `x + 1` and `a, b = x`.

They run inline where their operands are tiny, and Python's own operators take microseconds; in a
thread where they are large, or of a class that may do anything. Each is a task of its own, so that
its key differs from the others'.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.task import Task
from cascade_nb.model.tasks.tiny import LENGTH, are_plain_numbers, are_tiny
from cascade_nb.text import quoted

_DEPTH: Final = 3  # so many operations inside of each other are shown, and "…" for the rest
_EXPONENT: Final = 64  # up to which a power of a tiny number is one
_TEXT: Final = 24  # characters of an operand that is there


class Operation(Task[..., Any]):
    """A task that stands for an operator of Python.

    Args:
        fn: what it does.
        name: the operator's name.
        pattern: how a call of it is shown.
        stays_tiny: whether the result of tiny operands is tiny too, where that is not always so.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        pattern: str,
        stays_tiny: Callable[[Sequence[Any]], bool] | None = None,
    ) -> None:
        super().__init__(fn, name=f"({name})", executor="inline")
        self.pattern = pattern
        self.stays_tiny = stays_tiny
        self.key = ""

    def stands_as(self, key: str) -> None:
        """It is found as `OPERATIONS.<key>` of this module, by whatever writes graphs."""
        self.key = key
        self.__module__, self.__qualname__ = __name__, f"OPERATIONS.{key}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _found, (self.key,)

    def is_tiny(self, args: Sequence[Any]) -> bool:
        """Whether it takes microseconds with these operands, so that the loop can do it."""
        return are_tiny(args) and (self.stays_tiny is None or self.stays_tiny(args))

    def label_of(self, args: tuple[Any, ...]) -> str:
        """The operation as it would be written: `x["c"]`, `(a + b) / 2`."""
        return self._shown(args, _DEPTH)

    def _shown(self, args: tuple[Any, ...], depth: int) -> str:
        return self.pattern.format(*(_operand(arg, depth) for arg in args))


def _found(key: str) -> Operation:
    operation: Operation = getattr(OPERATIONS, key)
    return operation


def _operand(value: Any, depth: int) -> str:
    if isinstance(value, LazyResult) and isinstance(value.task, Operation):
        if value.options.name:
            return value.options.name
        if not depth:
            return "…"
        text = value.task._shown(value.args, depth - 1)
        return f"({text})" if " " in value.task.pattern else text
    if isinstance(value, Lazy):
        return value.label
    if isinstance(value, slice):
        ends = [value.start, value.stop, *([] if value.step is None else [value.step])]
        return ":".join("" if end is None else _operand(end, depth) for end in ends)
    if isinstance(value, tuple) and value.__class__ is tuple and len(value) < 4:
        return ", ".join(_operand(part, depth) for part in value)
    if isinstance(value, str):
        return '"' + value[:_TEXT] + ("…" if len(value) > _TEXT else "") + '"'
    if isinstance(value, int) and value.bit_length() > LENGTH:
        return "<int>"  # Python refuses to write the longest
    if value is None or isinstance(value, (int, float)):
        return quoted(value, _TEXT)
    return f"<{type(value).__name__}>"


def _part(value: Any, position: int, count: int, /) -> Any:
    """What `a, b = value` puts into the name at `position`."""
    return _exactly(value, count)[position]


def _rest(value: Any, before: int, after: int, /) -> list[Any]:
    """What `a, *rest, b = value` puts into `rest`."""
    items = _at_least(value, before + after)
    return items[before : len(items) - after]


def _from_end(value: Any, position: int, before: int, after: int, /) -> Any:
    """What `a, *rest, b = value` puts into a name beside `rest`."""
    return _at_least(value, before + after)[position]


def _exactly(value: Any, count: int) -> list[Any]:
    items = list(islice(value, count + 1))
    if len(items) > count:
        counted = sys.version_info >= (3, 14) and type(value) in (list, tuple, dict)
        got = f", got {len(value)}" if counted else ""  # as Python says it
        raise ValueError(f"too many values to unpack (expected {count}{got})")
    if len(items) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(items)})")
    return items


def _at_least(value: Any, count: int) -> list[Any]:
    items = list(value)
    if len(items) < count:
        raise ValueError(
            f"not enough values to unpack (expected at least {count}, got {len(items)})"
        )
    return items


def _numbers(args: Sequence[Any]) -> bool:
    """Not a text or a list that is repeated, or a text that is formatted."""
    return are_plain_numbers(args)


def _power(args: Sequence[Any]) -> bool:
    exponent = args[1]
    return are_plain_numbers(args) and (exponent.__class__ is not int or abs(exponent) <= _EXPONENT)


_HOW: Final[Mapping[str, tuple[Any, ...]]] = {
    "item": (operator.getitem, "item", "{0}[{1}]"),
    "part": (_part, "part", "{0}[{1}]"),
    "rest": (_rest, "rest", "{0}[{1}:]"),
    "from_end": (_from_end, "part from end", "{0}[{1}]"),
    "add": (operator.add, "add", "{0} + {1}"),
    "sub": (operator.sub, "subtract", "{0} - {1}"),
    "mul": (operator.mul, "multiply", "{0} * {1}", _numbers),
    "truediv": (operator.truediv, "divide", "{0} / {1}"),
    "floordiv": (operator.floordiv, "floor divide", "{0} // {1}"),
    "mod": (operator.mod, "remainder", "{0} % {1}", _numbers),
    "pow": (operator.pow, "power", "{0} ** {1}", _power),
    "matmul": (operator.matmul, "matrix product", "{0} @ {1}"),
    "and_": (operator.and_, "and", "{0} & {1}"),
    "or_": (operator.or_, "or", "{0} | {1}"),
    "xor": (operator.xor, "exclusive or", "{0} ^ {1}"),
    "neg": (operator.neg, "negative", "-{0}"),
    "pos": (operator.pos, "positive", "+{0}"),
    "invert": (operator.invert, "invert", "~{0}"),
    "abs": (abs, "absolute", "abs({0})"),
    "lt": (operator.lt, "less", "{0} < {1}"),
    "le": (operator.le, "at most", "{0} <= {1}"),
    "gt": (operator.gt, "greater", "{0} > {1}"),
    "ge": (operator.ge, "at least", "{0} >= {1}"),
}
"""By key, what an operation is made of."""


class _Operations:
    """Every operation as an attribute, made when it is first asked for: to read a function's
    signature takes as long as to load a module.
    """

    def __getattr__(self, key: str) -> Operation:
        if key not in _HOW:
            raise AttributeError(f"there is no operation {key!r}")
        made = Operation(*_HOW[key])
        made.stands_as(key)
        # Another thread may have made it meanwhile.
        kept: Operation = self.__dict__.setdefault(key, made)
        return kept


OPERATIONS: Final = _Operations()


def operation(key: str, *args: Any) -> LazyResult[Any]:
    """One use of an operator: a node, in a body too."""
    made: LazyResult[Any] = getattr(OPERATIONS, key).lazy(*args)
    return made
