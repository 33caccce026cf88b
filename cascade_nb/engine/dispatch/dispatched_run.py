"""Declares what attempts see of their run: what an attempt is, and whom it asks."""

from __future__ import annotations

import abc
import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cascade_nb.concurrency.cluster_protocols import HearsOfCluster
from cascade_nb.concurrency.process_protocols import ProcessListener
from cascade_nb.control.gates import Ticket, TicketOwner
from cascade_nb.engine.core.driven_run import DrivenRun, InFlight, NestedRun, Places, Queues, Shared
from cascade_nb.engine.dispatch.resources import ResourceManager
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.run_files import RunFiles
from cascade_nb.engine.timing.attempt_times import AttemptTimes
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.protocols.execution import Executor, Job


class Started(InFlight, Protocol):
    """An attempt that may have begun; see `attempt.Attempt`.

    Attributes:
        late: whether its time is up.
        task: what it runs in, on the loop.
        timer: cancels the call at the end of its time.
        files: what it opened; None for nothing.
    """

    late: bool
    task: asyncio.Task[None] | None
    timer: Callable[[], object] | None
    files: OpenedFiles | None

    @property
    def workers(self) -> PlacesInThreads | None:
        """Of whose places it has one; None on the loop."""

    @property
    def driver(self) -> DrivenRun:
        """Whose node it is."""

    @property
    def goes_on(self) -> str:
        """What to say of its body where it cannot be ended."""

    def end_now(self) -> bool:
        """End it, if it can be; False where it goes on."""

    @property
    def on_cluster(self) -> bool:
        """Whether its body runs on a cluster."""

    def worked(self, now: float) -> float:
        """Seconds that it has run until `now`."""

    def pause_came(self) -> None:
        """Stand still where a pause is about it, if it can."""

    def wake_up(self) -> None:
        """What rests is to look again."""

    def cancel(self) -> None:
        """End it, if it can be: a coroutine that has begun, a body in another process."""


class Admits(TicketOwner, Protocol):
    """Lets attempts begin; see `admission`."""

    def begin(self, attempt: Started) -> Call | None:
        """The call to make; None when it may not start now after all."""

    def start(self, attempt: Started) -> Call | None:
        """The same for what was admitted under this hold of the lock."""


class AsksLoops(Queues, Protocol):
    """Has the loops begin what they run; see `ready_queues`."""

    def ask_loops(self) -> None:
        """Have the loops begin what they run."""

    def pump_coroutines_later(self) -> None:
        """Let coroutines start, by a loop that has other things to do first."""


class PlacesInThreads(Places, Protocol):
    """The free places of an executor; see `ready_queues`.

    Attributes:
        executor: whose they are.
        free, lost: how many are free, and how many may never be again.
    """

    executor: Executor
    free: int
    lost: int

    def next_after(self, attempt: Started) -> Job | None:
        """What the worker of an attempt that is over goes straight on with, begun."""

    def give_back(self) -> None:
        """A worker has nothing to do after all."""


class MadeElsewhere(Protocol):
    """What another kernel has made."""

    @property
    def value(self) -> Any:
        """The result."""


class AsksOthers(Shared, Protocol):
    """What a run shares with other kernels; see `storage.sharing`."""

    @property
    def waiting(self) -> Mapping[int, str]:
        """By index, which kernel computes what is waited for just now."""

    async def before(self, attempt: Started) -> MadeElsewhere | None:
        """Before a body begins: what another kernel has made of this node."""

    def before_in_thread(self, attempt: Started) -> MadeElsewhere | None:
        """`before`, for a worker thread."""


class RunsElsewhere(Protocol):
    """Has functions run in other processes, here or on a cluster."""

    def variables(self, context: contextvars.Context) -> list[bytes]:
        """Pickles of the variables of a context, and their values, that can go there."""

    def obstacle(self, value: Any, name: str) -> str | None:
        """What in a value cannot go there, in words; None for nothing."""


