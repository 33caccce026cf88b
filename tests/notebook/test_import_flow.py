"""`%cascade import flow.py` takes a module as the workspace, and computes what the module would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("a program is waited for")

FLOW = '''"""What a person wrote."""

import math

import cascade_nb as cs
import neighbour

size = cs.Param("size", default=3, type=int)
LIMIT = neighbour.LIMIT


def shift(x):
    return math.sqrt(x) + LIMIT


@cs.task
def load(size):
    return list(range(size))


@cs.task
def total(xs):
    return sum(shift(x) for x in xs)


start = shift(4)
raw = load(size)
report = total(raw)

if __name__ == "__main__":
    raise SystemExit(cs.main(__file__, "report"))
'''


@pytest.fixture
def here(notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook in whose folder there is a module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "neighbour", raising=False)
    Path("flow.py").write_text(FLOW)
    Path("neighbour.py").write_text("LIMIT = 1\n")
    return notebook


def test_a_module_is_the_workspace_and_finds_what_it_has_computed_as_a_program(
    here: Notebook, tmp_path: Path
) -> None:
    state = f"sqlite:///{tmp_path}/results.db"
    words = ["flow.py", "--state", state]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    here.ok(f"%cascade state {state}")
    told = here.ok("%cascade import flow.py").text
    assert "From flow.py: size, raw, report, load, total." in told
    assert here.names["start"] == 3.0
    assert "report: 2 to reuse" in here.ok("%cascade plan report").text
    # out of it again, with the same keys
    told = here.ok("%cascade export again.py").text
    assert "the keys of the notebook's" in told
    assert "def shift" in Path("again.py").read_text()
    # edited and taken in again, as a cell is run again
    Path("flow.py").write_text(FLOW.replace("range(size)", "range(1, size)").replace("raw", "row"))
    here.ok("%cascade import flow.py --quiet")
    assert "raw" not in here.names
    here.ok("import cascade_nb as cs")
    assert here.ok("cs.run(report)").result == pytest.approx(1 + 1 + 2**0.5 + 1)
    here.ok("%cascade state memory:")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone.py", None, "cannot be read"),
        ("broken.py", "def f(:", "no file of Python"),
        ("other.py", "import math\nx = 1\n", "does not import cascade_nb"),
        ("empty.py", "import cascade_nb as cs\nx = 1\n", "has no task and no node"),
        ("inner.py", "import cascade_nb\nfrom . import x\n", "imports from its package"),
        ("nul.py", "import cascade_nb\n\0", "no file of Python"),
        ("failing.py", "import cascade_nb\nx = 1\n1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_what_is_no_module_of_tasks_is_refused(
    here: Notebook, name: str, text: str | None, words: str
) -> None:
    here.ok("%%cascade --quiet\ndef f(x): return x\nreport = f(1)")
    if text is not None:
        Path(name).write_text(text)
    done = here.run(f"%cascade import {name}")
    assert done.error is not None
    assert words in done.text
    assert "report" in here.ok("%cascade graph report").text
