"""Two programs that differ in one place, and so in what they give, have two keys."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import pathlib
import re
import sys
from typing import Any, NamedTuple

import pytest

from cascade_nb.graph.code.code_key import code_key
from tests.graph.cells import Cells

_ADDRESS = re.compile(r"0x[0-9a-f]+")


_SINCE_3_11 = {"flag boundary"}


class Pair(NamedTuple):
    name: str
    programs: tuple[str, str]


def _pairs() -> list[Pair]:
    """``=== name : 'one' : 'other'``, then a program in which ``<>`` is one or the other."""
    text = (pathlib.Path(__file__).parent / "code_pairs.txt").read_text(encoding="utf-8")
    found = []
    for part in text.split("=== ")[1:]:
        head, _, program = part.partition("\n")
        name, one, other = head.split(" : ", 2)
        if name in _SINCE_3_11 and sys.version_info < (3, 11):
            continue
        filled = [program.replace("<>", ast.literal_eval(said)) for said in (one, other)]
        found.append(Pair(name, (filled[0], filled[1])))
    return found


def _given(function: Any) -> str:
    try:
        said = repr(function())
    except Exception as error:
        said = repr(error)
    return _ADDRESS.sub("", said)


@pytest.mark.parametrize("source", [True, False], ids=["text", "bytecode"])
@pytest.mark.parametrize("pair", _pairs(), ids=lambda pair: pair.name)
def test_what_gives_something_else_has_another_key(pair: Pair, source: bool) -> None:
    functions = [Cells(source).run(program).names["f"] for program in pair.programs]
    one, other = map(code_key, functions)
    assert not one.unkeyed
    assert not other.unkeyed
    values = [_given(function) for function in functions]
    assert values[0] != values[1], "this pair proves nothing"
    assert one.digest != other.digest
    again = [code_key(Cells(source).run(program).names["f"]) for program in pair.programs]
    assert [one.digest, other.digest] == [key.digest for key in again]


def test_what_the_user_has_put_into_a_library_or_among_the_built_ins_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = Cells().run("import json\ndef f(): return json.dumps(1), shown(2)")
    cells.run("def one(x): return 'p'\ndef other(x): return 'q'")
    f, one, other = (cells.names[name] for name in ("f", "one", "other"))
    keys = [code_key(f).digest]
    monkeypatch.setattr(json, "dumps", one)
    keys.append(code_key(f).digest)
    monkeypatch.setattr(builtins, "shown", one, raising=False)
    keys.append(code_key(f).digest)
    monkeypatch.setattr(builtins, "shown", other)
    keys.append(code_key(f).digest)
    monkeypatch.undo()
    assert len(set(keys)) == 4
    assert code_key(f).digest == keys[0]


@pytest.mark.parametrize(
    ("place", "how"),
    [
        ("statistics", "import statistics\ndef f(): return statistics.factor"),
        ("statistics", "import statistics as s\ndef h(): return s.factor\ndef f(): return h()"),
        (
            "xml.etree.ElementTree",
            "import xml.etree.ElementTree\ndef f(): return xml.etree.ElementTree.factor",
        ),
    ],
)
def test_a_value_that_the_user_has_put_into_a_library_counts(
    place: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = Cells().run(how).names["f"]
    keys = [code_key(f)]
    for value in (1, 2.5, "a", 1):
        monkeypatch.setattr(importlib.import_module(place), "factor", value, raising=False)
        keys.append(code_key(f))
    assert len({key.digest for key in keys}) == 4
    assert keys[1].digest == keys[4].digest
    assert not any(key.unkeyed for key in keys)


def test_a_library_s_own_constant_leaves_its_version_in_the_key() -> None:
    f = Cells().run("import numpy as np\ndef f(): return np.pi").names["f"]
    assert any("numpy" in part for part in code_key(f).parts), code_key(f).parts


def test_annotations_and_documentation_count_only_for_who_reads_them() -> None:
    programs = [
        f"def h(a: {kind}):\n    '{doc}'\n    return a\nclass C:\n    '{doc}'\ndef f(): return {{}}"
        for kind, doc in (("int", "x"), ("str", "y"))
    ]
    for read, count in (("h(1), C()", False), ("h.__annotations__", True), ("C.__doc__", True)):
        keys = [code_key(Cells().run(one.format(read)).names["f"]).digest for one in programs]
        assert (keys[0] != keys[1]) == count
