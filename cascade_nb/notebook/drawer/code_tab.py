"""Shows the code that a node ran, and line by line what changed since the run before."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.source_names import place_of
from cascade_nb.graph.code.code_key import CodeKey
from cascade_nb.graph.fingerprint.provenance import code_changes
from cascade_nb.graph.graph import Node
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain

_PARTS: Final = 20  # helpers that are shown
_DIFFERENCE: Final = 400  # lines


def code_tab(run: Run, node: Node) -> Json:
    """The code of a node's task as it was when the run was keyed, and its helpers.

    It may read files: not for the loop.
    """
    task = node.task
    assert task is not None, "what has no task has no such tab"
    grounds, name = run.grounds, node.task_name
    now = _code(grounds.now.get(node.id)) or grounds.code.get(name)
    before = _code(grounds.before.get(node.id)) or grounds.code_before.get(name)
    parts = _parts(now.sources) if now is not None else []
    if not parts:
        parts = [{"name": line(name), "text": _read(task.fn)}]
    fn = inspect.unwrap(task.fn)
    code = getattr(fn, "__code__", None)
    return {
        "parts": parts[:_PARTS],
        "more": max(0, len(parts) - _PARTS),
        "place": "" if code is None else line(place_of(code.co_filename), SHORT),
        "line": 0 if code is None else code.co_firstlineno,
        "changes": _changes(before, now),
    }


def _code(made: object) -> CodeKey | None:
    return getattr(made, "code", None)


def _parts(sources: Mapping[str, str]) -> list[Json]:
    """The function first, then what it leads to."""
    first = sorted(sources, key=lambda label: not label.startswith("function "))
    return [
        {
            "name": line(label.partition(" ")[2] or label),
            "text": plain(textwrap.dedent(sources[label])),
        }
        for label in first
    ]


def _read(fn: object) -> str:
    try:
        return plain(textwrap.dedent(inspect.getsource(fn)))  # type: ignore[arg-type]
    except (OSError, TypeError):
        return "Its source cannot be found."


def _changes(before: CodeKey | None, now: CodeKey | None) -> list[Json]:
    """What changed since the node, or its task, came to a result the last time."""
    if before is None or now is None or before.digest == now.digest:
        return []
    told: list[Json] = []
    for label, text in now.sources.items():
        was = before.sources.get(label)
        if was is not None and was != text:
            name = line(label.partition(" ")[2] or label)
            told.append({"name": name, "lines": list(_difference(was, text))})
    if not told:
        told = [
            {
                "name": plain(change.words, SHORT),
                "lines": [plain(one, SHORT) for one in change.lines],
            }
            for change in code_changes(before, now)[:_PARTS]
        ]
    return told


def _difference(before: str, now: str) -> Iterator[str]:
    """The lines that went and came, each with three around it."""
    old, new = (textwrap.dedent(text).splitlines() for text in (before, now))
    lines = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    for one in lines[:_DIFFERENCE]:
        yield "…" if one.startswith("@@") else plain(one, SHORT)
    if len(lines) > _DIFFERENCE:
        yield f"… {len(lines) - _DIFFERENCE:,} lines more"
