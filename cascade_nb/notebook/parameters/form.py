"""The form of a notebook's parameters: what is chosen there, and what a run would cost with it.

There is one of a kernel, however often and in however many browsers it is shown, so that all of
them show the same.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.errors import CascadeError
from cascade_nb.graph.graph import Graph
from cascade_nb.notebook.parameters.values import Cost, cost, fields, graph_here, keep, read
from cascade_nb.notebook.parameters.widget import ParamsWidget
from cascade_nb.notebook.session import Session

_BUSY: Final = "The running cell holds the kernel: this is taken up when it awaits or ends."


class ParamsForm:
    """Make it on the kernel's loop.

    Args:
        session: whose parameters it shows.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._portal = LoopPortal(self._loop)
        self._lock = threading.Lock()
        self._state: dict[str, Any] = {"fields": [], "cost": "", "stale": []}
        self._asked = 0
        self._at_work: set[asyncio.Task[None]] = set()
        self._widget: ParamsWidget | None = None

    async def show(self, graph: Graph | None) -> None:
        """Show it below the current cell, once more if it is shown already."""
        self._take_up(graph, await cost(self._session, graph))
        if self._widget is None:  # a page that opens it has all of it at once, and need not ask
            self._widget = ParamsWidget(self._everything, self.hear)
        self._widget.show()

    def _everything(self) -> dict[str, Any]:
        """For browsers that ask late."""
        with self._lock:
            return {**self._state, "busyWords": _BUSY}

    def _take_up(self, graph: Graph | None, now: Cost | None = None) -> None:
        """See what there is now. On the loop, since cells change the workspace there."""
        state = {"fields": fields(self._session, graph), "working": now is None}
        if now is not None:
            state |= {"cost": now.words, "stale": list(now.stale)}
        with self._lock:
            self._state |= state

    # ---- hearing the browser: in any thread ------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take a message; what means nothing does nothing."""
        match message:
            case {"type": "hello"}:
                self._tell()
            case {
                "type": "choose",
                "name": str(name),
                "value": str(value) | bool(value),
                "page": str(page),
                "seq": int(seq),
            }:
                self._portal.call(lambda: self._answer(page, seq, name, value))
            case {"type": "reset", "name": str(name), "page": str(page), "seq": int(seq)}:
                self._portal.call(lambda: self._answer(page, seq, name, None))

    def _answer(self, page: str, seq: int, name: str, value: str | bool | None) -> None:
        """Keep what was chosen, acknowledge it, and then say what a run would cost. On the loop."""
        error, graph = None, graph_here(self._session)
        try:
            keep(self._session, *read(graph, name, value))
        except CascadeError as refused:
            error = str(refused)
        self._take_up(graph)
        self._tell(ack=seq, page=page, error=error)
        self._asked += 1
        task = begin_task(self._say_cost(self._asked, graph), self._loop)
        self._at_work.add(task)  # the loop itself holds a task only weakly
        task.add_done_callback(self._at_work.discard)

    async def _say_cost(self, asked: int, graph: Graph | None) -> None:
        now = await cost(self._session, graph)
        if asked == self._asked:  # else another value was chosen meanwhile
            self._take_up(graph, now)
            self._tell()

    def _tell(self, **more: Any) -> None:
        if self._widget is not None:
            self._widget.send({"type": "patch", **self._everything(), **more})
