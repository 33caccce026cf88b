"""Which functions of a cell are left plain, by what the cell does with them."""

from __future__ import annotations

import ast
import math
from array import array
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import cascade_nb
from cascade_nb.model.tasks.decorator import task
from cascade_nb.notebook.cells.rewriting import rewritten
from cascade_nb.notebook.roles.demand import READ_ONCE
from cascade_nb.notebook.roles.function_roles import roles_in
from cascade_nb.notebook.roles.global_reads import readers_in

KNOWN = {
    "cs": cascade_nb,
    "math": math,
    "other": task(lambda x: x),
    "xs": [1],
    "cat": "".join,
    "table": array("d", [1]),
}


TOTALS: dict[str, int] = {}


def counting(word: str) -> int:
    TOTALS[word] = TOTALS.get(word, 0) + 1
    return TOTALS[word]


def shown() -> Any:
    return 1 + cs.run(model)  # type: ignore[name-defined]  # noqa: F821 - of a notebook


def plain(source: str) -> Mapping[str, str]:
    return roles_in(ast.parse(dedent(source)), KNOWN.get).plain


def test_a_function_that_reads_a_name_is_told_by_its_own() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("def total(): return sum(rows)", names)
    names = {"_": names["total"], "also": names["total"], **names}
    assert readers_in(names, {"rows", "others"}, lambda node: False) == {"rows": "total"}


@pytest.mark.parametrize(
    ("uses", "reason"),
    [
        ("print(f(1))", "its value is used at once, line 2"),
        ("print(1 + f(1)[0])", "used at once"),
        ("if f(1) == 2: pass", "used at once"),
        ("ok = f(1) in xs", "used at once"),
        ("while not f(1): break", "used at once"),
        ("s = f'{f(1)}'", "used at once"),
        ("for x in f(1): pass", "used at once"),
        ("ys = [x for x in f(1)]", "used at once"),
        ("ys = [x for x in xs if f(x)]", "used at once"),
        ("y = math.sqrt(f(1))", "used at once"),
        ("y = max(f(x) for x in xs)", "used at once"),
        ("y = math.fsum([f(x) for x in xs])", "used at once"),
        ("y = len(f(1))", "used at once"),
        ("y = f(1).strip()", "used at once"),
        ("y = xs[f(0)]", "used at once"),
        ("y = 1 if f(1) else 2", "used at once"),
        ("print(*f(1))", "used at once"),
        ("y = f(1)(2)", "used at once"),
        ("ys = []\nys.extend(f(1))", "used at once"),
        ("print(sorted({x: f(x) for x in xs}.items()))", "used at once"),
        ("with f(1) as y: pass", "used at once"),
        ("y = await f(1)", "it is awaited, line 2"),
        ("try:\n    y = f(1)\nexcept ValueError:\n    pass", "its errors are caught"),
        ("ys = sorted(xs, key=f)", "it is given to `sorted`, line 2"),
        ("ys = xs.apply(f)", "it is given to `xs.apply`"),
        ("ys = list(map(f, xs))", "it is given to `map`"),
        ("s = '%.2f' % f(1)", "its value is used at once"),
        ("s = '%s %s' % (f(1), 2)", "its value is used at once"),
        ("d = defaultdict(f)", "it is given to `defaultdict`"),
        ("ys = xs.apply(lambda x: f(x))", "it is called in a lambda"),
        ("@f\ndef g(x): return x", "it decorates `g`"),
        ("@f(3)\ndef g(x): return x", "it decorates `g`"),
        ("class C:\n    def m(self): return f(1)", "the class `C` calls it"),
        ("def main():\n    f(1)\nmain()", "`main` calls it"),
        ("def g(x): return x\nprint(g(f(1)))", "`g` is given its value"),
    ],
)
def test_a_function_of_which_the_cell_needs_more_than_a_node_stays_plain(
    uses: str, reason: str
) -> None:
    assert reason in plain(f"def f(x): return x\n{uses}")["f"]


