"""What code reads by a name in a text counts, and where that name is put together it is said."""

from __future__ import annotations

import sys

import pytest

import cascade_nb as cs
from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.effects.effects import effects_of
from tests.graph.cells import Cells, Folder

# Of the module itself, in which `N` stands too, with a function `other` and a text `NAME`.
OWN = {
    "globals": "globals()['N']",
    "globals, asked": "globals().get('N')",
    "globals by a constant": "globals()[NAME]",
    "globals of a function": "other.__globals__['N']",
    "globals of a frame": "sys._getframe().f_globals['N']",
    "format": "'{N}'.format(**globals())",
    "a class among them": "globals()['K'].value",
    "the module by its name": "sys.modules[__name__].N",
    "getattr of it": "getattr(sys.modules[__name__], 'N')",
    "getattr of it, by a constant": "getattr(sys.modules[__name__], NAME)",
    "its dictionary": "sys.modules[__name__].__dict__['N']",
    "an import of it": "importlib.import_module(__name__).N",
}
# Of a module that another one imports, as `lib`.
OTHER = {
    "getattr": "getattr(lib, 'N')",
    "getattr, by a constant": "getattr(lib, NAME)",
    "getattr, or else": "getattr(lib, 'N', None)",
    "hasattr": "hasattr(lib, 'N') and lib.N",
    "vars": "vars(lib)['N']",
    "dictionary": "lib.__dict__['N']",
    "attrgetter": "operator.attrgetter('N')(lib)",
    "table of modules": "sys.modules['lib'].N",
    "getattr of what stands there": "getattr(sys.modules['lib'], 'N')",
}
MODULE = """
import importlib, operator, sys
import lib
asked = globals
NAME = "N"
N = 1
class K: value = 1
def other(): return 1
def f(): return {}
"""


@pytest.mark.parametrize("read", OWN)
def test_a_global_that_is_read_by_a_text_counts(folder: Folder, read: str) -> None:
    folder.write("lib", "N = 1\n")
    folder.write("mine", MODULE.format(OWN[read]))
    mine = folder.load("mine")
    first, before = mine.f(), code_key(mine.f)
    vars(mine).update(N=2)
    mine.K.value = 2
    assert mine.f() != first
    assert not before.unkeyed
    assert code_key(mine.f).digest != before.digest
    vars(mine).update(N=1)
    mine.K.value = 1
    assert code_key(mine.f).digest == before.digest


@pytest.mark.parametrize("read", OTHER)
def test_an_attribute_of_a_module_that_is_read_by_a_text_counts(folder: Folder, read: str) -> None:
    folder.write("lib", "N = 1\n")
    folder.write("mine", MODULE.format(OTHER[read]))
    mine, lib = folder.load("mine"), folder.load("lib")
    first, before = mine.f(), code_key(mine.f)
    vars(lib).update(N=2)  # as a cell sets it; the file says what it said
    assert mine.f() != first
    assert not before.unkeyed
    assert code_key(mine.f).digest != before.digest


@pytest.mark.parametrize("read", ["importlib.import_module('later').N", "__import__('later').N"])
def test_a_module_that_is_imported_by_a_text_counts_with_its_file(
    folder: Folder, read: str
) -> None:
    folder.write("lib", "")
    folder.write("later", "N = 1\n")
    folder.write("mine", MODULE.format(read))
    cells = Cells().run("from mine import f")
    before = cells.key()
    assert "later" not in sys.modules
    cells.names["f"]()
    assert cells.key() == before
    folder.forget()
    folder.write("later", "N = 2\n")
    assert cells.key().digest != before.digest


def test_what_the_notebook_has_counts_however_a_body_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main = sys.modules["__main__"]
    for body in (
        "import __main__ as m\n    return m.asked_here",
        "from __main__ import asked_here\n    return asked_here",
        "return sys.modules['__main__'].asked_here",
        "return getattr(sys.modules['__main__'], 'asked_here')",
    ):
        monkeypatch.setattr(main, "asked_here", 1, raising=False)
        cells = Cells().run(f"import sys\ndef f():\n    {body}")
        before = cells.key()
        assert cells.names["f"]() == 1
        monkeypatch.setattr(main, "asked_here", 2)
        assert cells.names["f"]() == 2
        assert cells.key().digest != before.digest, body


def test_a_text_counts_for_nobody_who_looks_nothing_up() -> None:
    cells = Cells().run("N = 1\nx = 1\ndef f(o): return getattr(o, 'N'), 'x', 'N'")
    before = cells.key()
    assert cells.run("N = 2\nx = 2").key().digest == before.digest


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("globals", "globals()[k]"),
        ("globals", "asked()['N']"),  # by another name, which is not followed
        ("getattr", "getattr(lib, k)"),
        ("sys.modules", "sys.modules[k].N"),
        ("__dict__", "lib.__dict__[k]"),
        ("__globals__", "other.__globals__[k]"),
        ("importlib.import_module", "importlib.import_module(k)"),
        ("", "K().__dict__[k]"),
    ],
)
def test_who_reads_by_a_name_that_is_put_together_is_told_of(
    folder: Folder, told: str, read: str
) -> None:
    folder.write("lib", "N = 1\n")
    folder.write("mine", MODULE.replace("f()", "f(k)").format(read))
    doubts = effects_of(cs.task(folder.load("mine").f)).doubts
    assert doubts == ((f"looks names up at run time: {told}",) if told else ())
