"""Puts the magics, their completion and our reprs into a shell, and takes them out again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.advice import advise_magics
from cascade_nb.door.startable import offer_to_start
from cascade_nb.engine.runs.loop_binding import may_be_held_up
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.scopes import offer_names
from cascade_nb.engine.source_names import name_files_by
from cascade_nb.errors import UsageError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.refusals import use_ways
from cascade_nb.model.tasks.found_lazies import advice_on
from cascade_nb.notebook.export.cells import note_cell
from cascade_nb.notebook.freshness import Freshness
from cascade_nb.notebook.kernel.control_channel import answer_on_control_channel
from cascade_nb.notebook.kernel.leading_comments import question_as_help, without_comments_above
from cascade_nb.notebook.kernel.messages import answer_through_the_stream, send_any_text
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.kernel.switch_interval import take_turns_often
from cascade_nb.notebook.magics.awaiting import transformer
from cascade_nb.notebook.magics.completion import matcher
from cascade_nb.notebook.magics.magics import CascadeMagics, waits
from cascade_nb.notebook.magics.panels import open_panel
from cascade_nb.notebook.prompt import cells_can_be_interrupted
from cascade_nb.notebook.reprs import lazy_text, show_lazy, show_run, ways_out
from cascade_nb.notebook.roles.plain_bodies import (
    be_nodes_where_others_call,
    be_plain_where_others_call,
)
from cascade_nb.notebook.roles.unkept_calls import remarks_on, remarks_on_timing
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import Shell, is_captured, remark
from cascade_nb.notebook.startables import NamedNodes
from cascade_nb.notebook.tracebacks import show_errors_cut
from cascade_nb.notebook.workspace.outside_changes import OutsideChanges, why_gone
from cascade_nb.shortcuts.running import tell_of_reuse

Undo = Callable[[], object]

_sessions: Final[WeakKeyDictionary[Shell, Session]] = WeakKeyDictionary()
_undo: Final[WeakKeyDictionary[Shell, list[Undo]]] = WeakKeyDictionary()


def load_ipython_extension(shell: Shell | None) -> None:
    """Make `%cascade` and `%%cascade` known in `shell`; a second time changes nothing.

    What cells defined before an `%unload_ext` or `%reload_ext` is still there.

    Raises:
        UsageError: there is no IPython here.
    """
    if shell is None or not hasattr(shell, "register_magics"):
        raise UsageError(
            "the magics need IPython: write `%load_ext cascade_nb` in a notebook; in a script, "
            "`import cascade_nb as cs` and cs.run(…) do the same"
        )
    if shell in _undo:
        return
    session = _sessions.setdefault(shell, Session(shell))
    undo: list[Undo] = []
    _undo[shell] = undo
    try:
        for put in (
            _put_replies,
            _put_turns,
            _put_loop,
            _put_door,
            _put_places,
            _put_names,
            _put_edits,
            _put_freshness,
            _put_plain_callers,
            _put_remarks,
            _put_magics,
            _put_transformer,
            _put_completion,
            _put_ways,
            _put_reprs,
            _put_tracebacks,
        ):
            undo += put(shell, session)
    except BaseException:
        unload_ipython_extension(shell)
        raise


def session_of(shell: Shell) -> Session:
    """What the magics of a shell share, into which they were loaded."""
    return _sessions[shell]


def unload_ipython_extension(shell: Shell) -> None:
    """Take everything out of `shell` again; runs go on."""
    for step in reversed(_undo.pop(shell, [])):
        step()


def _put_replies(shell: Shell, session: Session) -> list[Undo]:
    """Have the kernel hear a click that comes while it answers a cell, and answer every cell."""
    return [answer_through_the_stream(), send_any_text()]


def _put_turns(shell: Shell, session: Session) -> list[Undo]:
    """Have the kernel hear a click that comes while tasks compute in threads."""
    return [take_turns_often()]


def _put_loop(shell: Shell, session: Session) -> list[Undo]:
    """Have runs go on while a cell holds up the kernel's loop, and between a terminal's cells."""
    loop = asyncio._get_running_loop()
    if loop is None or running_kernel() is None:
        return cells_can_be_interrupted(shell)
    return [may_be_held_up(loop)]


def _put_door(shell: Shell, session: Session) -> list[Undo]:
    """Have the terminal's `cascade-nb` reach the runs of this kernel."""
    return [answer_on_control_channel()]


def _put_places(shell: Shell, session: Session) -> list[Undo]:
    """Have failures name the cell instead of the file that the kernel calls it by."""

    def cell_of(filename: str) -> str | None:
        told = shell.compile.format_code_name(
            filename
        )  # ("Cell", "In[4]"), or None for a real file
        return f"cell {told[1].removeprefix('In')}" if told and told[0] == "Cell" else None

    return [name_files_by(cell_of)]


def _put_names(shell: Shell, session: Session) -> list[Undo]:
    """Have `cs.run` and its like read names as the workspace has them."""
    engine = session.engine
    engine.bindings = session.workspace

    def forget() -> None:
        engine.bindings = None

    return [forget]


