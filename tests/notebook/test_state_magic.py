"""`%cascade state` says what is kept and what takes how much, and removes some of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade_nb.grammar.tables import kept_in_words
from cascade_nb.kept import Usage
from tests.notebook.conftest import Notebook


def test_what_is_kept_is_told_by_task_and_removed_when_asked(
    notebook: Notebook, tmp_path: Path
) -> None:
    notebook.ok(f"%cascade state sqlite:///{tmp_path}/results.db?limit=1GB")
    assert "There are none yet" in notebook.ok("%cascade state").text
    notebook.ok("%%cascade --quiet\ndef load(n): return bytes(n)\nx = load(200_000)")
    notebook.ok("import cascade_nb as cs\nassert len(cs.run(x)) == 200_000")
    told = notebook.ok("%cascade state").text
    assert "results.db: 1 result, 200 kB." in told
    assert "load" in told
    assert "used just now" in told
    assert "Nothing has expired" in notebook.ok("%cascade state --clean").text
    assert "Nothing was unused for 30 d." in notebook.ok("%cascade state --clean --older 30d").text
    notebook.ok("assert cs.clean(0).results == 1")
    assert "There are none yet" in notebook.ok("%cascade state").text
    notebook.ok("%cascade state memory:")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--older 3d", "--older goes with --clean"),
        ("--clean --older soon", "'soon' is no length of time"),
        ("memory: --clean", "give no URL"),
        ("memory:?limit=much", "'much' is no size"),
    ],
)
def test_what_makes_no_sense_is_refused(notebook: Notebook, line: str, words: str) -> None:
    done = notebook.run(f"%cascade state {line}")
    assert done.error is not None
    assert words in done.text


def test_only_the_largest_of_many_are_listed() -> None:
    usage = [Usage(f"task{n}", 1, 10**9 // (n + 1), 0.0) for n in range(30)]
    text = kept_in_words("a file", usage, 3600.0)
    assert "30 results" in text
    assert "task0" in text
    assert "1.0 GB" in text
    assert text.endswith("… and 10 tasks with less")
