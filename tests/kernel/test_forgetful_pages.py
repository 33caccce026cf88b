"""In a real kernel: pages that forget their widgets have a line beside each, with what to type."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernels import NEWEST, Execution, RealKernel
from tools.environments import ROOT

RUN = """%%cascade --quiet
def one(): return 1
answer = one()
"""

#: As these pages call a cell.
LAB = "5ad8ae44-9f6d-4b5b-8f9b-3ce0b1f1b7c5"
VS_CODE = "vscode-notebook-cell:/study.ipynb#W0sZmlsZQ%3D%3D"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[RealKernel]:
    """A kernel with a run, and beside it a package that stands in for Colab's own.

    Colab and VS Code are services that cannot be had here. What they document is what this has:
    Colab's kernels import `google.colab`, VS Code calls a cell by the address of its document.
    """
    package = tmp_path / "google" / "colab"
    (package / "output").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "output" / "_widgets.py").write_text("_installed_url = 'https://ssl.example'\n")
    (package / "output" / "__init__.py").write_text(
        "from google.colab.output import _widgets\n"
        "calls = []\n"
        "def enable_custom_widget_manager():\n"
        "    calls.append(1)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with RealKernel.start(NEWEST, PYTHONPATH=path) as running:
        for cell in ("%load_ext cascade_nb", RUN):
            running.check(cell)
        yield running


def below(cell: Execution) -> str:
    """What stands below the panel, in words."""
    assert cell.error is None
    shown = [bundle["text/plain"] for bundle in cell.displays]
    panel = next(n for n, text in enumerate(shown) if text.endswith("(panel)"))
    return "\n".join(text for text in shown[panel + 1 :] if not text.startswith("Figure"))


def test_where_a_page_forgets_its_panels_a_line_says_what_to_type(kernel: RealKernel) -> None:
    run, forgets = "%cascade run answer --wait", "forgets this when its page is loaded again"
    assert forgets not in below(kernel.execute(run, cellId=LAB))
    line = below(kernel.execute(run, cellId=VS_CODE))
    assert f"VS Code {forgets}: `%cascade panel 2` shows it anew" in line
    assert "`%cascade status`" in line

    # an extension that names no cells still says where the notebook is
    kernel.check("__vsc_ipynb_file__ = 'study.ipynb'")
    assert f"VS Code {forgets}" in below(kernel.execute("%cascade panel 2"))
    assert forgets not in below(kernel.execute("%cascade panel 2", cellId=LAB))

    # and in Colab its own manager lets the panel in, which was asked once for all of them
    kernel.check("import google.colab.output as colab")
    assert f"Colab {forgets}" in below(kernel.execute(run, cellId=LAB))
    again = kernel.execute("%cascade panel 2", cellId=LAB)
    assert f"Colab {forgets}" in below(again)
    assert kernel.check("print(colab.calls)").stdout == "[1]\n"
