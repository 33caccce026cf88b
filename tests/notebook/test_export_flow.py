"""`%cascade export flow.py` writes the workspace as a module that computes the same."""

from __future__ import annotations

import decimal
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cascade_nb
from cascade_nb.notebook.export.child import keys_of, look
from cascade_nb.notebook.export.draft import Draft, drafted
from cascade_nb.notebook.extension import _sessions, session_of
from tests.notebook.conftest import Notebook
from tests.support.examples import examples

pytestmark = pytest.mark.may_block("programs are waited for")

PLAIN = """import os, json
import math
import cascade_nb as cs
# how many weeks
weeks = cs.Param('weeks', default=2, type=int)
LIMIT = 3  # at most
UNUSED = 5
def _helper(x):
    # a root, and more
    return math.sqrt(x) + LIMIT"""
LOADS = """# the beginning
%%cascade --quiet

def load(weeks):
    '''Load.'''
    return [100 + day for day in range(7 * weeks)]

@cs.task(executor="inline", tags=["sum"])
def total(xs):
    return sum(_helper(x) for x in xs)

raw = load(weeks)
parts = [load(n) for n in range(1, 3)]
"""
ENDS = """%%cascade --quiet
totals = []
for p in parts:
    totals.append(total(p))
def report(totals, raw): return {"n": len(raw), "t": json.dumps(totals)}
out = report(totals, raw).with_retry(2)
more = total.map(xs=parts)
"""


@pytest.fixture
def here(notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook whose folder is empty."""
    monkeypatch.chdir(tmp_path)
    return notebook


def draft_of(here: Notebook) -> Draft:
    """What a cell that exports the workspace would try."""
    session, drafts = session_of(here.shell), list[Draft]()
    here.names["_draft"] = lambda: drafts.append(drafted(session, "flow", []))
    here.ok("_draft()")
    return drafts[0]


def keys_there(draft: Draft) -> dict[str, list[str | None]]:
    """The keys of a module's nodes, which stands in ``flow.py`` then."""
    file = Path("flow.py")
    file.write_text(draft.module.text, encoding="utf-8")
    try:
        said = look({"name": "flow", "file": str(file), "names": [*draft.values]})
    finally:
        del sys.modules["flow"]
    assert "error" not in said, (said, draft.module.text)
    keys: dict[str, list[str | None]] = said["keys"]
    return keys


def python(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONWARNINGS": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_workspace_becomes_a_module_that_finds_what_the_notebook_has_computed(
    here: Notebook, tmp_path: Path
) -> None:
    here.ok(f"%cascade state sqlite:///{tmp_path}/results.db")
    for number, cell in enumerate((PLAIN, LOADS, ENDS)):
        here.ok(cell, cell=str(number))
    value = here.ok("cs.run(out)").result
    told = here.ok("%cascade export flow.py --tests").text
    here.ok("%cascade state memory:")
    assert "Wrote flow.py and test_flow.py" in told
    assert "the keys of the notebook's" in told
    text = Path("flow.py").read_text()
    assert "import os" not in text
    assert "UNUSED" not in text
    assert "# how many weeks\nweeks = cs.Param(" in text
    order = ["import json", "import math", "weeks =", "LIMIT = 3  # at most", "# a root, and more"]
    order += ["@cs.task\ndef load", '@cs.task(executor="inline"', "raw =", "totals =", "out ="]
    order += ['if __name__ == "__main__":', "cs.main(__file__)"]
    places = [text.index(one) for one in order]
    assert places == sorted(places)

    lines = python("flow.py", "out", "--json", "--state", "sqlite:///results.db").splitlines()
    events = [json.loads(line) for line in lines]
    assert "TaskExecutionStarted" not in {event["event"] for event in events}
    assert events[-1]["value"] == repr(value)
    called = "t.test_out_comes_to_a_value(), t.test_more_comes_to_a_value()"
    python("-c", f"import test_flow as t; {called}")

    again = here.run("%cascade export flow.py")
    assert again.error is not None
    assert "flow.py is there already; --force" in again.text
    here.ok("%cascade export flow.py total --force")
    assert "def load" not in Path("flow.py").read_text()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["files = !ls", "%%cascade --quiet\nx = f(files)"], "In[3], line 1"),
        (["k = 1", "k = k + 1", "%%cascade --quiet\nx = f(k)"], "another name"),
        (
            [
                "__file__ = 'a'",
                "del __file__",
                "%%cascade --quiet\ndef g(): return __file__\nx = g()",
            ],
            "line 2 reads `__file__`",
        ),
        (["%%cascade --quiet\nx = f(1)", "%%cascade --quiet\ny = x", "z = 1 / 0"], None),
        (["%%cascade --quiet\nx = f(1)\ny = x\nz = f(y)"], "line 3, `y = x`"),
        (["%%cascade --quiet\ndef g(x):\n    display(x)\n    return x\nx = g(1)"], "`display`"),
        (["from math import *", "%%cascade --quiet\nx = f(sqrt(4))"], "`sqrt`"),
        (["globals()['k'] = 3", "%%cascade --quiet\nx = f(k)"], "reads `k`, which no line"),
        (["k = 3", "globals()['k'] = 4", "%%cascade --quiet\nx = f(k)"], "`x`: what the lines"),
        (
            ["import asyncio as a\nk = await a.sleep(0, 1)", "%%cascade --quiet\nx = f(k)"],
            "awaits",
        ),
        (
            ["%%cascade --quiet\nn = f(2)\nfor i in range(n):\n    x = f(i)"],
            "as a module it raises",
        ),
    ],
)
def test_what_a_module_cannot_have_is_listed_and_nothing_is_written(
    here: Notebook, cells: list[str], words: str | None
) -> None:
    here.ok("%%cascade --quiet\ndef f(x): return x")
    for cell in cells:
        here.run(cell)
    done = here.run("%cascade export flow.py")
    if words is None:
        assert done.error is None, done.text
        return
    assert done.error is not None
    assert words in done.text
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("flow.txt", "no module and no page"),
        ("my-flow.py", "no name of a module"),
        ("class.py", "no name of a module"),
        ("cs.py", "another name"),
        ("cascade_nb.py", "another name"),
        ("json.py", "another name"),
        ("hypothesis.py", "another name"),
        (f"{'a' * 300}.py", "cannot be written"),
        (f"{'a' * 300}.html", "cannot be written"),
        ("nowhere/flow.py", "no folder nowhere"),
        ("flow.py repport", "did you mean"),
        ("", "say which file"),
    ],
)
def test_what_makes_no_sense_is_refused(here: Notebook, line: str, words: str) -> None:
    here.ok("import hypothesis")
    here.ok("%%cascade --quiet\ndef f(x): return x or hypothesis\nreport = f(1)")
    done = here.run(f"%cascade export {line}")
    assert done.error is not None
    assert words in done.text
    assert list(Path.cwd().iterdir()) == []


