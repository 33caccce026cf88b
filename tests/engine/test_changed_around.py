"""What somebody changes around a task, and not in its code, counts for it: a result is what Python
itself would give now, and what was changed back brings the earlier result back.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from tests.graph.cells import Cells


class Around(NamedTuple):
    """Something that can be changed.

    Attributes:
        setup: code before the task's.
        gives: the expression that the task gives.
        change, undo: statements.
        words: what is said of it when it has changed.
    """

    setup: str
    gives: str
    change: str
    undo: str
    words: str


WEAK = "import weakref\nclass K:\n    v = 1\nkeep = [K(), K()]\n"
CHANGES = {
    "a weak dictionary of values": Around(
        WEAK + "held = weakref.WeakValueDictionary(a=keep[0])",
        "sorted(held)", "held['b'] = keep[1]", "del held['b']", "held was changed in place",
    ),
    "a weak dictionary of keys": Around(
        WEAK + "held = weakref.WeakKeyDictionary({keep[0]: 1})",
        "list(held.values())", "held[keep[0]] = 2", "held[keep[0]] = 1",
        "held was changed in place",
    ),
    "a weak set": Around(
        WEAK + "held = weakref.WeakSet(keep[:1])",
        "len(held)", "held.add(keep[1])", "held.remove(keep[1])", "held was changed in place",
    ),
    "what weak references lead to": Around(
        WEAK + "held = weakref.WeakValueDictionary(a=keep[0])",
        "held['a'].v", "keep[0].v = 2", "del keep[0].v", "held was changed in place",
    ),
    "how objects are copied": Around(
        "import copy, copyreg\nclass C: x = 1\ndef made():\n    c = C(); c.x = 2\n    return c",
        "copy.copy(made()).x", "copyreg.pickle(C, lambda c: (C, ()))",
        "del copyreg.dispatch_table[C]", "how objects are copied is new",
    ),
    "what finds modules": Around(
        "import sys, importlib.util, importlib.machinery\n"
        "class Loader:\n"
        "    @staticmethod\n"
        "    def create_module(spec): return None\n"
        "    @staticmethod\n"
        "    def exec_module(module): module.X = 1\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'found_by_mine':\n"
        "            return importlib.machinery.ModuleSpec(name, Loader)\n"
        "def found():\n"
        "    try:\n"
        "        import found_by_mine\n"
        "        return sys.modules.pop('found_by_mine').X\n"
        "    except ImportError:\n"
        "        return 'none'",
        "found()", "sys.meta_path.append(Finder)", "sys.meta_path.remove(Finder)",
        "what finds modules is new",
    ),
    "an error handler": Around(
        "import codecs\nusual = lambda e: ('?', e.end)\ncodecs.register_error('mine', usual)",
        "'aé'.encode('ascii', 'mine')", "codecs.register_error('mine', lambda e: ('!', e.end))",
        "codecs.register_error('mine', usual)", "its helper <lambda> changed",
    ),
    "a prefix of XML": Around(
        "import xml.etree.ElementTree as ET",
        "ET.tostring(ET.Element('{http://zz}a'))", "ET.register_namespace('zz', 'http://zz')",
        "del ET._namespace_map['http://zz']", "the prefixes of XML namespaces is new",
    ),
    "a format of archives": Around(
        "import shutil",
        "[name for name, _ in shutil.get_archive_formats()]",
        "shutil.register_archive_format('mine', lambda *a, **k: None)",
        "shutil.unregister_archive_format('mine')", "the formats of archives is new",
    ),
    "the longest field of CSV": Around(
        "import csv", "csv.field_size_limit()", "csv.field_size_limit(77)",
        "csv.field_size_limit(131072)", "the dialects of CSV is new",
    ),
    "a handler of a signal": Around(
        "import signal\ndef handler(*_): pass",
        "signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL",
        "signal.signal(signal.SIGUSR2, handler)", "signal.signal(signal.SIGUSR2, signal.SIG_DFL)",
        "the handlers of signals is new",
    ),
    "the collector": Around(
        "import gc\nusual = gc.get_threshold()",
        "gc.get_threshold()", "gc.set_threshold(5)", "gc.set_threshold(*usual)",
        "when the garbage collector runs is new",
    ),
    "the folders of time zones": Around(
        "import zoneinfo",
        "zoneinfo.TZPATH", "zoneinfo.reset_tzpath(['/nowhere'])", "zoneinfo.reset_tzpath()",
        "where time zones are looked for is new",
    ),
    "the time zone of a moment that is written": Around(
        "import os, time\nmoment = time.gmtime(0)",
        "time.strftime('%Z', (2020, 1, 1, 0, 0, 0, 2, 1, 0))",
        "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "del os.environ['TZ']; time.tzset()",
        "the time zone changed",
    ),
    "a method of a library's class, of a value": Around(
        "import fractions\nx = fractions.Fraction(1, 2)\n"
        "usual = fractions.Fraction.limit_denominator",
        "x.limit_denominator(9)", "fractions.Fraction.limit_denominator = lambda *_: 'mine'",
        "fractions.Fraction.limit_denominator = usual", "x was changed in place",
    ),
    "a property of a library's class, of a value": Around(
        "import pathlib\nx = pathlib.Path('a/b')\nusual = pathlib.PurePath.name",
        "x.name", "pathlib.PurePath.name = property(lambda self: 'mine')",
        "pathlib.PurePath.name = usual", "x was changed in place",
    ),
    "a class by which a library's function works": Around(
        "import textwrap\nusual = textwrap.TextWrapper.fill",
        "textwrap.fill('a b c', 3)", "textwrap.TextWrapper.fill = lambda *_: 'mine'",
        "textwrap.TextWrapper.fill = usual", "helper <lambda> is new",
    ),
    "a function by which a library's function works": Around(
        "import fnmatch\nusual = fnmatch.fnmatchcase",
        "fnmatch.fnmatch('a', '*')", "fnmatch.fnmatchcase = lambda *_: 'mine'",
        "fnmatch.fnmatchcase = usual", "helper <lambda> is new",
    ),
    "who is registered as a number": Around(
        "import numbers\nclass M: pass",
        "isinstance(M(), numbers.Number)", "numbers.Number.register(M)", "",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
async def test_a_result_follows_what_is_changed_around_its_task(what: str, engine: Engine) -> None:
    one = CHANGES[what]
    cells = Cells().run(one.setup, f"def f():\n    return {one.gives}")
    node = cs.task(cells.names["f"])().named("a")
    before = await engine.run(node)
    assert (await engine.plan(node)).step("a").action == "reuse"
    try:
        exec(one.change, cells.names)
        step = (await engine.plan(node)).step("a")
        assert step.action == "run"
        assert one.words in step.reason
        assert await engine.run(node) == cells.names["f"]() != before
        assert (await engine.plan(node)).step("a").action == "reuse"
    finally:
        exec(one.undo, cells.names)
    if one.undo:
        assert (await engine.plan(node)).step("a").action == "reuse"
        assert await engine.run(node) == before
