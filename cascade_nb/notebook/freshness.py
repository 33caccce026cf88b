"""Keeps what was shown below earlier cells true while cells are changed and runs end.

The graph below a cell shows what is done and what is stale, and the panel of a run that is over
says what became stale since. Both are looked at again when a run ends and when a cell was executed,
once for all that happens in a moment, and off the kernel's loop where it takes a while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import some_of
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError
from cascade_nb.graph.graph import Graph
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.notebook.panel.drawing import marks_of, whole_graph
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.workspace.cell_states import Told, cells_of, states_by_cell
from cascade_nb.view.graphviz.layout import lay_out
from cascade_nb.view.picture.states import Marks

MOMENT: Final = 0.2  # seconds in which what happens is looked at together
RUNS: Final = 10  # panels of runs that are over, the latest ones, that are kept true
#: Nodes of which the graph is built anew, which takes the loop some tens of milliseconds; of more,
#: only names are followed, in the sketch that there is already.
SMALL: Final = 1_000
_MISSED: Final = (NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED)


class _Over(NamedTuple):
    """A run that is over.

    Attributes:
        run_id: its id.
        nodes: ids of what it was through with.
        missed: by the identity of what it came to no value of, the task of that and its last state.
    """

    run_id: str
    nodes: frozenset[str]
    missed: Mapping[object, tuple[AnyTask | None, str]]


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
        nodes, states = run.graph.nodes, run.changed_since(-1)[1]
        missed = {
            nodes[index].lazy.identity: (nodes[index].task, state.value)
            for index, state in states.items()
            if index < len(nodes) and state in (_MISSED if len(nodes) <= SMALL else _MISSED[:1])
        }

        def note() -> None:
            self._over.append(_Over(run.id, through, missed))
            self.look_again()

        self._portal.call(note)

    def look_again(self) -> None:
        """Something may have changed. On the loop."""
        self._again = True
        if self._at_work is None and (self._session.done or self._over):
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
        stand = {} if graph is None else self._stand(graph, marks)
        cells = {} if graph is None else await run_in_thread(partial(self._by_cell, graph, stand))
        for over in list(self._over):
            widget = self._session.panels.get(over.run_id)
            if widget is not None:
                widget.since = _words(
                    sorted(node for node in over.nodes if marks.states.get(node) == "stale")
                )
                widget.cells = cells
        graphs = self._session.graphs
        for cell, shown in list(graphs.items()):
            states = {node: state for node, state in stand.items() if node in shown.nodes}
            if states == shown.states:
                continue
            rendered = await lay_out(shown.picture, marks=Marks(states))
            if cell in graphs and graphs[cell] is shown:  # or the cell was executed meanwhile
                graphs[cell] = shown._replace(states=states)
                shown.update(rendered)

    def _stand(self, graph: Graph, marks: Marks) -> dict[str, str]:
        """By id of a node: whether its result stands, else how it ended last where it came to no
        value, as long as it is what it was then.
        """
        ends: dict[object, tuple[AnyTask | None, str]] = {}
        for over in self._over:
            ends |= over.missed
            for node in graph.nodes:
                if node.id in over.nodes:
                    ends.pop(node.lazy.identity, None)
        stand = dict(marks.states)
        for node in graph.nodes:
            task, state = ends.get(node.lazy.identity, (None, ""))
            if state and node.task is task and stand.get(node.id) != "done":
                stand[node.id] = state
        return stand

    def _by_cell(self, graph: Graph, stand: Mapping[str, str]) -> dict[str, Told]:
        """By cell, how its nodes stand. Of what has no name nobody can tell that it was done once
        its value is let go: it counts where something is known of it.
        """
        cells, known = cells_of(self._session.workspace, graph), self._session.workspace.meanings()
        named = {name for name, meaning in known.items() if meaning.is_node}  # and no list of them
        counted = [node for node in graph.nodes if node.name in named or node.id in stand]
        states = [stand.get(node.id, "waiting") for node in counted]
        return states_by_cell([cells[node.index] for node in counted], states)


def _words(stale: list[str]) -> str:
    """What became stale since a run, in a sentence; nothing where nothing did."""
    if not stale:
        return ""
    return f"Changed since: {some_of(stale)} {'is' if len(stale) == 1 else 'are'} stale now."
