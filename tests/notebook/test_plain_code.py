"""Where a task is called by what is no task: functions and classes left plain, and other people."""

from __future__ import annotations

import ast
import builtins
import collections
import gc
import json
from typing import Any

import pytest

import cascade_nb
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.tasks import body
from cascade_nb.model.tasks.decorator import task
from cascade_nb.notebook.roles.function_roles import roles_in
from tests.notebook.conftest import Notebook


def quiet(notebook: Notebook, source: str, cell: str | None = None) -> None:
    notebook.ok(f"%%cascade --quiet\n{source}", cell)


def test_tasks_are_plain_in_a_plain_function_whoever_calls_it_and_whenever(
    notebook: Notebook,
) -> None:
    quiet(notebook, "def double(x): return 2 * x\ndef twice(x): return double(double(x))", "A")
    quiet(
        notebook,
        "def show(x):\n    print('is', twice(x) + 1)\n"
        "def logged(fn):\n    def call(*args):\n        print('got', fn(*args))\n    return call\n"
        "def gen():\n    yield double(4)\n"
        "show(1)",
        "B",
    )
    # In other cells, in a callback, through a closure, from a plain cell: it is the same function.
    assert "is 9" in notebook.ok("%%cascade\nshow(2)").text
    assert "is 5" in notebook.ok("for f in [show]: f(1)").text
    assert "got 6" in notebook.ok("%%cascade\nsay = logged(double)\nsay(3)").text
    assert notebook.ok("list(gen())").result == [8]
    # And outside of it a call is a node, as before.
    assert isinstance(notebook.ok("y = double(1)\nid(y)").result, int)
    assert isinstance(notebook.names["y"], LazyResult)


def test_a_plain_function_that_is_defined_anew_as_a_task_is_one(notebook: Notebook) -> None:
    quiet(notebook, "def double(x): return 2 * x", "A")
    quiet(notebook, "def show(x): print(double(x))\nshow(1)", "B")
    quiet(notebook, "def _build(x): return double(x)\nz = _build(1)", "B")
    assert isinstance(notebook.names["z"], LazyResult)


def test_tasks_are_plain_in_the_methods_of_a_class_of_a_cell(notebook: Notebook) -> None:
    quiet(notebook, "def double(x): return 2 * x", "A")
    text = notebook.ok(
        "%%cascade\nimport functools\nclass C:\n"
        "    def __init__(self, x): self.x = double(x)\n"
        "    @property\n    def more(self): return double(self.x) + 1\n"
        "    @staticmethod\n    def of(x): return f'{double(x)}'\n"
        "    @classmethod\n    def made(cls): return cls(double(5))\n"
        "    @functools.lru_cache\n    def kept(self): return max(double(1), double(2))\n"
        "    @functools.cached_property\n    def held(self): return [double(i) for i in (1, 2)]",
        "B",
    ).text
    assert "In the class `C` tasks are plain functions: `double`." in text
    shown = notebook.ok("c = C(1); (c.x, c.more, C.of(2), C.made().x, c.kept(), c.held)").result
    assert shown == (2, 5, "4", 20, 4, [2, 4])


def test_who_calls_a_task_of_another_cell_is_given_its_function(notebook: Notebook) -> None:
    quiet(notebook, "def root(x): return -x\ndef size(x): return root(x) * root(x)", "A")
    text = notebook.ok(
        "%%cascade\nxs = list(map(size, [1, 2]))\nys = sorted([1, 2, 3], key=root)\n"
        "zs = list(filter(lambda x: size(x) > 1, [1, 2]))\nlate = map(lambda x: size(x), [3])",
        "B",
    ).text
    names = notebook.names
    assert (names["xs"], names["ys"], names["zs"]) == ([1, 4], [3, 2, 1], [2])
    assert notebook.ok("list(late)").result == [9]  # gone through when its cell is over
    assert "`size` is a task; here its function is used: it is given to `map`, line 2." in text
    assert "`root` is a task; here its function is used: it is given to `sorted`, line 3." in text


def test_a_call_that_runs_at_once_is_given_the_arguments_themselves(notebook: Notebook) -> None:
    quiet(notebook, "def add(xs, x): xs.append(x)\ndef top(xs): return xs.pop()", "A")
    quiet(notebook, "xs = [1, 2]\nadd(xs, 3)\nadd(x=4, xs=xs)\nprint(top(xs))", "B")
    assert notebook.names["xs"] == [1, 2, 3]


