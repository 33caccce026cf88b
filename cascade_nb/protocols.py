"""The protocols of an engine's parts; any object of these shapes fits."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from cascade_nb.file_stamps import FileStamp
from cascade_nb.kept import Cleaned, Usage

Payload: TypeAlias = bytes | str | Mapping[str, Any]  # a mapping is published as UTF-8 JSON
Callback: TypeAlias = Callable[[str, bytes], Awaitable[None]]  # hears topic and payload


class Clock(Protocol):
    """Where time comes from, so that a test can bring its own."""

    def now(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for what people and other machines read."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running loop after `delay` seconds; returns what cancels that."""
        ...


class Solver(Protocol):
    """Gives the order of preference among nodes that could start at the same moment."""

    def ranks(
        self, inputs: Sequence[Sequence[int]], seconds: Callable[[int], float | None] | None
    ) -> Sequence[int]:
        """A rank for each node; the lower starts first, and no two are equal.

        For a large graph it is asked in a thread beside the loop.

        Args:
            inputs: by node, the indexes of the nodes before it, all lower than its own.
            seconds: by node, how long it took in earlier runs, where known.
        """
        ...


class Job(Protocol):
    """One attempt of one node, as an executor sees it."""

    def begin(self) -> Callable[[], Any] | None:
        """Look a last time whether it may start. None: not now, forget it.

        Otherwise the call to make. Until this moment a pause still holds it.
        """
        ...

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        """Hand in the outcome. A job that comes back is for this worker to go straight on with."""
        ...


class Executor(Protocol):
    """Where bodies of sync tasks execute; `engine.dispatch.workers` says what else it may have."""

    @property
    def capacity(self) -> int:
        """How many jobs can be under way at once, not counting those that were given up."""
        ...

    def submit(self, job: Job) -> None:
        """Start `job` in a worker and return at once."""
        ...

    def close(self) -> None:
        """Let idle workers end; those that are busy end after their job."""
        ...


class Lease(NamedTuple):
    """The right to write about a run, which one owner has at a time.

    Attributes:
        run_id: which run.
        owner: who has it, in words: "kernel 4711 on ada, report.ipynb".
        fence: grows with every new owner; what comes with a lower one is refused.
    """

    run_id: str
    owner: str
    fence: int


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


class RunRecord(NamedTuple):
    """A run as its journal tells it.

    Attributes:
        run_id: its identity.
        title: what a person calls it.
        owner: who has its lease, or had it last.
        started: when it began, in seconds since the epoch.
        status: "running", or how it ended: "succeeded", "failed", "cancelled".
        total: how many nodes there are to run.
        lease_left: seconds until somebody else may take it over; at most zero when nobody has it.
    """

    run_id: str
    title: str
    owner: str
    started: float
    status: str
    total: int
    lease_left: float


class Journal(Protocol):
    """Keeps what a run needs to be taken up again, by whoever holds its lease.

    Every method may raise `StateError` when the place cannot be reached or written, and one that is
    given a lease `LeaseLostError` when another owner has it.
    """

    async def claim(self, run_id: str, owner: str, ttl: float) -> Lease:
        """Take the lease of a run for `ttl` seconds, with a new fence. One that an owner let run
        out, did not renew (`leases`) or released is free; its own is renewed with a new fence.

        Raises:
            LeaseHeldError: somebody else has it; the message names them.
        """
        ...

    async def renew(self, lease: Lease, ttl: float) -> None:
        """Have it for `ttl` more seconds from now on."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let it go; nothing happens when it is another's already."""
        ...

    async def describe(self, lease: Lease, title: str, started: float, total: int) -> None:
        """Enter the run among `runs`, as "running"."""
        ...

    async def finish(self, lease: Lease, status: str) -> None:
        """Say how it ended."""
        ...

    async def write(self, lease: Lease, part: str, value: Any) -> None:
        """Keep a part of what the run is made of, in the place of an earlier one of this name.

        Raises:
            CodecError: the value has no bytes.
        """
        ...

    async def read(self, run_id: str, part: str) -> Any:
        """A part that was written.

        Raises:
            KeyError: there is none, or it may not be read.
        """
        ...

    async def append(self, lease: Lease, lines: Sequence[str]) -> None:
        """Add lines of text to the run's history, all of them or none."""
        ...

    async def history(self, run_id: str) -> list[str]:
        """Every line, in order."""
        ...

    async def runs(self) -> list[RunRecord]:
        """All that is written down, latest first."""
        ...

    async def forget(self, run_id: str) -> None:
        """Drop everything about a run but the results that it kept by fingerprint."""
        ...


@runtime_checkable
class Connector(Protocol):
    """Carries constraints in and telemetry out.

    Topics are words with '/' between them; a filter may have '+' for one word and '#' at its end
    for any number. Messages of one publisher arrive in order.

    Two more methods are used where it has them: `async lost()` returns when the connection is gone,
    with why; `async publish_all(messages)` publishes several pairs of topic and payload, in order,
    without waiting for the other side between them.
    """

    async def connect(self) -> None:
        """Get ready to publish and subscribe.

        Raises:
            OSError: the other side cannot be reached.
        """
        ...

    async def disconnect(self) -> None:
        """Send what is under way, then leave; subscriptions are forgotten."""
        ...

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        """Hand a message on; a retained one goes to later subscribers too; an empty one forgets it.

        Raises:
            PermissionError: the other side does not take it, and goes on otherwise.
            OSError: the connection is gone.
        """
        ...

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` awaited with each message of these topics, retained ones first, on the
        loop and in the thread of the connector's choice.

        Raises:
            OSError: the connection is gone.
        """
        ...
