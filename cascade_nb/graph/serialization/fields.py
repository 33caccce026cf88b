"""Checks that a JSON object has the fields that it must have, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cascade_nb.errors import SerializationError
from cascade_nb.text import quoted


class Fields:
    """The fields of one JSON object, each of which must be asked for.

    Args:
        data: the object.
        what: how messages call it.

    Raises:
        SerializationError: it is no object.
    """

    def __init__(self, data: Any, what: str) -> None:
        if not isinstance(data, dict):
            raise SerializationError(f"{what} is an object, not {quoted(data)}")
        self._data = dict(data)
        self._what = what

    def take(self, name: str, kind: Any, default: Any = ...) -> Any:
        """A field of type `kind`.

        Args:
            name: of the field.
            kind: a type or a tuple of types; `object` for any.
            default: what a missing field counts as; without one it must be there.

        Raises:
            SerializationError: it is missing or of another type.
        """
        value = self._data.pop(name, default)
        if value is ...:
            raise SerializationError(f"{self._what} has no {name!r}")
        wrong = kind is not bool and kind is not object and isinstance(value, bool)
        if value is not default and (wrong or not isinstance(value, kind)):
            raise SerializationError(f"the {name!r} of {self._what} cannot be {quoted(value)}")
        return value

    def each(self, name: str) -> Iterator[tuple[int, Any]]:
        """The items of a field that is a list, with their numbers.

        Raises:
            SerializationError: it is missing or no list.
        """
        return iter(enumerate(self.take(name, list)))

    def end(self) -> None:
        """Refuse what nobody asked for.

        Raises:
            SerializationError: there is a field too many.
        """
        if self._data:
            raise SerializationError(f"{self._what} has no field {quoted(min(self._data))}")