def test_a_def_that_only_changes_what_it_is_given_stays_plain() -> None:
    def plain(source: str) -> dict[str, str]:
        return dict(roles_in(ast.parse(source), lambda name: None).plain)

    told = "it returns nothing, and changes `xs`"
    assert plain("def f(xs, n): xs.append(n)") == {"f": told}
    assert plain("def f(*, xs):\n    for i in range(3): xs[i] = 0\n    return") == {"f": told}
    assert plain("def f(xs): xs.drop(columns='a', inplace=True)") == {"f": told}
    assert plain("def f(xs):\n    xs['n'] = 1\n    return len(xs['k'])") == {}
    other = "it returns something else, and changes `xs`"
    assert plain("def f(xs):\n    n = xs.pop()\n    return n") == {"f": other}
    assert plain("def f(xs, y):\n    lines = xs.plot(y)\n    return lines[0]") == {"f": other}
    for other in (
        "def f(xs):\n    xs.append(1)\n    return xs",
        "def f(xs):\n    xs = list(xs)\n    xs.append(1)",
        "def f(xs): print(xs)",
        "def f(n, xs=inject(db)): xs.append(n)",  # only a node is lent that
        "kept = []\ndef f(n): kept.append(n)",
        "def f(xs): xs.append(1)\ny = f.map(xs=[[1], [2]])",
        "def f(xs):\n    fig, ax = plt.subplots()\n    xs.hist(ax=ax)\n    return fig",
        "def f(xs):\n    ax = xs.plot('x', kind='bar')\n    return ax.figure",
        "def f(xs, a, b):\n    return xs.plot.scatter(a, b).figure",
        "def f(xs):\n    xs.show()\n    return len(xs)",
    ):
        assert plain(other) == {}, other


def test_a_task_that_changes_what_it_is_given_does_or_it_is_told(notebook: Notebook) -> None:
    quiet(notebook, "def fill(d, k):\n    d[k] = len(d)\n    return d", "A")
    text = notebook.ok("%%cascade\nd = {}\nfill(d, 'a')\nfill(k='b', d=d)", "B").text
    assert notebook.names["d"] == {"a": 0, "b": 1}
    assert "Ran at once, as a function like `_fill` would. `fill`: it changes `d`, line 3" in text
    notebook.ok("import cascade_nb as cs")
    kept = "`fill` changes what it is given, and as a task it is given a copy: `d` stays as it is."
    assert kept in notebook.ok("%%cascade\nx = fill(d, 'c')", "C").text
    assert kept in notebook.ok("%%cascade\nprint(cs.run(fill(d, 'c')))", "D").text
    assert notebook.names["d"] == {"a": 0, "b": 1}
    for silent in ("y = fill(x, 'c')", "y = fill({}, 'c')", "y = fill.fn(d, 'c')", "print(fill)"):
        assert "as a task it is given" not in notebook.ok(f"%%cascade\n{silent}", "E").text
    assert notebook.names["d"] == {"a": 0, "b": 1, "c": 2}


def test_the_function_of_a_task_calls_functions(notebook: Notebook) -> None:
    quiet(notebook, "def one(): return 1\ndef two(): return one() + one()", "A")
    assert notebook.ok("%%cascade\nprint(two.fn())", "B").text.startswith("2\n")


def test_a_run_that_does_nothing_again_for_its_effect_says_so_once(notebook: Notebook) -> None:
    notebook.ok("import cascade_nb as cs\n@cs.task\ndef show(n): print(n)\n")
    again = "show did not run again: its result stands. cs.run(…, fresh=True) runs it."
    assert again not in notebook.ok("cs.run(show(1))").text
    text = notebook.ok("for _ in range(3): cs.run(show(1))").text
    assert text.count(again) == 1
    assert again in notebook.ok("cs.run(show(1))").text
    assert again not in notebook.ok("cs.run(show(1), fresh=True)").text
    assert again not in notebook.ok("cs.run(cs.task(len)([1])); cs.run(cs.task(len)([1]))").text


