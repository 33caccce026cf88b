"""Answers requests of other programs on the kernel's signed control channel, which a thread of its
own reads: they come also while a cell blocks.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.safe_parse import SAFE_ANYWHERE, elsewhere
from cascade_nb.concurrency.threads import ParsingElsewhere, run_in_thread
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.opening import DOOR, VARIABLE
from cascade_nb.door.protocol import MARK, MOST_BYTES, REPLY, REQUEST, VERSION, encoded
from cascade_nb.errors import RefusedMessageError
from cascade_nb.notebook.kernel.shims import Undo, running_kernel

_INFO: Final = "kernel_info_request"


def answer_on_control_channel() -> Undo:
    """Begin, where this process is a kernel that lets us; otherwise runs of this process are
    reached as those of a script are.

    Returns:
        What ends it.
    """
    kernel = running_kernel()
    handlers = getattr(kernel, "control_handlers", None)
    if kernel is None or not isinstance(handlers, dict) or os.environ.get(VARIABLE) == "off":
        return lambda: None
    DOOR.elsewhere, DOOR.title = True, _title()
    DOOR.close()
    channel = _ControlChannel(kernel, handlers.get(_INFO))
    handlers[REQUEST] = channel.take
    if channel.usual_info is not None:
        handlers[_INFO] = channel.info

    def undo() -> None:
        DOOR.elsewhere, DOOR.title = False, ""
        handlers.pop(REQUEST, None)
        if handlers.get(_INFO) == channel.info:
            handlers[_INFO] = channel.usual_info

    return undo


class _ControlChannel:
    """What a kernel calls in its control thread, which must be free again at once: interrupts and
    the end of the kernel come that way too.
    """

    def __init__(self, kernel: Any, usual_info: Callable[..., Any] | None) -> None:
        self._kernel = kernel
        self.usual_info = usual_info
        self._process = Process("kernel", DOOR.title)
        self._answering: set[asyncio.Task[None]] = set()
        self._loop = asyncio._get_running_loop()  # of the thread that parses cells

    def take(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer a request soon."""
        task = begin_task(self._answer(stream, ident, parent))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def info(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Say what the kernel is, and that it can be asked."""
        content = {"status": "ok", **self._kernel.kernel_info, MARK: {"v": VERSION}}
        self._kernel.session.send(stream, "kernel_info_reply", content, parent, ident)

    async def _answer(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        if not SAFE_ANYWHERE and self._loop is not None:
            elsewhere.set(ParsingElsewhere(self._loop))
        work = partial(_answered, parent["content"], self._process)
        content = await run_in_thread(work)
        self._kernel.session.send(stream, REPLY, content, parent, ident)


def _answered(content: object, process: Process) -> dict[str, Any]:
    try:
        # Jupyter has read it by its own rules; ours are those of the socket.
        size = len(json.dumps(content))
    except (ValueError, RecursionError) as error:
        content = RefusedMessageError(f"it is no JSON: {str(error)[:200]}")
    else:
        if size > MOST_BYTES:
            content = RefusedMessageError(f"{size} bytes are more than the {MOST_BYTES} allowed")
    said: dict[str, Any] = json.loads(encoded(answer(content, process)))
    return said


def _title() -> str:
    """The notebook, where the server says it, else the folder."""
    said = os.environ.get("JPY_SESSION_NAME", "")
    return Path(said).name or f"in {Path.cwd().name or '/'}"
