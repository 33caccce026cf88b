"""Registers `%cascade` and `%%cascade`."""

from __future__ import annotations

import inspect
from argparse import Namespace
from typing import Any, Final

from IPython.core.magic import Magics, line_cell_magic, magics_class

from cascade_nb.errors import CascadeError, UnknownNameError, UsageError
from cascade_nb.grammar.arguments import Arguments, HelpAskedError
from cascade_nb.notebook.cells.cell_body import Body, StoppedError, drive
from cascade_nb.notebook.cells.nested_code import nested_code_counts
from cascade_nb.notebook.cells.recorded_names import Names
from cascade_nb.notebook.cells.recording import recording
from cascade_nb.notebook.kernel.leading_comments import without_comment_behind
from cascade_nb.notebook.kernel.shims import is_headless
from cascade_nb.notebook.magics.awaiting import AWAITED, with_awaits
from cascade_nb.notebook.magics.commands import ASKING, COMMANDS, Command
from cascade_nb.notebook.magics.launching import LaunchOptions, launch
from cascade_nb.notebook.panel.drawing import show_graph, whole_graph
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import at_a_prompt, remark, running_cell, say
from cascade_nb.notebook.tracebacks import as_in_a_cell, in_words

CELL: Final = Arguments(
    "%%cascade",
    "Define tasks and nodes in this cell, then show the graph.",
    [
        ("%%cascade", "a def is a task, a name for a call of a task is a node"),
        ("%%cascade --run report", "then run it"),
    ],
)
CELL.add_argument(
    "--run",
    nargs="?",
    const="",
    metavar="NAME",
    help="run a node when the cell is done; without a name, what it defined last",
)
CELL.add_argument("--quiet", action="store_true", help="do not show the graph")

NOTHING_HERE: Final = (
    "No tasks here: put steps into functions (`def`), and give their calls names. A cell without "
    "either needs no %%cascade."
)


def waits(line: str) -> bool:
    """Whether a magic with these arguments has something to wait for."""
    words = line.split()
    runs = words[:1] == ["run"] or "--run" in words
    asks = bool(words) and words[0] in ASKING
    if runs and at_a_prompt():
        return False  # its loop stands still between cells, so a thread has the run
    return asks or (runs and ("--wait" in words or is_headless()))


def overview() -> str:
    """What there is, for `%cascade -h`."""
    width = max(map(len, COMMANDS))
    lines = [
        f"  %cascade {name:{width}}  {command.takes.summary}" for name, command in COMMANDS.items()
    ]
    return "\n".join(
        [f"  {'%%cascade':{width + 9}}  {CELL.summary}", *lines, "", "Each says more with -h."]
    )


@magics_class
class CascadeMagics(Magics):
    """The magics of one shell.

    Args:
        session: what they work on.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session.shell)  # type: ignore[arg-type]  # it has what is asked
        self.session = session

    @line_cell_magic
    def cascade(self, line: str, body: str | None = None) -> Any:
        """Define tasks and nodes in a cell, look at them, run them, hold them: `%cascade -h`."""
        __tracebackhide__ = True
        self.session.notice()
        awaited = line.startswith(AWAITED)
        rest = line.removeprefix(AWAITED).strip()
        if body is not None:
            rest = without_comment_behind(rest)
        if body is None:
            work = self._line(rest, awaited)
        else:
            work = self._cell(rest, self._prepared(body, awaited), awaited)
        if awaited:
            return work
        try:
            return drive(work)
        except StoppedError as stopped:
            error = stopped.error
        raise as_in_a_cell(self.session.shell, error) from error.__cause__

    async def _line(self, line: str, awaited: bool) -> Any:
        """Do what a sub-command says."""
        __tracebackhide__ = True
        try:
            command, given = _read(line)
            before = self.session.latest
            try:
                done = command.act(self.session, given, awaited)
                return await done if inspect.iscoroutine(done) else done
            except BaseException:
                if self.session.latest is not before:
                    self.session.bind_failed(line)
                raise
        except HelpAskedError as asked:
            say(str(asked))
        except CascadeError as error:
            raise in_words(self.session.shell, error) from error.__cause__

    def _prepared(self, text: str, awaited: bool) -> Body:
        shell = self.session.shell

        def finish(transformed: str) -> str:
            return with_awaits(transformed, shell, waits) if awaited else transformed

        here = self.session.workspace
        return Body(shell, text, running_cell(shell), finish, {*here.chains, *here.definitions})

    async def _cell(self, line: str, body: Body, awaited: bool) -> Any:
        """Run the body of a cell, then show or run what it defined."""
        __tracebackhide__ = True
        session = self.session
        try:
            given = CELL.read(line)
            _check(body, awaited)
            names = await _run(session, body)
            done = None
            if given.run is not None:
                asked = [given.run] if given.run else []
                done = launch(session, LaunchOptions(asked, awaited=awaited, again=False))
            elif not given.quiet and body.makes_nothing and not names.concerns:
                remark(NOTHING_HERE)
            elif not given.quiet:
                show_graph(session, *whole_graph(session.workspace))
            return await done if inspect.iscoroutine(done) else done
        except HelpAskedError as asked:
            say(str(asked))
        except Exception as error:
            if isinstance(error, StoppedError) and awaited:
                raise RuntimeError(str(error)) from error.error  # what Python makes of it there
            if error is body.error:
                raise as_in_a_cell(session.shell, error) from error.__cause__
            if isinstance(error, CascadeError):
                raise in_words(session.shell, error) from error.__cause__
            raise


async def _run(session: Session, body: Body) -> Names:
    """Run a body, and say below it what it has to say, however it ends.

    Returns:
        what it did to the names.
    """
    __tracebackhide__ = True
    told: dict[str, None] = {}
    helpers = body.helpers.names
    try:
        with recording(session.workspace, body.cell, helpers, body.may_bind) as names:
            told = names.told
            with nested_code_counts(session.shell, body):
                await body.run(names)
    finally:
        told.update(dict.fromkeys([*body.told(), *body.helpers.untold()]))
        if told:
            remark("\n".join(told))
    return names


def _check(body: Body, awaited: bool) -> None:
    if body.is_empty and not body.is_remark:
        raise UsageError("this cell is empty; write tasks and calls of them below %%cascade")
    if body.awaits and not awaited:
        raise UsageError(
            "this cell has a top-level await, and what runs it does not wait; run it as a cell of "
            "its own, with no other magic above it and with %autoawait on"
        )


def _read(line: str) -> tuple[Command, Namespace]:
    """The sub-command that `line` names, and its arguments.

    Raises:
        HelpAskedError: it asks for help.
        UsageError: there is no such sub-command, or it does not take these arguments.
    """
    name, *rest = line.split(maxsplit=1) or [""]
    if name in {"", "-h", "--help"}:
        raise HelpAskedError(overview())
    if name not in COMMANDS:
        advice = " (`%cascade -h` says what there is)"
        raise UnknownNameError("%cascade command", name, COMMANDS, advice)
    command = COMMANDS[name]
    return command, command.takes.read(*rest or [""])
