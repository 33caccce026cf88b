"""The notebook about crashes runs for real: its kernel is killed where it says, another goes on."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from tests.support.kernels import NEWEST, RealKernel

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "resume_after_crash.ipynb"


def code_cells() -> tuple[list[str], str, list[str]]:
    """What stands before the crash, the crash, and what stands behind it."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    places = [n for n, cell in enumerate(code) if "crash" in cell.metadata.get("tags", ())]
    assert len(places) == 1
    sources = [cell.source for cell in code]
    return sources[: places[0]], sources[places[0]], sources[places[0] + 1 :]


def test_it_is_committed_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert all(not c.outputs and c.execution_count is None for c in cells if c.cell_type == "code")


@pytest.mark.slow
def test_its_run_outlives_its_kernel(tmp_path: Path) -> None:
    before, crash, after = code_cells()
    extra = {"CASCADE_KEY_FILE": str(tmp_path / "key")}
    # The next kernel is there already, so that it looks before the claim of the dead one ends.
    with RealKernel.start(NEWEST, cwd=tmp_path, **extra) as kernel:
        kernel.check("%load_ext cascade_nb")
        with RealKernel.start(NEWEST, cwd=tmp_path, **extra) as victim:
            for source in before[:-1]:
                victim.check(source)
            victim.send(before[-1])
            victim.send(crash)  # at once: the run goes on until it is here
            with pytest.raises(TimeoutError, match=r"the kernel died"):
                victim.read_until(lambda: False, 120.0)
        ledger = (tmp_path / "ledger.txt").read_text(encoding="utf-8").splitlines()
        assert len(ledger) < 11  # it died in the middle
        listed = kernel.check(after[0])
        assert "left by" in str(listed.messages) or "goes on in" in str(listed.messages)
        attached = kernel.check(after[1])
        assert "its claim ends in" in str(attached.messages)  # it waits, and says so
        result = attached.result
        assert result is not None
        assert result["text/plain"] == "{'samples': 10, 'sum': 285}"
        counted = kernel.check(after[2]).stdout
    found = re.match(r"11 tasks; (\d+) of them began twice", counted)
    assert found, counted
    assert int(found[1]) <= 8  # those under way, and the last four, that may not be safe yet