def test_what_stands_for_its_effect_is_said_not_to_run_again_where_it_is_shown(
    notebook: Notebook,
) -> None:
    notebook.ok("import cascade_nb as cs\n@cs.task\ndef show(n): print(n)\n")
    again = "It did not run again: its result stands. cs.run(show(…), fresh=True) runs it."
    assert again not in notebook.ok("show(1)").text
    notebook.ok("cs.run(show(1))")
    assert again in notebook.ok("show(1)").text
    notebook.ok("shown = show(1)")
    assert again not in notebook.ok("shown").text


def test_two_names_of_a_call_are_told_to_be_two_nodes(notebook: Notebook) -> None:
    quiet(notebook, "def f(): return 1\na = b = f()", "A")
    text = notebook.ok("%%cascade --quiet\nprint(a is b, 1 is not a, len is len)", "B").text
    assert "`is` (line 2) is answered of a call that has not run, not of its value." in text
    text = notebook.ok("%%cascade --quiet\nn = 1\nprint(n is n)", "B").text
    assert "answered" not in text


def test_a_cell_that_uses_containers_of_nodes_is_not_told_that_it_has_none(
    notebook: Notebook,
) -> None:
    quiet(notebook, "def f(): return 1\nd = {'a': f()}", "A")
    assert "No tasks" not in notebook.ok("%%cascade\nprint(d)", "B").text
    assert "No tasks" in notebook.ok("%%cascade\nprint(1)", "C").text


def test_what_is_asked_about_a_call_that_has_not_run_is_told(notebook: Notebook) -> None:
    quiet(notebook, "def f(x): return x\ny = f(1)", "A")
    text = notebook.ok(
        "%%cascade\nprint(type(y), isinstance(y, int),\n      hasattr(y, 'real'), y is None)\n"
        "n = getattr(y, 'n', 0)",
        "B",
    ).text
    for question, line in [("type", 2), ("isinstance", 2), ("hasattr", 3), ("getattr", 4)]:
        assert f"`{question}(…)` (line {line}) is answered of a call that has not run" in text
    assert "`is None` (line 3) is answered" in text
    settled = (
        "%%cascade\nz = 3\nimport cascade_nb as cs\nprint(type(z), isinstance(y, cs.{}), y is y)"
    )
    assert "is answered" not in notebook.ok(settled.format("LazyResult"), "C").text


def test_a_match_needs_the_value_and_says_so_where_it_is_not_there(notebook: Notebook) -> None:
    lines = "    case (a, b): n = a\n    case _: n = 0"
    text = notebook.ok(
        f"%%cascade\ndef f(x): return x, 2\ny = f(1)\nmatch y:\n{lines}\n"
        f"def over(x): return x > 3\nmatch 5:\n    case x if over(x): m = x",
        "A",
    ).text
    assert (notebook.names["n"], notebook.names["m"]) == (1, 5)
    assert "`f`: its value is used at once, as `y` in line 4" in text
    quiet(notebook, "z = f(3)", "B")
    text = notebook.ok(f"%%cascade\nmatch z:\n{lines}\ncallable(z)", "C").text
    assert "`match` (line 2) is answered of a call that has not run, not of its value." in text
    assert "`callable(…)` (line 5) is answered of a call that has not run" in text


def test_an_error_that_a_cell_catches_of_a_call_that_has_not_run_is_told(
    notebook: Notebook,
) -> None:
    quiet(notebook, "def f(x): return x\ny = f([1])", "A")
    text = notebook.ok(
        "%%cascade\nimport contextlib\ntry: n = len(y)\nexcept TypeError: n = 0\n"
        "with contextlib.suppress(AttributeError):\n    y.append(2)\n"
        "def _first(x):\n    try: return x.real\n    except AttributeError: return 0\n"
        "_first(y)\nhasattr(y, 'append')",
        "B",
    ).text
    for line, why in [(3, "it has no length"), (6, "'append'"), (8, "'real'")]:
        told = f"The error of line {line} was caught: f is not computed yet, so it has no"
        assert any(told in one and why in one for one in text.split("\n")), text
    assert text.count("was caught") == 3
    assert "cs.run(" in text
    ended = notebook.run("%%cascade\ntry: len(y)\nexcept TypeError as e: raise KeyError(1)", "C")
    assert "was caught" not in ended.text
    assert "was caught" not in notebook.ok("%%cascade\nimport cascade_nb as cs\ncs.run(y)").text
    assert "was caught" in notebook.run("%%cascade\ntry: len(y)\nexcept TypeError: n\n1/0").text


