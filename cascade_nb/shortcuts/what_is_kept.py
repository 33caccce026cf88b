"""Says where results are kept, what runs are written down there, and removes what is old."""

from __future__ import annotations

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.defaults import default_engine, state_of
from cascade_nb.kept import Cleaned
from cascade_nb.model.options.caching import checked_older
from cascade_nb.protocols.journal import RunRecord
from cascade_nb.protocols.state_backend import StateBackend


def runs() -> list[RunRecord]:
    """The runs that are written down where results are kept, latest first; see `Engine.recorded`.

    Returns:
        A record of each: its id, title and owner, when it began, and how it ended.

    Raises:
        UsageError, StateError: as `Engine.recorded`.

    Example:
        >>> cs.use_state("sqlite:///results.db")
        >>> value = cs.run(report)
        >>> [run.status for run in cs.runs()]
        ['succeeded']
    """
    return on_own_loop(default_engine().recorded())


def use_state(place: StateBackend | str) -> None:
    """Keep results in `place` from now on; see `Engine.use_state`.

    Args:
        place: "memory:", "sqlite:///results.db", "redis://localhost:6379/0", or a state backend.

    Raises:
        UsageError, StateError: as `Engine.use_state`, or the URL cannot be read.

    Example:
        >>> cs.use_state("memory:")  # or "sqlite:///results.db", before running
    """
    on_own_loop(default_engine().use_state(state_of(place)))


def clean(older: str | float | None = None) -> Cleaned:
    """Remove kept results that have expired or are over the limit of the place where they lie.

    Args:
        older: a length of time, as "30d" or in seconds: results that nobody made or read for so
            long go too, and what is written down of runs that ended before. 0 removes all.

    Returns:
        How many results were removed, and how many bytes they had.

    Raises:
        UsageError: nobody can read the length of time.
        StateError: the place cannot be reached or written.

    Example:
        >>> value = cs.run(report)
        >>> cs.clean(0).results  # all of them; cs.clean("30d") those that nobody used for so long
        1
    """
    return on_own_loop(default_engine().clean(checked_older(older)))
