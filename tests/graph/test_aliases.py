"""A change counts as one of a global, or of a default, by whatever variable code comes to it."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.graph.effects.effects import effects_of, state_in_words
from tests.graph.cells import Cells

NAMES = """
import collections
rows, other, counts = [], {}, collections.Counter()
class Box:
    def __init__(self): self.items = []
    def add(self, x): mine = self.items; mine.append(x)
box = Box()
def helped(given, x): mine = given; mine.append(x)
def made(given): return list(given)
"""
CHANGES = {
    "a variable": "a = rows; a.append(x)",
    "two at once": "a = b = rows; b.append(x)",
    "one of two": "a, b = rows, 1; a.append(x)",
    "a chain": "a = rows; b = a; b.append(x)",
    "by walrus": "(a := rows).append(x)",
    "added in place": "a = rows; a += [x]",
    "an item": "a = other; a[x] = 1",
    "an item that goes": "a = other; del a[x]",
    "a slice": "a = rows; a[:] = [x]",
    "an attribute": "a = box.items; a.append(x)",
    "its own method": "a = box; a.add(x)",
    "a method alone": "add = rows.append; add(x)",
    "one or the other": "a = rows if x else other; a.update(x)",
    "the other": "a = other if x else rows; a.append(x)",
    "or else": "a = rows or []; a.append(x)",
    "in a branch": "a = []\nif x: a = rows\na.append(x)",
    "in one branch of two": "if x: a = rows\nelse: a = []\na.append(x)",
    "in a loop": "a = rows\nfor i in x: a.append(i)",
    "after an error": "try: a = rows\nfinally: pass\na.append(x)",
    "a helper changes it": "helped(rows, x)",
    "a helper is given the variable": "a = rows; helped(a, x)",
    "a function inside": "def inner(y): a = rows; a.append(y)\ninner(x)",
    "a variable of the function around": "a = rows\ndef inner(y): a.append(y)\ninner(x)",
    "by its class": "list.append(rows, x)",
    "before it is another": "a = rows; a.append(x); a = list(a)",
}
KEEPS = {
    "a copy": "a = list(rows); a.append(x)",
    "a copy of a variable": "a = rows; a = [*a]; a.append(x)",
    "a slice": "a = rows[:]; a.append(x)",
    "its size": "a = rows; b = []; b.append(len(a))",
    "its items": "out = []\nfor i in rows: out.append(i)",
    "a number": "a = LIMIT; a += 1",
    "what a helper made": "a = rows; b = made(a); b.append(x)",
    "another variable of the name inside": "a = rows\ndef inner(a): a.append(x)\ninner([])",
}


def states(program: str, head: str = "f(x)") -> list[str]:
    body = textwrap.indent(program, "    ")
    cells = Cells().run(NAMES + "LIMIT = 1", f"def {head}:\n{body}")
    found = effects_of(cs.task(cells.names["f"])).states
    assert all(found.values())
    return [state_in_words(kind) for kind in found]


@pytest.mark.parametrize("way", CHANGES)
def test_what_a_variable_stands_for_is_changed_by_it(way: str) -> None:
    found = states(CHANGES[way])
    assert set(found) & {"the global `rows`", "the global `other`", "the global `box`"}


@pytest.mark.parametrize("way", [way for way in CHANGES if "rows" in CHANGES[way]])
def test_so_is_a_default(way: str) -> None:
    if "class" not in way:
        assert "the default of `rows`" in states(CHANGES[way], "f(x, rows=[])")


@pytest.mark.parametrize("way", KEEPS)
def test_a_variable_of_its_own_is_nobody_elses(way: str) -> None:
    assert states(KEEPS[way]) == []


def test_tasks_that_come_to_one_object_by_two_names_exclude_each_other() -> None:
    shared: list[int] = []
    cells = Cells()
    inside: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def within() -> None:
        with lock:
            inside.append(1)
            most.append(len(inside))
        threading.Event().wait(0.005)
        with lock:
            inside.pop()

    cells.names.update(shared=shared, within=within)
    cells.run(
        "def one(x):\n    mine = shared\n    mine.append(x)\n    within()\n    return len(mine)",
        "def two(x, held=shared):\n    held.append(x)\n    within()\n    return len(shared)",
        "def both(x, held=shared):\n    held.append(x); shared.append(x); within(); return x",
    )
    tasks: list[Any] = [cs.task(cells.names[name]) for name in ("one", "two", "both")]
    assert [len(effects_of(task).states) for task in tasks] == [1, 1, 1]
    with contextlib.closing(cs.Engine()) as engine:
        asyncio.run(engine.run([task.map(x=range(6)) for task in tasks]))
    assert max(most) == 1
    assert len(shared) == 24
