"""Carries a call to a process of somebody else's pool, and its result back with all that it said.

Such a pool takes a function and its arguments, and gives a future; it has no channel beside that.
So what a body writes, logs, warns of and tells of its progress is collected there, and comes with
the result. It is heard by context: bodies that run side by side in threads of one process are told
apart, and a thread that belongs to none is heard where only one body runs.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cascade_nb.concurrency.process_protocols import BodyOutcome, ProcessListener
from cascade_nb.errors import TransferError, UsageError
from cascade_nb.executors.processes.carried_errors import CarriedError, carried, raised_here
from cascade_nb.executors.processes.obstacles import obstacle_in, unsendable_result
from cascade_nb.executors.processes.pickles import packed, unpacked
from cascade_nb.executors.stale_code import LoadedModules
from cascade_nb.executors.usage import UNUSED, Meter
from cascade_nb.forking import forget_after_fork

Parts = list[bytes | bytearray]  # what can be pickled by anybody
Say = Callable[[str, Any], None]

MOST: Final = 8_000_000  # characters of one body's output that come back
_OWN_FRAMES: Final = 1  # of a traceback: that of `called`
_STREAMS: Final = ("stdout", "stderr")


def packed_call(function: Callable[..., Any], args: tuple[Any, ...]) -> Parts:
    """A call, ready to go to a process.

    Args:
        function: is called with a channel, on which it can `tell` something, and with `args`.
        args: what it is called with besides.

    Raises:
        TransferError: something of it cannot be pickled; the message says which name.
    """
    try:
        return [_this_process(), *_owned(packed((function, args)))]
    except BaseException as error:
        raise unsendable(error, args) from error


def result_of(parts: Parts, listener: ProcessListener | None) -> Any:
    """What a call gave, once `listener` has heard all that it said.

    Args:
        parts: what `run_packed` gave.
        listener: told in this thread.

    Raises:
        BaseException: what the call raised.
        TransferError: its result cannot be unpickled here.
    """
    result, raised, cpu, memory, said = unpacked_reply([memoryview(part) for part in parts])
    if listener is not None:
        for kind, what in said:
            if kind in _STREAMS:
                listener.wrote(kind, what)
            else:
                listener.told(unpacked([memoryview(what)]))
        listener.used(cpu, memory)
    if raised is not None:
        raise raised_here(raised)
    return result


def run_packed(parts: Parts) -> Parts:
    """Make a call that came, in the process where it is to run.

    Args:
        parts: what `packed_call` gave.

    Returns:
        What `result_of` reads; also of an error, whatever it is.
    """
    asked_by, *rest = parts
    if asked_by == _this_process():
        return _owned(reply_of(None, carried(UsageError(_NOT_REMOTE)), *UNUSED, []))
    if _here.modules.are_stale():
        return _owned(reply_of(None, carried(TransferError(_STALE)), *UNUSED, []))
    channel = _Collected()
    meter = _here.meter()
    meter.begin()
    with _heard(channel):
        result, error = called(channel, lambda: unpacked([memoryview(part) for part in rest]))
    reply = _owned(reply_of(result, error, *meter.end(), channel.said))
    _here.modules.look()
    return reply


def called(
    channel: Any, unpack: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]
) -> tuple[Any, CarriedError | None]:
    """What comes of a call in the process where it runs: its result, or what it raised.

    Args:
        channel: the first of its arguments.
        unpack: gives the function and the others.
    """
    try:
        function, args = unpack()
    except BaseException as error:  # whatever its classes do
        words = f"it cannot be unpickled in its process: {type(error).__name__}: {error}"
        unreadable = TransferError(words)
        unreadable.__cause__ = error
        return None, carried(unreadable)
    try:
        return function(channel, *args), None
    except BaseException as error:  # also what would end this process: it is the task's
        return None, carried(error, skip=_OWN_FRAMES)


def reply_of(result: Any, error: CarriedError | None, *more: Any) -> Sequence[memoryview]:
    """A pickle of what came of a call, and of what else is told of it; where the result has none,
    of an error that says so.
    """
    own, said = result, result
    if type(result) is BodyOutcome:
        own, said = result.result, tuple(result)
    try:
        return packed((said, error, *more), back=True)
    except BaseException as wrong:  # whatever the result's classes do
        return packed((None, carried(unsendable_result(own, wrong)), *more), back=True)


def unpacked_reply(parts: Sequence[memoryview]) -> Any:
    """What `reply_of` packed.

    Raises:
        TransferError: its result cannot be unpickled here.
    """
    try:
        return unpacked(parts)
    except BaseException as wrong:  # whatever the result's classes do
        raise TransferError(
            f"its result came back from its process and cannot be unpickled here: "
            f"{type(wrong).__name__}: {wrong}"
        ) from wrong


def unsendable(error: BaseException, value: Any, name: str = "args") -> TransferError:
    """What to say of what cannot be pickled on its way to a process."""
    found = obstacle_in(value, name)
    words = found.text if found is not None else f"{type(error).__name__}: {error}"
    return TransferError(f"it cannot go to a process: {words}")


_NOT_REMOTE: Final = (
    "the executor that it was given runs it in this very process; say so: "
    "cascade_nb.executors.FuturesExecutor(…, remote=False)"
)
_STALE: Final = (
    "the process that was to run it has imported a module that was edited since, and a process of "
    "somebody else's pool cannot be renewed from here: give a new pool"
)


def _this_process() -> bytes:
    """Its number is another's on another machine, and that of another interpreter in it."""
    return f"{os.getpid()} {_INTERPRETER}".encode()


