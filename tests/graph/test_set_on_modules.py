"""What somebody sets in a module counts for who imports it in a body, or has it as an object."""

from __future__ import annotations

import contextlib

import pytest

import cascade_nb as cs
from tests.graph.cells import Cells, Folder

SETTINGS = """
RATE = 1
HOUR = SPAN = 60 * 60
SIZES = {"small": [1, 2], "large": (3, 4)}
class Model:
    depth = 2
    def fit(self): return self.depth
def rate(): return RATE
def kept(db, args): return db.execute("select 1"), vars(args), "executor"
"""
WAYS = {
    "imported in the body": ("def f():\n    import settings\n    return settings.{0}",),
    "by a text": (
        "import importlib",
        "def f(): return importlib.import_module('settings').{0}",
    ),
    "imported by a module's function": (
        "import user",
        "def f(): return user.made()",
    ),
    "in a container": (
        "import settings as s\nHELD = {{'s': s}}",
        "def f(): return HELD['s'].{0}",
    ),
    "as a default": ("import settings as s", "def f(s=s): return s.{0}"),
    "of an object": (
        "import settings as s, types\nheld = types.SimpleNamespace(s=s)",
        "def f(): return held.s.{0}",
    ),
}
SET = {
    "a number": ("RATE", "settings.RATE = 2"),
    "a product": ("SPAN", "settings.SPAN = 60"),
    "in a dict": ("SIZES['small']", "settings.SIZES['small'] = [1, 3]"),
    "deep in a dict": ("SIZES['small'][-1]", "settings.SIZES['small'].append(3)"),
    "of a class": ("Model().fit()", "settings.Model.depth = 3"),
    "a method": ("Model().fit()", "settings.Model.fit = lambda self: 0"),
    "what a function of it reads": ("rate()", "settings.RATE = 2"),
    "a function": ("rate()", "settings.rate = lambda: 5"),
}
OF_ITS_OWN = """
import enum, sys
from dataclasses import dataclass
from typing import NamedTuple
known, counted, order, LIMIT, LEVEL = {}, 0, [3, 1], 1, 1
seen = {"a": 1}
made = ["a"]
def register(one):
    known[one.__name__] = one
    return one
def count():
    global counted
    counted += 1
@register
def first(): return 1
@dataclass
class Place:
    x: int = 1
class Kind(enum.Enum):
    A = 1
class Pair(NamedTuple):
    a: int = 1
class Slim:
    __slots__ = ("a",)
    def __init__(self): self.a = 1
if sys.version_info > (3,):
    LIMIT = 2
for LEVEL in range(3): pass
order.sort()
seen["b"] = 2
made += ["b"]
count()
"""


@pytest.fixture
def settings(folder: Folder) -> Folder:
    folder.write("settings", SETTINGS)
    folder.write("own", OF_ITS_OWN)
    return folder


@pytest.mark.parametrize("what", SET)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_set_in_a_module_makes_a_key_of_its_own_and_no_result_stands(
    settings: Folder, way: str, what: str
) -> None:
    read, change = SET[what]
    text = "def made():\n    import settings\n    return settings.{0}\n"
    settings.write("user", text.format(read))
    cells = Cells().run(*(cell.format(read) for cell in WAYS[way]))
    f = cells.names["f"]
    task = cs.task(f)
    with contextlib.closing(cs.Engine()) as engine:
        before = engine.start(task().named("a")).result()
        as_written = cells.key()
        exec(change, {"settings": settings.load("settings")})
        run = engine.start(task().named("a"))
        assert run.result() == f() != before
        assert run.status.reused == 0
    assert cells.key().digest != as_written.digest
    assert not as_written.unkeyed


@pytest.mark.parametrize("module", ["settings", "own"])
def test_a_module_that_is_as_its_file_says_counts_as_if_it_were_not_imported_yet(
    settings: Folder, module: str
) -> None:
    cells = Cells().run(f"def f():\n    import {module}\n    return {module}.__doc__")
    before = cells.key()
    loaded = settings.load(module)
    assert cells.key().digest == before.digest
    loaded.__dict__["new"] = 3
    assert cells.key().digest != before.digest


ASKED = """
asked = []
X = 3
def __getattr__(name):
    asked.append(name)
    raise RuntimeError(f"nobody is to ask for {name}")
"""


def test_a_module_that_answers_for_names_itself_is_not_asked(settings: Folder) -> None:
    settings.write("answering", ASKED)
    module = settings.load("answering")
    cells = Cells().run(
        "import answering\nHELD = {'m': answering}",
        "def f(m=answering): return m.X + HELD['m'].X + answering.X + getattr(m, 'X')",
    )
    assert not cells.key().unkeyed
    with contextlib.closing(cs.Engine()) as engine:
        task = cs.task(cells.names["f"])
        assert engine.start(task().named("a")).result() == 12
        assert engine.start(task(module).named("b")).result() == 12
    asked = set(module.asked)
    assert not asked
