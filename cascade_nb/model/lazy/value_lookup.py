"""Finds the result that stands for a lazy value, by a function that the package registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.errors import LazyValueError


def _nowhere(lazy: Any) -> Any:
    raise LazyValueError(f"{lazy.label} has no value where only cascade_nb.model is loaded")


_look_up: Callable[[Any], Any] = _nowhere


def use_look_up(look_up: Callable[[Any], Any]) -> None:
    """Say how it is found; `cascade_nb` itself does, once."""
    global _look_up  # noqa: PLW0603 - said once, by `cascade_nb` itself
    _look_up = look_up


def looked_up(lazy: Any) -> Any:
    """The result that stands for a lazy value.

    Raises:
        LazyValueError: none stands; the message says why.
        StateError: where results are kept cannot be read.
    """
    return _look_up(lazy)
