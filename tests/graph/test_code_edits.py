"""The golden list of edits: what each does to the key of `f`, and which part says so."""

from __future__ import annotations

import pathlib
import re
import sys
from typing import NamedTuple

import pytest

from tests.graph.cells import Cells, Folder


class Edit(NamedTuple):
    """Two states of a notebook, and the parts of the key that differ between them.

    An edit that means nothing has none.
    """

    name: str
    before: str
    after: str
    changed: tuple[str, ...] = ()


def golden() -> list[Edit]:
    text = pathlib.Path(__file__).with_name("golden_edits.txt").read_text(encoding="utf-8")
    edits = []
    for piece in text.split("\n=== ")[1:]:
        head, _, states = piece.partition("\n")
        name, _, changed = head.partition(" -> ")
        before, after = states.partition("\n#####")[0].split("\n--- becomes\n")
        edits.append(Edit(name, before, after, tuple(changed.split(", ")) if changed else ()))
    return edits


EDITS = golden()
INSIDE = {"d": "w", "e": "v"}  # what the functions inside the list's decorators are called
if sys.version_info < (3, 11):  # code objects know where they stand from 3.11 on
    EDITS = [
        edit._replace(
            changed=tuple(
                re.sub(r"(decorator|of) ([de])$", lambda m: f"{m[1]} {INSIDE[m[2]]}", part)
                for part in edit.changed
            )
        )
        for edit in EDITS
    ]
SAME = [edit for edit in EDITS if not edit.changed]
OTHER = [edit for edit in EDITS if edit.changed]


def by_name(edits: list[Edit]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("edit", edits, ids=[edit.name for edit in edits])


def test_the_list_is_long_and_has_no_name_twice() -> None:
    assert len(EDITS) >= 60
    assert len({edit.name for edit in EDITS}) == len(EDITS)


@by_name(SAME)
def test_an_edit_that_means_nothing_keeps_the_key(edit: Edit) -> None:
    before = Cells().run(edit.before).key()
    after = Cells().run(edit.after).key()
    assert after.parts == before.parts
    assert after.digest == before.digest
    assert not before.unkeyed


@pytest.mark.parametrize("source", [True, False], ids=["from source", "from bytecode"])
@by_name(OTHER)
def test_an_edit_that_means_something_changes_the_key_and_says_where(
    edit: Edit, source: bool
) -> None:
    before = Cells(source).run(edit.before).key()
    after = Cells(source).run(edit.after).key()
    assert after.digest != before.digest
    changed = {k for k, v in (before.parts.items() ^ after.parts.items())}
    assert changed == set(edit.changed)
    assert not before.unkeyed + after.unkeyed


@by_name(OTHER)
def test_the_edit_is_seen_by_whoever_looked_before(edit: Edit) -> None:
    # What is remembered of a code object must not hide what changed around it.
    cells = Cells().run(edit.before)
    before = cells.key()
    after = cells.run(edit.after).key()
    assert after.digest != before.digest


MODULES = [
    Edit("what is named", "def g(): return 1", "def g(): return 2", ("helper mylib.g",)),
    Edit("what it names", "L = 1\ndef g(): L", "L = 2\ndef g(): L", ("constant mylib.L",)),
    Edit("what stands beside it", "def g(): 1\ndef h(): 1", "def g(): 1\ndef h(): 2"),
    Edit("a comment", "def g(): return 1", "# better\ndef g(): return 1"),
]


@by_name(MODULES)
@pytest.mark.parametrize(
    "cell",
    [
        "import mylib\ndef f(): return mylib.g()",
        "import mylib as m\ndef f(): return m.g()",
        "from mylib import g\ndef f(): return g()",
        "from mylib import g as h\ndef f(): return h()",
        "from mylib import *\ndef f(): return g()",
    ],
)
def test_an_edit_of_a_local_module_counts_where_it_is_named(
    edit: Edit, cell: str, folder: Folder
) -> None:
    folder.write("mylib", edit.before)
    before = Cells().run(cell).key()
    folder.forget()
    folder.write("mylib", edit.after)
    after = Cells().run(cell).key()
    assert {k for k, v in (before.parts.items() ^ after.parts.items())} == set(edit.changed)
    assert (after.digest != before.digest) == bool(edit.changed)


IMPORTED = [
    Edit("a function of it", "def g(): return 1", "def g(): return 2", ("module pack.part",)),
    Edit("a comment", "def g(): return 1", "def g(): return 1 # one"),
    Edit("a docstring", "'a'\ndef g(): return 1", "'b'\ndef g():\n  'c'\n  return 1"),
    Edit("what it says while it is imported", "print", "print()", ("module pack.part",)),
]


@by_name(IMPORTED)
@pytest.mark.parametrize(
    "line", ["import pack.part", "from pack import part", "from pack.part import g"]
)
def test_an_edit_of_a_module_counts_where_the_body_imports_it(
    edit: Edit, line: str, folder: Folder
) -> None:
    cell = f"def f():\n    {line}\n    return 1"
    folder.write("pack.part", edit.before)
    before = Cells().run(cell).key()
    folder.write("pack.part", edit.after)
    after = Cells().run(cell).key()
    assert {k for k, v in (before.parts.items() ^ after.parts.items())} == set(edit.changed)
    assert (after.digest != before.digest) == bool(edit.changed)
