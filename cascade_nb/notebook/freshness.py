"""Keeps what was shown below earlier cells true while cells are changed and runs end.

The graph below a cell shows what is done and what is stale, and the panel of a run that is over
says what became stale since. Both are looked at again when a run ends and when a cell was executed,
once for all that happens in a moment, and off the kernel's loop where it takes a while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.words import some_of
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError
from cascade_nb.notebook.panel.drawing import marks_of, whole_graph
from cascade_nb.notebook.session import Session
from cascade_nb.view.graphviz.layout import lay_out
from cascade_nb.view.picture.states import Marks

MOMENT: Final = 0.2  # seconds in which what happens is looked at together
RUNS: Final = 10  # panels of runs that are over, the latest ones, that are kept true
#: Nodes of which the graph is built anew, which takes the loop some tens of milliseconds; of more,
#: only names are followed, in the sketch that there is already.
SMALL: Final = 1_000


class _Over(NamedTuple):
    """A run that is over: its id, and the ids of what it was through with."""

    run_id: str
    nodes: frozenset[str]


class Freshness:
    """Make it on the kernel's loop.

    Args:
        session: what was shown in it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._portal = LoopPortal(self._loop)
        self._over: deque[_Over] = deque(maxlen=RUNS)
        self._again = False
        self._at_work: asyncio.Task[None] | None = None

    def run_is_over(self, run: Run, through: frozenset[str]) -> None:
        """A run is over, and was through with these nodes; in any thread."""

        def note() -> None:
            self._over.append(_Over(run.id, through))
            self.look_again()

        self._portal.call(note)

    def look_again(self) -> None:
        """Something may have changed. On the loop."""
        self._again = True
        if self._at_work is None and self._session.done:
            self._at_work = begin_task(self._work(), self._loop)

    async def _work(self) -> None:
        try:
            while self._again:
                await asyncio.sleep(MOMENT)
                self._again = False
                try:
                    await self._look()
                except CascadeError:
                    # A cycle in what cells define, or a state that cannot be read: whoever plans or
                    # runs is told, and what is shown stays as it was.
                    continue
        finally:
            self._at_work = None

    async def _look(self) -> None:
        workspace = self._session.workspace
        graph = workspace.overview()
        if graph is not None and len(graph) <= SMALL:
            graph, _ = whole_graph(workspace)
        marks = Marks() if graph is None else await marks_of(self._session, graph)
        for over in list(self._over):
            widget = self._session.panels.get(over.run_id)
            if widget is not None:
                widget.since = _words(
                    sorted(node for node in over.nodes if marks.states.get(node) == "stale")
                )
        graphs = self._session.graphs
        for cell, shown in list(graphs.items()):
            states = {node: s for node, s in marks.states.items() if node in shown.nodes}
            if states == shown.states:
                continue
            rendered = await lay_out(shown.picture, marks=Marks(states))
            if cell in graphs and graphs[cell] is shown:  # or the cell was executed meanwhile
                graphs[cell] = shown._replace(states=states)
                shown.update(rendered)


def _words(stale: list[str]) -> str:
    """What became stale since a run, in a sentence; nothing where nothing did."""
    if not stale:
        return ""
    return f"Changed since: {some_of(stale)} {'is' if len(stale) == 1 else 'are'} stale now."
