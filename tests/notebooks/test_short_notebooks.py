"""The notebooks about one subject each run as they stand, and show the point that each makes."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.test_quickstart import cell, text_of
from tests.support.headless import execute
from tools.environments import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.outside,
    pytest.mark.may_block("a kernel is waited for"),
]

Execute = Callable[[str], NotebookNode]


@pytest.fixture
def done_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Runs a notebook of the project in a folder of its own, from top to bottom."""
    monkeypatch.setenv("CASCADE_KEY_FILE", str(tmp_path / "key"))
    # `!python` in a cell is the Python of the kernel, as in an environment that is activated
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")

    def run(name: str) -> NotebookNode:
        path = shutil.copy(ROOT / "notebooks" / name, tmp_path)
        notebook: NotebookNode = nbformat.read(path, as_version=4)
        folder = {"metadata": {"path": str(tmp_path)}}
        execute(notebook, resources=folder)
        return notebook

    return run


def test_a_mended_file_runs_its_own_call_again_and_no_other(done_of: Execute) -> None:
    done = done_of("fan_out.ipynb")
    assert text_of(cell(done, "run.partial()")).count("no result: means[") == 2
    assert "10 results reused, 3 tasks run" in text_of(cell(done, "write(station)\n\nrun"))
    assert "9 results reused, 3 tasks run" in text_of(cell(done, "%cascade run chill"))
    assert "station 10" in text_of(cell(done, "%cascade run best"))


def test_a_paused_task_is_edited_and_goes_on_with_its_new_code(done_of: Execute) -> None:
    done = done_of("pausing_and_limits.ipynb")
    held = cell(done, "%cascade resume parse")
    assert "12 tasks held" in text_of(held)
    assert "168 words" in text_of(held)  # by the code that was wrong there would be more
    assert re.search(r"12 pages, at most [123] at once", text_of(cell(done, "peak =")))
    assert "7 starts in" in text_of(cell(done, "rate fetch 5/s"))
    assert "1 of 1 done" in text_of(done.cells[-1])


def test_threads_processes_and_a_cluster_give_the_same_and_processes_are_stopped(
    done_of: Execute,
) -> None:
    done = done_of("scale_out.ipynb")
    assert "suspended" in text_of(cell(done, "%cascade pause branches"))
    stopped = text_of(cell(done, "%cascade resume branches"))
    assert re.search(r"[1-9]\d* stopped", stopped)
    assert "the same as in threads: True" in stopped
    assert "the same as in threads: True" in text_of(cell(done, "--on dask"))
    assert "3 results reused, 0 tasks run" in text_of(cell(done, "results reused"))


def test_a_script_finds_what_the_notebook_has_computed(done_of: Execute) -> None:
    done = done_of("notebook_to_script.ipynb")
    of_notebook = text_of(cell(done, "run notebook_to_script.ipynb:report"))
    assert "2 of 2 done, 2 reused" in of_notebook
    assert "'last': 90.0" in of_notebook
    assert "'last': 88.0" in text_of(cell(done, "-p weeks=8"))
    planned = text_of(cell(done, "plan prices_flow.py:report"))
    assert "2 to reuse" in planned
    assert "to run" not in planned
    assert "'last': 88.0" in text_of(done.cells[-1])
