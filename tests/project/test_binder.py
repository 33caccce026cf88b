"""What `binder/` lists is enough: in an environment made from it alone, the quickstart runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest

from tools.demo import QUICKSTART, code_cells, pictures, summaries
from tools.environments import ROOT, Environment

BINDER = ROOT / "binder"


@pytest.mark.only_soak
@pytest.mark.timeout(1800)
def test_the_quickstart_runs_in_what_binder_installs(tmp_path: Path) -> None:
    listed = Environment("binder", (("--requirement", "binder/requirements.txt"),), home=tmp_path)
    python = listed.make()
    # Binder's machines have no Graphviz: nothing but the environment's own programs is on PATH.
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    bare["PATH"] = str(python.parent)
    done = subprocess.run(
        [str(python), "-m", "tools.demo", "--into", str(tmp_path / "out")],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    executed = nbformat.read(tmp_path / "out" / QUICKSTART.name, as_version=4)
    assert all(cell.execution_count is not None for cell in code_cells(executed))
    assert pictures(executed) >= 2
    assert any("Done" in summary for summary in summaries(executed))
    assert (tmp_path / "out" / QUICKSTART.with_suffix(".html").name).stat().st_size > 10_000


def test_binder_runs_a_python_that_the_project_supports() -> None:
    version = re.fullmatch(r"python-3\.(\d+)\n", (BINDER / "runtime.txt").read_text("utf-8"))
    assert version is not None
    assert 10 <= int(version[1]) <= 13
