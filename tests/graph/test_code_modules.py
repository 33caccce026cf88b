"""Code that asks for the module in which it stands counts with that module, and no other does."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

import cascade_nb as cs
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.code.code_key import carried_code, code_key
from cascade_nb.graph.fingerprint.content import content_key
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.model.tasks.task import Task
from tests.graph.cells import Cells, Folder

ASKING = {
    "name": "return __name__",
    "package": "return __package__",
    "spec": "return __spec__.name",
    "globals": "return globals()['N']",
    "name in globals": "return globals()['__name__']",
    "evaluated name": "return eval('__name__')",
    "evaluated globals": "return eval('globals()')['N']",
    "table of modules": "return sys.modules[__name__].N",
    "vars of a module": "return vars(sys.modules[__name__])['N']",
    "relative import": "return importlib.import_module('.conf', __package__).N",
    "relative to the spec": "return importlib.import_module('.conf', __spec__.parent).N",
    "module of a function": "return other.__module__",
    "module by a text": "return getattr(other, '__module__')",
    "globals of a function": "return other.__globals__['N']",
    "globals of a frame": "return inspect.currentframe().f_globals['N']",
    "module by inspect": "return inspect.getmodule(other).N",
    "file of a function": "return other.__code__.co_filename",
    "in a lambda": "return (lambda: __name__)()",
    "in a function inside": "def inner(): return globals()['N']\n    return inner()",
    "in a class inside": "class P: pass\n    return repr(P)",
    "vars of a class body": "class P: n = vars()['__module__']\n    return P.n",
}
TWIN = """
import importlib, inspect, sys
from .conf import N
def other(): return 1
def f():
    {}
