"""Knows what can be started in this process by name, where somebody has names for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from cascade_nb.engine.planning.plan import Plan
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UnknownNameError, UsageError

MOST: Final = 100  # names in an answer


class Startable(Protocol):
    """Has names for what can run, as a notebook has; every method is safe from any thread."""

    def names(self) -> list[str]:
        """What can be started."""

    def plan(self, name: str, params: Mapping[str, Any]) -> Plan:
        """What a run of that would do; nothing runs."""

    def start(self, name: str, params: Mapping[str, Any]) -> Run:
        """Start a run of that, and return at once."""


_offered: Final[list[Startable]] = []


def offer_to_start(startable: Startable) -> Callable[[], None]:
    """Have other programs of this user start what has a name there; gives what ends that."""
    _offered.append(startable)
    return lambda: _offered.remove(startable)


def startable_names() -> list[str]:
    """What can be started here, in the order of their names."""
    return sorted({name for one in _offered for name in one.names()})


def startable_with(name: str) -> Startable:
    """Who has this name.

    Raises:
        UnknownNameError: nobody has.
        UsageError: nothing can be started here.
    """
    if not _offered:
        raise UsageError(
            "nothing can be started in this process by name, as in a kernel with %load_ext "
            "cascade_nb; of a file it is started as flow.py:report"
        )
    whole = name.partition("[")[0]
    found = next((one for one in _offered if whole in one.names()), None)
    if found is None:
        raise UnknownNameError("node", name, startable_names())
    return found
