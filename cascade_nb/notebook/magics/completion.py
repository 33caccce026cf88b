"""Completes what is typed behind `%cascade` and `%%cascade`: sub-commands, options, names, scopes,
runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from cascade_nb.engine.runs.request import ON_ERROR
from cascade_nb.executors.resolve import NAMES
from cascade_nb.grammar.arguments import Arguments
from cascade_nb.model.params.param import Param
from cascade_nb.notebook.magics.commands import COMMANDS
from cascade_nb.notebook.magics.magics import CELL
from cascade_nb.notebook.session import Session

_LINE: Final = re.compile(r"\s*(?:[\w.]+\s*=\s*)?%cascade\s+(.*)", re.DOTALL)
_CELL: Final = re.compile(r"\s*%%cascade\s+(.*)", re.DOTALL)


def matcher(session: Session) -> Callable[[CompletionContext], Any]:
    """What to append to `Completer.custom_matchers`."""

    @context_matcher()  # type: ignore[untyped-decorator]
    def cascade_matcher(context: CompletionContext) -> dict[str, Any]:
        before = context.text_until_cursor
        found = completions(session, before)
        return {
            "completions": [SimpleCompletion(word) for word in found],
            # A scope has a ':' in it, at which IPython would cut it in two.
            "matched_fragment": re.split(r"\s", before)[-1],
            "suppress": bool(found),
        }

    return cascade_matcher  # type: ignore[no-any-return]


def completions(session: Session, before: str) -> list[str]:
    """The words that could stand where a line that begins with `before` goes on."""
    on_line, on_cell = _LINE.match(before), _CELL.match(before)
    found = on_cell or on_line
    if found is None:
        return []
    *words, begun = re.split(r"\s+", found[1])
    if on_cell is not None:
        known = _behind(session, CELL, "", words, begun)
    elif not words:
        known = COMMANDS
    elif words[0] in COMMANDS:
        command = COMMANDS[words[0]]
        known = _behind(session, command.takes, command.kind, words[1:], begun)
    else:
        return []
    return sorted(word for word in known if word.startswith(begun))


def _behind(
    session: Session, takes: Arguments, kind: str, words: list[str], begun: str
) -> Iterable[str]:
    """What can stand behind `words`."""
    last = words[-1] if words else ""
    if begun.startswith("-"):
        return takes.words
    if last == "--on-error":
        return ON_ERROR
    if last == "--on":
        return NAMES
    if last in {"-p", "--param"}:
        return _params(session)
    if last == "--run":
        return session.workspace.meanings()
    return _NAMED[kind](session) if kind else takes.words


def _params(session: Session) -> list[str]:
    graph = session.workspace.overview()
    nodes = graph.nodes if graph is not None else ()
    return [f"{node.lazy.name}=" for node in nodes if isinstance(node.lazy, Param)]


def _scopes(session: Session) -> list[str]:
    tasks, nodes = session.task_names(), session.node_names()
    return [
        "global",
        *tasks,
        *nodes,
        *(f"task:{name}" for name in tasks),
        *(f"tag:{name}" for name in session.tags()),
        *(f"{kind}:{name}" for kind in ("node", "from") for name in nodes),
        *(run.scope for run in session.live_runs()),
    ]


_NAMED: Final[dict[str, Callable[[Session], Iterable[str]]]] = {
    "questions": lambda session: [one.name for run in session.live_runs() for one in run.questions],
    "nodes": lambda session: session.node_names(),
    "names": lambda session: [*session.workspace.meanings(), *session.workspace.tasks()],
    "runs": lambda session: [str(status.number) for status in session.statuses()],
    "live": lambda session: [str(run.number) for run in session.live_runs()],
    "params": _params,
    "scopes": _scopes,
}
