"""What becomes of notebooks as people write them, with `%%cascade` above every cell."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import copy
import inspect
import io
import re
from typing import Any

import pytest

from cascade_nb.errors import CascadeError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.shortcuts.running import run
from tests.notebook.conftest import Notebook
from tests.notebook.teaching import NOTEBOOKS

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

SAID = re.compile("Plain functions here|Ran at once|Nothing keeps|not run yet")


def plainly(cells: list[str]) -> list[tuple[str, dict[str, Any], type[BaseException] | None]]:
    """What each cell prints, binds and raises in Python."""
    names: dict[str, Any] = {"__name__": "__main__"}
    done = []
    for cell in cells:
        before = dict(names)
        raised: type[BaseException] | None = None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                code = compile(cell, "<plain>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                awaitable = eval(code, names)
                if inspect.iscoroutine(awaitable):
                    asyncio.run(awaitable)
            except Exception as error:
                raised = type(error)
        new = {
            name: copy.deepcopy(value)
            for name, value in names.items()
            if before.get(name, cell) is not value and is_data(value) and name.strip("_") == name
        }
        done.append((printed.getvalue(), new, raised))
    return done


def settled(value: Any) -> Any:
    """A value with what is lazy in it computed."""
    if isinstance(value, Lazy):
        return run(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(settled, value))
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items()}
    return value


def is_data(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(is_data, value))
    if isinstance(value, dict):
        return all(map(is_data, value.values()))
    return isinstance(value, (int, float, str, bool, type(None)))


@pytest.mark.parametrize("title", NOTEBOOKS)
def test_a_cell_does_what_it_does_in_python_or_says_what_it_does_not(
    notebook: Notebook, title: str
) -> None:
    cells = NOTEBOOKS[title].strip("\n").split("\n---\n")
    told = False
    silent: list[str] = []
    for cell, (printed, bound, raised) in zip(cells, plainly(cells), strict=True):
        done = notebook.run(f"%%cascade\n{cell}", cell=cell)
        told |= bool(SAID.search(done.text))
        if done.error is not None:
            helpful = type(done.error) is raised or isinstance(done.error, CascadeError)
            helpful |= "A LazyResult is the call of a task" in done.text
            assert helpful, done.text
            told = True
            continue
        missing = [line for line in printed.splitlines() if line not in done.text]
        wrong = {}
        for name, value in bound.items():
            mine = settled(notebook.names.get(name, "nothing"))
            if mine != value:
                wrong[name] = (mine, value)
        if raised is not None or ((missing or wrong) and not told):
            silent.append(f"{cell}\nprinted: {missing}, bound: {wrong}, raised: {raised}")
    assert not silent, "\n\n".join(silent)


#: What must be the same, not only told.
SAME = [title for title in NOTEBOOKS if "next cell" not in title and "nothing keeps" not in title]


@pytest.mark.parametrize("title", SAME)
def test_most_cells_are_the_same(notebook: Notebook, title: str) -> None:
    cells = NOTEBOOKS[title].strip("\n").split("\n---\n")
    for cell, (printed, bound, raised) in zip(cells, plainly(cells), strict=True):
        done = notebook.run(f"%%cascade\n{cell}", cell=cell)
        assert type(done.error) is (raised or type(None)), done.text
        assert [line for line in printed.splitlines() if line not in done.text] == []
        for name, value in bound.items():
            if name != "log":  # what a task does beside its value it does when it runs
                assert settled(notebook.names.get(name, "nothing")) == value, (name, cell)
