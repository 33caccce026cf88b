"""Declares what the parts of a run ask of each other, as protocols of a few methods.

A run's state (`run_state`) holds one of each; `runs.flow` says which classes they are. Everything
here is called under the engine's lock, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from cascade_nb.control.gates import Ticket
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Node


class Request(Protocol):
    """What a run was asked for beyond its graph."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The values of parameters, by name."""

    @property
    def bindings(self) -> Bindings | None:
        """What names mean."""

    @property
    def on_error(self) -> str:
        """Whether a failure stops the run: "stop" or "continue"."""


class InFlight(Protocol):
    """An attempt at a node, while it is under way.

    Attributes:
        index, number: at which node, and the how manieth.
        started: when it began, on the engine's clock; None before that.
        stop, abandoned: whether it was asked to end, and whether it counts no longer.
        replaced: whether another thread has its place.
        wake: for one on the loop, what ends its wait at a checkpoint.
    """

    index: int
    number: int
    ticket: Ticket
    started: float | None
    stop: bool
    abandoned: bool
    replaced: bool
    wake: Callable[[], object] | None

    @property
    def in_thread(self) -> bool:
        """Whether its body runs where nothing can stop it."""

    @property
    def resting(self) -> bool:
        """Whether it waits at a checkpoint."""


class NestedRun(Protocol):
    """A run that a task has started."""

    @property
    def number(self) -> int:
        """It is the n-th of its engine."""

    @property
    def in_words(self) -> str:
        """Which run it is, and how it goes."""

    def cancel(self, reason: str = "", *, within: float | None = None) -> None:
        """End it; see `Run.cancel`."""

    def rests(self, manager: ConstraintManager) -> bool:
        """Whether it goes by these constraints and nothing of it is under way; under their lock."""


class Edited(Protocol):
    """What a run knows of edits.

    Attributes:
        looking: whether the run is held for a look at them.
    """

    looking: bool

    @property
    def unseen(self) -> bool:
        """Whether something may have been edited that the run does not know of."""