def _put_edits(shell: Shell, session: Session) -> list[Undo]:
    """Have runs that are held look at what a cell changed before they go on."""

    def before(_info: object) -> None:
        for engine in session.engines:
            engine.editing()

    def after(result: Any) -> None:
        note_cell(session, result)
        for engine in session.engines:
            engine.edited()

    hooks = {"pre_run_cell": before, "post_run_cell": after}
    for event, hook in hooks.items():
        shell.events.register(event, hook)
    return [partial(shell.events.unregister, event, hook) for event, hook in hooks.items()]


def _put_freshness(shell: Shell, session: Session) -> list[Undo]:
    """Have what was shown below earlier cells stay true; in a terminal nothing can be."""
    if asyncio._get_running_loop() is None or running_kernel() is None:
        return []
    freshness = Freshness(session)
    before, session.over = session.over, freshness.run_is_over

    def after(_result: object) -> None:
        if not is_headless():  # what comes after a cell is lost there
            freshness.look_again()

    shell.events.register("post_run_cell", after)

    def undo() -> None:
        session.over = before

    return [partial(shell.events.unregister, "post_run_cell", after), undo]


def _put_plain_callers(shell: Shell, session: Session) -> list[Undo]:
    """Have the standard library's own callers of code in texts call tasks as functions."""

    def before(info: Any) -> None:
        be_plain_where_others_call(info.raw_cell or "")

    shell.events.register("pre_run_cell", before)
    return [be_nodes_where_others_call, partial(shell.events.unregister, "pre_run_cell", before)]


def _put_remarks(shell: Shell, session: Session) -> list[Undo]:
    """Have each cell told what it did to the workspace that the workspace cannot follow."""
    changes = OutsideChanges(session.workspace)

    reused: set[str] = set()

    def tell(text: str) -> None:
        if text not in reused:  # once in a cell, which may ask in a loop
            reused.add(text)
            remark(text)

    def look_ahead(info: Any) -> None:
        if said := remarks_on_timing(getattr(info, "raw_cell", None) or "", shell.user_ns.get):
            remark("\n".join(said))

    def look(result: Any) -> None:
        reused.clear()
        if session.workspace.recorded is not None or is_captured(shell):
            return  # it is a magic's, inside the cell; that one's end comes
        info = getattr(result, "info", None)
        text = getattr(info, "raw_cell", None) or ""
        said = [*changes.look(text), *remarks_on(text, shell.user_ns.get)]
        error = getattr(result, "error_in_exec", None)
        said += why_gone(session.workspace, error)
        if error is not None and not hasattr(error, "_render_traceback_"):
            said += [words for words in (advice_on(error),) if words is not None]
        if said:
            remark("\n".join(said))

    hooks: dict[str, Callable[[Any], None]] = {"pre_run_cell": look_ahead, "post_run_cell": look}
    for event, hook in hooks.items():
        shell.events.register(event, hook)
    undo = [partial(shell.events.unregister, event, hook) for event, hook in hooks.items()]
    return [tell_of_reuse(tell), *undo]


def _put_magics(shell: Shell, session: Session) -> list[Undo]:
    shell.register_magics(CascadeMagics(session))
    manager = shell.magics_manager
    return [
        lambda: manager.magics["line"].pop("cascade", None),
        lambda: manager.magics["cell"].pop("cascade", None),
        lambda: manager.registry.pop(CascadeMagics.__name__, None),
    ]


def _put_transformer(shell: Shell, session: Session) -> list[Undo]:
    transform = transformer(shell, waits)
    first, last = shell.input_transformers_cleanup, shell.input_transformers_post
    last.append(transform)
    undo: list[Undo] = [lambda: last.remove(transform)]
    for early in (without_comments_above, question_as_help):
        first.append(early)
        undo.append(partial(first.remove, early))
    return undo


def _put_completion(shell: Shell, session: Session) -> list[Undo]:
    completer = shell.Completer
    if completer is None:  # a kernel that was started without one
        return []
    match = matcher(session)
    completer.custom_matchers.append(match)
    return [lambda: completer.custom_matchers.remove(match)]


def _put_ways(shell: Shell, session: Session) -> list[Undo]:
    """Have a lazy value that is used as a value say what to do in words that work in a cell."""
    return [use_ways(partial(ways_out, session))]


def _put_reprs(shell: Shell, session: Session) -> list[Undo]:
    def show(run: Run) -> None:
        show_run(session, run, partial(open_panel, session))

    texts = shell.display_formatter.formatters["text/plain"]
    return [
        _put(texts, Lazy, lambda lazy, printer, _: printer.text(lazy_text(session, lazy))),
        _put(shell.display_formatter.ipython_display_formatter, Run, show),
        _put(
            shell.display_formatter.ipython_display_formatter,
            Lazy,
            lambda lazy: show_lazy(session, lazy),
        ),
        advise_magics(session.short_scope),
        offer_names(session.workspace.meanings),
        offer_to_start(NamedNodes(session, asyncio._get_running_loop())),
    ]


def _put_tracebacks(shell: Shell, session: Session) -> list[Undo]:
    """Have our errors out of plain cells shown by the user's lines too."""
    return [show_errors_cut(shell)]


def _put(formatter: Any, kind: type, function: Callable[..., object]) -> Undo:
    before = formatter.for_type(kind, function)
    return lambda: formatter.for_type(kind, before) if before is not None else formatter.pop(kind)
