"""Gives the value that stands for a lazy value, in a cell and as `Lazy.value`; nothing runs."""

from __future__ import annotations

from typing import Any, Final

from cascade_nb.advice import advised_value
from cascade_nb.concurrency.own_loop import StillWorkingError, on_own_loop
from cascade_nb.defaults import default_engine
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.planning.planner import Found
from cascade_nb.errors import LazyValueError, StateError
from cascade_nb.model.lazy.lazy import Lazy

PATIENCE: Final = 5.0  # seconds that a name at the end of a cell may hold up the kernel


def find_soon(engine: Engine, lazy: Lazy) -> Found:
    """What `Engine.find` gives, for a cell that is not to be held up for long.

    Raises:
        StateError: where results are kept cannot be read, or does not answer.
    """
    try:
        return on_own_loop(engine.find(lazy), PATIENCE)
    except StillWorkingError as late:
        raise StateError(f"where results are kept did not answer within {PATIENCE:g} s") from late


def value_of(lazy: Lazy) -> Any:
    """What `Lazy.value` gives.

    Raises:
        LazyValueError: no result stands.
        StateError: where results are kept cannot be read, or does not answer.
    """
    engine = default_engine()
    found = find_soon(engine, lazy)
    if found.there:
        return found.value
    bound = None if engine.bindings is None else engine.bindings.name_of(lazy)
    name = bound or lazy.options.name or lazy.label
    what = advised_value(bound, found.lasting, found.comes)
    raise LazyValueError(f"no value of {name} stands: {found.words}; {what}")
