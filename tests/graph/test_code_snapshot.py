"""A quick look whether code may be another: it must never say "the same" of what is not."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.code.snapshot import CodeSnapshot
from cascade_nb.model.tasks.decorator import task

SPACE = """
import time
LIMIT = 3
TABLE = [1]
def deep(x): return x
def helper(x): return deep(x) + LIMIT
class Model:
    def fit(self): return helper(1)
    @staticmethod
    def norm(): return 1
def body(x, k=2, *, n=deep): return helper(x) + k + Model().fit()
def reads_table(x): return TABLE[0]
"""


@pytest.fixture
def space() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(SPACE, names)
    return names


def edit_helper(s: dict[str, Any]) -> None:
    s["helper"] = lambda x: x


def edit_deep(s: dict[str, Any]) -> None:
    s["deep"] = lambda x: x


def edit_constant(s: dict[str, Any]) -> None:
    s["LIMIT"] = 4


def edit_code(s: dict[str, Any]) -> None:
    s["deep"].__code__ = (lambda x: -x).__code__


def edit_default(s: dict[str, Any]) -> None:
    s["body"].__defaults__ = (9,)


def edit_method(s: dict[str, Any]) -> None:
    s["Model"].fit = lambda self: 7


def edit_static_method(s: dict[str, Any]) -> None:
    s["Model"].norm = staticmethod(lambda: 7)


def edit_class(s: dict[str, Any]) -> None:
    s["Model"] = type("Model", (), {"fit": lambda self: 1})


def take_away(s: dict[str, Any]) -> None:
    del s["helper"]


@pytest.mark.parametrize(
    "edit",
    [
        edit_helper,
        edit_deep,
        edit_constant,
        edit_code,
        edit_default,
        edit_method,
        edit_static_method,
        edit_class,
        take_away,
    ],
)
def test_it_sees_every_edit(space: dict[str, Any], edit: Callable[[dict[str, Any]], None]) -> None:
    snapshot = CodeSnapshot(task(space["body"]))
    space["unrelated"] = 1
    assert snapshot.holds()
    assert snapshot.certain
    edit(space)
    assert not snapshot.holds()


def test_what_can_be_changed_in_place_is_not_certain(space: dict[str, Any]) -> None:
    assert not CodeSnapshot(task(space["reads_table"])).certain


def test_it_sees_a_reload_and_an_edit_of_what_is_still_to_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "snap_mod.py").write_text("def helper(): return 1\n")
    (tmp_path / "snap_late.py").write_text("def late(): return 1\n")
    name = "snap_mod"
    module = importlib.import_module(name)
    names: dict[str, Any] = {"__name__": "__main__", "snap_mod": module}
    exec(
        "def one(): return snap_mod.helper()\n"
        "def two():\n    import snap_late\n    return snap_late.late()\n",
        names,
    )
    snapshots = [CodeSnapshot(task(names["one"])), CodeSnapshot(task(names["two"]))]
    for snapshot in snapshots:
        snapshot.see_files()
    assert all(snapshot.holds() and snapshot.files_hold() for snapshot in snapshots)
    importlib.reload(module)
    (tmp_path / "snap_late.py").write_text("def late(): return 22\n")
    assert [snapshot.holds() for snapshot in snapshots] == [False, True]
    assert [snapshot.files_hold() for snapshot in snapshots] == [True, False]
    assert isinstance(sys.modules["snap_mod"], types.ModuleType)
    del sys.modules["snap_mod"]


QUICK = """
import json
import {folder} as lib
LIMIT = 3
LONG = "a" * 100_000
TABLE = [1]
class Model: pass
def helper(x): return x + LIMIT
def plain(x, k=2): return helper(x) + k
def parses(x): return json.dumps(x)
def of_a_module(x): return lib.clean(x)
def imports(x):
    import {folder}
    return {folder}.clean(x)
def long(x): return x + LONG
def table(x): return TABLE
def model(x): return Model()
def default(x, k="b" * 100_000): return x
"""


def test_only_what_was_keyed_before_and_is_small_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = f"quick_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{folder}.py").write_text("def clean(x): return x\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(QUICK.format(folder=folder), names)
    bodies = ("plain", "parses", "of_a_module", "imports", "long", "table", "model", "default")
    quick = []
    for name in bodies:
        of_task = task(names[name])
        assert not CodeSnapshot(of_task).is_quick  # nobody has read it so far
        code_key(of_task)
        if CodeSnapshot(of_task).is_quick:
            quick.append(name)
    assert quick == ["plain", "parses"]
    names["helper"] = lambda x: x
    assert not CodeSnapshot(task(names["plain"])).is_quick
