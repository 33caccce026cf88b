"""How lazy values and runs show themselves as the last line of a cell."""

from __future__ import annotations

import sys

from cascade_nb.engine.run import Run
from cascade_nb.model.lazy import Lazy
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import running_cell, say


def lazy_text(session: Session, lazy: Lazy) -> str:
    """What a lazy value is, what it reads, and how to run it."""
    bound = _name(session, lazy)
    name = bound or lazy.options.name
    label = lazy.label
    what = f"{name} = {label}" if name and name != label else label
    reads = [_name(session, other) or other.label for other in lazy.inputs]
    shown = ", ".join(reads[:6]) + (f" and {len(reads) - 6} more" if len(reads) > 6 else "")
    text = f"{what}, not run yet" + (f"; reads {shown}" if reads else "")
    return f"{text}. To run it: " + (f"%cascade run {bound}" if bound else "cs.run(…)")


def ways_out(session: Session, lazy: Lazy) -> str:
    """The three ways to go on after a lazy value was used as a value, in words that work in a cell;
    see `use_ways`.
    """
    name = _name(session, lazy) or "…"
    module = sys.modules["cascade_nb"]
    alias = next((n for n, value in session.shell.user_ns.items() if value is module), None)
    call = f"{alias}.run({name})" if alias else f"`import cascade_nb as cs`, then cs.run({name}),"
    return (
        f"{call} gives its value now; a task that is given it gets the value when it is there; a "
        "function whose name begins with _ runs at once"
    )


def _name(session: Session, lazy: Lazy) -> str | None:
    """What the workspace calls it, or what the cell that is running has bound it to."""
    name = session.workspace.name_of(lazy)
    names = session.shell.user_ns.items() if name is None else ()
    return name or next((n for n, v in names if v is lazy and n.strip("_")), None)


def show_run(session: Session, run: Run) -> None:
    """A run in a line, unless its panel is in the same cell already."""
    if session.shown_in != (run, running_cell(session.shell).number):
        say(repr(run))