class Publisher(Protocol):
    """Tells the bus; see `observing.event_publisher`."""

    def started(self, index: int, attempt: int) -> None:
        """An attempt begins; asked only when somebody listens."""

    def finished(
        self,
        index: int,
        status: str,
        duration: float,
        attempt: int,
        error: BaseException | str | None,
    ) -> None:
        """A node is over: completed, failed or cancelled."""

    def skipped(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""

    def all_skipped(self, indexes: Sequence[int], reason: str, detail: str) -> None:
        """None of these will, for one reason."""

    def retrying(
        self, index: int, attempt: int, most: int, delay: float, error: BaseException
    ) -> None:
        """An attempt failed and another follows."""

    def blocked(self, index: int, ticket: Ticket) -> None:
        """A constraint does not let a node start."""

    def progress(self, index: int, done: int, total: int | None) -> None:
        """A running task says how far it is."""

    def forget_names(self) -> None:
        """A place in the run is used for another node."""


class Queues(Protocol):
    """Where ready nodes wait for where they run; see `dispatch.workers`."""

    def push(self, index: int, queue: str, rank: int) -> None:
        """A node is ready for its queue."""

    def push_all(self, keys: list[int], queue: str) -> None:
        """Many are, as numbers of rank and index."""

    def clear(self) -> None:
        """Nothing more is to start."""

    def pump_soon(self) -> None:
        """Let everything that may start now start."""


class Places(Protocol):
    """The free places in threads; see `dispatch.workers`."""

    def replace(self, attempt: InFlight) -> None:
        """The thread of an attempt may never end: another takes its place."""

    def pump(self) -> None:
        """Give every free worker something to do, while there is something."""


class Saver(Protocol):
    """Takes results where they are kept; see `storage.result_saver`.

    Attributes:
        under_way: how many are not safe yet.
    """

    under_way: int

    def keep(self, index: int, number: int, took: float, result: Any, tell: bool = True) -> None:
        """Keep a result where it must be, and only then call its node completed."""

    def again(self) -> None:
        """Put once more what was refused."""

    def give_up(self) -> None:
        """Wait no longer for what was refused."""


class TakesOutcomes(Protocol):
    """Takes what came of nodes to the scheduler; see `runs.outcomes`."""

    def finish(self, index: int, result: Any) -> None:
        """A node that runs has its result, and it is safe."""

    def fail(self, index: int, error: BaseException, number: int = 1) -> None:
        """A node failed for good."""


class Skips(Protocol):
    """What an end means for others; see `skips`."""

    def skip(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""

    def because_of(self, index: int, *readers: int) -> tuple[str, str]:
        """Reason and words for the skip of what cannot run without this node."""

    def after_end(self, index: int, ready: list[int], others: Sequence[int]) -> None:
        """A node was skipped or failed: tell what needed it."""

    def prune(self, idle: list[int]) -> None:
        """Nobody will ever ask for these."""

    def bad_source(self, index: int, sources: Sequence[int]) -> int | None:
        """The first of these that is over in such a way that a node cannot run."""


class ContinuedNodes(Protocol):
    """The nodes whose results will be made of others'; see `continuation`."""

    def __contains__(self, index: int) -> bool: ...

    def awaited(self) -> Collection[int]:
        """The nodes whose body is over and whose result is not there."""

    def continue_with(self, index: int, result: Any, number: int, took: float) -> None:
        """An attempt returned lazy values."""

    def left(self, index: int) -> tuple[int, float]:
        """A node waits no longer; gives the attempt and the seconds that it had before."""


class Expands(Protocol):
    """Grows the items of mapped nodes; see `storage.expander`.

    Attributes:
        grown: by index of mapped nodes, what they grew into.
        since: by index, when, in seconds since the epoch.
    """

    grown: dict[int, Expansion]
    since: dict[int, float]

    def expand(self, index: int, node: Node) -> None:
        """The collections of a mapped node are there."""


class Unfolds(Protocol):
    """What becomes of ready nodes; see `control_flow`."""

    @property
    def continuations(self) -> ContinuedNodes:
        """The nodes whose result will be another's."""

    @property
    def expander(self) -> Expands:
        """Grows the items of mapped nodes."""

    def arrive(self, ready: Sequence[int]) -> None:
        """Nodes have become ready."""

    def continued(self, index: int, targets: Sequence[int]) -> None:
        """The result of a node will be made of those of others."""

    def skip_later(self, index: int, reason: str, detail: str) -> None:
        """A node is to be skipped, when what led to it is done."""

    def begin_anew(self, index: int) -> None:
        """A place is used for another node."""

    def root_of(self, index: int) -> int:
        """The node of the original graph that this one belongs to."""

    def needs_of(self, index: int) -> Mapping[str, float] | None:
        """What it needs of the engine's resources."""

    def is_expanded(self, index: int) -> bool:
        """Whether it is a mapped node whose items are there."""

    def items(self, index: int) -> range:
        """The items of a mapped node."""

    def take_kept(self, index: int, value: Any) -> None:
        """A ready node has the result that an earlier run made."""

    def finish(
        self, index: int, value: Any, number: int = 1, took: float = 0.0, tell: bool = False
    ) -> None:
        """A node that has no body, or whose body is long over, has its result."""


class Files(Protocol):
    """What results were made of; see `files.run_files`.

    Attributes:
        of: by index, what each result was made of.
    """

    of: dict[int, Stamps]

    def tracks(self, index: int) -> bool:
        """Whether the files of a node count."""

    def owner(self, index: int) -> str:
        """The name of a node's task."""

    def met(self, index: int, stamps: Stamps) -> None:
        """An attempt that came to a result met these files."""

    def collect(self, index: int) -> Stamps:
        """A node has its result, or was skipped: all that it was made of, or decided by."""

    def by_position(self, items: range) -> Mapping[int, Stamps]:
        """What those items of a mapped node that have a result were made of."""

    def hand_on(self, index: int, heir: int) -> None:
        """What one was made of, the other is made of too."""

    def forget(self, index: int) -> None:
        """A place is used for another node."""


class Keyed(Protocol):
    """The keys of results; see `storage.result_keys`.

    Attributes:
        of: by index, for each node whose result is worth keeping.
    """

    of: dict[int, str]


class Shared(Protocol):
    """What a run shares with other kernels; see `storage.sharing`.

    Attributes:
        found: the nodes whose results others have made.
    """

    found: set[int]

    def over(self, index: int) -> None:
        """A node is over, well or badly."""

    def close(self) -> None:
        """The run is over."""