@pytest.mark.parametrize(
    "uses",
    [
        "",
        "y = f(1)",
        "y = f(f(1))",
        "y = f(1) + 2 * f(2)[0]",
        "y = f(1) < 2",
        "a, b = f(1)",
        "ys = [f(x) for x in xs]",
        "ys = {x: f(x) for x in xs}\nprint(len(xs))",
        "ys = []\nfor x in xs:\n    ys.append(f(x))",
        "n = len([f(1), f(2)])",
        "ys = []\nys.extend([f(1), f(2)])",
        "d = {}\nd.update(y=f(1))",
        "y = sum(f(x) for x in xs)",
        "y = other(f(1))",
        "y = other(f, 1)",
        "print(cs.run(f(1)))",
        "assert cs.run([f(1)]) == [2]",
        "t = cs.task(lambda: f(1))\nprint(cs.run(t()))",
        "y = f(1).named('a').with_retry(3)",
        "y = f.map(x=xs)\nprint(f(1))",
        "any((y := f(x)) is None for x in xs)",
        "kind = type(f(1)).__name__",
        "g = f",
        "fs = [f]\nys = [g(1) for g in fs]",
        "def g(x): return f(x) == 1\ny = g(1)",
        "def _build(x): return f(x)\ny = _build(1)",
        "try:\n    y = f(1)\nfinally:\n    pass",
        "def setup():\n    global y\n    y = f(1)\nsetup()",
        "f(1)",
        "for x in f(1), f(2): y = x",
    ],
)
def test_a_function_that_can_be_a_task_is_one(uses: str) -> None:
    assert "f" not in plain(f"def f(x): return x\n{uses}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(): yield 1", "it is a generator"),
        ("async def f(): yield 1", "it is a generator"),
        ("def f():\n    x = yield from g()", "it is a generator"),
        ("def f():\n    def g(): return 1\n    return g", "it gives a function"),
        ("def f(n): return lambda x: x ** n", "it gives a function"),
        ("def f(): print(1)\nf()", "it returns nothing"),
        ("def f():\n    if xs: return\n    return None\nfor _ in xs: f()", "it returns nothing"),
        ("def f():\n    print(1)\n    return 2\nf()\nx = 1", "it shows something"),
        ("def f(x): return x\neval('f(1)')", "it stands in a text that is evaluated"),
        (
            "def f():\n    global n\n    n = 1\n    return n\ny = f()\nprint(n)",
            "changes `n`, which",
        ),
        ("def f(a):\n    a.append(1)\n    return a\nys = []\nz = f(ys)\nys", "it changes `ys`"),
        ("def f(a):\n    a['k'] = 1\n    return a\nd = {}\nz = f(d)\nprint(d)", "it changes `d`"),
    ],
)
def test_a_function_stays_plain_for_what_it_is(source: str, reason: str) -> None:
    assert reason in plain(source)["f"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(): print(1)",
        "def f(): print(1)\ny = f()",
        "def f():\n    def g(): yield 1\n    return list(g())",
        "def f():\n    def g(): return 1\n    return g()",
        "def f(x): return [y := x, (lambda: 1)()]",
        "ran = []\ndef f(x): ran.append(x)\ny = f(f(1))",
        "def f(a):\n    b = []\n    b.append(a)\n    return b\ny = f(1)\nb = 2\nprint(b)",
        "import cascade_nb as cs\n@cs.task\ndef f(x): return x\nprint(f(1) == 2)",
        "@cs.resource\ndef f(): yield 1",
        "def _f(x): return x\nprint(_f(1))",
    ],
)
def test_a_function_is_a_task_or_what_its_name_and_decorators_say(source: str) -> None:
    assert plain(source) == {}


def test_calls_of_tasks_of_other_cells_that_cannot_wait_are_found() -> None:
    def at_once(source: str) -> list[Any]:
        return list(roles_in(ast.parse(source), KNOWN.get).at_once.values())

    assert at_once("print(other(1))") == ["its value is used at once"]
    assert at_once("ys = [x for x in xs if other(x) == 1]") == ["its value is used at once"]
    assert at_once("y = await other(1)") == ["it is awaited"]
    assert at_once("y = other(1)\nz = other(y)\nw = cs.run(other(z))") == []
    assert at_once("later = (other(x) == 1 for x in xs)") == []  # gone through elsewhere
    assert at_once("def f(x): return x\ny = f.map(x=xs)\nprint(f(1))") == [
        "its value is used at once"
    ]


