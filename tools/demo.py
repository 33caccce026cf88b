"""Runs a notebook from top to bottom in a real kernel, and says what happened.

    python -m tools.demo [NOTEBOOK] [--into FOLDER]

It leaves the executed notebook and its HTML page in the folder, `build/demo` by default. The exit
code is 1 when a cell failed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from tools.environments import ROOT

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"

#: Seconds one cell may take; the quickstart's longest takes less than one minute.
CELL_LIMIT = 600

#: How the text that a run leaves in its cell begins.
RUN_SUMMARY = re.compile(r".+ · run \d+ \(\w+\) · started ")


def main() -> int:
    """Read the command line, run the notebook, tell; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo")
    parser.add_argument("notebook", nargs="?", type=Path, default=QUICKSTART)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "demo", metavar="FOLDER")
    arguments = parser.parse_args()
    into: Path = arguments.into.resolve()
    into.mkdir(parents=True, exist_ok=True)
    _keep_to(into / "jupyter")
    notebook = nbformat.read(arguments.notebook, as_version=4)
    print(f"Running {_shown(arguments.notebook)} in a kernel of {sys.executable}", flush=True)
    began = time.monotonic()
    failure = run(notebook, arguments.notebook.resolve().parent)
    seconds = time.monotonic() - began
    written = _write(notebook, into, arguments.notebook.stem)
    _tell(notebook, seconds, failure)
    print("\nTo look at:\n" + "\n".join(f"  {_shown(path)}" for path in written))
    return 0 if failure is None else 1


def run(notebook: NotebookNode, folder: Path) -> CellExecutionError | None:
    """Execute the notebook in place, its kernel working in `folder`.

    Each cell is told of as it ends. Returns the failure that ended it early, if one did.
    """
    cells = code_cells(notebook)
    began: dict[str, float] = {}

    def started(cell: NotebookNode, cell_index: int) -> None:
        began[cell.id] = time.monotonic()

    def finished(cell: NotebookNode, cell_index: int, **_: Any) -> None:
        number = [other.id for other in cells].index(cell.id) + 1
        seconds = time.monotonic() - began[cell.id]
        print(f"  {number:2} of {len(cells)}  {seconds:5.1f} s  {_first_line(cell)}", flush=True)

    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=started,
        on_cell_executed=finished,
        config=Config(KernelManager={"transport_encryption": "auto"}),  # what ipykernel asks for
    )
    try:
        client.execute()
    except CellExecutionError as failure:
        return failure
    return None


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that are executed: those with code in them."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def bundles(notebook: NotebookNode) -> Iterator[dict[str, Any]]:
    """What the cells displayed, each as MIME type -> data."""
    for cell in code_cells(notebook):
        yield from (output.data for output in cell.outputs if "data" in output)


def summaries(notebook: NotebookNode) -> list[str]:
    """What the runs say of themselves in the saved notebook."""
    texts = [bundle.get("text/plain", "") for bundle in bundles(notebook)]
    return [text for text in texts if RUN_SUMMARY.match(text)]


def pictures(notebook: NotebookNode) -> int:
    """How many graphs the saved notebook shows."""
    return sum("image/svg+xml" in bundle for bundle in bundles(notebook))


def _tell(notebook: NotebookNode, seconds: float, failure: CellExecutionError | None) -> None:
    cells = code_cells(notebook)
    done = sum(cell.execution_count is not None for cell in cells)
    print(f"\n{done} of {len(cells)} cells ran in {seconds:.0f} s.")
    print(f"{pictures(notebook)} pictures of graphs; the runs say:")
    for summary in summaries(notebook):
        print("\n" + "\n".join(f"  {line}" for line in summary.splitlines()[:20]))
    if failure is not None:
        print(f"\nA cell failed: {failure.ename}: {failure.evalue}\n\n{failure.traceback.strip()}")


def _write(notebook: NotebookNode, into: Path, name: str) -> list[Path]:
    executed, page = into / f"{name}.ipynb", into / f"{name}.html"
    nbformat.write(notebook, executed)
    body, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    page.write_text(body, encoding="utf-8")
    return [executed, page]


def _keep_to(folder: Path) -> None:
    """Keep this run apart from the settings and startup files of the person who runs it."""
    names = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    for name, inside in names.items():
        (folder / inside).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder / inside)
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"


def _first_line(cell: NotebookNode) -> str:
    lines = [line for line in cell.source.splitlines() if line.strip() and line[0] != "#"]
    return lines[0][:80] if lines else ""


def _shown(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main())
