"""Shows the notebook's parameters and lets values be chosen for all runs after that."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascade_nb.errors import UsageError
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own
from cascade_nb.notebook.parameters.values import choose, cost, fields, forget, in_words
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say


def show_params(session: Session, given: Namespace, awaited: bool) -> Any:
    """Choose what is given, and show all parameters with what a run would cost."""
    if given.reset and given.value:
        raise UsageError("either values are chosen, or all mean their defaults again (--reset)")
    if given.reset:
        forget(session)
    for text in given.value:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise UsageError(f"a parameter is given as name=value, not {text!r}")
        if value:
            choose(session, name, value)
        else:
            forget(session, name)
    if not awaited:
        say(on_a_loop_of_its_own(_told(session)))
        return None
    return _shown(session)


async def _shown(session: Session) -> None:
    say(await _told(session))
    if running_kernel() is None or is_headless() or not fields(session):
        return
    if session.form is None:
        # Loading ipywidgets takes a while, and not every notebook asks for this.
        from cascade_nb.notebook.parameters.form import ParamsForm  # noqa: PLC0415

        session.form = ParamsForm(session)
    await session.form.show()


async def _told(session: Session) -> str:
    here = fields(session)
    table = in_words(session, here)
    return f"{table}\n{(await cost(session)).words}" if here else table
