"""Plans and whys in real kernels: a table, a picture that is marked, and the line that changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kernels import LABELS, Execution, RealKernel

pytestmark = pytest.mark.may_block("a kernel is waited for")

TASKS = """%%cascade --quiet
def _trim(xs):
    return xs[:3]

def load(n):
    return list(range(n))

def total(xs):
    return sum(_trim(xs))

raw = load(5)
report = total(raw)
"""


@pytest.fixture(scope="module", params=LABELS)
def edited(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """A kernel of each version, in which a helper was edited after a run."""
    with RealKernel.start(request.param) as running:
        running.check("%load_ext cascade_nb")
        for code in (TASKS, "%cascade run report --wait", TASKS.replace("[:3]", "[:4]")):
            assert running.execute(code, cellId="tasks").error is None
        yield running


def words(cell: Execution) -> str:
    return "\n".join([cell.stdout, *(str(b.get("text/plain", "")) for b in cell.displays)])


@pytest.mark.parametrize("awaited", [True, False], ids=["in a cell", "in a function"])
@pytest.mark.parametrize("person", [True, False], ids=["at a kernel", "headless"])
def test_a_plan_is_a_table_and_a_picture(edited: RealKernel, person: bool, awaited: bool) -> None:
    line = "%cascade plan report"
    code = line if awaited else f"def go():\n    {line}\ngo()"
    cell = edited.execute(code, allow_stdin=person)
    assert cell.error is None
    cell.wait_until(lambda cell: any("image/svg+xml" in b for b in cell.displays))
    (table,) = (b["text/html"] for b in cell.displays if "text/html" in b)
    assert "its helper _trim changed" in table
    assert "-    return xs[:3]" in table
    (picture,) = (b["image/svg+xml"] for b in cell.displays if "image/svg+xml" in b)
    assert 'data-state="reused"' in picture
    assert 'data-state="planned"' in picture


def test_why_shows_the_line_that_changed(edited: RealKernel) -> None:
    cell = edited.execute("%cascade why report")
    assert cell.error is None
    assert "In a run of now it would run: its helper _trim changed" in words(cell)
    assert "+    return xs[:4]" in words(cell)


def test_a_plan_that_is_displayed_shows_itself(edited: RealKernel) -> None:
    cell = edited.execute("import cascade_nb as cs\ndisplay(cs.plan(report))")
    assert cell.error is None
    assert any("its helper _trim changed" in b.get("text/html", "") for b in cell.displays)
    assert "report: 1 to run, 1 to reuse" in words(cell)