"""


def twins(folder: Folder, body: str) -> None:
    """Two modules of one text, in two packages, that have an `N` each."""
    for number, name in enumerate(("one", "two")):
        folder.write(f"{name}.conf", f"N = {number}\n")
        folder.write(f"{name}.m", TWIN.format(body))


def helped(name: str) -> Cells:
    """A notebook whose function calls that of a module under a name of its own."""
    return Cells().run(f"import {name}.m as M", "def f(): return M.f()")


@pytest.mark.parametrize("kind", ASKING)
def test_twins_of_two_modules_that_ask_for_theirs_have_two_keys(folder: Folder, kind: str) -> None:
    twins(folder, ASKING[kind])
    one, two = folder.load("one.m").f, folder.load("two.m").f
    assert one() != two()
    keys = [code_key(one), code_key(two), helped("one").key(), helped("two").key()]
    assert len({key.digest for key in keys}) == 4
    assert not any(key.unkeyed for key in keys)
    folder.forget()
    again = [code_key(folder.load("one.m").f), helped("one").key()]
    assert [key.digest for key in again] == [keys[0].digest, keys[2].digest]


def test_the_name_of_a_module_counts_for_who_asks_the_module(folder: Folder) -> None:
    twins(folder, "return N")
    keys = set()
    for name in ("one", "two"):
        vars(folder.load(f"{name}.m"))["N"] = 7  # all else is the same
        for asked in ("__name__", "__package__", "__spec__.name"):
            cells = Cells().run(f"import {name}.m as M", f"def f(): return M.f(), M.{asked}")
            keys.add(cells.key().digest)
    assert len(keys) == 6
    assert helped("one").key().digest == helped("two").key().digest  # nothing asks


def test_what_a_function_is_called_does_not_tell_where_it_stands(folder: Folder) -> None:
    twins(folder, "return other.__name__, other.__qualname__, type(1).__name__, 'globals'")
    assert len({code_key(folder.load(f"{name}.m").f).digest for name in ("one", "two")}) == 1


def test_a_kept_result_of_a_twin_is_not_given_to_a_task_of_another_module(folder: Folder) -> None:
    text = "return __name__, globals()['N'], importlib.import_module('.conf', __package__).N"
    twins(folder, text)
    given = []
    with contextlib.closing(cs.Engine()) as engine:
        for name in ("one", "one", "two"):
            run = engine.start(cs.task(helped(name).names["f"])().named("a"))
            given.append((run.result(), run.status.reused))
    assert given == [(("one.m", 0, 0), 0), (("one.m", 0, 0), 1), (("two.m", 1, 1), 0)]


HANDED: dict[str, Callable[[Any], Any]] = {
    "alone": lambda f: f,
    "in a list": lambda f: [0, [f]],
    "as a key": lambda f: {f: 1},
    "in an object": lambda f: types.SimpleNamespace(f=f),
    "in a partial": lambda f: functools.partial(f, 1),
    "in a variable around": lambda f: lambda: f,
    "as a default": lambda f: lambda x=f: x,
    "cached": functools.lru_cache(maxsize=4),
    "as a task": cs.task,
}
TOLD: dict[str, Callable[[Any, Any], None]] = {
    "module": lambda one, other: None,
    "name": lambda one, other: setattr(other, "__name__", "other"),
    "qualified name": lambda one, other: setattr(other, "__qualname__", "C.f"),
}


def found(value: Any) -> Any:
    """The function that was handed on in some way."""
    match value:
        case [_, [f]]:
            return f
        case dict():
            return next(iter(value))
        case types.SimpleNamespace():
            return value.f
        case functools.partial():
            return value.func
        case Task():
            return value.fn
    return value() if value.__name__ == "<lambda>" else value


@pytest.mark.parametrize("told", TOLD)
def test_functions_that_can_be_told_apart_have_two_keys_however_they_are_handed_on(
    folder: Folder, told: str
) -> None:
    twins(folder, "return 1")
    one = folder.load("one.m").f
    other = folder.load("two.m").f if told == "module" else copied(one)
    TOLD[told](one, other)
    count = 0
    for ways in [*itertools.product(HANDED, repeat=2), *((way,) for way in HANDED)]:
        values = [one, other]
        with contextlib.suppress(TypeError):  # a list is no key, and no task either
            for way in ways:
                values = [HANDED[way](value) for value in values]
            assert content_key(values[0]) != content_key(values[1]), ways
            count += 1
    assert count > 50


def copied(function: Any) -> Any:
    made = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    made.__qualname__ = function.__qualname__
    return made


@pytest.mark.parametrize("way", HANDED)
def test_what_a_task_hands_on_is_of_the_module_that_it_was_given(folder: Folder, way: str) -> None:
    twins(folder, "return 1")
    ident = cs.task(Cells().run("def f(value): return value").names["f"])
    asks = cs.task(Cells().run("def f(value): return value.__module__").names["f"])
    with contextlib.closing(cs.Engine()) as engine:
        for name in ("one.m", "two.m"):
            f = folder.load(name).f
            assert found(engine.start(ident(HANDED[way](f))).result()).__module__ == name
            assert engine.start(asks(ident(f))).result() == name


KEPT = {
    "given back": "def f(): return g",
    "in a list": "def f(): return [g, g(1)]",
    "under another name": "def f():\n    h = g\n    return h",
    "as it may be": "def f(): return g(0) and g",
    "in a partial": "import functools\ndef f(): return functools.partial(g, 1)",
    "in an object": "import types\ndef f(): return types.SimpleNamespace(g=g)",
    "out of a helper": "def h(): return g\ndef f(): return h()",
    "as a default": "def f(x=g): return x",
    "in a constant": "GS = [g]\ndef f(): return GS[0]",
    "in a variable around": "def mk(h):\n    def f(): return h\n    return f\nf = mk(g)",
    "in a function inside": "def f(): return lambda: g",
}
CALLED = {
    "called": "def f(): return g(1)",
    "called by another": "def f(): return list(map(g, [1]))",
    "by name": "def f(): return sorted([1], key=g)",
    "a decorator's": "def d(h):\n    def f(): return h(1)\n    return f\nf = d(g)",
    "a default": "def f(h=g): return h(1)",
    "in a function inside": "def f(): return [g(x) for x in (1, 2)]",
    "an attribute of it": "def f(): return g.unit",
}


@pytest.mark.parametrize("source", [True, False], ids=["text", "bytecode"])
@pytest.mark.parametrize("kind", [*KEPT, *(f"only {one}" for one in CALLED)])
def test_only_code_that_keeps_a_function_counts_its_module(
    folder: Folder, kind: str, source: bool
) -> None:
    keys = []
    for name in ("one", "two"):
        folder.write(name, "def g(x): return x\ng.unit = 1\n")
        program = KEPT.get(kind) or CALLED[kind.removeprefix("only ")]
        keys.append(Cells(source).run(f"from {name} import g", program).key())
    assert not keys[0].unkeyed
    if kind in KEPT:
        assert keys[0].digest != keys[1].digest
    elif source:
        assert keys[0].digest == keys[1].digest


@pytest.mark.parametrize("asked", ["one.__doc__", "inspect.signature(one)"])
def test_functions_that_are_handed_to_who_reads_what_is_said_of_them_count_with_it(
    asked: str,
) -> None:
    cells = Cells().run(
        "import inspect",
        f"def f(given): return [{asked} for one in given]",
        "def g(given): return 1",
    )
    given = []
    for kind, doc in (("int", "x"), ("float", "y")):
        given.append([Cells().run(f"def h(x: {kind}):\n    '{doc}'").names["h"]])
    for name, keys in (("f", 2), ("g", 1)):
        task = cs.task(cells.names[name])
        for made in ([task(one) for one in given], [task.map(given=[one]) for one in given]):
            found = [fingerprints(build_graph(one))[-1] for one in made]
            assert None not in found
            assert len(set(found)) == keys
    task = cs.task(Cells().run("def f(x, k=1): return x.__doc__").names["f"])
    assert len({fingerprints(build_graph(one))[-1] for one in (task(2), task(2, k=1))}) == 1


@pytest.mark.parametrize("kind", ["name", "package", "spec", "globals", "in a class inside"])
def test_code_that_asks_for_its_module_is_the_same_in_another_process(kind: str) -> None:
    cells = Cells()
    cells.names.update({"__package__": None, "__spec__": None, "N": 1, "sys": sys})
    cells.run(textwrap.dedent(f"def f():\n    {ASKING[kind]}"))
    function = cells.names["f"]
    assert carried_code(cloudpickle.loads(cloudpickle.dumps(function))) == carried_code(function)