def test_force_writes_through_a_link_and_keeps_who_may_run_it(here: Notebook) -> None:
    real, link = Path("real.py"), Path("flow.py")
    real.write_text("1\n")
    real.chmod(0o755)
    link.symlink_to(real)
    here.ok("%%cascade --quiet\ndef f(): return 1\nr = f()")
    here.ok("%cascade export flow.py --force")
    assert link.is_symlink()
    assert "def f" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o755


def test_what_is_otherwise_in_a_module_is_told(here: Notebook) -> None:
    here.ok("import cascade_nb as cs\nn = cs.Param('n', default=1, type=int)\nnow = sorted([2, 1])")
    here.ok(
        "%%cascade --quiet\nclass P:\n    def __init__(self, x): self.x = x\n"
        "def make(n): return P(n)\ndef f(x): return x\nmade = make(n)\nplain = f(now)"
    )
    here.ok("%cascade params n=4")
    told = here.ok("%cascade export flow.py").text
    assert "Computed anew where the module is imported: `made`, since" in told
    assert "as its classes (P) do" in told
    assert "`now` (In[2], line 3) is worked out whenever" in told
    assert "chosen here was 4" in told


@pytest.mark.parametrize(
    ("cells", "defines"),
    [
        (
            ["rows = [5, 1, 3]", "import heapq\nheapq.heapify(rows)"],
            "%%cascade --quiet\nclass P: pass\ndef f(x): return x[0]\nr = f(rows)\nq = f([P])",
        ),
        (
            ["class P: pass\np = P()\np.v = 1", "setattr(p, 'v', 99)"],
            "%%cascade --quiet\ndef f(): return p.v\ndef g(x): return x\nr = f()\nq = g(P())",
        ),
        (
            ["CFG = {}\ndef put(): CFG['k'] = 5", "[put][0]()"],
            "%%cascade --quiet\nclass P: pass\ndef f(): return CFG['k'], P\nr = f()\nq = f()",
        ),
    ],
)
def test_a_class_does_not_hide_what_no_line_of_the_module_does(
    here: Notebook, cells: list[str], defines: str
) -> None:
    for cell in [*cells, defines]:
        here.ok(cell)
    done = here.run("%cascade export flow.py")
    assert done.error is not None
    assert "`r`" in done.text
    assert "what the lines of their cells give now" in done.text
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("sets", "reads"),
    [
        (
            "exec(\"import os; os.environ['A_MODE'] = 'fast'\")",
            "import os\nk = os.environ['A_MODE']",
        ),
        ("import sys\nsys.path.append('lib')", "from a_neighbour import K as k"),
    ],
)
def test_what_cells_set_in_the_process_is_nothing_that_the_module_has(
    here: Notebook, sets: str, reads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    Path("lib").mkdir()
    Path("lib/a_neighbour.py").write_text("K = 3\n")
    for cell in (sets, reads, "%%cascade --quiet\ndef f(): return k\nr = f()"):
        here.ok(cell)
    sys.modules.pop("a_neighbour", None)
    done = here.run("%cascade export flow.py")
    assert done.error is not None
    assert "as a module it raises" in done.text
    assert not Path("flow.py").exists()


def test_a_path_object_among_the_folders_of_imports_is_in_nobodys_way(
    here: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, Path("lib")])
    here.ok("%%cascade --quiet\ndef f(): return 1\nr = f()")
    here.ok("%cascade export flow.py")


