"""The pages of `docs/` are made without a warning, and what they show works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cascade_nb.notebook.magics.commands import COMMANDS
from cascade_nb.terminal.commands import COMMANDS as OF_TERMINAL
from tools.environments import ROOT

DOCS = ROOT / "docs"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
PAGES = {
    path.relative_to(DOCS).as_posix(): blocks
    for path in sorted(DOCS.rglob("*.md"))
    if (blocks := PYTHON.findall(path.read_text(encoding="utf-8")))
}


@pytest.mark.slow
def test_the_pages_are_made_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c"]
    made = tmp_path / "html"
    done = subprocess.run(
        [*command, str(DOCS), "-d", str(tmp_path / "doctrees"), str(ROOT), str(made)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reference = made / "docs" / "reference"
    magics = (reference / "magics.html").read_text(encoding="utf-8")
    terminal = (reference / "terminal.html").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f'id="magics-{name}"' not in magics] == []
    assert [name for name in OF_TERMINAL if f'id="terminal-{name}"' not in terminal] == []
    python = (reference / "api.html").read_text(encoding="utf-8")
    names = (ROOT / "tests/project/public_names.txt").read_text(encoding="utf-8").split()
    shown = [name for name in names if name.count(".") == 1 and f'id="{name}"' not in python]
    assert shown == []


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    exec(compile("\n".join(PAGES[page]), page, "exec"), namespace)


def test_links_lead_to_files_of_the_project() -> None:
    # Sphinx looks at those of its own pages; these are read where the files lie.
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
    lost = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert lost == []
