"""What runs in a worker process: takes one call after the other, until nobody is there any more.

It is started as a fresh interpreter, which runs `main`. Calls run in its main thread, as they would
in a script. A second thread waits for the end of the process that started it, and then ends this
one and all that it started.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import io
import mmap
import os
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cascade_nb.errors import TransferError
from cascade_nb.executors.processes.carried_errors import carried
from cascade_nb.executors.processes.link import Link, Message, NoRoomError
from cascade_nb.executors.processes.pickles import packed, unpacked
from cascade_nb.executors.remote_calls import called, reply_of
from cascade_nb.executors.stale_code import LoadedModules
from cascade_nb.executors.usage import Meter

# What goes to a process: a call as one, or with a head of its own, or with that of the one before …
CALL: Final = 1
WITH_HEAD: Final = 6
SAME_HEAD: Final = 7
# … and what it answers.
READY: Final = 2
RESULT: Final = 3
TOLD: Final = 4
LEAVES: Final = 5  # it ends, and has not begun what it was given last

_closed_by_the_task: Final = contextlib.suppress(OSError, ValueError)

#: How many calls it has begun, on the board: who finds it dead knows whether its call was one.
BEGUN: Final = struct.Struct("<Q")


class Channel:
    """How a call tells the process that asked for it something while it runs. Any thread may."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._open = True

    def tell(self, message: Any) -> None:
        """Send a message; when the call is over nobody hears it.

        Raises:
            BaseException: it cannot be pickled.
        """
        if self._open:
            self._link.send(TOLD, packed(message, back=True))

    def close(self) -> None:
        """The call is over."""
        self._open = False


def main(fd: int, board: int, linger: float) -> None:
    """Serve until the other side is gone, or asks for nothing for `linger` seconds.

    Args:
        fd: of the socket.
        board: of a file that the other side looks at, too; see `BEGUN`.
        linger: seconds; the first call is what it was started for, and is waited for.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # so that what a task starts can be ended with it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_with_parent()
    streams = _text(1), _text(2)
    faulthandler.enable(streams[1], all_threads=False)
    link = Link(socket.socket(fileno=fd))
    meter, modules, taken = Meter(), LoadedModules(), _Calls()
    said = mmap.mmap(board, BEGUN.size)
    os.close(board)
    calls = 0
    try:
        link.send(READY, [str(os.getpid()).encode()])
        while (message := link.receive_within(linger if calls else None)) is not None:
            if modules.are_stale():
                break
            calls += 1
            BEGUN.pack_into(said, 0, calls)
            if streams[0].closed or streams[1].closed:  # the call before closed its output
                streams = _text(1), _text(2)
            sys.stdout, sys.stderr = streams
            _serve(link, taken, message, meter)
            del message
            modules.look()
        link.send(LEAVES, [])
    except (EOFError, OSError):  # the other side is gone
        pass
    finally:
        link.close()


class _Calls:
    """Makes the calls that come, of which several may have one head."""

    def __init__(self) -> None:
        self._pickled = b""
        self._head: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def call(self, message: Message) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """What is to be called, and with what beside the channel.

        Raises:
            BaseException: it cannot be unpickled.
        """
        parts = message.parts
        if message.kind == CALL:
            function, args = unpacked(parts)
            return function, args
        if message.kind == WITH_HEAD:
            # A copy: it is not to keep alive the memory that large arguments came in.
            self._pickled, self._head = bytes(parts[0]), None
            parts = parts[1:]
        if self._head is None:  # also after it could not be unpickled
            self._head = unpacked([memoryview(self._pickled)])
        function, shared = self._head
        return function, (*shared, *unpacked(parts))


def _serve(link: Link, calls: _Calls, message: Message, meter: Meter) -> None:
    channel = Channel(link)
    meter.begin()
    result, error = called(channel, partial(calls.call, message))
    channel.close()
    for stream in (sys.stdout, sys.stderr):
        with _closed_by_the_task:
            stream.flush()
    used = meter.end()
    reply = reply_of(result, error, *used)
    try:
        link.send(RESULT, reply)
    except NoRoomError as full:
        words = f"{sum(map(len, reply)) / 1e6:,.0f} MB of its result cannot come back: {full}"
        link.send(RESULT, reply_of(None, carried(TransferError(words)), *used))


def _text(fd: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(io.FileIO(fd, "w", closefd=False))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _end_with_parent() -> None:
    """End when the pipe that was given as standard input is closed, as it is at the end of the
    process at its other end, however that comes.
    """
    alive = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if hasattr(fcntl, "F_SETSIG"):
        # Linux ends all of us then by itself, also where we stand still and no thread can notice.
        with contextlib.suppress(OSError):  # in a sandbox that has nothing of the kind
            fcntl.fcntl(alive, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(alive, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)

    def wait() -> None:
        while os.read(alive, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="cascade-parent", daemon=True).start()


def guarded(start: Callable[[], None]) -> None:
    """Run `main`, and say on standard error what went wrong before it could say so otherwise."""
    try:
        start()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