def test_imports_below_one_name_are_all_in_the_module(here: Notebook) -> None:
    here.ok("import xml.sax.saxutils")
    here.ok("import xml.dom.minidom")
    here.ok("n = 5")
    here.ok("squares = [n for n in range(3)]")
    here.ok("%%cascade --quiet\ndef f(): return xml.sax.saxutils.escape('<') + str(n)\nr = f()")
    here.ok("%cascade export flow.py")
    text = Path("flow.py").read_text()
    assert "import xml.sax.saxutils" in text
    assert "import xml.dom.minidom" in text
    assert "squares" not in text
    assert "n = 5" in text


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        pytest.param(
            [
                "%%cascade -q\nx = f(1)",
                "%%cascade -q\ny = f(x)",
                "%%cascade -q\nx = f(x)",
                "%%cascade -q\nz = f(x)\nx = f([x, y])",
            ],
            "x = f(1)|y = f(x)|x = f(x)|z = f(x)|x = f([x, y])",
            id="bound by several cells, and read in between",
        ),
        pytest.param(
            [
                "import random\nrandom.seed(3)",
                "import random\nA = random.random()",
                "%%cascade -q\nx = f(A)",
            ],
            "random.seed(3)|A = random|x = f(A)",
            id="a seed, and the module imported again",
        ),
        pytest.param(
            [
                "import random\ndef draw(): return random.random()\nrandom.seed(3)",
                "%%cascade -q\ndef g(): return draw()\nx = g()",
            ],
            "import random|random.seed(3)|def g",
            id="a seed that only a helper of a task reads",
        ),
        pytest.param(
            [
                "from random import random, seed",
                "seed(3)",
                "%%cascade -q\ndef g(): return random()\nx = g()",
            ],
            "from random import seed|seed(3)|def g",
            id="a seed by its own name",
        ),
        pytest.param(
            ["%%cascade -q\ndef g(): return 'a\x0cb\u2028c'\nx = g()"],
            "return 'a\x0cb\u2028c'|x = g()",
            id="what ends a line to some, in a string",
        ),
        pytest.param(
            [
                "import random",
                "%%cascade -q\ndef g(n): return random.random() + n",
                "%%cascade -q\nx = g(1)  # drawn\nys = g.map(\n    n=[1, 1],\n)",
                "%%cascade -q\nx = f(x)\nz = g(1)",
            ],
            "x = g(1).named('x.1')  # drawn|).named('ys')|x = f(x)|z = g(1).named('z')",
            id="draws, each of which is another",
        ),
        pytest.param(
            [
                "import logging, logging.handlers as p",
                "logging.setLogRecordFactory(logging.LogRecord)",
                "%%cascade -q\ndef g(): return p.DEFAULT_UDP_LOGGING_PORT\nx = g()",
            ],
            "import logging|import logging.handlers as p|logging.setLogRecordFactory|x = g()",
            id="set in a library by another of its names",
        ),
        pytest.param(
            [
                "CFG = {}\ndef setup():\n    kept = CFG\n    CFG['k'] = 5",
                "setup()",
                "%%cascade -q\ndef g(): return CFG\nx = g()",
            ],
            "CFG = {}|def setup|setup()|x = g()",
            id="a helper that sets up",
        ),
        pytest.param(
            [
                "import decimal\ndecimal.getcontext().prec = 4",
                "%%cascade -q\ndef g(): return str(decimal.Decimal(1) / 3)\nx = g()",
            ],
            "decimal.getcontext().prec = 4|x = g()",
            id="an attribute of what a call gives",
        ),
        pytest.param(
            ["%%time\n%%cascade -q\ndef g(x): return x\nx = g(1)"],
            "def g|x = g(1)",
            id="timed",
        ),
        pytest.param(
            ["T = 'a\x0cb'\nK = 1", "%%cascade -q\ndef g(x): return K, x + T\nx = g('c')"],
            "T = 'a\x0cb'|K = 1|x = g('c')",
            id="what ends lines elsewhere",
        ),
        pytest.param(
            [
                "import cascade_nb as cs\np = cs.Param('p', default=1)",
                "%%cascade -q\ncs = f(p)\ncascade_nb = f(cs)",
            ],
            "import cascade_nb as cascade|@cascade.task|cs = f(p)|cascade.main(__file__",
            id="nodes called as the package is",
        ),
    ],
)
def test_the_module_has_the_lines_that_make_its_nodes_what_they_are(
    here: Notebook, cells: list[str], lines: str
) -> None:
    with decimal.localcontext():  # what a cell sets there is no other test's
        here.ok("%%cascade --quiet\ndef f(x): return x")
        for cell in cells:
            here.ok(cell.replace("cascade -q", "cascade --quiet"))
        draft = draft_of(here)
        assert draft.problems == []
        text = draft.module.text
        places = [text.index(one) for one in lines.split("|")]
        assert places == sorted(places), text
        assert keys_there(draft) == keys_of(draft.values, session_of(here.shell).workspace), text


