"""Mends messages that a kernel would send wrongly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.notebook.kernel.shims import running_kernel
from cascade_nb.text import carryable

Undo = Callable[[], None]


def send_any_text() -> Undo:
    """Have the kernel send whatever text there is, with ``U+FFFD`` where UTF-8 cannot carry it.

    By itself it fails to send an error whose text has half a character in it, such as the name of a
    file, and then the cell gets no reply at all. A task's error is shown with all that it came of,
    by whoever's code, so this is where everything passes.

    Returns:
        What ends it.
    """
    session: Any = getattr(running_kernel(), "session", None)
    if session is None:
        return lambda: None
    usual = session.pack

    def pack(content: Any) -> Any:
        try:
            return usual(content)
        except UnicodeEncodeError:
            return usual(carryable(content))

    session.pack = pack

    def undo() -> None:
        if session.pack is pack:
            session.pack = usual

    return undo


def answer_through_the_stream() -> Undo:
    """Have ipykernel 7.0 to 7.3 answer through the stream that it reads requests from, as 7.4 does.

    They answer past the stream, on its socket. That uses up the one wake-up of a request that
    arrives at this moment, a click say, and the kernel is deaf until somebody connects anew
    (ipython/ipykernel#1554).

    Returns:
        What puts the socket back.
    """
    kernel: Any = running_kernel()
    manager: Any = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    if not hasattr(manager, "_shell_socket") or hasattr(manager, "_shell_stream"):
        return lambda: None
    usual = manager._shell_socket  # only the thread of the stream's loop sends on it
    manager._shell_socket = kernel.shell_stream

    def undo() -> None:
        manager._shell_socket = usual

    return undo
