"""Adapts to how particular kernels work inside; besides `messages` nothing else in the project
does.

Whether a click on the panel reaches Python while a cell is busy differs from kernel to kernel:

=========== ================================== =================================================
ipykernel   by itself                          what is done here
=========== ================================== =================================================
7.4         while a cell awaits; but a comm is a comm stays on the subshell that its frontend
            sent to the shell that published   asks for (`_reply_subshell_for`), so that it
            on it last                         arrives while a cell blocks, too
7.0 to 7.3  on a subshell, where the frontend  while a cell awaits, the main shell's messages
            has one; else when the cell ends   are looked through (`set_on_recv_callback`)
6.x         when the cell ends                 while a cell awaits, those of the shell's stream
                                               are looked through (`on_recv`)
=========== ================================== =================================================

Only custom messages of comms given here are taken out of turn; everything else goes its usual way,
in its order. Every door is looked for before it is used, and where it is missing
`ClickDelivery.while_awaiting` says so. What is put in place is taken away again by what puts it
there.
"""

from __future__ import annotations

import abc
import atexit
import contextvars
import inspect
import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from IPython import get_ipython

Undo = Callable[[], None]

_LOOK_AGAIN: Final = 0.05
_taps: dict[int, Tap] = {}  # by id of kernel; a process has one or none


def running_kernel() -> Any | None:
    """The ipykernel that runs this process, or None: a script, or IPython in a terminal."""
    shell = get_ipython()
    return getattr(shell, "kernel", None)


def is_headless() -> bool:
    """Whether this cell was sent by something that nobody sits at: nbclient, papermill, nbconvert.

    They say that they have no input; JupyterLab, Notebook and VS Code have. Without a kernel it is
    so too.
    """
    shell = get_ipython()
    get_parent = getattr(shell, "get_parent", None)
    if get_parent is None:
        return True
    return (get_parent() or {}).get("content", {}).get("allow_stdin") is False


class LaunchingCell:
    """Where the output of a cell goes, also after the cell.

    On ipykernel 7 output follows contextvars, on 6 text does and displays go to the latest cell.

    Attributes:
        context: a copy of the cell's context.
    """

    def __init__(self) -> None:
        shell = get_ipython()
        self.context = contextvars.copy_context()
        self._publisher = getattr(shell, "display_pub", None)
        self._header = getattr(self._publisher, "parent_header", None)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call something whose output is to land there; on 6.x only from the kernel's thread."""
        # A copy, because a context cannot be entered twice, and two threads may come here at once.
        return self.context.copy().run(self._as_parent, function, *args)

    def _as_parent(self, function: Callable[..., Any], *args: Any) -> Any:
        before = getattr(self._publisher, "parent_header", None)
        if before == self._header or self._publisher is None:
            return function(*args)
        self._publisher.parent_header = self._header
        try:
            return function(*args)
        finally:
            self._publisher.parent_header = before


class ClickDelivery:
    """Lets the custom messages of one comm through while a cell is busy, as far as the kernel can.

    Attributes:
        while_awaiting: whether they arrive while a cell awaits. On a subshell, which is the
            frontend's to open, they also arrive while a cell blocks; nothing here can promise that.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._kernel = running_kernel()
        self.while_awaiting = False

    def install(self) -> None:
        """Begin; only from the kernel's main thread, where cells run."""
        kernel = self._kernel
        if kernel is None:
            return
        if hasattr(self._comm, "_reply_subshell_for"):
            self._comm._reply_subshell_for = _as_the_frontend_asks
        if _takes_comms_while_awaiting(kernel):
            self.while_awaiting = True
            return
        tap = _taps.get(id(kernel)) or _tap_for(kernel)
        if tap is not None:
            _taps[id(kernel)] = tap
            tap.add(self._comm)
            self.while_awaiting = True

    def undo(self) -> None:
        """End, from the same thread; as often as you like."""
        if self._comm is not None and "_reply_subshell_for" in vars(self._comm):
            del self._comm._reply_subshell_for
        tap = _taps.get(id(self._kernel))
        if tap is not None and tap.remove(self._comm):
            del _taps[id(self._kernel)]
        self.while_awaiting = False


def _as_the_frontend_asks(_data: object, subshell_id: str | None) -> str | None:
    """7.4 would ask the shell that published on it last, which is the one with the cell."""
    return subshell_id


def _takes_comms_while_awaiting(kernel: Any) -> bool:
    return "concurrent" in inspect.signature(kernel.dispatch_shell).parameters


