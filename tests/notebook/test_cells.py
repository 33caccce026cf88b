"""The body of a `%%cascade` cell is ordinary Python, but for its functions."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from types import FrameType

import nbformat
import pytest

from cascade_nb.errors import TaskCallError, TaskDefinitionError, UsageError
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.resources import Resource
from cascade_nb.model.tasks.task import Task
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")


def quiet(notebook: Notebook, body: str, cell: str | None = None) -> None:
    notebook.ok(f"%%cascade --quiet\n{body}", cell)


def test_a_def_is_a_task_and_a_call_of_it_a_node(notebook: Notebook) -> None:
    quiet(
        notebook,
        "def load(n):\n    return n\nasync def clean(x):\n    return x\nx = clean(load(3))",
    )
    assert isinstance(notebook.names["load"], Task)
    assert notebook.names["clean"].executor == "async"
    assert isinstance(notebook.names["x"], LazyResult)


def test_a_call_below_the_def_is_lazy_in_the_cell_itself(notebook: Notebook) -> None:
    quiet(notebook, "def load(n):\n    raise RuntimeError\nx = load(3)\nkind = type(x).__name__")
    assert notebook.names["kind"] == "LazyResult"


def test_a_name_with_an_underscore_stays_a_function(notebook: Notebook) -> None:
    quiet(notebook, "def _half(n):\n    return n / 2\nh = _half(3)")
    assert notebook.names["h"] == 1.5


def test_defs_in_blocks_are_tasks_and_defs_in_defs_and_classes_are_not(notebook: Notebook) -> None:
    quiet(
        notebook,
        "if True:\n    def a(): pass\n"
        "try:\n    def b():\n        def inner(): return 1\n        return inner()\n"
        "finally:\n    pass\n"
        "class C:\n    def m(self): return 2\nm = C().m()",
    )
    assert isinstance(notebook.names["a"], Task)
    assert notebook.names["b"].fn() == 1
    assert notebook.names["m"] == 2


def test_decorators_that_make_a_task_are_left_alone(notebook: Notebook) -> None:
    quiet(
        notebook,
        "import cascade_nb as cs\n@cs.task(name='loading', retry=4)\ndef load(n):\n    return n",
    )
    task = notebook.names["load"]
    assert task.name == "loading"
    assert task.options.retry.max_attempts == 4


def test_other_decorators_work_under_the_task(notebook: Notebook) -> None:
    quiet(
        notebook,
        "import functools\n"
        "def _twice(g):\n"
        "    @functools.wraps(g)\n    def w(*a):\n        return 2 * g(*a)\n    return w\n"
        "@_twice\ndef load(n):\n    return n",
    )
    assert notebook.names["load"].fn(3) == 6


def test_what_a_decorator_makes_of_a_def_need_not_be_a_task(notebook: Notebook) -> None:
    quiet(notebook, "import cascade_nb as cs\n@cs.resource\ndef db():\n    yield 1")
    assert isinstance(notebook.names["db"], Resource)


def test_a_generator_stays_plain_and_the_cell_says_so(notebook: Notebook) -> None:
    text = notebook.ok("%%cascade\ndef gen():\n    yield 1\nxs = list(gen())").text
    assert "Plain functions here, as if named like `_gen`. `gen`: it is a generator." in text
    assert notebook.names["xs"] == [1]


def test_a_task_of_another_cell_decorates_as_the_function_that_it_is(notebook: Notebook) -> None:
    quiet(notebook, "def timed(g):\n    return g\ndef named(name):\n    return timed.fn")
    text = notebook.ok("%%cascade\n@timed\n@named('a')\ndef load():\n    return 1").text
    assert "`timed` is a task; here its function is used: it decorates `load`, line 2." in text
    assert "`named`: it decorates `load`, line 3" in text
    assert notebook.ok("%%cascade\nprint(load())").text.startswith("1\n")


def test_a_decorator_that_is_a_task_is_refused_with_the_way_out(notebook: Notebook) -> None:
    quiet(notebook, "def timed(g):\n    return g")
    done = notebook.run("%%cascade\nties = [timed]\n@ties[0]\ndef load():\n    return 1")
    assert isinstance(done.error, TaskDefinitionError)
    assert "the decorator `timed` is a task" in str(done.error)
    assert "begins with '_' stays plain" in str(done.error)


def test_everything_else_runs_now_in_the_users_namespace(notebook: Notebook) -> None:
    notebook.ok("base = 40")
    quiet(
        notebook, "total = base + 2\nimport math\nxs = [base for _ in range(2)]\nrest = len(dir())"
    )
    assert notebook.names["total"] == 42
    assert notebook.names["math"].pi > 3
    assert notebook.names["xs"] == [40, 40]
    assert notebook.names["rest"] > 2


def test_tasks_use_the_users_namespace_as_it_is_when_they_run(notebook: Notebook) -> None:
    quiet(
        notebook,
        "def _scale(x):\n    return x * factor\n"
        "def scaled(x):\n    return _scale(x)\ny = scaled(3)",
    )
    notebook.ok("factor = 7")
    assert notebook.ok("run = %cascade run y\nrun.result()").result == 21


def test_the_last_line_is_shown_like_any_cells(notebook: Notebook) -> None:
    assert "Out[2]: 42" in notebook.ok("%%cascade --quiet\n40 + 2").text
    assert notebook.ok("_ + 1").result == 43
    assert "Out" not in notebook.ok("%%cascade --quiet\n40 + 2;").text
    assert "Out" not in notebook.ok("%%cascade --quiet\nx = 3").text


def test_ipythons_setting_for_what_is_shown_counts(notebook: Notebook) -> None:
    notebook.shell.ast_node_interactivity = "all"
    text = notebook.ok("%%cascade --quiet\n40 + 2\n1 + 1").text
    assert "42" in text
    assert "2" in text.replace("42", "")
    notebook.shell.ast_node_interactivity = "none"
    assert "42" not in notebook.ok("%%cascade --quiet\n40 + 2").text


def test_ipythons_syntax_works_in_the_body(notebook: Notebook) -> None:
    quiet(notebook, "where = %pwd\nlines = !echo hello\nx = 3")
    assert notebook.names["lines"] == ["hello"]
    assert "Docstring" in notebook.ok("%%cascade --quiet\nlen?").text


def test_future_imports_hold_for_the_functions_below(notebook: Notebook) -> None:
    quiet(notebook, "from __future__ import annotations\ndef load(n: Unknown): return n")
    assert notebook.names["load"].fn.__annotations__ == {"n": "Unknown"}


def test_top_level_await_works(notebook: Notebook) -> None:
    quiet(notebook, "import asyncio\nx = await asyncio.sleep(0, 'awaited')")
    assert notebook.names["x"] == "awaited"
    quiet(
        notebook,
        "async def _go():\n    return 1\nasync with asyncio.Lock():\n    y = await _go()",
    )
    assert notebook.names["y"] == 1


def test_without_autoawait_a_plain_cell_still_runs(notebook: Notebook) -> None:
    notebook.ok("%autoawait off")
    quiet(notebook, "x = 3")
    assert notebook.names["x"] == 3


def test_completion_works_in_the_body(notebook: Notebook) -> None:
    quiet(notebook, "def load_something(n): return n\nnode = load_something(1)")
    found = notebook.complete("%%cascade\nx = load_som")
    assert "%%cascade\nx = load_something" in found


def test_autoreload_gives_a_modules_task_its_new_body(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "reloaded_tasks.py"
    module.write_text("def helper(x):\n    return ('old', x)\n")
    notebook.ok("%load_ext autoreload\n%autoreload 2")
    quiet(
        notebook, "import reloaded_tasks\ndef use(x): return reloaded_tasks.helper(x)\ny = use(1)"
    )
    assert notebook.ok("run = %cascade run y\nrun.result()").result == ("old", 1)
    module.write_text("def helper(x):\n    return ('new one', x)\n")
    os.utime(module, (2_000_000_000, 2_000_000_000))  # a change within one tick would not be seen
    assert notebook.ok("run = %cascade run y\nrun.result()").result == ("new one", 1)
    sys.modules.pop("reloaded_tasks")


# Where things are.


def test_a_traceback_points_at_the_line_in_the_whole_cell(notebook: Notebook) -> None:
    done = notebook.run("%%cascade\nx = 1\n\ny = 1 / 0\n")
    assert "Cell In[2], line 4" in done.text
    assert "----> 4 y = 1 / 0" in done.text
    assert "cascade_nb" not in done.text
    assert "run_cell_magic" not in done.text


@pytest.mark.parametrize("above", ["", "\n\n", "\n  \n"])
def test_empty_lines_above_and_below_the_magic_are_counted(notebook: Notebook, above: str) -> None:
    done = notebook.run(f"{above}%%cascade\n\n\ny = 1 / 0\n")
    assert f"Cell In[2], line {above.count(chr(10)) + 4}" in done.text


def test_an_error_inside_a_helper_shows_both_lines(notebook: Notebook) -> None:
    done = notebook.run("%%cascade\ndef _deep():\n    return {}['a']\n\n_deep()\n")
    assert "line 5" in done.text
    assert "line 3, in _deep" in done.text


def test_a_wrong_call_fails_at_the_call_without_our_frames(notebook: Notebook) -> None:
    done = notebook.run("%%cascade\ndef load(n):\n    return n\nx = load(1, 2)")
    assert isinstance(done.error, TaskCallError)
    assert "----> 4 x = load(1, 2)" in done.text
    assert "model/task" not in done.text


def test_an_exception_keeps_its_causes_in_the_traceback(notebook: Notebook) -> None:
    done = notebook.run(
        "%%cascade\ntry:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e"
    )
    assert "ZeroDivisionError" in done.text
    assert "direct cause" in done.text


@pytest.mark.parametrize("body", ["def bad(:", "x = (", "return 3", "  x = 1\n y = 2"])
def test_a_syntax_error_is_shown_at_its_line_and_nothing_runs(
    notebook: Notebook, body: str
) -> None:
    done = notebook.run(f"%%cascade\nran = True\n\n{body}\n")
    assert isinstance(done.error, SyntaxError)
    assert "ran" not in notebook.names
    assert "cascade_nb" not in done.text
    assert done.error.lineno in {4, 5}


def test_inspect_finds_the_source_of_a_task(notebook: Notebook) -> None:
    quiet(
        notebook,
        "\nx = 1\n@__import__('functools').lru_cache\ndef load(n):\n    # here\n    return n",
    )
    source = inspect.getsource(notebook.names["load"].fn.__wrapped__)
    assert source.startswith("@__import__('functools').lru_cache\ndef load(n):\n    # here")
    assert "# here" in notebook.ok("load??").text


def test_a_tasks_lines_are_those_of_the_whole_cell(notebook: Notebook) -> None:
    quiet(notebook, "x = 1\n\ndef load(n):\n    return n")
    assert notebook.names["load"].fn.__code__.co_firstlineno == 4


def test_the_questionmark_shows_a_tasks_docstring_and_signature(notebook: Notebook) -> None:
    quiet(notebook, "def load(n, scale=1):\n    'Loads n.'\n    return n")
    text = notebook.ok("load?").text
    assert "load(n, scale=1)" in text
    assert "Loads n." in text


# Names.


def test_a_second_name_in_the_same_cell_can_be_bound_anew(notebook: Notebook) -> None:
    quiet(notebook, "def f(*a): return a\nx = y = f('a')\nw = x\nz = f(w, y)", "A")
    quiet(notebook, "y = f('y')", "B")
    assert notebook.ok("run = %cascade run z\nrun.result()").result == (("a",), ("y",))


def test_loop_variables_and_unpacking_bind_names(notebook: Notebook) -> None:
    quiet(
        notebook,
        "def f(*a): return a\nfor i in range(3):\n    r = f(i)\na, (b, *rest) = f(1), (f(2), f(3))",
    )
    assert set(notebook.names).issuperset({"r", "a", "b", "rest"})
    graph = notebook.ok("%cascade graph").text
    assert all(name in graph for name in ("r", "a", "b"))


def test_a_mapped_task_is_a_node(notebook: Notebook) -> None:
    quiet(notebook, "def f(x): return x\nm = f.map(x=[1, 2])")
    assert isinstance(notebook.names["m"], MappedLazyResult)
    assert notebook.ok("run = %cascade run m\nrun.result()").result == [1, 2]


def test_underscores_as_throwaways_are_no_nodes(notebook: Notebook) -> None:
    quiet(notebook, "def f(*a): return a\n_, y = f(1), f(2)")
    assert "y: 1 node" in notebook.ok("%cascade graph").text


def test_an_empty_cell_says_what_to_write(notebook: Notebook) -> None:
    for text in ("%%cascade", "%%cascade\n\n"):
        done = notebook.run(text)
        assert isinstance(done.error, UsageError)
        assert "this cell is empty" in done.text


def test_a_body_called_by_code_runs_at_once_where_it_awaits_nothing(notebook: Notebook) -> None:
    notebook.ok("get_ipython().run_cell_magic('cascade', '--quiet', 'x = 3\\n')")
    assert notebook.names["x"] == 3
    notebook.ok(
        "def go():\n    get_ipython().run_cell_magic('cascade', '--quiet', 'y = 4\\n')\ngo()"
    )
    assert notebook.names["y"] == 4


def test_a_top_level_await_under_another_magic_says_why_it_cannot_be(notebook: Notebook) -> None:
    # %%time would not await it, and the body would silently not run.
    done = notebook.run("%%time\n%%cascade\nimport asyncio\nawait asyncio.sleep(0)\nx = 3")
    assert "UsageError: this cell has a top-level await" in done.text
    assert "with no other magic above it" in done.text
    assert "x" not in notebook.names


def test_magics_around_the_cell_work(notebook: Notebook) -> None:
    notebook.ok("%%time\n%%cascade --quiet\nx = 3")
    notebook.ok("%%capture out\n%%cascade\ndef f(): pass\ny = f()")
    assert notebook.names["x"] == 3
    assert "y" in notebook.names["out"].outputs[0].data["text/plain"]


# What a cell says of itself.


def test_a_call_that_nothing_keeps_is_told_once_with_both_ways_out(notebook: Notebook) -> None:
    text = notebook.ok(
        "%%cascade --quiet\ndef fit(n): return n\nfit(1)\nfor i in range(9):\n    fit(i)\nx = 1"
    ).text
    assert text.count("Nothing keeps the value of `fit` (line 3, 5), so it does not run") == 1
    assert "give the call a name" in text
    assert "name the function `_fit`" in text


def test_a_call_that_something_keeps_is_not_told(notebook: Notebook) -> None:
    text = notebook.ok(
        "%%cascade --quiet\ndef fit(n): return n\nkept = []\nkept.append(fit(1))\n"
        "def _keep(x):\n    kept.append(x)\n    return x\n_keep(fit(2))\nfit(3)"
    ).text
    assert "Nothing keeps" not in text
    assert "Nothing keeps" in notebook.ok("%%cascade --quiet\nfit(4);").text


def test_what_returns_nothing_and_has_no_name_runs_at_once_where_it_can(
    notebook: Notebook,
) -> None:
    quiet(notebook, "def show(x): print('shown', x)\ndef load(): return 3")
    text = notebook.ok("%%cascade --quiet\nshow(1)\nx = 2").text
    assert "shown 1" in text
    assert "Ran at once, as a function like `_show` would. `show`: it returns nothing" in text
    text = notebook.ok("%%cascade --quiet\nshow(load())\nx = 2").text
    assert "shown" not in text
    assert "Nothing keeps the value of `show`" in text
    notebook.ok("import cascade_nb as cs\nmade = load()")
    text = notebook.ok("%%cascade --quiet\nshow(made)\nx = 2").text
    assert "give it values, and it runs at once: cs.run(made) gives its value now." in text
    assert "shown 3" in notebook.ok("%%cascade --quiet\nshow(cs.run(made))\nx = 2").text


def test_a_call_at_once_in_a_loop_costs_little_more_than_the_call(notebook: Notebook) -> None:
    """Simulations make hundreds of thousands of them in one cell."""
    quiet(notebook, "def half(x): return x / 2\ndef step(x, f, u): return f(x) + u[0]")
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    def counted(steps: int) -> int:
        nonlocal calls
        calls = 0
        loop = f"x = 1.0\nfor _ in range({steps}):\n    x = step(x, half, u)\nprint(x)"
        sys.setprofile(count)
        try:
            notebook.ok(f"%%cascade --quiet\nimport numpy as np\nu = np.zeros(3)\n{loop}")
        finally:
            sys.setprofile(None)
        return calls

    counted(100)
    few = counted(100)
    assert (counted(1_100) - few) / 1_000 < 40


def test_what_ran_at_once_calls_tasks_as_functions(notebook: Notebook) -> None:
    quiet(notebook, "def half(x): return x / 2\ndef check(x): return half(x) == 1")
    text = notebook.ok("%%cascade --quiet\nprint('is', check(2))").text
    assert "is True" in text
    assert "`check`: its value is used at once, line 2" in text


def test_tasks_of_other_cells_are_functions_in_a_function_that_stays_plain(
    notebook: Notebook,
) -> None:
    quiet(notebook, "def load(n): return list(range(n))")
    source = "def report(n):\n    print('n is', len(load(n)))\nreport(2)\nx = load(3)"
    assert "n is 2" in notebook.ok(f"%%cascade --quiet\n{source}").text
    assert isinstance(notebook.names["x"], LazyResult)
    source = "def apply(f, x): return f(x)\nprint('is', [apply(load, i) for i in (1, 2)])"
    assert "is [[0], [0, 1]]" in notebook.ok(f"%%cascade --quiet\n{source}").text


def test_a_function_that_binds_globals_makes_nodes(notebook: Notebook) -> None:
    source = "def load(n): return n\ndef setup():\n    global found\n    found = load({})\nsetup()"
    quiet(notebook, source.format(3), "A")
    quiet(notebook, "def neg(x): return -x\ns = neg(found)", "B")
    quiet(notebook, source.format(20), "A")
    assert notebook.ok("%cascade run s --wait").result.result() == -20


def test_code_that_looks_for_the_names_of_a_cell_in_its_frame_finds_them(
    notebook: Notebook,
) -> None:
    quiet(notebook, "import pandas as pd\nlimit = 1\ndf = pd.DataFrame({'a': [1, 2, 3]})")
    quiet(notebook, "n = len(df.query('a > @limit'))\nm = pd.eval('limit + 1')")
    assert (notebook.names["n"], notebook.names["m"]) == (2, 2)
    quiet(notebook, "mine = locals().copy() | {'k': 1}\nmore = {'k': 1} | (locals() | {'j': 2})")
    assert notebook.names["mine"]["limit"] == notebook.names["more"]["limit"] == 1
    assert (notebook.names["more"]["j"], notebook.names["mine"]["k"]) == (2, 1)
    assert type(notebook.names["mine"]) is type(notebook.names["more"]) is dict


def test_a_line_may_raise_what_ends_an_iteration(notebook: Notebook) -> None:
    done = notebook.run("%%cascade\nn = 3\nnext(iter([]))")
    assert isinstance(done.error, StopIteration)
    assert "----> 3 next(iter([]))" in done.text
    assert "cascade_nb" not in done.text
    assert notebook.names["n"] == 3
    done = notebook.run("%%cascade\nimport asyncio\nawait asyncio.sleep(0)\nnext(iter([]))")
    assert isinstance(done.error, RuntimeError)
    assert str(done.error) == "coroutine raised StopIteration"


def test_an_error_of_what_ran_at_once_is_shown_without_our_frames(notebook: Notebook) -> None:
    quiet(notebook, "def bad(x): return 1 / x")
    done = notebook.run("%%cascade\nprint(bad(0))")
    assert isinstance(done.error, ZeroDivisionError)
    assert "----> 1 def bad" in done.text or "def bad(x): return 1 / x" in done.text
    assert "cascade_nb" not in done.text


def test_a_cell_without_tasks_says_so(notebook: Notebook) -> None:
    assert "No tasks here: put steps into functions" in notebook.ok("%%cascade\nn = 3").text
    assert "No tasks here" not in notebook.ok("%%cascade\ndef f(): return 1").text
    assert "No tasks here" not in notebook.ok("%%cascade\nx = f()").text
    assert "No tasks here" not in notebook.ok("%%cascade\ndel x").text


def test_a_cell_of_only_a_remark_passes(notebook: Notebook) -> None:
    notebook.ok("%%cascade\nimport cascade_nb as cs\nx = cs.task(len)([])", "A")
    assert not notebook.ok("%%cascade\n# x = cs.task(len)([])\n", "A").text
    assert "x" not in notebook.names  # its line is no more


@pytest.mark.parametrize(
    "head", ["# build\n%%cascade", "# one\n\n  # two\n%%cascade", "%%cascade  # build --run x"]
)
def test_a_comment_above_the_magic_or_behind_it_is_one(notebook: Notebook, head: str) -> None:
    done = notebook.run(f"{head}\ndef one(): return 1\no = one()\n1 / 0")
    assert isinstance(done.error, ZeroDivisionError)
    assert f"Cell In[2], line {head.count(chr(10)) + 4}" in done.text
    assert isinstance(notebook.names["o"], LazyResult)


def test_a_comment_above_other_magics_stays_what_it_is(notebook: Notebook) -> None:
    assert notebook.run("# hello\n%%time\nx = 1").error is not None
    assert notebook.ok("# %%cascade\nx = 1").error is None


# Magics inside.


@pytest.mark.parametrize("magic", ["%%time", "%%capture out"])
def test_what_a_magic_inside_a_cell_runs_counts(notebook: Notebook, magic: str) -> None:
    quiet(notebook, f"{magic}\ndef load(n): return n\nx = load(-8)\na, b = load((1, 2))", "A")
    assert isinstance(notebook.names["load"], Task)
    quiet(notebook, "def neg(x): return -x\ny = neg(x)\nz = neg(b)", "B")
    quiet(notebook, f"{magic}\ndef load(n): return n\nx = load(-9)\na, b = load((1, 3))", "A")
    assert notebook.ok("%cascade run y z --wait").result.result() == [9, -3]
    assert not [name for name in notebook.names if name.startswith("<")]


def test_a_notebook_that_is_run_by_another_runs_its_workflow(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade_nb.notebook.magics.magics.is_headless", lambda: True)
    cells = ["%%cascade --run t\ndef load(n): return n\nt = load(3)", "run = %cascade run t\n"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells * 2])
    nbformat.write(book, tmp_path / "inner.ipynb")
    notebook.ok(f"%run {tmp_path / 'inner.ipynb'}")
    assert notebook.names["run"].result() == 3


# Several names for one value.


def test_unpacking_a_call_binds_nodes_to_its_parts(notebook: Notebook) -> None:
    quiet(
        notebook,
        "def f(*a): return a\na, b = f(1, 2)\nc, *d = f(3, 4, 5)\n*e, g = f(6, 7)\n"
        "h, (i, j) = f(8, (9, 10))\nfor k, l in [f(11, 12)]: pass\nm = n, o = f(13, 14)\n"
        "(p, q), r = f(15, 16), 17",
    )
    names = "a b c d e g h i j k l n o p q"
    assert notebook.ok(f"%cascade run {names} --wait").result.result() == [
        *(1, 2, 3, [4, 5], [6], 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
    ]
    assert notebook.names["r"] == 17


def test_unpacking_of_what_is_no_lazy_value_is_pythons(notebook: Notebook) -> None:
    quiet(notebook, "a, (b, *c), *d = 1, 'xyz', 3, 4\ne, f = {'k': 1, 'l': 2}\n*g, = iter('ab')")
    found = [notebook.names[name] for name in "abcdefg"]
    assert found == [1, "x", ["y", "z"], [3, 4], "k", "l", ["a", "b"]]
    for wrong in ("a, b = 1, 2, 3", "a, (b, c) = 1, 2", "a, b = 3", "a, *b = ()"):
        plain, done = notebook.run(wrong), notebook.run(f"%%cascade\n{wrong}")
        assert type(done.error) is type(plain.error)
        assert str(done.error) == str(plain.error)


def test_unpacking_into_too_many_names_fails_in_the_run_as_in_python(notebook: Notebook) -> None:
    quiet(notebook, "def f(*a): return a\na, b, c = f(1, 2)")
    done = notebook.run("%cascade run a --wait")
    assert "not enough values to unpack (expected 3, got 2)" in done.text


def test_an_error_of_a_run_in_any_cell_is_shown_by_the_users_lines(notebook: Notebook) -> None:
    quiet(
        notebook,
        "import cascade_nb as cs\nasync def bad(x):\n    try:\n        return {}['k']\n"
        "    except KeyError as error:\n        raise ValueError('no') from error\nb = bad(0)",
    )
    for source in ("cs.run(b)", "def go():\n    return cs.run(b)\ngo()", "%%cascade\ncs.run(b)"):
        done = notebook.run(source)
        assert "KeyError: 'k'" in done.text
        assert "ValueError: no" in done.text
        assert "return {}['k']" in done.text
        assert "cs.run(b)" in done.text
        for other in ("cascade_nb/", "asyncio/", "nest_asyncio", "threading.py", "concurrent/"):
            assert other not in done.text, source


def test_an_error_keeps_its_whole_traceback_for_code_that_catches_it(notebook: Notebook) -> None:
    quiet(notebook, "def bad(x): return 1 / x\nb = bad(0)")
    notebook.run("import cascade_nb as cs\ncs.run(b)")
    notebook.ok("import sys, traceback\ntext = ''.join(traceback.format_exception(sys.last_value))")
    assert "cascade_nb" in notebook.names["text"]


def test_a_task_of_another_cell_that_keeps_an_old_default_is_told(notebook: Notebook) -> None:
    notebook.ok("import cascade_nb as cs")
    source = "@cs.resource\ndef base():\n    yield {}\nsizes = [{}]"
    quiet(notebook, source.format(1, 1), "A")
    task = "def total(x, b=cs.inject(base), *, more=sizes): return x + b + sum(more)\nt = total(1)"
    quiet(notebook, task, "B")
    assert "keeps the old" not in notebook.ok(f"%%cascade\n{source.format(1, 1)}", "A").text
    quiet(notebook, task, "B")
    text = notebook.ok(f"%%cascade\n{source.format(10, 20)}", "A").text
    for old in ("base", "sizes"):
        assert f"`total` keeps the old `{old}`, a default of it: run cell " in text
    assert notebook.ok("%%cascade\ncs.run(t)").result == 3
    assert "keeps the old" not in notebook.ok(f"%%cascade\n{task}", "B").text
    assert notebook.ok("%%cascade\ncs.run(t)").result == 31
