"""A base for small immutable classes with named fields, made by the hundred thousand."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, ClassVar, Final, TypeVar

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        """Only type checkers make something of it."""
        return lambda made: made


T = TypeVar("T")
R = TypeVar("R", bound="Record")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
class Record(tuple[Any, ...]):
    """Written and used like a frozen dataclass whose fields all have defaults.

    It is a tuple underneath, since nothing else in Python is made so fast and cannot be changed: a
    frozen dataclass takes five times as long, and longer to define than this module to import.

    Attributes:
        fields: its fields in order, with their defaults.
    """

    __slots__ = ()

    fields: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: cls.__dict__[name] for name in cls.__annotations__ if name in cls.__dict__}
        known = len(cls.fields)
        cls.fields = {**cls.fields, **own}
        for position, name in enumerate(own, known):
            setattr(cls, name, property(itemgetter(position)))

    def __new__(cls: type[R], **given: Any) -> R:
        """A record of these values, and of the defaults of the other fields.

        Raises:
            TypeError: there is no such field.
        """
        values = {**cls.fields, **given}
        if len(values) > len(cls.fields):
            unknown = ", ".join(sorted(given.keys() - cls.fields.keys()))
            raise TypeError(f"{cls.__name__} has no field {unknown}")
        return record(cls, tuple(_default(value) for value in values.values()))

    def __reduce__(self) -> Any:
        return record, (type(self), tuple(self))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), tuple(self)))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self.fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"


def _default(value: Any) -> Any:
    """A field's default, which may have to be made each time."""
    if value.__class__ is not dataclasses.Field:
        return value
    factory: Any = value.default_factory
    return factory()


#: A record of exactly these values, one for each field, in order: the fast way, in which nothing is
#: looked up and nothing is checked.
record: Final = tuple.__new__
