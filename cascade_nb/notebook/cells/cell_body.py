"""Parses, compiles and runs the body of a `%%cascade` cell, with its functions made tasks."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import nullcontext
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.safe_parse import safely
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.refusals import refusals_noted, ways_out_of
from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.cells.helpers import Helpers
from cascade_nb.notebook.cells.loops import names_of_loops, with_globals
from cascade_nb.notebook.cells.needed_lines import python_lines
from cascade_nb.notebook.cells.recorded_names import Names
from cascade_nb.notebook.cells.rewriting import bound_past, rewritten
from cascade_nb.notebook.roles.function_roles import GENERATOR, roles_in
from cascade_nb.notebook.roles.top_level import names_loaded, root_name
from cascade_nb.notebook.shell import Running, Shell, note_source

_AWAIT: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Body:
    """A cell's body, ready to run.

    Args:
        shell: where it will run.
        text: the body, without the line of the magic.
        running: the cell that it belongs to.
        finish: what is still to be done to the body after IPython has transformed it.
        kept: the names that nodes and tasks have already.

    Attributes:
        cell: which cell that is.
        is_empty: whether there is nothing in it.
        awaits: whether it has a top-level `await`.
        may_bind: names that it may bind past the mapping that it runs in.
        helpers: what its code calls.
        plain: its functions that are no tasks, each with the reason.
        has_helpers_inside: whether there are helpers inside of its expressions and loops, which
            look for them in the namespace itself.
        is_remark: whether there is nothing in it but comments.
        error: what came out of one of its lines.

    Raises:
        SyntaxError: it is no Python; lines are counted as in the whole cell.
    """

    def __init__(
        self,
        shell: Shell,
        text: str,
        running: Running,
        finish: Callable[[str], str] = str,
        kept: Collection[str] = (),
    ) -> None:
        self._shell = shell
        self.cell = running.cell
        source = _Source.of(text, running.text, finish(shell.transform_cell(text)))
        self._has_magics = "get_ipython()" in source.padded
        name = note_source(shell, source.shown, running.number, running.text or None)
        self._file = name
        self._refused: list[tuple[Exception, int]] = []
        tree = shell.transform_ast(
            safely(lambda: shell.compile.ast_parse(source.padded, filename=name))
        )
        self.may_bind = bound_past(tree)
        if shell.ast_node_interactivity == "last_expr_or_assign":
            tree.body += _assigned_last(tree.body)
        look = shell.user_ns.get
        roles = roles_in(tree, look, shell.user_ns)
        self._uses_tasks = any(
            name in kept or isinstance(look(name), (Lazy, Task, PartialTask))
            for name in names_loaded(tree)
        )
        self._roles = roles
        self.plain = dict(roles.plain)
        self.helpers = Helpers()
        tree = rewritten(tree, roles)
        self._codes = self._compiled(tree.body, name, source.padded, kept)
        self.has_helpers_inside = roles.has_changed_calls or any(quick for _, quick in self._codes)
        self.is_empty = not self._codes
        self.is_remark = self.is_empty and bool(text.strip())
        self.error: BaseException | None = None
        self.awaits = any(code.co_flags & inspect.CO_COROUTINE for code, _ in self._codes)

    def _compiled(
        self, nodes: list[ast.stmt], name: str, source: str, kept: Collection[str]
    ) -> list[tuple[CodeType, Sequence[str]]]:
        """One piece for each statement, as IPython does it, so that each awaits for itself; with
        the names that it binds past the mapping that it runs in.
        """
        compiler = self._shell.compile
        silent = self._shell.displayhook.semicolon_at_end_of_expression(source)
        shown = [] if silent else _displayed(nodes, self._shell.ast_node_interactivity)
        codes: list[tuple[CodeType, Sequence[str]]] = []
        flags = compiler.extra_flags(_AWAIT) if self._shell.autoawait else nullcontext()
        with flags:
            for node in nodes:
                quick = names_of_loops(node, kept)
                lines = with_globals(node, quick)
                if node in shown:
                    code = compiler(ast.Interactive(lines), name, "single")
                else:
                    code = compiler(ast.Module(lines, []), name, "exec")
                codes.append((code, quick))
        return codes

    @property
    def makes_nothing(self) -> bool:
        """Whether there is a word to say when the workspace has nothing of it."""
        has_any = self.is_empty or self.plain or self._has_magics or self._uses_tasks
        return not has_any

    def told(self) -> list[str]:
        """What it has to say about its functions, and about errors that it caught."""
        return [*self._told_of_functions(), *self.helpers.caught(self._refused, self.error)]

    def _told_of_functions(self) -> list[str]:
        given = [
            f"`{name}` is a task: {to}. Its calls there do not run; `{name}.fn` is the function."
            for name, to in self._roles.given.items()
        ]
        called_back: dict[str, str] = {}
        for node, to in self._roles.called_back.items():
            called_back.setdefault(node.id, to)
        given += [
            f"`{name}` is a task; here its function is used: {to}."
            for name, to in called_back.items()
        ]
        given += [
            f"`{name}` changes what it is given, and as a task it is given a copy: `{what}` stays "
            f"as it is. `{name}.fn(…)` changes it, at once."
            for name, what in self._copied()
        ]
        given += [
            f"In the class `{name}` tasks are plain functions: `{'`, `'.join(sorted(tasks))}`."
            for name, tasks in self._roles.classes.items()
        ]
        given += [
            f"`{name}` reads `{read}`, which is not computed yet and is no argument of it: "
            f"{ways_out_of(lazy)}."
            for name, names in self._roles.reads.items()
            for read in sorted(names)
            if isinstance(lazy := self._shell.user_ns.get(read), Lazy)
        ]
        if not self.plain:
            return given
        names = "; ".join(f"`{name}`: {reason}" for name, reason in self.plain.items())
        text = f"Plain functions here, as if named like `_{next(iter(self.plain))}`. {names}."
        if not all(reason == GENERATOR for reason in self.plain.values()):
            text += " Decorate one with `cascade_nb.task` to make it a task all the same."
        return [text, *given]

    def _copied(self) -> dict[tuple[str, str], None]:
        """The tasks that change what they are given, and what of that will not be changed."""
        namespace = self._shell.user_ns
        return {
            (called, what): None
            for call, what in self._roles.copied.items()
            if (called := root_name(call.func)) is not None
            and not isinstance(namespace.get(re.split(r"\W", what)[0]), Lazy)
        }

    async def run(self, names: Names) -> None:
        """Run it with `names` as its namespace.

        What it raises comes out as it is, but for StopIteration, which no coroutine can raise.

        Raises:
            StoppedError: a line of it has raised StopIteration.
        """
        __tracebackhide__ = "__ipython_bottom__"
        try:
            with refusals_noted(self._note):
                for code, quick in self._codes:
                    with names.watched(quick):
                        awaitable = eval(code, self._shell.user_ns, names)  # noqa: S307
                        if code.co_flags & inspect.CO_COROUTINE:
                            await awaitable
        except StopIteration as error:
            self.error = error
            raise StoppedError(error) from error
        except Exception as error:
            self.error = error
            raise

    def _note(self, error: Exception, frame: FrameType) -> None:
        if frame.f_code.co_filename == self._file:
            self._refused.append((error, frame.f_lineno))


class StoppedError(Exception):
    """Carries a StopIteration out of coroutines.

    Attributes:
        error: what it carries.
    """

    def __init__(self, error: StopIteration) -> None:
        super().__init__("coroutine raised StopIteration")
        self.error = error


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What comes of a coroutine that awaits nothing, at once."""
    __tracebackhide__ = True
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a body without a top-level await has awaited something")


