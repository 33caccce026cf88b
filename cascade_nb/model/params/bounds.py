"""Reads from an annotation between which bounds a number or a date lies.

A bound is what Python's libraries agree on: an object behind the type in `Annotated` that has `ge`,
`gt`, `le` or `lt`, as those of `annotated_types` and pydantic's `Field` have, or a `range`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from cascade_nb.errors import ParamError

#: By attribute, what of `Bounds` it is.
_SIGNS: Final = {"ge": "low", "le": "high", "gt": "above", "lt": "below"}


class Bounds(NamedTuple):
    """Between what a value lies.

    Attributes:
        low, high: the least and the greatest value, or None.
        step: from `low` on, what lies between one value and the next, or None.
        above, below: what it is greater and less than, or None.
    """

    low: Any = None
    high: Any = None
    step: Any = None
    above: Any = None
    below: Any = None

    @property
    def words(self) -> str:
        """What is said behind the type: `` from 0 to 1``."""
        parts = []
        if self.low is not None and self.high is not None:
            parts.append(f"from {self.low} to {self.high}")
        else:
            parts += [f"of at least {self.low}"] * (self.low is not None)
            parts += [f"of at most {self.high}"] * (self.high is not None)
        parts += [f"above {self.above}"] * (self.above is not None)
        parts += [f"below {self.below}"] * (self.below is not None)
        parts += [f"in steps of {self.step}"] * (self.step not in (None, 1))
        return "".join(f" {part}" for part in parts)

    def hold(self, value: Any) -> bool:
        """Whether `value` lies between them."""
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.step is None or (value - self.low) % self.step == 0)
        )


UNBOUNDED: Final = Bounds()


def bounds_of_range(numbers: range) -> Bounds:
    """The bounds of the numbers of a range.

    Raises:
        ParamError: there are none in it.
    """
    if not numbers:
        raise ParamError(f"no number is in {numbers!r}, so a parameter of it could have no value")
    ordered = numbers if numbers.step > 0 else numbers[::-1]
    return Bounds(ordered[0], ordered[-1], ordered.step)


def bounds_in(metadata: Iterable[Any]) -> Bounds:
    """What bounds there are behind the type in `Annotated`; what means none is left alone.

    Raises:
        ParamError: nothing lies between them.
    """
    found: dict[str, Any] = {}
    for one in _spread(metadata):
        if isinstance(one, range):
            found.update(bounds_of_range(one)._asdict())
            continue
        for sign, name in _SIGNS.items():
            bound = getattr(one, sign, None)
            if bound is not None and not callable(bound):
                found[name] = bound
    made = Bounds(**found)
    if None not in (made.low, made.high) and made.low > made.high:
        raise ParamError(f"no value is{made.words}")
    return made


def _spread(metadata: Iterable[Any]) -> Iterator[Any]:
    """Each piece, and those that a piece has collected, as pydantic's `Field` does."""
    for one in metadata:
        yield one
        inner = getattr(one, "metadata", None)
        if isinstance(inner, (list, tuple)):
            yield from inner
