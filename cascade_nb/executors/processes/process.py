"""One worker process, as the process that started it sees it."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from cascade_nb.concurrency.process_protocols import ProcessListener
from cascade_nb.errors import ProcessDiedError, ProcessStartError
from cascade_nb.executors.processes.carried_errors import raised_here
from cascade_nb.executors.processes.child import (
    BEGUN,
    CALL,
    LEAVES,
    READY,
    RESULT,
    SAME_HEAD,
    TOLD,
    WITH_HEAD,
)
from cascade_nb.executors.processes.handle import ProcessHandle
from cascade_nb.executors.processes.heads import PackedCall
from cascade_nb.executors.processes.link import Link, Message
from cascade_nb.executors.processes.output import Output
from cascade_nb.executors.processes.pickles import unpacked
from cascade_nb.executors.processes.reasons import end_in_words, last_words, signal_of
from cascade_nb.executors.processes.segments import write_segment

LOOK: Final = 0.1  # seconds between two looks whether it lives, where the system does not tell
DYING: Final = 1.0  # seconds from the end of its connection to its own, or it is ended
_START: Final = """\
import sys
sys.path[:] = {path!r}
from cascade_nb.executors.processes.child import guarded, main
guarded(lambda: main({fd}, {board}, {linger!r}))
"""


Happened = list[tuple[int, int]]  # file descriptors and what happened, as `poll` gives it


class NotBegunError(Exception):
    """The process has ended, or is about to, and has not begun what it was given."""


class WorkerProcess:
    """A process that runs one call at a time, ready when this is made.

    Args:
        linger: seconds without a call after which it ends by itself.
        patience: seconds that its start may take.

    Attributes:
        calls: how many it was given.
        usable: whether it can be given another.

    Raises:
        ProcessStartError: it did not start, or not in time.
    """

    def __init__(self, linger: float, patience: float) -> None:
        self.calls = 0
        self.usable = True
        self._closed = False
        self._pidfd: int | None = None
        self._head: bytes | None = None  # that of the call before, which it has
        ours, theirs = socket.socketpair()
        alive, self._alive = os.pipe()
        (out, out_there), (err, err_there) = os.pipe(), os.pipe()
        self._link = Link(ours)
        self._outputs = (Output(out, "stdout"), Output(err, "stderr"))
        board = write_segment([memoryview(bytes(BEGUN.size))])
        self._board = mmap.mmap(board, BEGUN.size)
        code = _START.format(path=sys.path, fd=theirs.fileno(), board=board, linger=linger)
        group: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable or "python", *_flags(), "-c", code],
                stdin=alive,
                stdout=out_there,
                stderr=err_there,
                pass_fds=[theirs.fileno(), board],
                **group,
            )
        except OSError as error:
            self._close()
            raise ProcessStartError(
                f"no process for tasks can be started with {sys.executable!r}: {error}"
            ) from error
        finally:
            theirs.close()
            for fd in (alive, out_there, err_there, board):
                os.close(fd)
        self.pid = self._process.pid
        if hasattr(os, "pidfd_open"):
            self._pidfd = os.pidfd_open(self.pid)
        self._poll = select.poll()
        self._fd = self._link.fileno()
        told = (self._fd, *(output.fd for output in self._outputs))
        for fd in told if self._pidfd is None else (*told, self._pidfd):
            self._poll.register(fd, select.POLLIN)
        self._await_start(patience)

    def call(self, call: PackedCall, listener: ProcessListener | None) -> Sequence[memoryview]:
        """Run what is packed; gives the parts of the reply.

        Raises:
            NotBegunError: it has ended meanwhile, or is to be replaced; nothing was begun.
            ProcessDiedError: it ended before the call did.
            OSError: there is no room for the parts.
        """
        self.calls += 1
        happened = self._read_outputs(None)  # of a thread that an earlier call left behind
        for output in self._outputs:
            output.forget()
        if self._is_over(happened):
            self.usable = False
            raise NotBegunError
        handle = None
        try:
            if listener is not None:
                handle = ProcessHandle(self.pid)
                listener.began(handle)
            self._send(call)
            return self._reply(listener)
        except BaseException:
            self.usable = False
            raise
        finally:
            if handle is not None:
                handle.let_go()

    def begin_with(self, first: PackedCall) -> None:
        """Run what is to be run in it before anything else.

        Raises:
            ProcessStartError: that went wrong.
        """
        try:
            _, error, *_ = unpacked(self.call(first, None))
        except (NotBegunError, ProcessDiedError, OSError) as wrong:
            words = f"a process for tasks did not start: its initializer did not end, since {wrong}"
            raise ProcessStartError(words) from wrong
        if error is not None:
            cause = raised_here(error)
            raise ProcessStartError(
                f"a process for tasks did not start: its initializer raised "
                f"{type(cause).__name__}: {cause}"
            ) from cause

    def leave(self) -> None:
        """Tell it that nothing more comes: it ends by itself."""
        self.usable = False
        self._link.close()

    def end(self, patience: float) -> None:
        """Wait for its end, and end it and all that it started when it takes longer."""
        self.usable = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()  # of no effect where it has ended, as is the next
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """In a forked child: it is the parent's."""
        self.usable = False
        self._process.returncode = 0  # or its end would be waited for
        self._close()

    def _send(self, call: PackedCall) -> None:
        try:
            if call.head is None:
                self._link.send(CALL, call.parts)
            elif call.head == self._head:
                self._link.send(SAME_HEAD, call.parts)
            else:
                self._link.send(WITH_HEAD, (call.head, *call.parts))
        except ConnectionError as error:
            raise NotBegunError from error
        self._head = call.head

    def _reply(self, listener: ProcessListener | None) -> Sequence[memoryview]:
        while True:
            message = self._next(listener)
            if message is None:
                died = self._died()
                if BEGUN.unpack_from(self._board)[0] < self.calls:
                    raise NotBegunError from died
                raise died
            if message.kind == RESULT:
                self._read_outputs(None if listener is None else listener.wrote)
                return message.parts
            if message.kind == LEAVES:
                raise NotBegunError
            if message.kind == TOLD and listener is not None:
                listener.told(unpacked(message.parts))

    def _next(self, listener: ProcessListener | None, until: float | None = None) -> Message | None:
        """The next message; None when the process has ended, or the time is up."""
        link = self._link
        while True:
            if (message := link.received()) is not None:
                return message
            happened = self._poll.poll(self._wait(until))
            gone = False
            if _has(happened, self._fd):
                try:
                    link.read(wait=False)
                except EOFError:
                    gone = True
                except BlockingIOError:
                    pass
                if len(happened) == 1 and not gone:
                    continue
            take = None if listener is None else listener.wrote
            self._read(happened, take)
            if gone or self._is_over(happened):
                return self._rest(take)
            if until is not None and time.monotonic() >= until:
                return None

    def _read(self, happened: Happened, take: Any) -> None:
        """Hand on what was written."""
        for output in self._outputs:
            if _has(happened, output.fd) and not output.read(take):
                self._poll.unregister(output.fd)

    def _read_outputs(self, take: Any) -> Happened:
        """Hand on what was written so far; gives what happened."""
        happened = self._poll.poll(0)
        if happened:
            self._read(happened, take)
        return happened

    def _wait(self, until: float | None) -> float | None:
        """For how many milliseconds."""
        left = None if self._pidfd is not None else LOOK
        if until is not None:
            short = max(0.0, until - time.monotonic())
            left = short if left is None else min(left, short)
        return None if left is None else left * 1000

    def _is_over(self, happened: Happened) -> bool:
        if self._pidfd is None:
            return self._has_ended()
        return _has(happened, self._pidfd)

    def _rest(self, take: Any) -> Message | None:
        """What it sent before its end."""
        with contextlib.suppress(EOFError, BlockingIOError):
            while True:
                self._link.read(wait=False)
        for output in self._outputs:
            output.read(take)
        return self._link.received()

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def _await_start(self, patience: float) -> None:
        until = time.monotonic() + patience
        message = self._next(None, until)
        if message is not None and message.kind == READY:
            return
        words = f"it did not answer within {patience:g} s"
        if message is not None or time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(DYING)
            words = f"it {end_in_words(self._process.returncode)}"
        self._process.kill()
        self.end(patience)
        raise ProcessStartError(f"a process for tasks did not start: {words}{self._last()}")

    def _died(self) -> ProcessDiedError:
        """Why there is no reply."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING)
        code = self._process.returncode
        self.end(0.0)
        return ProcessDiedError(
            f"its process {self.pid} {end_in_words(code)}{self._last()}",
            pid=self.pid,
            exit_code=code,
            signal=signal_of(code),
        )

    def _last(self) -> str:
        out, err = self._outputs
        return last_words(err.last or out.last)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._link.close()
        for output in self._outputs:
            output.close()
        os.close(self._alive)
        if self._pidfd is not None:
            os.close(self._pidfd)


def _has(happened: Happened, fd: int) -> bool:
    for one, _ in happened:  # noqa: SIM110 - asked for each call
        if one == fd:
            return True
    return False


def _flags() -> list[str]:
    """Those that this interpreter was started with, as `-O` and `-W`."""
    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined, no-any-return]
