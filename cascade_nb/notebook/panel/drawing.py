"""Shows a graph below the current cell, as a picture that stays in the saved notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from IPython.display import display

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import count_text
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.errors import UsageError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.notebook.kernel.shims import LaunchingCell, is_headless, running_kernel
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import running_cell, say
from cascade_nb.notebook.workspace.layers import Meaning
from cascade_nb.notebook.workspace.workspace import Workspace
from cascade_nb.view.graphviz.layout import Rendered, lay_out
from cascade_nb.view.picture.picture import Picture, picture_of
from cascade_nb.view.picture.states import UNMARKED, Marks
from cascade_nb.view.visual import Visual, lay_out_for_file, static_bundle, static_metadata

T = TypeVar("T")

_drawing: Final[set[asyncio.Task[None]]] = set()
GRAPHS: Final = 12  # graphs below cells, the latest ones, that are kept true


class ShownGraph(NamedTuple):
    """A graph that stands below a cell.

    Attributes:
        nodes: ids of what is in it.
        picture: what is drawn.
        states: what is marked, by id of a node.
        update: shows it anew.
    """

    nodes: frozenset[str]
    picture: Picture
    states: Mapping[str, str]
    update: Callable[[Rendered], object]


def whole_graph(workspace: Workspace) -> tuple[Graph | None, list[str]]:
    """The graph of every name, and what is wrong with those that cannot be in it."""
    known = workspace.meanings()
    sinks = [known[name].lazies for name in workspace.sinks()]
    if not sinks:
        return None, []
    try:
        return build_graph(sinks, workspace), []
    except UsageError:
        problems = {name: _problem(meaning, workspace) for name, meaning in known.items()}
        good = [meaning.lazies for name, meaning in known.items() if problems[name] is None]
        told = dict.fromkeys(problem for problem in problems.values() if problem is not None)
        return (build_graph(good, workspace) if good else None), list(told)


def _problem(meaning: Meaning, workspace: Workspace) -> str | None:
    try:
        build_graph(meaning.lazies, workspace)
    except UsageError as error:
        return str(error)
    return None


def show_graph(
    session: Session, graph: Graph | None, problems: Iterable[str], marks: Marks | None = None
) -> None:
    """Say the problems, and show `graph` with `marks`, else with what was done once and is stale
    now.

    With a kernel that somebody sits at, words come at once and the picture when it is laid out; in
    a headless execution what comes after the cell is lost, so the cell waits for the picture.
    """
    for problem in problems:
        say(problem)
    if graph is None:
        return
    if running_kernel() is None:
        marked = marks or on_a_loop_of_its_own(marks_of(session, graph))
        say(Visual(graph, marked).text)
    elif is_headless():
        marked = marks or on_a_loop_of_its_own(marks_of(session, graph))
        rendered = on_a_loop_of_its_own(_rendered(graph, marked))
        data, metadata = static_bundle(rendered), static_metadata(rendered)
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
    else:
        _show_soon(session, graph, marks)


def _show_soon(session: Session, graph: Graph, marks: Marks | None) -> None:
    size = f"{graph.title}: {count_text(len(graph), 'node')}"
    handle = display({"text/plain": size}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    cell, key = LaunchingCell(), running_cell(session.shell).cell.key
    session.graphs.pop(key, None)

    def update(rendered: Rendered) -> None:
        data, metadata = static_bundle(rendered), static_metadata(rendered)
        cell.call(lambda: handle.update(data, metadata=metadata, raw=True))

    async def draw() -> None:
        try:
            marked = marks or await marks_of(session, graph)
            rendered = await _rendered(graph, marked)
            update(rendered)
        except Exception as error:  # whatever it is, it belongs where the picture would be
            words = {"text/plain": f"{size}\nNo picture: {error!r}"}
            cell.call(lambda: handle.update(words, raw=True))
            return
        if marks is None:
            nodes = frozenset(node.id for node in graph.nodes)
            session.graphs[key] = ShownGraph(nodes, rendered.picture, marked.states, update)
            while len(session.graphs) > GRAPHS:
                del session.graphs[next(iter(session.graphs))]

    task = begin_task(draw())
    _drawing.add(task)  # the loop itself holds a task only weakly
    task.add_done_callback(_drawing.discard)


async def _rendered(graph: Graph, marked: Marks) -> Rendered:
    # Folding a large graph takes a while too, so it happens off the loop.
    rendered = await lay_out(await run_in_thread(partial(picture_of, graph)), marks=marked)
    return await lay_out_for_file(graph, rendered, marked)


async def marks_of(session: Session, graph: Graph) -> Marks:
    """What a run would not run is done, and what was done in an earlier run and would run again is
    stale; what each run does anew, whatever was changed, is planned. What has no name is no node of
    before once it would run again, so that it is never stale.
    """
    once = {node.id: node.index for node in graph.nodes if node.id in session.done}
    if not once:
        return UNMARKED
    known = graph.params()
    params = {name: value for name, value in session.params.items() if name in known}
    reuse = await session.engine.standing(graph, params)
    stands = frozenset(range(len(graph))) - reuse.wanted - graph.param_indexes
    states = {graph.nodes[index].id: "done" for index in stands}
    for node, index in once.items():
        if index in reuse.wanted:
            states[node] = "planned" if _is_done_anew(graph.nodes[index], reuse) else "stale"
    return Marks(states)


def _is_done_anew(node: Node, reuse: Reuse) -> bool:
    """Whether no result of a node ever stands: something of it has no key, or it says so."""
    unkeyed = reuse.gaps is not None and reuse.gaps.why_not(node.index) is not None
    return unkeyed or not node.options.reuse


def on_a_loop_of_its_own(work: Coroutine[Any, Any, T]) -> T:
    """What comes of `work`, where the caller's loop is not to be run from within."""
    with ThreadPoolExecutor(1, thread_name_prefix="cascade-aside") as pool:
        return pool.submit(asyncio.run, work).result()