def test_what_a_cell_set_before_it_was_edited_is_not_in_the_module(here: Notebook) -> None:
    here.ok("import random\nrandom.seed(1)", cell="seed")
    here.ok("import random\nrandom.seed(2)", cell="seed")
    here.ok("import random", cell="again")
    here.ok("%%cascade --quiet\ndef f(): return random.random()\nx = f()", cell="x")
    text = draft_of(here).module.text
    assert "seed(2)" in text
    assert "seed(1)" not in text


def test_tests_have_the_values_that_parameters_need_and_say_which_are_missing(
    here: Notebook,
) -> None:
    here.ok(
        "import cascade_nb as cs, datetime as d, pathlib\n"
        "day = cs.Param('day', type=d.date)\nwhere = cs.Param('where', type=pathlib.Path)\n"
        "rate = cs.Param('rate')\nopen_ = cs.Param('open_')\nmade = cs.Param('made')"
    )
    here.ok(
        "%%cascade --quiet\ndef f(*given): return given\n"
        "x = f(day, where, rate)\ny = f(open_, made)\nz = f(1)"
    )
    here.ok("%cascade params day=2026-03-01 where=/tmp")
    session_of(here.shell).chosen.update(rate=Decimal("0.1"), made=object())
    told = here.ok("%cascade export flow.py --tests").text
    assert "test_flow.py needs a value of `open_`, `made`, where it says so." in told
    text = Path("test_flow.py").read_text()
    assert "import datetime" in text
    python("-c", "import test_flow as t; t.test_x_comes_to_a_value(); t.test_z_comes_to_a_value()")
    for name in ("open_", "made"):
        assert re.search(f"# .{name}.: a value is to be written here", text)


def test_a_pipe_is_no_module_and_is_not_written_over(here: Notebook) -> None:
    os.mkfifo("flow.py")
    here.ok("%%cascade --quiet\ndef f(): return 1\nr = f()")
    for line in ("import flow.py", "import /dev/zero", "export flow.py --force"):
        done = here.run(f"%cascade {line}")
        assert done.error is not None
        assert "is no file" in done.text or "is there already" in done.text


