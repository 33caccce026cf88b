"""Loops of a `%%cascade` cell cost what Python's cost, and bind names as all else does."""

from __future__ import annotations

import ast
import sys
from types import FrameType

import pytest

import cascade_nb as cs
from cascade_nb.notebook.cells.loops import names_of_loops
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

LOOPS = {
    "numbers": "w = 0.0\nfor i in range({n}):\n    w = w + i * 0.5",
    "a list that grows": "xs = []\nfor i in range({n}):\n    xs.append(i * 2)",
    "items": "d = {{}}\nfor i in range({n}):\n    d[i % 9] = i\n    del d[i % 9]",
    "while": "k = n = 0\nwhile n < {n}:\n    if n % 3 == 0:\n        k += 1\n    n += 1",
    "a function": "def _g(x): return x + 1\nt = 0\nfor i in range({n}):\n    t += _g(i)",
    "inside of others": "if True:\n    for i in range(3):\n        for j in range({n}): s = i * j",
    "names that others give": "for i, (a, *b) in enumerate([(1, 2)] * {n}): s = a + i",
    "an import": "for i in range({n}):\n    import math\n    r = math.pi",
}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_turn_of_a_loop_calls_nothing_of_ours(notebook: Notebook, kind: str) -> None:
    called: list[str] = []

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and "cascade_nb" in frame.f_code.co_filename:
            called.append(frame.f_code.co_name)

    calls = []
    for turns in (5, 5, 500):  # the first has more to do, once
        called.clear()
        sys.setprofile(count)
        try:
            done = notebook.run(f"%%cascade --quiet\n{LOOPS[kind].format(n=turns)}", "A")
        finally:
            sys.setprofile(None)
        assert done.error is None, done.text
        calls.append(len(called))
    assert calls[2] <= calls[1] + 50


def test_a_second_name_in_a_loop_costs_one_call(notebook: Notebook) -> None:
    called = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal called
        called += event == "call" and "cascade_nb" in frame.f_code.co_filename

    def counted(turns: int) -> int:
        nonlocal called
        called = 0
        sys.setprofile(count)
        try:
            quiet(notebook, f"now = 0\nfor i in range({turns}):\n    before = now\n    now = i")
        finally:
            sys.setprofile(None)
        return called

    counted(5)
    assert counted(505) - counted(5) < 2 * 500 + 50


def quiet(notebook: Notebook, source: str, cell: str = "A") -> str:
    return notebook.ok(f"%%cascade --quiet\ndef f(x): return x\n{source}", cell).text


def test_a_name_that_a_loop_no_longer_binds_is_gone(notebook: Notebook) -> None:
    for source in ("for i in {r}: x = f(i)", "while {r}:\n    x = f(1)\n    break"):
        quiet(notebook, source.format(r=[1]))
        assert cs.run(notebook.names["x"]) == 1
        quiet(notebook, source.format(r=[]))
        assert "x" not in notebook.names


def test_a_name_that_a_loop_binds_to_the_same_again_stays(notebook: Notebook) -> None:
    quiet(notebook, "x = f(1)")
    quiet(notebook, "y = f(x)", "B")
    for _ in range(3):
        quiet(notebook, "for i in range(3): x = 7")
        assert notebook.names["x"] == 7
        assert cs.run(notebook.names["y"]) == 7


def test_what_a_loop_deletes_is_gone(notebook: Notebook) -> None:
    quiet(notebook, "x = f(1)")
    quiet(notebook, "for i in range(1): del x", "B")
    assert "x is no node" in notebook.run("%cascade run x").text.replace("`", "")


def test_what_is_bound_behind_a_loop_is_what_is_run(notebook: Notebook) -> None:
    quiet(notebook, "for i in range(2): x = f(i)\ny = f(x)")
    assert notebook.ok("r = %cascade run --wait\nr.result()").result == 1
    assert notebook.names["r"].status.headline
    quiet(notebook, "y = f(5)\nfor i in range(2): x = f(i + 6)", "B")
    assert notebook.ok("r = %cascade run --wait\nr.result()").result == 7


def test_a_loop_that_fails_has_bound_what_it_came_to(notebook: Notebook) -> None:
    done = notebook.run(
        "%%cascade --quiet\ndef f(x): return x\nfor i in range(3):\n    x = f(i)\n    1 / (1 - i)"
    )
    assert isinstance(done.error, ZeroDivisionError)
    assert notebook.names["i"] == 1
    assert cs.run(notebook.names["x"]) == 1


def test_code_inside_a_loop_finds_and_binds_the_names_of_the_cell(notebook: Notebook) -> None:
    notebook.ok("def seen(): return k, made")
    text = quiet(
        notebook,
        "for k in range(2):\n"
        "    exec('made = k + 10')\n"
        "    u: int = k\n"
        "    assert locals()['k'] == eval('k') == k\n"
        "    class C:\n        def m(self, k=k): return k\n"
        "    ks = [k for k in 'ab']\n"
        "    print(seen(), u, C().m(), ks, [w := k], [k for _ in 'a'])\n",
    )
    assert text.splitlines() == [
        "(0, 10) 0 0 ['a', 'b'] [0] [0]",
        "(1, 11) 1 1 ['a', 'b'] [1] [1]",
    ]
    quiet(notebook, "for k in range(2):\n    from math import *\nprint(tau)", "B")


def test_which_names_are_global_in_a_statement_that_loops() -> None:
    def names(source: str, *kept: str) -> tuple[str, ...]:
        return names_of_loops(ast.parse(source).body[0], kept)

    assert names("x = f(y)") == ()
    assert names("xs = [i for i in y]") == ()
    assert names("def g():\n    for i in y: z = i") == ()
    assert names("for i in y: b = a = i") == ("y", "i", "b", "a")
    assert names("for i in y: b = a = i", "b", "q") == ("y", "i", "a")
    assert names("for i in y: b = i(q)", "b", "q", "i") == ("q", "y")
    for binds in ("import b", "def b(): pass", "class b: pass", "del b", "b += 1", "b[0] = 1"):
        assert names(f"for i in y:\n    print(b)\n    {binds}", "b") == ("print", "y", "i"), binds
    caught = "for i in y:\n    try: b()\n    except E as b: print(b)"
    assert names(caught, "b") == ("E", "print", "y", "i")
    matched = "for i in y:\n    match i:\n        case [b, *c]: print(b, c)"
    assert names(matched, "b", "c") == ("print", "y", "i")
    assert names("for i in y:\n    b: T = i\n    c = b") == ("T", "y", "i", "c")
    assert names("for i in y: b = {j: k for j in z for k in q}") == ("y", "z", "i", "b")
    assert names("with o as p:\n    while q: r = lambda t=s: t") == ("o", "q", "s", "p", "r")
    assert names("for i in y:\n    from m import *") == ()