def test_a_call_that_nothing_keeps_runs_at_once_where_it_changes_what_it_is_not_given() -> None:
    look = {**KNOWN, "counting": task(counting)}.get

    def at_once(source: str) -> list[str]:
        return list(roles_in(ast.parse(source), look).at_once.values())

    assert at_once("for word in xs:\n    counting(word)") == ["it changes `TOTALS`"]
    assert at_once("def note(x):\n    seen.append(x)\n    return x\nfor x in xs:\n    note(x)") == [
        "it changes `seen`"
    ]
    assert at_once("n = counting('a')") == at_once("other(1)") == []
    assert (
        at_once("def note(x, seen):\n    seen = [x]\n    seen.append(x)\n    return x\nnote(1)")
        == []
    )


def test_a_call_runs_at_once_whose_name_a_function_of_an_earlier_cell_reads() -> None:
    """Nothing waits for what a function finds under a global name."""
    known: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "def used(k): return k in table\n"
        "def shadowed(rows): return rows + 1\n"
        "class Model:\n    def fit(self): return len(data)\n",
        known,
    )
    known["used"] = task(known["used"])

    def at_once(source: str) -> dict[str, str]:
        roles = roles_in(ast.parse(source), KNOWN.get, known)
        return {ast.unparse(call): why for call, why in roles.at_once.items()}

    assert at_once("table = other(1)") == {
        "other(1)": "`used` reads it as `table` and is not given it"
    }
    shown.__module__, known["shown"] = "__main__", shown
    assert at_once("model = other(1)") == {}, "whose value is asked for there"
    assert list(at_once("a, data = other(2)")) == ["other(2)"]
    assert at_once("rows = other(1)\nmore = other(rows)") == {}
    assert at_once("def used(k): return k\ntable = other(1)") == {}


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("y = other(1)\nprint(y)", ["other(1)"]),
        ("y = other(1)\nif y > 0: pass", ["other(1)"]),
        ("a, b = other(1)\nprint(a)", ["other(1)"]),
        ("y = other(1)\nz = other(y)\nprint(z)", ["other(1)", "other(y)"]),
        ("y = other(1) + 1\nz = 2 * y\nmath.sin(z)", ["other(1)"]),
        ("y = other(1)\nz = other(2)\nprint(z)", ["other(2)"]),
        ("ys = [other(x) for x in xs]\nprint(ys)", ["other(x)"]),
        ("ys = [other(x) for x in xs]\nfor y in ys:\n    print(y)", ["other(x)"]),
        ("ys = []\nfor x in xs:\n    ys.append(other(x))\nmath.fsum(ys)", ["other(x)"]),
        ("d = {}\nd['a'] = other(1)\nprint(d['a'])", ["other(1)"]),
        ("t = 1\nfor x in xs:\n    math.sin(t)\n    t = t + other(x)", ["other(x)"]),
        ("assert not other(other(1))", ["other(1)", "other(other(1))"]),
        ("y = other(1)\ndef show():\n    print(y)\nshow()", ["other(1)"]),
        ("y = other(1)\ndef show(v): print(v)\nshow(y)", ["other(1)"]),
        ("class C:\n    def __init__(self, v): self.v = v\nc = C(other(1))", ["other(1)"]),
        ("class C:\n    def fit(self, v): ...\nc = C()\ny = other(1)\nc.fit(y)", ["other(1)"]),
        ("a, b = math.x()\nfor i in xs:\n    c = b[i]\n    c.plot(other(i))", ["other(i)"]),
        ("zs = xs[1:]\ny = other(1)\nzs.index(y)", ["other(1)"]),
        ("for c in math.x():\n    y = other(1)\n    c.plot(y)", ["other(1)"]),
        ("class show:\n    def __init__(self, *a): ...\ny = other(1)\nshow('y + 1')", ["other(1)"]),
        ("y = other(1)\neval('y + 1')", ["other(1)"]),
        ("import numpy as np\nu = np.zeros(2)\nu[0] = other(1)", ["other(1)"]),
        ("import pandas as pd\nt = pd.read('f')\nt['a'], b = other(1)", ["other(1)"]),
        ("table['a'] = other(1)", ["other(1)"]),
        ("y = cat(other(1))", ["other(1)"]),
        ("import pandas as pd\nt = pd.read('f')\nt.loc[0, 'a'] = other(1)", ["other(1)"]),
        ("b = other(1)\ndef f(x): return x + b\ny = f(2)\nprint(y)", ["f(2)", "other(1)"]),
        ("b = other(1)\ndef f(x): return x + b\ny = f(2)", ["other(1)"]),
        ("def f(x): return x in b\nb = other(1)", ["other(1)"]),
        ("def f(x): return [x for x in b if x]\nb = other(1)", ["other(1)"]),
        # nodes stay nodes
        ("def f(x): return other.lazy(x, b)\nb = other(1)", []),
        ("def f(x): return [x, b]\nb = other(1)", []),
        ("def f(b): return b + 1\nb = other(1)", []),
        ("def f(x):\n    b = x\n    return b + 1\nb = other(1)", []),
        ("import collections\nd = collections.defaultdict(list)\nd['a'] = other(1)", []),
        ("d = dict(a=1)\nd['a'] = other(1)\nxs[0] = other(2)", []),
        ("y = other(1)\nmath.title('y')", []),
        ("y = other(1)\ny", []),
        ("y = other(1)\nz = y[0] + 1", []),
        ("ys = [other(x) for x in xs]\nn = len(ys)", []),
        ("y = other(1)\nprint(cs.run(y))", []),
        ("y = other(1)\nget_ipython().run_line_magic('cascade', 'run y')\nprint(y)", []),
        ("y = other(1).named('a')\nprint(repr(y))", []),
        ("y = other(1)\ncs.run(y)\nprint(y)", []),
        ("y = other(1)\nz = other(2).after(y)\nprint(y)", []),
        ("print(y)\ny = other(1)", []),
        ("y = other(1)\ndef later():\n    return y", []),
        ("y = other(1)\nkey = lambda: y == 1", []),
    ],
)
def test_a_call_runs_at_once_where_the_same_cell_uses_the_value_of_its_name(
    source: str, calls: list[str]
) -> None:
    at_once = roles_in(ast.parse(source), KNOWN.get).at_once.items()
    assert sorted(ast.unparse(call) for call, why in at_once if why != READ_ONCE) == calls


