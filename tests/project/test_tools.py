"""The commands of the Makefile: what they make, when they make it anew, what they say."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest

from tools import bootstrap, environments, system
from tools.environments import ROOT, Environment

PYPROJECT = """
[project]
dependencies = ["first"]
[tool.ruff]
line-length = 100
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root with nothing but its pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_a_new_dependency_asks_for_another_environment(root: Path) -> None:
    before = Environment("any", (("first",),), home=root).made_from()
    change(root / "pyproject.toml", '"first"', '"second"')
    assert Environment("any", (("first",),), home=root).made_from() != before


def test_a_setting_of_a_tool_does_not(root: Path) -> None:
    before = Environment("any", (("first",),), home=root).made_from()
    change(root / "pyproject.toml", "100", "99")
    assert Environment("any", (("first",),), home=root).made_from() == before


def test_who_asks_while_it_is_being_made_waits_for_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two commands started at once must not both fill one folder.
    made: list[str] = []
    both_ask = threading.Barrier(2)

    def make_anew(environment: Environment) -> None:
        made.append(environment.name)
        environment.python.parent.mkdir(parents=True)
        environment.python.touch()
        environment.stamp.write_text(environment.made_from())

    def ask() -> None:
        both_ask.wait()
        Environment("any", (), home=root / "envs").make()

    monkeypatch.setattr(Environment, "_make_anew", make_anew)
    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert made == ["any"]


def test_a_missing_program_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {"ghost": system.Program("ghost-server", ("ghost",), "brew install ghost")}
    monkeypatch.setattr(system, "PROGRAMS", nowhere)
    monkeypatch.setattr(system, "debian_root", lambda: False)
    with pytest.raises(system.ProgramsMissingError) as caught:
        system.require_programs()
    assert "brew install ghost" in str(caught.value)
    assert "apt-get install ghost-server" in str(caught.value)


@pytest.mark.parametrize("ci", ["true", None])
def test_a_missing_program_ends_the_command_in_ci_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str | None
) -> None:
    def missing() -> None:
        raise system.ProgramsMissingError("no ghost here")

    monkeypatch.setattr(bootstrap, "require_programs", missing)
    if ci is None:
        monkeypatch.delenv("CI", raising=False)
        bootstrap._see_to_programs()
        assert "no ghost here" in capsys.readouterr().err
    else:
        monkeypatch.setenv("CI", ci)
        with pytest.raises(system.ProgramsMissingError):
            bootstrap._see_to_programs()


def test_a_notebook_whose_cell_fails_is_told_of_and_kept(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in ("1 + 1", "1 / 0", "2 + 2")]
    notebook = tmp_path / "failing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    command = [sys.executable, "-m", "tools.demo", str(notebook), "--into", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "2 of 3 cells ran" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    executed = nbformat.read(tmp_path / "out" / "failing.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].data["text/plain"] == "2"
