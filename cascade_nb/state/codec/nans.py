"""Gives back the very `math.nan` or `numpy.nan` that a value held, when it is read again.

`value is np.nan` and `np.nan in values` look at the object, since no NaN equals another; so a value
that is read has to hold the same one as before.
"""

from __future__ import annotations

import math
import sys
from typing import Final

from cascade_nb.state.codec.leaves import library

OF_NUMPY: Final = 0
OF_PYTHON: Final = 1
_OF_PYTHON: Final = math.nan


def numpy_nan() -> float | None:
    """NumPy's, which is pandas' too; None where nobody has imported it, so that nobody has it."""
    found = getattr(sys.modules.get("numpy"), "nan", None)
    return found if type(found) is float else None


def known_nan(which: int) -> float:
    """The object again; Python's stands for NumPy's where that is not installed."""
    if which == OF_NUMPY:
        try:
            library("numpy")
        except ImportError:
            return math.nan
        return numpy_nan() or math.nan
    return math.nan


def which_nan(value: float) -> int | None:
    """Which of them it is, None where it is another NaN, or none."""
    if not math.isnan(value):
        return None
    if value is _OF_PYTHON:
        return OF_PYTHON
    return OF_NUMPY if value is numpy_nan() else None


def holds_known_nan(values: tuple[float, ...]) -> bool:
    """Whether one of them is among these; a sum with a NaN is one, which is sooner seen."""
    return math.isnan(sum(values)) and any(which_nan(one) is not None for one in values)
