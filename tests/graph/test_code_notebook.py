"""Keys of what was defined in IPython's own cells."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]

# Runs cells one after the other in a shell of its own, and answers with keys of names after each.
PROGRAM = """
import json, sys
sys.path[:0] = [sys.argv[1], "."]
from IPython.core.interactiveshell import InteractiveShell
from cascade_nb.graph.code.code_key import code_key
shell = InteractiveShell.instance(colors="nocolor")
answers = []
for cell, names in json.load(sys.stdin):
    ran = shell.run_cell(cell, store_history=True)
    ran.raise_error()
    keys = {name: code_key(shell.user_ns[name]) for name in names}
    answers.append({n: [k.digest, dict(k.parts), k.sources, k.unkeyed] for n, k in keys.items()})
print(json.dumps(answers))
"""
Cell = tuple[str, list[str]]


def in_a_shell(place: pathlib.Path, *cells: Cell, seed: str = "0") -> list[dict[str, Any]]:
    home = place / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT)],
        input=json.dumps(cells),
        env={**os.environ, "PYTHONHASHSEED": seed, "IPYTHONDIR": str(home)},
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


HELPERS = """
from enum import Enum
from dataclasses import dataclass
LIMIT = {"a", "b", "c"}
class Kind(Enum):
    A = 1
@dataclass
class Item:
    n: int = 0
def _trim(x): return [i for i in x if i in LIMIT]
"""
TASK = """
def f(x, item=Item()):
    "What it does."
    return _trim(x), Kind.A, item
g = lambda x: _trim(x)
"""


def test_two_kernels_give_one_key_wherever_the_cells_stand(tmp_path: pathlib.Path) -> None:
    one = in_a_shell(tmp_path, (HELPERS, []), (TASK, ["f", "g", "Kind", "Item"]))[-1]
    moved = in_a_shell(
        tmp_path,
        ("x = 1", []),
        ("# helpers\n" + HELPERS, []),
        ("y = 2", []),
        ("import os\n\n" + TASK, ["f", "g", "Kind", "Item"]),
        seed="7",
    )[-1]
    for name in ("f", "g", "Kind", "Item"):
        (digest, parts, sources, unkeyed), other = one[name], moved[name]
        assert [digest, parts, unkeyed] == [other[0], other[1], []]
        assert sources == other[2]
    assert set(one["f"][2]) == {"function f", "helper _trim"}


def test_a_cell_that_is_run_again_is_the_same_and_an_edited_one_is_not(
    tmp_path: pathlib.Path,
) -> None:
    edited = HELPERS.replace("if i in", "if i not in")
    first, again, after = in_a_shell(
        tmp_path,
        (HELPERS + TASK, ["f"]),
        (HELPERS, ["f"]),
        (edited, ["f"]),
    )
    assert first["f"][:2] == again["f"][:2]
    changed = {k for k, v in after["f"][1].items() if first["f"][1].get(k) != v}
    assert changed == {"helper _trim"}


@pytest.mark.parametrize(
    "line", ["!echo hello", "%time 1", "get_ipython().system('true')", "display(x)", "print(In)"]
)
def test_what_the_notebook_itself_offers_does_not_stand_in_the_way(
    line: str, tmp_path: pathlib.Path
) -> None:
    cell = f"def f(x):\n    {line}\n    return x"
    (answer,) = in_a_shell(tmp_path, (cell, ["f"]))
    assert answer["f"][3] == []


def test_top_level_await_in_a_cell_does_not_hide_its_source(tmp_path: pathlib.Path) -> None:
    cell = "import asyncio\nawait asyncio.sleep(0)\ndef f(x):\n    return x  # as it is"
    (answer,) = in_a_shell(tmp_path, (cell, ["f"]))
    assert answer["f"][2] == {"function f": "def f(x):\n    return x  # as it is\n"}


def test_autoreload_brings_the_key_of_the_new_code(tmp_path: pathlib.Path) -> None:
    module = tmp_path / "mylib.py"
    module.write_text("def g(x): return x + 1\n")
    os.utime(module, (1_700_000_000, 1_700_000_000))
    edit = (
        "import os, pathlib\n"
        "pathlib.Path('mylib.py').write_text('def g(x): return x + 222\\n')\n"
        "os.utime('mylib.py', (1_700_000_100, 1_700_000_100))"
    )
    first, _, after = in_a_shell(
        tmp_path,
        (
            "%load_ext autoreload\n%autoreload 2\nfrom mylib import g\ndef f(x): return g(x)",
            ["f"],
        ),
        (edit, []),
        ("1", ["f"]),
    )
    assert "x + 222" in after["f"][2]["helper mylib.g"]
    changed = {k for k, v in after["f"][1].items() if first["f"][1].get(k) != v}
    assert changed == {"helper mylib.g"}


def test_a_cell_of_tasks_counts_by_its_text_too(tmp_path: pathlib.Path) -> None:
    # Its text begins with the magic, which is no Python.
    cell = """%%cascade --quiet
def _trim(x): return x[:3]
def f(x):
    return _trim(x)
async def g(x):
    return _trim(x)
"""
    load: Cell = ("%load_ext cascade_nb", [])
    commented = cell.replace("return _trim(x)", "'What it does.'\n    return _trim(x)  # all")
    (_, one, other) = in_a_shell(tmp_path, load, (cell, ["f", "g"]), (commented, ["f", "g"]))
    for name in ("f", "g"):
        digest, parts, sources, unkeyed = one[name]
        assert sources["helper _trim"] == "def _trim(x): return x[:3]\n"
        assert f"function {name}" in sources
        assert not unkeyed
        assert other[name][:2] == [digest, parts]