def test_a_name_that_an_assignment_binds_is_shown_where_ipython_is_set_so(
    notebook: Notebook,
) -> None:
    notebook.shell.ast_node_interactivity = "last_expr_or_assign"
    try:
        for source in ("n = 3", "n: int = 3", "n = 1\nn += 2", "m = n = 3\nn"):
            assert notebook.ok(f"%%cascade\n{source}").result == 3
        for source in ("a, b = 3, 4", "m = n = 3", "n = 3;", "xs = {}\nxs[0] = 3"):
            assert notebook.ok(f"%%cascade\n{source}").result is None
    finally:
        notebook.shell.ast_node_interactivity = "last_expr"


def test_a_task_goes_on_under_its_other_name_when_one_is_deleted(notebook: Notebook) -> None:
    quiet(notebook, "def hello(): return 'hi'", "A")
    quiet(notebook, "greet = hello\ndel hello", "B")
    quiet(notebook, "x = greet()", "C")
    assert notebook.ok("%cascade run x --wait").result.result() == "hi"
    quiet(notebook, "del greet", "D")
    assert "which cell In[" in str(notebook.run("%cascade run x --wait").error)


def test_a_cell_that_uses_tasks_is_not_told_that_it_has_none(notebook: Notebook) -> None:
    quiet(notebook, "def f(x): return x\ny = f(1)", "A")
    for source in ("f(2)", "y", "print([f])"):
        assert "No tasks here" not in notebook.ok(f"%%cascade\n{source}").text
    assert "No tasks here" in notebook.ok("%%cascade\nprint(3)").text


def test_an_error_of_somebody_who_found_a_lazy_value_says_what_to_do(notebook: Notebook) -> None:
    quiet(notebook, "def f(x): return x\ny = f(1)", "A")
    notebook.ok("def _check(x): raise ValueError(f'got {x!r} instead')")
    assert "A LazyResult is the call of a task" in notebook.run("%%cascade\n_check(y)").text
    assert "A LazyResult" not in notebook.run("%%cascade\n_check(3)").text


def test_an_error_of_a_library_over_a_lazy_value_shows_none_of_our_lines(
    notebook: Notebook,
) -> None:
    quiet(notebook, "import numpy as np\ndef f(x): return x\ny = f(1)", "A")
    done = notebook.run("%%cascade\na = np.zeros(3)\na[0] = y", "B")
    assert isinstance(done.error, ValueError)
    assert "f is not computed yet" in done.text
    assert "----> 3 a[0] = y" in done.text
    assert "refusals.py" not in done.text


@pytest.mark.parametrize(
    ("use", "is_needed"),
    [
        ("dumps(f(1))", True),  # imported in another cell
        ("counts.most_common(f(1))", True),  # a method of somebody else's object
        ("words.join(f(1))", True),
        ("items.index(f(1))", True),
        ("fh = open('a')\nfh.write(f(1))", True),
        ("with open('a') as fh: fh.write(f(1))", True),
        ("parser = json.JSONDecoder()\nparser = parser.decode(f(1))", True),
        ("items.append(f(1))", False),
        ("mine.keep(f(1))", False),  # what the user wrote may know what to do with it
        ("helper(f(1))", False),
        ("Mine(f(1))", False),
        ("x = made(f(1))\nx = x.made(f(1))", False),
    ],
)
def test_what_somebody_else_is_given_has_to_be_there(use: str, is_needed: bool) -> None:
    class Mine:
        __module__ = "__main__"

    def helper() -> None: ...

    helper.__module__ = "__main__"
    known = {"f": task(lambda x: x), "dumps": json.dumps, "json": json, "words": " "}
    known |= {"counts": collections.Counter(), "items": [], "mine": Mine(), "Mine": Mine}
    known["helper"] = helper
    assert bool(roles_in(ast.parse(use), known.get).at_once) == is_needed


