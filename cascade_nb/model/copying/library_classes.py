"""Tells classes of libraries from the user's own, which may take as long as they like to answer,
raise anything, or call back.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

from cascade_nb.concurrency.raised import is_asked_by_python

_LIBRARY: Final = tuple({sys.prefix, sys.base_prefix, str(Path(re.__file__).parents[1])})


def is_of_a_library(cls: type) -> bool:
    """Whether a class was not written by the user."""
    module = type.__getattribute__(cls, "__module__")
    if module in sys.stdlib_module_names:
        return True
    place = getattr(sys.modules.get(module), "__file__", None)
    return place is not None and str(place).startswith(_LIBRARY)


def told_by_a_library(value: Any, name: str) -> Any:
    """An attribute of a value for which no code of the user's is asked; None for any other."""
    cls = type(value)
    of = next((base for base in cls.__mro__ if name in vars(base)), None)
    if of is None or not is_of_a_library(of):
        return None
    if not is_of_a_library(cls) and not is_asked_by_python(cls):
        return None
    return getattr(value, name, None)