class RunsOnCluster(RunsElsewhere, Protocol):
    """An executor whose jobs are carried to a cluster, and whose results may stay there."""

    @property
    def capacity(self) -> int:
        """How many jobs can be under way at once, just now."""

    @property
    def address(self) -> str | None:
        """Where the scheduler is; None where there is none."""

    @property
    def dashboard(self) -> str | None:
        """Where it shows what it does; None where it does not."""

    @property
    def lacks(self) -> str | None:
        """What is missing that anything could run there, in words; None where nothing is."""

    def submit(self, job: Any) -> None:
        """Hand a `ClusterJob` over when there is room, and return at once."""

    def cancel(self, job: Any) -> None:
        """Drop a job, or have it stop at its next checkpoint."""

    def ask_back(self, job: Any) -> threading.Event | None:
        """Have a job back that its worker has not begun: it is told that it is lost. Gives what is
        set when its worker has said so, and begins it never; None where there is none to ask.
        """

    def connect(self) -> None:
        """Have a cluster that answers and fits; not for a loop.

        Raises:
            ClusterError: it does not; the message says what to do.
        """

    def listen(self, listener: HearsOfCluster) -> None:
        """Have somebody told what happens to it."""

    def close(self) -> None:
        """Leave it."""


class RunsInProcesses(Executor, RunsElsewhere, Protocol):
    """An executor whose jobs may have functions run in other processes.

    Attributes:
        remote: that it is one.
        ends: whether what runs there can be ended.
        keeps: whether its processes are somebody else's, and what is set there for them stays.
    """

    remote: bool
    ends: bool
    keeps: bool

    def run(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        listener: ProcessListener | None,
        shared: tuple[Any, ...] = (),
    ) -> Any:
        """What `function` gives there, called with a channel, `shared` and `args`. The first of
        these are the same for many calls: values that nobody changes, and last a function.

        Raises:
            BaseException: what it raised.
            TransferError: something cannot go there or come back.
            ProcessError: the process did not start, or ended.
        """


class DispatchedRun(DrivenRun):
    """A run, with what attempts ask for and with what their ends do.

    Attributes:
        lent: the tickets of tasks that wait for runs of their own.
        context: where bodies run.
        resources: what tasks borrow.
        resting: notified when what rests at a checkpoint is to look again.
        times: when attempts were under way.
    """

    times: AttemptTimes
    queues: AsksLoops
    files: RunFiles
    resources: ResourceManager
    sharing: AsksOthers | None
    admission: Admits
    in_flight: dict[Ticket, Started]
    nested: dict[NestedRun, Started]
    lent: set[Ticket]
    context: contextvars.Context
    resting: threading.Condition

    @abc.abstractmethod
    def said(self, runner: RunsElsewhere) -> bytes:
        """What was said of logging and warnings, for bodies in other processes.

        Args:
            runner: what runs them.
        """

    @abc.abstractmethod
    def ended(
        self, attempt: Started, took: float, result: Any, error: BaseException | None
    ) -> None:
        """An attempt is over after `took` seconds, for better or worse. A move, with all that
        follows; only pumping is left to whoever called, who may have something to go on with.
        """

    @abc.abstractmethod
    def follow(self) -> None:
        """Carry out what follows from the end of an inline node, while others of them run."""

    @abc.abstractmethod
    def gave_up(self) -> None:
        """An attempt that was admitted does not begin, since the run stops."""

    @abc.abstractmethod
    def cancel_nested(
        self, reason: str, of: InFlight | None = None, within: float | None = None
    ) -> None:
        """End the runs that its tasks have started, or that one attempt has."""

    @abc.abstractmethod
    def wake_resting(self) -> None:
        """Have every task that rests at a checkpoint look again."""

    @abc.abstractmethod
    def carry_out(self) -> None:
        """Carry out what follows from moves."""

    @abc.abstractmethod
    def pause_lifting(self) -> None:
        """A pause is about to go: what was edited meanwhile is looked at before anything starts."""

    @abc.abstractmethod
    def pause_came(self) -> None:
        """There is another pause: what can be suspended stands still from now on."""

    @abc.abstractmethod
    def look_again(self) -> None:
        """A constraint is gone: what rests at a checkpoint, or waits to be kept, looks again."""


class ClusteredRun(DispatchedRun):
    """A run of which something may run on a cluster.

    Attributes:
        deaths: by index, how often a worker was lost with it; less for each where others were, too.
        lost_values: by index, what stood for results that are lost and made again.
    """

    deaths: dict[int, float]
    lost_values: dict[int, Elsewhere]

    @abc.abstractmethod
    def comes_here(self, index: int) -> bool:
        """Whether the result of a node is wanted here, however large it is."""

    @abc.abstractmethod
    def begin_anew(self, attempt: Started, why: str) -> None:
        """An attempt was lost, or was not begun: its node is ready again. `why` is "" for that."""

    @abc.abstractmethod
    def timed_out_there(self, index: int, error: BaseException | None) -> BaseException:
        """What is raised for a body there that took longer than it may.

        Args:
            index: whose.
            error: what became of it there.
        """
