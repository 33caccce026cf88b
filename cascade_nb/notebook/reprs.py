"""Shows lazy values and runs as the last line of a cell."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from IPython.display import display

from cascade_nb.advice import advised_value
from cascade_nb.control.words import ago, seconds_text
from cascade_nb.engine.planning.planner import Found
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import running_cell, say
from cascade_nb.shortcuts.running import is_of_an_effect
from cascade_nb.shortcuts.values import find_soon
from cascade_nb.text import carryable, coloured


def lazy_text(session: Session, lazy: Lazy) -> str:
    """What a lazy value is, and how to run it, where it is part of something that is shown."""
    return f"{_described(session, lazy)}; {_to_run(_name(session, lazy))} computes it"


def _described(session: Session, lazy: Lazy) -> str:
    """What it is, and what it reads."""
    name = _name(session, lazy) or lazy.options.name
    reads = [_name(session, other) or other.label for other in lazy.inputs]
    shown = ", ".join(reads[:6]) + (f" and {len(reads) - 6} more" if len(reads) > 6 else "")
    return _what(name, lazy) + (f", which reads {shown}" if reads else "")


def show_lazy(session: Session, lazy: Lazy) -> None:
    """The value that stands for it as Jupyter would show it, below how old it is; else why none
    does, and what to do.
    """
    name = _name(session, lazy)
    try:
        found = find_soon(session.engine, lazy)
    except CascadeError as error:
        say(f"{lazy_text(session, lazy)}\nIts value cannot be looked for: {error}")
        return
    if not found.there:
        advice = advised_value(name, found.lasting, found.comes)
        if name is None and found.comes is None:
            advice = f"{_call(session, _written(lazy))} computes it"
        no_value = f"No value stands: {found.words}. {advice.replace('it is', 'It is', 1)}."
        say(f"{_described(session, lazy)}\n{no_value}")
        return
    made = _made(found, session.engine.clock.wall())
    if name is None and is_of_an_effect(found.value):
        again = _call(session, f"{_written(lazy)}, fresh=True")
        made += f"\nIt did not run again: its result stands. {again} runs it."
    say(f"{_what(name or lazy.options.name, lazy)}{made}")
    data, metadata = session.shell.display_formatter.format(found.value)
    if data:  # or it has shown itself, as widgets do
        shown = {**carryable(data), "text/plain": coloured(data.get("text/plain", ""))}
        display(shown, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


def _made(found: Found, now: float) -> str:
    doubts = f" · {found.doubts}" if found.doubts else ""
    if found.made is None or found.seconds is None:
        return doubts
    return f"{doubts} · made {ago(now - found.made)} in {seconds_text(found.seconds)}"


def _what(name: str | None, lazy: Lazy) -> str:
    return f"{name} = {lazy.label}" if name and name != lazy.label else lazy.label


def _written(lazy: Lazy) -> str:
    """A call that has no name, as its cell has it."""
    return f"{lazy.label}(…)" if lazy.label.isidentifier() else "…"


def _to_run(bound: str | None) -> str:
    return f"`%cascade run {bound}`" if bound else "cs.run(…)"


def ways_out(session: Session, lazy: Lazy | None) -> str:
    """The three ways to go on after a lazy value was used as a value, in words that work in a cell;
    see `use_ways`.
    """
    name = (lazy is not None and (_name(session, lazy) or _container(session, lazy))) or "…"
    return (
        f"{_call(session, name)} gives its value now; a task that is given it gets the value when "
        "it is there; a function whose name begins with _ runs at once"
    )


def _call(session: Session, name: str) -> str:
    """What runs it in a cell, where the package may have no name yet."""
    module = sys.modules["cascade_nb"]
    alias = next((n for n, value in session.shell.user_ns.items() if value is module), None)
    return f"{alias}.run({name})" if alias else f"`import cascade_nb as cs`, then cs.run({name}),"


def _name(session: Session, lazy: Lazy) -> str | None:
    """What the workspace calls it, or what the cell that is running has bound it to."""
    name = session.workspace.name_of(lazy)
    names = session.shell.user_ns.items() if name is None else ()
    return name or next((n for n, v in names if v is lazy and n.strip("_")), None)


def _container(session: Session, lazy: Lazy) -> str | None:
    """The name of the container in which a cell has bound it."""
    place = session.workspace.places.get(lazy)
    name = place.layer.name if place is not None else ""
    return name if name and session.workspace.shows(name) else None


def show_run(session: Session, run: Run, open_panel: Callable[[Run], object]) -> None:
    """A run by its panel, which is alive, unless that is in the same cell already; in a line where
    there can be none: in a terminal, in a headless execution, of a run that is over and had none.

    Args:
        session: has the panels that there are.
        run: to be shown.
        open_panel: shows a panel of its own below the cell, for a run that has none.
    """
    if running_kernel() is None or is_headless():
        say(repr(run))
    elif session.shown_in == (run, running_cell(session.shell).number):
        return
    elif (widget := session.panels.get(run.id)) is not None:
        widget.show()
    elif run.done() or asyncio._get_running_loop() is None:
        say(repr(run))
    else:
        open_panel(run)
