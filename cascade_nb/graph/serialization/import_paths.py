"""Tells where something can be imported from, and finds it there again."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

from cascade_nb.errors import SerializationError


class Where(NamedTuple):
    """Where something can be imported from."""

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"

    def found(self, load: bool = True) -> Any:
        """What stands there.

        Args:
            load: whether the module is imported where it is not yet.

        Raises:
            SerializationError: nothing does.
        """
        try:
            module = sys.modules.get(self.module)
            value: Any = importlib.import_module(self.module) if module is None and load else module
            for name in self.qualname.split("."):
                value = getattr(value, name)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise SerializationError(f"there is no {self} here: {error}") from error
        return value

    def written(self) -> dict[str, str]:
        """As JSON."""
        return {"module": self.module, "qualname": self.qualname}


def where_is(thing: Any) -> Where:
    """Where a class, function, task or resource says that it can be imported from."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    return Where(str(module or "?"), str(name or type(thing).__qualname__))


def stands(thing: Any) -> bool:
    """Whether importing its path would give this very thing."""
    try:
        return where_is(thing).found(load=False) is thing
    except SerializationError:
        return False