class Tap(abc.ABC):
    """Takes custom messages of some comms out of the queue that a busy cell holds up."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.comms: dict[str, Any] = {}

    def add(self, comm: Any) -> None:
        """Take the messages of this one too."""
        if not self.comms:
            self.open()
        self.comms[comm.comm_id] = comm

    def remove(self, comm: Any) -> bool:
        """Whether none is left."""
        if self.comms.pop(comm.comm_id, None) is not None and not self.comms:
            self.close()
        return not self.comms

    @abc.abstractmethod
    def open(self) -> None:
        """Sit down between the kernel and its queue."""

    @abc.abstractmethod
    def close(self) -> None:
        """Go, and leave everything as it was."""

    def take(self, frames: list[Any]) -> bool:
        """Handle the message here and now, if it is one of ours."""
        session = self.kernel.session
        try:
            _, parts = session.feed_identities(frames, copy=False)
            # A look without the content does not use up the signature.
            peeked = session.deserialize(parts, content=False, copy=False)
            if peeked["header"]["msg_type"] != "comm_msg":
                return False
            content = session.unpack(peeked["content"])
        except (ValueError, TypeError, KeyError):
            return False  # what cannot be read is the kernel's to complain about
        comm = self.comms.get(content.get("comm_id"))
        if comm is None or (content.get("data") or {}).get("method") != "custom":
            return False
        comm.handle_msg(session.deserialize(parts, content=True, copy=False))
        return True


class StreamTap(Tap):
    """On ipykernel 6 the main thread reads the shell's socket itself, also while a cell awaits."""

    def open(self) -> None:
        """Stand between the stream and what it calls."""
        self._usual = self.kernel.shell_stream._recv_callback
        self.kernel.shell_stream.on_recv(self._receive, copy=False)

    def close(self) -> None:
        """Give the stream back what it called."""
        self.kernel.shell_stream.on_recv(self._usual, copy=False)

    def _receive(self, frames: list[Any]) -> None:
        if not self.take(frames):
            self._usual(frames)


class MainShellTap(Tap):
    """On ipykernel 7 a thread of its own hands messages to the main shell, where they wait for a
    lock.
    """

    def open(self) -> None:
        """Stand before the kernel's own handler; subshells that are opened meanwhile get it too."""
        self.kernel.shell_channel_thread.manager.set_on_recv_callback(self._receive)

    def close(self) -> None:
        """Give the handler its place back."""
        self.kernel.shell_channel_thread.manager.set_on_recv_callback(self.kernel.shell_main)

    async def _receive(self, subshell_id: str | None, frames: list[Any]) -> None:
        if subshell_id is not None or not self.take(frames):
            await self.kernel.shell_main(subshell_id, frames)


def _tap_for(kernel: Any) -> Tap | None:
    """The tap that fits this kernel, or None: then a click arrives when the cell ends."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is not None:
        known = hasattr(kernel, "shell_main") and hasattr(thread.manager, "set_on_recv_callback")
        return MainShellTap(kernel) if known else None
    stream = getattr(kernel, "shell_stream", None)
    if callable(getattr(stream, "_recv_callback", None)):
        return StreamTap(kernel)
    return None


def on_idle_interrupt(loop: AbstractEventLoop, callback: Callable[[], object]) -> Undo:
    """Call back on `loop` when the user interrupts while no cell runs; only from the main thread.

    An idle ipykernel ignores the interrupt, and while it handles a message it puts its own handler
    in place and the one it found back. So ours is put in place when no message is being handled,
    and from then on comes back by itself; an interrupt of a cell never reaches it.

    Returns:
        What ends it; from the main thread.
    """
    watch = _InterruptWatch(loop, callback)
    loop.call_soon(watch.arm)
    return watch.end


class _InterruptWatch:
    def __init__(self, loop: AbstractEventLoop, callback: Callable[[], object]) -> None:
        self.loop = loop
        self.callback = callback
        self.ended = threading.current_thread() is not threading.main_thread()
        self.before: Any = None

    def arm(self) -> None:
        if self.ended:
            return
        found = signal.getsignal(signal.SIGINT)
        if found is signal.SIG_IGN or _watch_of(found) is not None:
            self.before = found
            signal.signal(signal.SIGINT, self.handle)
        else:  # a cell is running, and at its end the kernel would undo it
            self.loop.call_later(_LOOK_AGAIN, self.arm)

    def handle(self, number: int, frame: FrameType | None) -> None:
        if not self.ended:
            self.loop.call_soon_threadsafe(self.callback)
        if callable(self.before):  # another run's watch, which was here first
            self.before(number, frame)

    def end(self) -> None:
        self.ended = True
        found = signal.getsignal(signal.SIGINT)
        while (watch := _watch_of(found)) is not None and watch.ended:
            found = watch.before
            signal.signal(signal.SIGINT, found)


def _watch_of(handler: Any) -> _InterruptWatch | None:
    owner = getattr(handler, "__self__", None)
    return owner if isinstance(owner, _InterruptWatch) else None


def on_shutdown(callback: Callable[[], object]) -> Undo:
    """Call back once when the kernel is told to end or restart, or else when Python ends.

    On shutdown the kernel's loop is stopped in the midst of its tasks, so that no `finally` of
    theirs runs. The callback comes before that, in the kernel's control thread while the loop still
    runs, or from `atexit` in the main thread when it runs no more. The kernel is killed a few
    seconds later, so it must not wait longer than about two.

    Returns:
        What ends it.
    """
    pending = [callback]

    def ending() -> None:
        while pending:
            pending.pop()()

    kernel = running_kernel()
    usual = getattr(kernel, "do_shutdown", None)

    def do_shutdown(restart: bool) -> Any:
        ending()
        assert usual is not None
        return usual(restart)

    if usual is not None:
        kernel.do_shutdown = do_shutdown  # type: ignore[union-attr]
    atexit.register(ending)

    def undo() -> None:
        pending.clear()
        atexit.unregister(ending)
        # Where somebody wrapped it after us, ours stays in between and only hands on.
        if kernel is not None and vars(kernel).get("do_shutdown") is do_shutdown:
            kernel.do_shutdown = usual

    return undo