@pytest.mark.parametrize(
    ("argument", "may_be"),
    [
        ("(x for x in xs)", True),
        ("map(str, xs)", True),
        ("open('f')", True),
        ("made", True),
        ("xs", False),
        ("[x for x in xs]", False),
        ("other(2)", False),
        ("1", False),
    ],
)
def test_a_call_is_tried_where_its_argument_may_be_gone_through_only_once(
    argument: str, may_be: bool
) -> None:
    at_once = roles_in(ast.parse(f"made = iter(xs)\ny = other({argument})"), KNOWN.get).at_once
    assert (READ_ONCE in at_once.values()) == may_be


def test_a_task_of_another_cell_that_somebody_is_given_to_call_is_found() -> None:
    def given(source: str) -> Mapping[str, str]:
        return roles_in(ast.parse(source), KNOWN.get).given

    assert given("def g(f): return f(1)\ny = build(other)") == {
        "other": "it is given to `build`, line 2"
    }
    assert given("ys = pool.map(fn=other)") == {"other": "it is given to `pool.map`, line 1"}
    assert given("ys = list(map(other, xs))") == {}
    assert given("ys = pool.map(other.fn, xs)\ny = other(other)\ncs.run(other(1))") == {}
    assert given("def other(x): return x\nys = sorted(xs, key=other)") == {}


def modules() -> list[Path]:
    """Some of Python's own modules: whatever can be written stands in one of them."""
    folder = Path(ast.__file__).parent
    return [*sorted(folder.glob("*.py"))[::6], folder / "test" / "test_ast.py"]


def test_any_python_can_be_the_body_of_a_cell() -> None:
    for module in modules():
        if not module.exists():
            continue  # some Pythons come without their tests
        tree = ast.parse(module.read_text("utf-8"))
        lines = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}
        roles = roles_in(tree, KNOWN.get)
        changed = rewritten(tree, roles)
        compile(changed, str(module), "exec", dont_inherit=True)
        assert {node.lineno for node in ast.walk(changed) if isinstance(node, ast.stmt)} == lines