# ---- random workspaces -----------------------------------------------------------------------


def be_new(here: Notebook) -> None:
    """As a notebook that was just opened."""
    cascade_nb.unload_ipython_extension(here.shell)
    _sessions.pop(here.shell)
    here.run("%reset -f")
    cascade_nb.load_ipython_extension(here.shell)


def cells_of(seed: int) -> list[tuple[str, str]]:
    """Cells, each with an identity: constants, helpers, tasks and nodes, some of them edited. What
    is edited is read by functions alone: a call keeps what it was given.
    """
    random = Random(seed)
    constants = [f"K{n} = {random.randrange(9)}" for n in range(3)]
    helpers = [
        f"def _h{n}(x): return x + K{random.randrange(3)}"
        + (f" + _h{random.randrange(n)}(x)" if n else "")
        for n in range(3)
    ]
    tasks = [
        f"def t{n}(x, k=K{random.randrange(1, 3)}):\n    return [_h{random.randrange(3)}(k), x]"
        for n in range(3)
    ]
    nodes = ["n0 = t0(size)"]
    for n in range(1, 5):
        other = random.randrange(n)
        nodes.append(
            random.choice(
                [
                    f"n{n} = t{random.randrange(3)}(n{other})",
                    f"n{n} = [t0(n{other}), t1({n})]",
                    f"n{n} = t2([n{other}, K2], k={n})",
                    f"n{n} = t1.map(x=[1, {n}])",
                    f"n{n}, m{n} = t0(n{other}), t1(K1).tagged('m')",
                    f"n{n} = []\nfor i{n} in range(2):\n    n{n}.append(t0([i{n}, n{other}]))",
                ]
            )
        )
    plain = [*constants, *helpers]
    cells = [("size", "import cascade_nb as cs\nsize = cs.Param('size', default=2)")]
    cells += [(f"p{n}", text) for n, text in enumerate(plain)]
    split = random.randrange(1, 5)
    cells += [("tasks", "%%cascade --quiet\n" + "\n".join(tasks))]
    cells += [("n1", "%%cascade --quiet\n" + "\n".join(nodes[:split]))]
    cells += [("n2", "%%cascade --quiet\n" + "\n".join(nodes[split:]))]
    cells += [
        ("seed", f"import random\nrandom.seed({seed})"),
        ("drawn", "import random\nR = [random.random(), random.random()]"),
        ("r", "%%cascade --quiet\nr = t0(R)"),
    ]
    on_top = random.randrange(5)  # bound anew, by what reads it, and read in between
    cells += [("read", f"%%cascade --quiet\nbetween = t1([n{on_top}])")]
    for n in range(random.randrange(3)):
        cells += [(f"top{n}", f"%%cascade --quiet\nn{on_top} = t{n}([n{on_top}, {n}])")]
    cells += [("last", f"%%cascade --quiet\nlast = t2([n{on_top}, between])")]
    for _ in range(random.randrange(3)):  # edited and run again, in whatever order
        place = random.randrange(1, len(cells))
        name, text = cells[place]
        cells.append((name, text.replace("return x", "return 1 + x")))
    if random.random() < 0.5:  # what is bound below may be read further up
        cells.append(("p0", f"K0 = {random.randrange(9)}"))
    return cells


@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9))
def test_the_module_of_any_workspace_has_its_keys(here: Notebook, seed: int) -> None:
    be_new(here)
    for name, text in cells_of(seed):
        here.ok(text, cell=name)
    draft = draft_of(here)
    text = draft.module.text
    assert draft.problems == []
    assert draft.values.keys() >= {"n0", "n4"}
    here.ok("import cascade_nb as cs\nvalues = [cs.run(n4), cs.run(r)]")
    values, keys = here.names["values"], keys_of(draft.values, session_of(here.shell).workspace)
    assert all(None not in one for one in keys.values())
    assert keys_there(draft) == keys, text
    # and as the workspace of another notebook, which computes the same
    be_new(here)
    here.ok("%cascade import flow.py --quiet")
    again = session_of(here.shell).workspace
    shown = {name: again.meanings()[name].shown for name in keys}
    assert keys_of(shown, again) == keys, text
    here.ok("import cascade_nb as cs\nvalues = [cs.run(n4), cs.run(r)]")
    assert here.names["values"] == values
