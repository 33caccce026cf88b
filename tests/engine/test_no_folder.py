"""Where the current folder was removed, as a temporary one may be, runs go on: what is named below
it is not there, and that is all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import StateError
from cascade_nb.state.sqlite.backend import SqliteState


@cs.task
def name_it() -> Path:
    return Path("there.csv")


@cs.task
def look(path: Path) -> bool:
    return path.exists()


@cs.task
def open_it(name: str) -> str:
    try:
        with open(name, encoding="utf-8") as file:  # noqa: PTH123 - by its text
            return file.read()
    except OSError:
        return "not there"


@pytest.fixture
def no_folder(tmp_path: Path) -> Iterator[None]:
    """The current folder is removed."""
    before = Path.cwd()
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    yield
    os.chdir(before)


@pytest.mark.usefixtures("no_folder")
async def test_runs_that_name_what_is_below_it_end_as_they_would_where_nothing_is(
    engine: Engine,
) -> None:
    assert await engine.run(name_it()) == Path("there.csv")
    assert await engine.run(look(name_it())) is False
    assert await engine.run(look(Path("there.csv"))) is False
    assert await engine.run(open_it("there.csv")) == "not there"
    assert await engine.run(open_it("there.csv").with_cache(files=["there.csv"])) == "not there"


@pytest.mark.usefixtures("no_folder")
def test_a_file_for_results_below_it_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="the current folder is not there any more; go to one"):
        SqliteState("results.db")
    engine = Engine(state_backend=SqliteState(tmp_path / "results.db"))
    assert engine.start(open_it("there.csv")).result() == "not there"
    engine.close()