def would_await(shell: Shell, text: str) -> bool:
    """Whether the body `text` has a top-level `await`.

    Raises:
        SyntaxError: it is no Python; lines are counted as in the whole cell.
    """
    source = _Source.of(text, "", shell.transform_cell(text))
    try:
        return awaits(source.padded)
    except SyntaxError as error:
        error.filename = note_source(shell, source.shown, shell.execution_count)
        raise


def awaits(source: str) -> bool:
    """Whether the Python in `source` has a top-level `await`.

    Raises:
        SyntaxError: it is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they come when it is compiled to be run
        code = compile(source, "<cell>", "exec", _AWAIT, dont_inherit=True)
    return bool(code.co_flags & inspect.CO_COROUTINE)


class _Source(NamedTuple):
    """A body in its place in the cell.

    Attributes:
        shown: the whole cell for tracebacks and `inspect`, the magic's own line as it was typed.
        padded: the same with nothing but line ends above the body.
    """

    shown: str
    padded: str

    @classmethod
    def of(cls, text: str, cell: str, body: str) -> _Source:
        """The body `text` of `cell`, which IPython has transformed to `body`."""
        # What IPython hands over ends with a line end that the cell need not have.
        above, found, _ = cell.rpartition(text.rstrip() or text or "\n")
        head = above if found and above else "%%cascade\n"
        blank = next((i for i, line in enumerate(python_lines(text)) if line.strip()), 0)
        head += "\n" * blank  # IPython's transformers take empty lines away at the beginning
        return cls(head + body, "\n" * head.count("\n") + body)


def _assigned_last(nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
    """What shows the name that the last statement binds, if that is all that it binds."""
    match nodes[-1:]:
        case [
            ast.Assign(targets=[ast.Name() as target])
            | ast.AugAssign(target=ast.Name() as target)
            | ast.AnnAssign(target=ast.Name() as target)
        ]:
            shown = ast.copy_location(ast.Name(target.id, ast.Load()), target)
            return [ast.copy_location(ast.Expr(shown), target)]
    return []


def _displayed(nodes: Sequence[ast.stmt], interactivity: str) -> Sequence[ast.stmt]:
    """Those statements whose value is shown, by IPython's setting."""
    if interactivity == "all":
        return nodes
    last = nodes[-1:]
    if not last:
        return []
    if interactivity == "last" or (interactivity != "none" and isinstance(last[0], ast.Expr)):
        return last
    return []
