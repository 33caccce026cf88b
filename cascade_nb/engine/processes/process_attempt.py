"""Runs one attempt at one node in another process, which can be suspended and ended."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from contextvars import Context
from typing import Any

from cascade_nb.concurrency.process_protocols import ProcessHandle
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.devices import VISIBLE, gpus_of
from cascade_nb.engine.dispatch.attempt import ThreadAttempt
from cascade_nb.engine.dispatch.checkpoint import begin_rest, end_rest
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun, RunsElsewhere, RunsInProcesses
from cascade_nb.engine.dispatch.timeouts import timed_out
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.remote_files import FilesToNote
from cascade_nb.engine.processes.remote_body import run_body
from cascade_nb.engine.processes.surroundings import place_here, said_in
from cascade_nb.engine.processes.told_here import ToldHere
from cascade_nb.errors import RunCancelledError
from cascade_nb.file_stamps import Stamps
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.arguments.watched import called_elsewhere
from cascade_nb.protocols.execution import Job


class ProcessAttempt(ThreadAttempt):
    """An attempt whose body runs in another process, while a thread here waits for it.

    Attributes:
        began: whether its body has begun; until then its process may have to be started, which is
            none of its own time.
        process: where it runs, while it does.
        cpu, memory: what it used: seconds of processor time, and bytes at the peak.
    """

    __slots__ = ("began", "cpu", "memory", "process")

    in_process = True
    in_thread = False

    def __init__(self, driver: DispatchedRun, index: int, ticket: Ticket, number: int) -> None:
        super().__init__(driver, index, ticket, number)
        self.began = False
        self.process: ProcessHandle | None = None
        self.cpu = 0.0
        self.memory = 0

    @property
    def runs_through_pauses(self) -> bool:
        """Whether nothing can suspend it there."""
        return self.started is not None and not self.resting and not self._runner.ends

    @property
    def goes_on(self) -> str:
        """What to say of its body where it cannot be ended."""
        name = getattr(self._runner, "name", "executor")
        return f"the {name} cannot end it and it goes on"

    def end_now(self) -> bool:
        """End it, also before it has begun there; False where it has and goes on."""
        if self.process is not None and not self.process.kill():
            return self._runner.ends
        return True

    def worked(self, now: float) -> float:
        """Seconds that its body has run until `now`."""
        return super().worked(now) if self.began else 0.0

    @property
    def suspendable(self) -> int | None:
        """The number of its process, while it may be suspended there."""
        if self.process is None or not self._runner.ends:
            return None
        if not self.driver.core.options_of(self.index).suspend:
            return None
        return self.process.pid

    def cancel(self) -> None:
        """End it at once, with all that it started; under the lock."""
        if self.process is not None:
            self.process.kill()

    def pause_came(self) -> None:
        """Suspend it where a pause is about it; under the lock."""
        if self.process is None or self.resting or not self._is_paused():
            return
        if self.driver.core.options_of(self.index).suspend and self.process.suspend():
            begin_rest(self)

    def wake_up(self) -> None:
        """Let it go on where no pause is about it any more; under the lock."""
        if self.process is not None and self.resting and not self._is_paused():
            end_rest(self)
            self.process.resume()

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        """Hand in the outcome; gives the attempt that this worker goes straight on with, if any."""
        with self.driver.lock:
            self.process = None
            if self.resting:
                end_rest(self)
            kind = self.driver.core.kinds.of[self.index]
            kind.cpu += self.cpu
            kind.memory = max(kind.memory, self.memory)
            if self.late:
                result, error = None, timed_out(self.driver, self.index)
            elif self.stop and error is not None:
                label = self.driver.core.label(self.index)
                error = RunCancelledError(f"{label} was ended, since it was cancelled")
        return super().end(result, error)

    def _call_body(self, call: Call) -> Any:
        driver, runner = self.driver, self._runner
        kind, options = driver.core.kinds.of[self.index], driver.core.options_of(self.index)
        files = FilesToNote(options.track_files, kind.files, kind.mentions, kind.name)

        def elsewhere(fn: Callable[..., Any]) -> tuple[Any, Stamps]:
            there, said = place_here(runner.keeps), driver.said(runner)
            gpus = gpus_of(self)
            if gpus:
                own = {**there.variables, VISIBLE: ",".join(gpus)}
                there = there._replace(variables=own)
            shared = (there, said, tuple(files), gpus, fn)
            args = (call.args, call.kwargs)
            outcome: tuple[Any, Stamps] = runner.run(run_body, args, _Ear(self), shared)
            return outcome

        result, met = called_elsewhere(call.fn, elsewhere)
        self.files = OpenedFiles.of(met)
        return result

    @property
    def _runner(self) -> RunsInProcesses:
        assert self.workers is not None
        runner: Any = self.workers.executor
        return runner  # type: ignore[no-any-return]

    def _is_paused(self) -> bool:
        return self.driver.services.manager.stands_still(self.ticket) is not None


class _Ear:
    """Hears of one body, in the context of its attempt: what is written goes where it would if the
    body ran here.
    """

    def __init__(self, attempt: ProcessAttempt) -> None:
        self._attempt = attempt
        self._told = ToldHere(attempt)

    def began(self, process: ProcessHandle) -> None:
        """It is about to begin."""
        attempt = self._attempt
        with attempt.driver.lock:
            assert attempt.started is not None
            if attempt.resting:  # suspended in a process that ended before it began there
                end_rest(attempt)
            attempt.rested = attempt.driver.services.clock.now() - attempt.started
            if attempt.stop or attempt.abandoned or attempt.late:
                label = attempt.driver.core.label(attempt.index)
                raise RunCancelledError(f"{label} was cancelled before it began")
            attempt.process, attempt.began = process, True
            attempt.pause_came()

    def wrote(self, stream: str, text: str) -> None:
        """It wrote something."""
        getattr(sys, stream).write(text)

    def told(self, message: Any) -> None:
        """It logged or warned, or says how far it is."""
        self._told.hear(*message)

    def used(self, cpu: float, memory: int) -> None:
        """It is over."""
        self._attempt.cpu, self._attempt.memory = cpu, memory


def said_for_run(context: Context, runner: RunsElsewhere) -> bytes:
    """What was said of logging, warnings and context variables, for the bodies of a run.

    Args:
        context: of the run.
        runner: what runs them.
    """
    return pickle.dumps(said_in(context, runner.variables(context)))
