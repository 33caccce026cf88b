"""What the engine asks of its parts; any object of these shapes fits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

Callback: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""What a connector calls with the topic and payload of each message."""


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
    """Where the bodies of sync tasks execute."""

    @property
    def capacity(self) -> int:
        """How many jobs can be under way at once; the engine never submits more."""
        ...

    def submit(self, job: Job) -> None:
        """Start `job` in a worker and return at once."""
        ...

    def close(self) -> None:
        """Let idle workers end; those that are busy end after their job."""
        ...


class StateBackend(Protocol):
    """Keeps results by fingerprint.

    Attributes:
        instant: True where `put` has kept the value when it returns, from any thread; else it
            returns an awaitable that is done when the value is safe.
        keeps_all: True where every result is worth keeping, False where only those of named nodes
            and of targets are.
    """

    instant: bool
    keeps_all: bool

    async def open(self) -> None:
        """Get ready; called before a run, any number of times.

        Raises:
            OSError: the place cannot be reached or written.
        """
        ...

    def put(self, key: str, value: Any, seconds: float) -> Awaitable[None] | None:
        """Keep `value`, which took `seconds` to compute, under `key`."""
        ...

    async def known(self, keys: Sequence[str]) -> Mapping[str, float]:
        """Those of `keys` that have a value here, with the seconds it took."""
        ...

    async def get(self, key: str) -> Any:
        """The value under `key`.

        Raises:
            KeyError: there is none (any more).
        """
        ...

    async def close(self) -> None:
        """Release everything held; what was kept stays where it lasts."""
        ...


@runtime_checkable
class Connector(Protocol):
    """Carries constraints in and telemetry out.

    Topics are words with '/' between them; a filter may have '+' for one word and '#' at its end
    for any number. Messages of one publisher arrive in order.
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

    async def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        """Hand a message on; a retained one is given to later subscribers too, an empty one forgets
        it.

        Raises:
            OSError: the connection is gone.
        """
        ...

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` awaited with each message of these topics, retained ones first.

        Raises:
            OSError: the connection is gone.
        """
        ...


class Subscriber(Protocol):
    """What a bus can call."""

    def __call__(self, event: Any, /) -> object:
        """Hear of an event; what it raises is warned about once."""
        ...
