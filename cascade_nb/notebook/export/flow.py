"""`%cascade export flow.py`: the workspace as a module that runs without a notebook."""

from __future__ import annotations

import ast
import keyword
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.errors import UsageError
from cascade_nb.notebook.export.check import Check, check, refusal
from cascade_nb.notebook.export.child import keys_of
from cascade_nb.notebook.export.draft import Draft, drafted
from cascade_nb.notebook.export.written import formatted, refuse_what_is_there, write
from cascade_nb.notebook.session import Session

_OTHERS: Final = (
    "what the lines of their cells give now is not what the notebook has; run their cells again, "
    "or write into a cell what was changed since"
)


class Wanted(NamedTuple):
    """What was asked for.

    Attributes:
        path: of the module.
        names: the nodes and tasks that it is to have; all without any.
        tests: whether a file of tests is written too.
        force: whether files that are there are written over.
    """

    path: Path
    names: list[str]
    tests: bool
    force: bool

    @property
    def files(self) -> list[Path]:
        """What is to be written."""
        tests = [self.path.with_name(f"test_{self.path.name}")] if self.tests else []
        return [self.path, *tests]


def prepared(session: Session, wanted: Wanted) -> Callable[[], list[str]]:
    """What drafts a module, tries it, writes it, and gives lines that say so, or raises a
    `UsageError` that says why it cannot be one. It takes a while, and any thread will do.

    Raises:
        UsageError: it cannot be written there.
    """
    name = wanted.path.stem
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(
            f"{wanted.path.name:.80} is no name of a module: letters, digits and _, and no word of "
            "Python's own"
        )
    _refuse_name(name, {"cs", "cascade_nb", *sys.stdlib_module_names})
    refuse_what_is_there(wanted.files, wanted.force)

    def work() -> list[str]:
        draft = drafted(session, name, wanted.names)
        if draft.problems:
            raise refusal(wanted.path, draft.problems)
        _refuse_name(name, set(_imported(draft.module.text)))
        keys = keys_of(draft.values, session.workspace)
        done = check(wanted.path, draft.module, keys)
        problems = done.problems
        if done.others:
            problems = [f"{_listed(done.others)}: {_OTHERS}"]
            problems += [
                f"{place} reads `__file__`, which is that of the module there"
                for place in draft.file_read_by
            ]
        if problems:
            raise refusal(wanted.path, problems)
        texts = zip(wanted.files, [draft.module.text, draft.tests], strict=False)
        write({path: formatted(text) for path, text in texts}, wanted.force)
        return _told(wanted, draft, done, [one for one, its in keys.items() if None in its])

    return work


def _refuse_name(name: str, taken: Collection[str]) -> None:
    if name in taken:
        raise UsageError(
            f"a module {name} would be imported where {name} is meant: give it another name"
        )


def _imported(text: str) -> Iterator[str]:
    """The names of the libraries that some Python imports."""
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]


def _told(wanted: Wanted, draft: Draft, done: Check, unkeyed: Sequence[str]) -> list[str]:
    files = " and ".join(str(path) for path in wanted.files)
    lines = [f"Wrote {files}; `python {wanted.path} -h` says what it runs."]
    if done.anew:
        names = f" ({', '.join(draft.classes)})" if draft.classes else ""
        lines.append(
            f"Computed anew where the module is imported: {_listed(done.anew)}, since they depend "
            f"on what it is called, as its classes{names} do, and functions that are handed on; "
            "those of a module that both import would be the same."
        )
    elif draft.values and not unkeyed:
        lines.append("Its nodes have the keys of the notebook's: with one state, results stand.")
    if unkeyed:
        lines.append(
            f"Nothing could compare {_listed(unkeyed)} with the notebook's: `%cascade why` says "
            "what has no key there."
        )
    if wanted.tests and draft.left_open:
        lines.append(
            f"{wanted.files[1]} needs a value of {_listed(draft.left_open)}, where it says so."
        )
    return [*lines, *draft.told]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
