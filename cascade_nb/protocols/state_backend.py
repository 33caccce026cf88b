"""The protocol of where results are kept, and what it is given, asked and told of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cascade_nb.file_stamps import FileStamp
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.protocols.journal import Journal, Lease


class Entry(NamedTuple):
    """A result on its way into a state backend.

    Attributes:
        key, value: what it is found by later, and the result.
        seconds: how long it took to compute.
        lease: of the run that made it, where runs are journaled.
        token: means nothing to the backend; the keeper knows its entry by it.
        made: when, in seconds since the epoch; None for now, by the backend's own clock.
        files: what was read to make it, here and upstream, and what was written.
        task: the name of the task that made it.
        expires: when it stands no longer, in seconds since the epoch; None: never.
    """

    key: str
    value: Any
    seconds: float
    lease: Lease | None = None
    token: Any = None
    made: float | None = None
    files: frozenset[FileStamp] = frozenset()
    task: str = ""
    expires: float | None = None

    @property
    def dated(self) -> float:
        """When it was made, in seconds since the epoch."""
        return time.time() if self.made is None else self.made


class Known(NamedTuple):
    """What a state backend says of a result without giving it.

    Attributes:
        seconds, made, files: as its entry had them; `made` in seconds since the epoch.
    """

    seconds: float
    made: float
    files: frozenset[FileStamp] = frozenset()


class SaveCallback(Protocol):
    """Hears what became of entries, from any thread, several of them at a time."""

    def kept(self, entries: Sequence[Entry]) -> None:
        """These are safe now."""
        ...

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """Nothing of these was kept.

        Args:
            entries: whose values the keeper still has.
            error: `CodecError`: this value can never be kept, only this one. `LeaseLostError`:
                another owner goes on with the run. `StateError`: not now; put again when the
                trouble is over.
        """
        ...


class StateBackend(Protocol):
    """Keeps results by key.

    Attributes:
        keeps_all: whether every result is worth keeping, or only those of named nodes and targets.
    """

    keeps_all: bool

    @property
    def journal(self) -> Journal | None:
        """Where runs are written down, for a backend that outlives this process."""
        ...

    @property
    def where(self) -> str:
        """The place, as the end of "results are kept in …"."""
        ...

    async def open(self) -> None:
        """Get ready; called before each run, so any number of times.

        Raises:
            StateError: the place cannot be reached or written; the message says what to do.
        """
        ...

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Begin to keep a result, from any thread, without waiting or encoding anything.

        Returns:
            True when it is safe already. Otherwise `keeper` is told exactly once, after this
            returned, on a thread of the backend, whatever happens, also when it closes.
        """
        ...

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is known of those of `keys` that have a value here.

        Raises:
            StateError: the place cannot be read.
        """
        ...

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """The values of those of `keys` that have one; one that may not be read counts as none.

        Raises:
            StateError: the place cannot be read.
        """
        ...

    async def usage(self) -> list[Usage]:
        """What is kept, by task, the largest first; raises `StateError` as `known` does."""
        ...

    async def clean(self, unused_for: float | None = None) -> Cleaned:
        """Remove results that have expired, and, with seconds given, those that were neither made
        nor read for so long; zero removes all. Raises `StateError` as `known` does.
        """
        ...

    async def close(self) -> None:
        """Keep what is under way, then release everything held; what was kept stays."""
        ...
