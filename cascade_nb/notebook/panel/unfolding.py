"""Opens and closes the groups of a picture that are drawn as one box, when the page asks for it.

It goes on when the run is over, as long as somebody has the run; it keeps none itself, since
widgets are kept for ever.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.panel.portrait import Portrait
from cascade_nb.view.graphviz.layout import Rendered, lay_out
from cascade_nb.view.picture.opening import PARTS, GroupName, name_of
from cascade_nb.view.picture.picture import Picture, picture_of

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run
    from cascade_nb.graph.graph import Graph
    from cascade_nb.notebook.drawer.desk import Desk
    from cascade_nb.notebook.panel.widget import PanelWidget

#: As many boxes as a page carries and a reader finds his way in.
MOST_BOXES: Final = 1000

_GONE: Final = "This run is over and nobody has it any more, so its groups stay as they are."


class Unfolding:
    """Which groups of the picture of one run are open.

    Args:
        run: whose picture it is.
        portal: the way to the kernel's loop.

    Attributes:
        put: shows a picture of the run's graph; called on the loop.
        send: tells the page.
    """

    def __init__(self, run: Run, portal: LoopPortal) -> None:
        self._run = weakref.ref(run)
        self._portal = portal
        self.put: Callable[[Rendered, Run], object] = lambda _rendered, _run: None
        self.send: Callable[[Mapping[str, Any]], object] = lambda _: None
        self._opened: dict[GroupName, frozenset[str]] = {}  # with the nodes of each
        self._members: Mapping[str, tuple[str, ...]] = {}
        self._drawing: asyncio.Task[None] | None = None

    def drawn(self, picture: Picture) -> None:
        """This picture is shown."""
        self._members = picture.members

    async def opened(self, graph: Graph, closed: Rendered) -> Rendered:
        """The picture of another graph of the run with what is open, where anything is."""
        return await self._laid_out(graph) if self._opened else closed

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Take a message of the page, in any thread; False where it is none of these."""
        match message:
            case {
                "type": "fold",
                "box": str(box),
                "open": bool(opens),
                "page": str(page),
                "seq": int(seq),
            }:
                self._portal.call(lambda: self._ask(box, opens, page, seq))
                return True
        return False

    def _ask(self, box: str, opens: bool, page: str, seq: int) -> None:
        """On the loop."""
        error = None
        run, nodes = self._run(), self._members.get(box, ())
        if run is None:
            error = _GONE
        elif opens and len(self._members) + min(len(nodes), PARTS) > MOST_BOXES:
            error = f"There are {len(self._members):,} boxes already: close a group first."
        elif nodes and (self._open(nodes) if opens else self._close(nodes[0])):
            self._drawing = begin_task(self._draw(run.graph))
        self.send({"type": "patch", "ack": seq, "page": page, "error": error})

    def _open(self, nodes: tuple[str, ...]) -> bool:
        if len(nodes) == 1:
            return False
        self._opened[name_of(nodes)] = frozenset(nodes)
        return True

    def _close(self, node: str) -> bool:
        """The smallest open group around this node, and with it all that are in it."""
        around = [nodes for nodes in self._opened.values() if node in nodes]
        if not around:
            return False
        closed = min(around, key=len)
        for name, nodes in list(self._opened.items()):
            if nodes <= closed:
                del self._opened[name]
        return True

    async def _draw(self, graph: Graph) -> None:
        opened = dict(self._opened)
        rendered = await self._laid_out(graph)
        run = self._run()
        if run is not None and run.graph is graph and opened == self._opened:
            self.put(rendered, run)

    async def _laid_out(self, graph: Graph) -> Rendered:
        opened = frozenset(self._opened)
        # Folding a large graph takes a while too, so it happens off the loop.
        return await lay_out(
            await run_in_thread(lambda: picture_of(graph, opened=opened)), ("svg",)
        )


def unfold_after(
    unfolding: Unfolding,
    desk: Desk,
    widget: PanelWidget,
    last: Mapping[str, Any],
    path: Sequence[int],
) -> None:
    """When the run is over: have its widget show this, and other pictures that are asked for.

    Args:
        unfolding: hears which.
        desk: answers what is asked about single nodes.
        last: what the page is told of the run.
        path: the nodes that its end waited for.
    """

    def hear(message: Mapping[str, Any]) -> None:
        if not desk.hear(message):
            unfolding.hear(message)

    def put(rendered: Rendered, run: Run) -> None:
        portrait = Portrait(run, TaskOutput())
        portrait.place(rendered.picture, run.graph)
        marked = portrait.mark_path(path, run.graph)
        everything = portrait.everything()
        told = {"boxes": everything["boxes"], "times": everything["times"], "path": marked}
        desk.drawn(rendered.picture)
        unfolding.drawn(rendered.picture)
        widget.rest({**last, **told}, hear)
        widget.send({"type": "patch", **told})
        widget.svg = rendered.svg or ""

    unfolding.put = put
    widget.rest(dict(last), hear)
