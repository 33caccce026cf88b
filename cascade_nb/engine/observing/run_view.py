"""Declares what observers see of a run: its state, to be read and never written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from cascade_nb.control.gates import Ticket, TicketOwner
from cascade_nb.engine.asking.questions import Questions
from cascade_nb.engine.core.driven_run import InFlight, NestedRun
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.dispatch.workers import Workers
from cascade_nb.engine.loops.services import LoopServices
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.timing.attempt_times import AttemptTimes
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols.execution import Executor


class QueuesView(Protocol):
    """What is seen of where ready nodes wait."""

    def workers_for(self, queue: str) -> PlacesView:
        """Whose places those are that a queue is for."""

    @property
    def elsewhere(self) -> Mapping[Workers, Sequence[int]]:
        """What is ready, by the places that are not the engine's threads."""

    @property
    def loop_is_held_up(self) -> bool:
        """Whether coroutines could begin and their loop does not come to it."""


class PlacesView(Protocol):
    """What is seen of the places of an executor."""

    @property
    def executor(self) -> Executor:
        """Whose they are."""

    @property
    def lost(self) -> int:
        """How many threads may never end."""


class SaverView(Protocol):
    """What is seen of results on their way to the state backend."""

    @property
    def refused(self) -> int:
        """How many wait for the backend to be mended."""

    @property
    def unwritable(self) -> Mapping[int, str]:
        """By index, why a result cannot be written down."""


class SharingView(Protocol):
    """What other kernels compute for a run."""

    @property
    def waiting(self) -> Mapping[int, str]:
        """By index, which kernel computes what is waited for just now."""


class FilesView(Protocol):
    """What results were made of."""

    @property
    def of(self) -> Mapping[int, Stamps]:
        """By index, what each result was made of."""


class KeysView(Protocol):
    """By what results are kept."""

    @property
    def of(self) -> Mapping[int, str]:
        """By index, for each node whose result is worth keeping."""


class RunView(Protocol):
    """A run at work, as `runs.driver.RunDriver` has it.

    Everything is read under the engine's lock.
    """

    @property
    def core(self) -> RunCore:
        """How its nodes stand; not to be moved."""

    @property
    def services(self) -> LoopServices:
        """What the engine lends it."""

    @property
    def queues(self) -> QueuesView:
        """Where ready nodes wait."""

    @property
    def saver(self) -> SaverView:
        """Results on their way to where they are kept."""

    @property
    def questions(self) -> Questions:
        """What it asks."""

    @property
    def times(self) -> AttemptTimes:
        """When attempts were under way."""

    @property
    def left(self) -> Callable[[RunView], float | None]:
        """Estimates the seconds until it is over; None where nobody knows."""

    @property
    def files(self) -> FilesView:
        """What results were made of."""

    @property
    def keys(self) -> KeysView:
        """By what they are kept."""

    @property
    def sharing(self) -> SharingView | None:
        """What other kernels compute for it, where it shares its work."""

    @property
    def admission(self) -> TicketOwner:
        """Whose its tickets are."""

    @property
    def within(self) -> Collection[Ticket]:
        """The tickets of the tasks in whose bodies it was started."""

    @property
    def in_flight(self) -> Mapping[Ticket, InFlight]:
        """What is admitted."""

    @property
    def nested(self) -> Mapping[NestedRun, InFlight]:
        """The runs that its tasks have started, and which attempt did."""

    @property
    def lent(self) -> AbstractSet[Ticket]:
        """The tickets of tasks that wait for runs of their own."""

    @property
    def failures(self) -> Sequence[Failure]:
        """What failed for good."""

    @property
    def inline(self) -> int | None:
        """What runs in a slice just now."""

    @property
    def began(self) -> float:
        """When it began, on the engine's clock."""

    @property
    def last_end(self) -> float:
        """When something ended last."""

    @property
    def rested(self) -> float:
        """Seconds in which all was paused and nothing ran."""


class ObservedRun(Protocol):
    """The handle of a run, as those see it that tell how it goes."""

    @property
    def id(self) -> str:
        """Its identity."""

    @property
    def number(self) -> int:
        """It is the n-th of its engine."""

    @property
    def graph(self) -> Graph:
        """What runs."""

    @property
    def parent(self) -> str | None:
        """The id of the run whose task has started it."""

    @property
    def edits(self) -> tuple[str, ...]:
        """Names of what was edited and taken up while it was held."""

    @property
    def kept(self) -> Mapping[int, str]:
        """By index of maps that came to no end, what of them is kept."""

    @property
    def outcome(self) -> Phase | None:
        """How it ended; None while it goes on."""

    @property
    def ended_at(self) -> float | None:
        """When it ended, on the engine's clock."""

    def exception(self) -> BaseException | None:
        """What it ended with instead of a value."""

    @property
    def still_running(self) -> tuple[str, ...]:
        """Labels of tasks whose threads it could not stop."""
