"""Shows the notebook's parameters and lets values be chosen for all runs after that."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph
from cascade_nb.model.params.param import Param
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own
from cascade_nb.notebook.parameters.values import (
    cost,
    fields,
    forget,
    graph_here,
    in_words,
    keep,
    read,
)
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say


def show_params(session: Session, given: Namespace, awaited: bool) -> Any:
    """Choose what is given, and show all parameters with what a run would cost."""
    if given.reset and given.value:
        raise UsageError("either values are chosen, or all mean their defaults again (--reset)")
    graph = graph_here(session)
    if given.reset:
        forget(session)
    chosen = [_read(graph, text) for text in given.value]  # all, before anything is changed
    for param, value in chosen:
        keep(session, param, value)
    if not awaited:
        say(on_a_loop_of_its_own(_told(session, graph)))
        return None
    return _shown(session, graph)


def _read(graph: Graph | None, text: str) -> tuple[Param, Any]:
    """What ``name=value`` means; the default where there is no value."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UsageError(f"a parameter is given as name=value, not {text!r}")
    return read(graph, name, value or None)


async def _shown(session: Session, graph: Graph | None) -> None:
    say(await _told(session, graph))
    if running_kernel() is None or is_headless() or not fields(session, graph):
        return
    if session.form is None:
        # Loading ipywidgets takes a while, and not every notebook asks for this.
        from cascade_nb.notebook.parameters.form import ParamsForm  # noqa: PLC0415

        session.form = ParamsForm(session)
    await session.form.show(graph)


async def _told(session: Session, graph: Graph | None) -> str:
    here = fields(session, graph)
    return f"{in_words(here)}\n{(await cost(session, graph)).words}" if here else in_words(here)
