"""Declares what the parts that serve a run may see and use of it: its state, its parts, its moves.

Everything here is used under the engine's lock, from the loop or from a worker, unless it says
otherwise. That one lock is what makes a pause exact: constraints change under it and starts happen
under it, so that no start can slip between a pause and its acknowledgement.
"""

from __future__ import annotations

import abc
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from cascade_nb.control.gates import Ticket
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.core.run_state import Request
from cascade_nb.engine.loops.services import LoopServices
from cascade_nb.errors import LeaseLostError
from cascade_nb.file_stamps import Stamps
from cascade_nb.model.params.question import Question
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import StateBackend


class InFlight(Protocol):
    """An attempt at a node, while it is under way.

    Attributes:
        index, number: at which node, and the number of the attempt there.
        started: when it began, on the engine's clock; None before that.
        stop, abandoned: whether it was asked to end, and whether it counts no longer.
        replaced: whether another thread has its place.
        wake: for one on the loop, what ends its wait at a checkpoint.
        rests_since: since when it stands still, at a checkpoint or suspended.
    """

    @property
    def workers(self) -> Places | None:
        """Of whose places it has one; None on the loop."""

    index: int
    number: int
    ticket: Ticket
    started: float | None
    stop: bool
    abandoned: bool
    replaced: bool
    wake: Callable[[], object] | None
    rests_since: float | None

    @property
    def in_process(self) -> bool:
        """Whether its body runs in another process."""

    @property
    def on_cluster(self) -> bool:
        """Whether its body runs on a cluster."""

    @property
    def runs_through_pauses(self) -> bool:
        """Whether its body runs in another process that nothing can suspend."""

    @property
    def suspendable(self) -> int | None:
        """The number of its process, where it may be suspended there."""

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
    """Tells the bus; see `reporting.event_publisher`."""

    def started(self, index: int, attempt: int) -> None:
        """An attempt begins; asked only when somebody listens."""

    def completed(self, index: int, duration: float, attempt: int) -> None:
        """A node has its result; asked only when somebody listens."""

    def finished(
        self,
        index: int,
        status: str,
        duration: float,
        attempt: int,
        error: BaseException | str | None,
    ) -> None:
        """A node is over in another way: failed or cancelled."""

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

    def asked(self, index: int, question: Question, timeout: float | None) -> None:
        """A node waits for an answer."""

    def answered(self, index: int, answer: str, by: str, waited: float) -> None:
        """It has one."""

    def forget_names(self) -> None:
        """A place in the run is used for another node."""


class Queues(Protocol):
    """Where ready nodes wait for where they run; see `dispatch.ready_queues`."""

    def add(self, ready: Sequence[int]) -> None:
        """Nodes are ready for their queues."""

    def clear(self) -> None:
        """Nothing more is to start."""

    def pump_soon(self) -> None:
        """Let everything that may start now start."""


class Places(Protocol):
    """The free places of an executor; see `dispatch.ready_queues`."""

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
        """Attempt `number` at a node took `took` seconds and gave `result`: keep it, and then call
        the node completed.
        """


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


class DrivenRun(abc.ABC):
    """A run at work.

    Attributes:
        run_id: its identity.
        core: how its nodes stand; written by its own moves alone.
        services: what the engine lends it.
        lock: the engine's.
        state: where results are kept.
        request: what was asked for.
        lease: the right to write about this run, where runs are journaled.
        depth: how many runs are above this one, each of which has started the next.
        in_flight: what is admitted, by ticket.
        nested: the runs that its tasks have started, and which attempt did.
        within: the tickets of the tasks in whose bodies the run was started, the outermost first.
        inline, inline_ticket: what runs in a slice just now, with the ticket if it has one.
        last_end: when an attempt ended last, on the engine's clock.
        rested: seconds in which all was paused and nothing ran.
        on_lost: called, on whatever thread, when another kernel has taken the run over.
        is_over: whether nothing more will happen.
        tell, queues, saver, files, keys, sharing, edits: what serves it; `runs.driver` says which.
    """

    run_id: str
    core: RunCore
    services: LoopServices
    lock: threading.RLock
    state: StateBackend
    request: Request
    lease: Lease | None
    depth: int
    in_flight: Mapping[Ticket, InFlight]
    nested: Mapping[NestedRun, InFlight]
    within: tuple[Ticket, ...]
    inline: int | None
    inline_ticket: Ticket | None
    last_end: float
    rested: float
    on_lost: Callable[[LeaseLostError], None]
    is_over: bool
    tell: Publisher
    queues: Queues
    saver: Saver
    files: Files
    keys: Keyed
    sharing: Shared | None
    edits: Edited

    @abc.abstractmethod
    def moving(self) -> contextlib.AbstractContextManager[None]:
        """What is done inside moves the run, from whatever thread, without the lock: it is taken,
        and what follows is carried out. What goes wrong breaks the run off.
        """

    @abc.abstractmethod
    def settle(self) -> None:
        """Carry out what follows from moves, notice the end, and let start what may."""

    @abc.abstractmethod
    def end_if_done(self) -> None:
        """Notice that nothing more will happen."""

    @abc.abstractmethod
    def completed(self, index: int, number: int, took: float, result: Any, tell: bool) -> None:
        """The result of a node is safe where it must be; a move, to be settled."""

    @abc.abstractmethod
    def outcome(
        self,
        index: int,
        number: int,
        took: float,
        result: Any,
        error: BaseException | None,
        stopped: bool = False,
    ) -> None:
        """Attempt `number` at a node took `took` seconds and gave this; a move, to be settled."""

    @abc.abstractmethod
    def break_off(self, error: BaseException) -> None:
        """This machinery went wrong: end the run with that, or who waits would wait for ever."""
