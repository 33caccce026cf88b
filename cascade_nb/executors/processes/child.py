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
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.errors import TransferError
from cascade_nb.executors.processes.carried_errors import carried
from cascade_nb.executors.processes.link import Link, Message, NoRoomError
from cascade_nb.executors.processes.pickles import packed
from cascade_nb.executors.processes.stale_code import LoadedModules
from cascade_nb.executors.processes.usage import Meter
from cascade_nb.executors.remote_calls import called, reply_of

# What goes to a process …
CALL: Final = 1
# … and what it answers.
READY: Final = 2
RESULT: Final = 3
TOLD: Final = 4
LEAVES: Final = 5  # it ends, and has not begun what it was given last

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
        linger: seconds.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # so that what a task starts can be ended with it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_with_parent()
    streams = _text(1), _text(2)
    faulthandler.enable(streams[1], all_threads=False)
    link = Link(socket.socket(fileno=fd))
    meter, modules = Meter(), LoadedModules()
    said = mmap.mmap(board, BEGUN.size)
    os.close(board)
    calls = 0
    try:
        link.send(READY, [str(os.getpid()).encode()])
        while _comes(link, linger if calls else None):  # the first call is what it was started for
            message = link.receive()
            if modules.are_stale():
                break
            calls += 1
            BEGUN.pack_into(said, 0, calls)
            if any(stream.closed for stream in streams):  # the call before closed its output
                streams = _text(1), _text(2)
            sys.stdout, sys.stderr = streams
            _serve(link, message, meter)
            del message
            modules.look()
        link.send(LEAVES, [])
    except (EOFError, OSError):  # the other side is gone
        pass
    finally:
        link.close()


def _comes(link: Link, linger: float | None) -> bool:
    return bool(select.select([link], [], [], linger)[0])


def _serve(link: Link, message: Message, meter: Meter) -> None:
    channel = Channel(link)
    meter.begin()
    result, error = called(channel, message.parts)
    channel.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the task closed it
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
