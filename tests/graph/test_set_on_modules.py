"""What somebody sets in a module counts for who imports it in a body, or has it as an object."""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
import traceback

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
import functools, os.path
from dataclasses import dataclass
from other_settings import TAKEN, helper
from starred import *
PLACE = os.path.join("a", "b")
TWICE = RATE * 2
WORDS = "a b".split()
if RATE:
    CHOSEN = "one"
class Options:
    def __init__(self): self.level = len("ab")
options = Options()
class Options2(Options): level = property(lambda self: 5, lambda self, x: None)
class Worked:
    size = len("abc")
@dataclass
class Row:
    cells: int = 1
    def width(self): return self.cells
@functools.lru_cache
def cached(): return 1
@functools.singledispatch
def shown(x): return "any"
for _name in ("MADE",): globals()[_name] = 1
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
    "what is worked out": ("PLACE", "settings.PLACE = 'c'"),
    "what is worked out of another": ("TWICE", "settings.TWICE = 7"),
    "in a list that is worked out": ("WORDS[-1]", "settings.WORDS.append('c')"),
    "what is taken away": ("__dict__.get('PLACE', 'gone')", "del settings.PLACE"),
    "what a branch binds": ("CHOSEN", "settings.CHOSEN = 'two'"),
    "what is taken from another module": ("TAKEN", "settings.TAKEN = 2"),
    "a function of another module": ("helper()", "settings.helper = lambda: 2"),
    "what is taken by a star": ("STAR", "settings.STAR = 2"),
    "what is bound by a text": ("MADE", "settings.MADE = 2"),
    "an attribute of an object": ("options.level", "settings.options.level = 3"),
    "another object": ("options.level", "settings.options = settings.Options2()"),
    "what a class works out": ("Worked.size", "settings.Worked.size = 9"),
    "a method of a dataclass": ("Row().width()", "settings.Row.width = lambda self: 9"),
    "a function that is decorated": ("cached()", "settings.cached = lambda: 9"),
    "a case of a generic function": ("shown(1)", "settings.shown.register(int, lambda x: 'int')"),
}
OF_ITS_OWN = """
import enum, functools, sys
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
seen_by = dict()
class Counter:
    made = 0
    def __init__(self): self.calls = 0
    def bump(self):
        self.calls += 1
        Counter.made += 1
        seen_by[self.calls] = 1
counter = Counter()
class Lazy:
    @functools.cached_property
    def worked_out(self): return 1
lazy = Lazy()
hooks = list()
totals = list(range(2))
def used():
    global last
    counter.bump()
    import own_plugin
    lazy.worked_out
    totals.append(3)
    last = object()
    return len(totals) and 1
last = object()
order.sort()
seen["b"] = 2
made += ["b"]
count()
"""


@pytest.fixture
def settings(folder: Folder) -> Folder:
    folder.write("other_settings", "TAKEN = 1\ndef helper(): return 1")
    folder.write("starred", "STAR = 1")
    folder.write("settings", SETTINGS)
    folder.write("own", OF_ITS_OWN)
    folder.write("own_plugin", "import own\ndef hook(): pass\nown.hooks.append(hook)")
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


def test_what_a_module_changes_in_itself_is_nobody_elses_work(settings: Folder) -> None:
    cells = Cells().run("def f():\n    import own\n    return own.used()")
    before = cells.key()
    with contextlib.closing(cs.Engine()) as engine:
        node = cs.task(cells.names["f"])().named("a")
        assert engine.start(node).result() == 1
        assert cells.key().digest == before.digest
        assert cells.names["f"]() == 1
        again = engine.start(node)
        assert again.result() == 1
        assert again.status.reused == 1


def test_an_import_of_the_users_is_as_it_was_but_for_what_is_remembered(settings: Folder) -> None:
    spec = settings.load("settings").__spec__
    assert type(spec) is importlib.machinery.ModuleSpec
    assert vars(spec)["_initializing"] is False
    settings.write("failing", "X = 1\n1 / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        settings.load("failing")
    names = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(caught.tb)}
    assert not any("imported_state" in name for name in names)
    assert "failing" not in sys.modules


def test_a_file_that_is_edited_right_after_its_import_is_known_to_be_another(
    settings: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No compiled file tells of that, where Python writes none."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    settings.write("edited", "X = 1")
    settings.load("edited")
    settings.write("edited", "X = 2")
    cells = Cells().run("def f():\n    import edited\n    return edited.X")
    (gap,) = cells.key().unkeyed
    assert "was changed on disk after it was imported" in gap


ODD = """
class Odd:
    @property
    def __class__(self):
        raise RuntimeError("nobody is to ask for its class")
odd = Odd()
X = int(1)
"""


def test_what_a_module_holds_is_remembered_without_asking_it(settings: Folder) -> None:
    settings.write("odd", ODD)
    module = settings.load("odd")
    cells = Cells().run("def f():\n    import odd\n    return odd.X")
    before = cells.key().digest
    vars(module)["X"] = 2
    assert cells.key().digest != before


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


RAISING = """
class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError(f"nobody is to ask for {name}")
class Strange(metaclass=Meta): pass
strange = Strange()
X = 1
"""


def test_no_import_of_the_users_fails_for_what_is_remembered(settings: Folder) -> None:
    settings.write("raising", RAISING)
    assert vars(settings.load("raising"))["X"] == 1