_INTERPRETER: Final = uuid.uuid4().hex


def _owned(parts: Sequence[memoryview]) -> Parts:
    """Copies that may be written to where the value's own buffers may: arrays lie in them."""
    return [bytes(part) if part.readonly else bytearray(part) for part in parts]


class _Here:
    """What this process knows of the bodies that run in it.

    Attributes:
        modules: those that were imported here.
        active: the channels of the bodies that run.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.local = threading.local()
        self.modules = LoadedModules()
        self.active: list[_Collected] = []
        self.under: list[Any] = []
        forget_after_fork(self)

    def meter(self) -> Meter:
        """Measures what runs in this thread."""
        if not hasattr(self.local, "meter"):
            self.local.meter = Meter()
        meter: Meter = self.local.meter
        return meter

    def forget(self) -> None:
        """In a forked child: nothing runs here yet."""
        self.__init__()  # type: ignore[misc]


class _Collected:
    """Keeps what a body says until it is over.

    Attributes:
        said: kinds and what came of them, in order.
    """

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self._left = MOST

    def tell(self, message: Any) -> None:
        """Say something to who asked for the call.

        Raises:
            BaseException: it cannot be pickled.
        """
        (stream, *_) = packed(message, back=True)
        self.said.append(("told", bytes(stream)))

    def wrote(self, stream: str, text: str) -> None:
        """It wrote something."""
        if self._left <= 0:
            return
        self._left -= len(text)
        if self._left <= 0:
            text += f"\n[more than {MOST:,} characters: the rest does not come back]\n"
        if self.said and self.said[-1][0] == stream and len(self.said[-1][1]) < 10_000:
            self.said[-1] = (stream, self.said[-1][1] + text)
        else:
            self.said.append((stream, text))


_body: Final[contextvars.ContextVar[_Collected | None]] = contextvars.ContextVar(
    "cascade_collected", default=None
)


class _Heard(io.RawIOBase):
    """One of the two streams, which a body is heard on."""

    def __init__(self, name: str, under: Any) -> None:
        self._name = name
        self._under = under

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        text = bytes(data).decode("utf-8", "replace")
        hears = _body.get()
        if hears is None:
            with _here.lock:
                hears = _here.active[0] if len(_here.active) == 1 else None
        if hears is not None:
            hears.wrote(self._name, text)
        elif self._under is not None:
            self._under.write(text)
        return len(data)


@contextlib.contextmanager
def _heard(channel: _Collected) -> Iterator[None]:
    """Inside, what is written in this context is the channel's."""
    token = _body.set(channel)
    with _here.lock:
        if not _here.active:
            _here.under = [sys.stdout, sys.stderr]
            for name in _STREAMS:
                setattr(sys, name, _stream(name))
        _here.active.append(channel)
    try:
        yield
    finally:
        for name in _STREAMS:
            with contextlib.suppress(OSError, ValueError):  # the body closed it
                getattr(sys, name).flush()
        with _here.lock:
            _here.active.remove(channel)
            if not _here.active:
                sys.stdout, sys.stderr = _here.under
        _body.reset(token)


def _stream(name: str) -> io.TextIOWrapper:
    raw: Any = _Heard(name, getattr(sys, name))
    return io.TextIOWrapper(
        raw, encoding="utf-8", errors="backslashreplace", write_through=True, newline=""
    )


_here: Final = _Here()
