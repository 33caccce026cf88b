"""The panel's JavaScript: modules that do what they say, and one text together."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from cascade_nb.notebook.panel.source import FORM_SOURCE, PANEL_SOURCE, RUNS_SOURCE
from tests.project.sources import PACKAGE

MODULES = PACKAGE / "notebook" / "panel" / "js"
CLAIMS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))
LONGEST = 350
MOST_BYTES = 200_000


def node(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Playwright brings a node of its own."""
    program = str(compute_driver_executable()[0])
    command = [program, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The modules as node takes them: a folder that says that they are some."""
    for path in MODULES.glob("*.js"):
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("claims", CLAIMS, ids=lambda path: path.name.partition(".")[0])
def test_what_a_module_does_is_what_its_tests_claim(claims: Path, folder: Path) -> None:
    shutil.copy(claims, folder)
    ran = node("--test", "--test-reporter=tap", claims.name, cwd=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^# pass [1-9]", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("entry", ["panel", "params_form", "runs_panel"])
def test_the_modules_find_each_other(entry: str, folder: Path) -> None:
    ran = node("--input-type=module", "-e", f"await import('./{entry}.js')", cwd=folder)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    "source", [PANEL_SOURCE, FORM_SOURCE, RUNS_SOURCE], ids=["panel", "form", "runs"]
)
def test_put_together_they_are_one_module_that_imports_nothing(source: str, tmp_path: Path) -> None:
    (tmp_path / "whole.mjs").write_text(source, encoding="utf-8")
    # a name that two of them had would be an error of its syntax
    ask = "const { default: made } = await import('./whole.mjs'); console.log(Object.keys(made()))"
    ran = node("--input-type=module", "-e", ask, cwd=tmp_path)
    assert ran.stdout == "[ 'initialize', 'render' ]\n", ran.stderr
    assert not re.search(r"^import ", source, re.MULTILINE)
    assert source.count("export ") == 1


def test_they_are_short_and_so_is_the_whole() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in MODULES.glob("*.js")}
    assert {name: n for name, n in lines.items() if n > LONGEST} == {}
    assert len(PANEL_SOURCE.encode()) <= MOST_BYTES
