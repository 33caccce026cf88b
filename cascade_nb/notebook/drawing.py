"""Shows a graph below the current cell, as a picture that stays in the saved notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, Final

from IPython.display import display

from cascade_nb.control.words import count_text
from cascade_nb.errors import UsageError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.notebook.layers import Meaning
from cascade_nb.notebook.shell import say
from cascade_nb.notebook.shims import LaunchingCell, is_headless, running_kernel
from cascade_nb.notebook.workspace import Workspace
from cascade_nb.view.layout import Rendered, lay_out
from cascade_nb.view.picture import picture_of
from cascade_nb.view.visual import Visual, static_bundle, static_metadata

_drawing: Final[set[asyncio.Task[None]]] = set()


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
    graph: Graph | None, problems: Iterable[str], awaited: bool
) -> Awaitable[None] | None:
    """Say the problems, and show `graph`.

    With a kernel that somebody sits at, words come at once and the picture when it is laid out.

    Args:
        awaited: whether the caller awaits what this gives, if it gives something.
    """
    for problem in problems:
        say(problem)
    if graph is None:
        return None
    if running_kernel() is None:
        say(Visual(graph).text)
    elif not is_headless():
        _show_soon(graph)
    elif awaited:
        return _show_when_drawn(graph)
    else:
        display(Visual(graph))  # type: ignore[no-untyped-call]
    return None


def _show_soon(graph: Graph) -> None:
    size = f"{graph.title}: {count_text(len(graph), 'node')}"
    handle = display({"text/plain": size}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    cell = LaunchingCell()

    async def draw() -> None:
        try:
            data, metadata = _bundle(await _rendered(graph))
        except Exception as error:  # whatever it is, it belongs where the picture would be
            data, metadata = {"text/plain": f"{size}\nNo picture: {error!r}"}, {}
        cell.call(lambda: handle.update(data, metadata=metadata, raw=True))

    task = asyncio.get_running_loop().create_task(draw())
    _drawing.add(task)  # the loop itself holds a task only weakly
    task.add_done_callback(_drawing.discard)


async def _show_when_drawn(graph: Graph) -> None:
    data, metadata = _bundle(await _rendered(graph))
    display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


async def _rendered(graph: Graph) -> Rendered:
    # Folding a large graph takes a while too, so it happens off the loop.
    return await lay_out(await asyncio.to_thread(picture_of, graph))


def _bundle(rendered: Rendered) -> tuple[dict[str, Any], dict[str, Any]]:
    return static_bundle(rendered), static_metadata(rendered)