def test_code_in_which_tasks_are_plain_is_forgotten_with_its_functions() -> None:
    made: dict[str, Any] = {"inner": task(lambda x: x + 1, name="inner")}
    before = len(body.plain_codes)
    exec("def call(): return [inner(x) for x in (1, 2)], (lambda: inner(3))()", made)
    assert isinstance(made["call"]()[1], LazyResult)
    body.tasks_are_plain_in([made["call"].__code__])
    assert made["call"]() == ([2, 3], 4)
    assert isinstance(made["inner"](1), LazyResult)
    del made["call"]
    gc.collect()
    assert len(body.plain_codes) == before


def test_a_task_called_in_such_code_is_such_code_where_it_is_nothing_but_a_task() -> None:
    """Deep recursion would look through all of its frames for each call."""
    made: dict[str, Any] = {"task": task}
    exec(
        "def build(n): return leaf(n)\n"
        "def leaf(n): return n + 1\n"
        "def deep(n): return leaf(n) if n == 0 else deep(n - 1)\n"
        "def call(n): return deep(n), built(n)\n"
        "leaf, deep, built = task(leaf), task(deep), task(build)",
        made,
    )
    body.tasks_are_plain_in([made["call"].__code__])
    assert made["call"](3) == (1, 4)
    assert body.is_plain_code(made["deep"].fn.__code__)
    assert isinstance(made["deep"](3), LazyResult)
    assert isinstance(made["build"](3), LazyResult), "a function that is no task but has one"


def test_a_class_may_have_attributes_that_answer_anything(notebook: Notebook) -> None:
    notebook.ok(
        "import functools\nfrom unittest.mock import call\nimport pandas as pd\n"
        "class Odd:\n    table, called = pd.DataFrame({'func': [1, 2]}), call\n"
        "    @functools.lru_cache\n    def size(self): return len(rows)"
    )
    text = notebook.ok("%%cascade --quiet\ndef load(): return [3]\nrows = load()").text
    assert "`Odd` reads it as `rows` and is not given it" in text
    assert notebook.names["rows"] == [3]


def test_an_example_in_a_docstring_is_what_the_function_gives(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "_", None, raising=False)  # which doctest leaves behind
    quiet(
        notebook,
        "import doctest\n"
        "def add(a, b):\n    '''\n    >>> add(1, 2)\n    3\n    '''\n    return a + b\n"
        "def check(f): doctest.run_docstring_examples(f, globals(), name='add')",
    )
    for cell in (
        "doctest.run_docstring_examples(add, globals())",
        "%%cascade --quiet\ndoctest.run_docstring_examples(add.fn, globals())",
        "%%cascade --quiet\ncheck(add)",
    ):
        assert "Failed" not in notebook.ok(cell).text
    runs = "[doctest.DocTestRunner().run(t).failed for t in doctest.DocTestFinder().find(add, 'a')]"
    assert notebook.ok(runs).result == [0]
    assert isinstance(notebook.ok("y = add(1, 2)\nid(y)").result, int)
    assert isinstance(notebook.names["y"], LazyResult)


def test_what_others_call_makes_nodes_again_when_the_extension_is_unloaded(
    notebook: Notebook,
) -> None:
    before = body.plain_codes.keys() - {None}
    notebook.ok("import doctest, timeit")
    assert body.plain_codes.keys() > before
    cascade_nb.unload_ipython_extension(notebook.shell)
    assert body.plain_codes.keys() == before


def test_what_a_class_evaluates_for_the_user_calls_tasks_as_functions(notebook: Notebook) -> None:
    quiet(notebook, "def double(x): return 2 * x")
    quiet(
        notebook,
        "class side_by_side:\n    def __init__(self, *texts): self.texts = texts\n"
        "    def __repr__(self): return ' | '.join(str(eval(text)) for text in self.texts)",
    )
    assert "1 | 8" in notebook.ok("side_by_side('1', 'double(4)')").text
    quiet(notebook, "exec('y = double(1)')")
    assert isinstance(notebook.names["y"], LazyResult)


def test_timeit_times_the_work_of_a_task(notebook: Notebook) -> None:
    quiet(notebook, "ran = []\ndef work(n):\n    ran.append(n)\n    return n\nimport timeit")
    notebook.ok("%%cascade --quiet\ntimeit.timeit('work(1)', globals=globals(), number=3)")
    assert notebook.names["ran"] == [1, 1, 1]
