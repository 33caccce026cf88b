"""`cascade-nb run`, `attach` and `state`: what is run, how it is told, with what code it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.terminal import running
from tests.support.doors import Place, until
from tests.terminal.conftest import Terminal
from tools.environments import ROOT

FLOW = """
import time
from typing import Literal, Optional
import cascade_nb as cs

size = cs.Param("size", default=3, type=int, description="how many")
how = cs.Param("how", type=Literal["sum", "max"])
label = cs.Param("label", default="12", type=str)

@cs.task
def numbers(n):
    print("making numbers")
    return list(range(n))

@cs.task
def total(xs, how="sum"):
    return max(xs) if how == "max" else sum(xs)

@cs.task
def named(label: Optional[str]):
    assert isinstance(label, str)
    return label

@cs.task
def fails(x: int):
    raise ValueError("no \\x1b[31mgood")

@cs.task
def sleeps(seconds):
    for _ in cs.track(range(int(seconds * 100))):
        time.sleep(0.01)
    return "slept"

def plain(x):
    return x

@cs.task
async def tens(i):
    return 10 * i

@cs.task
def inside(n):
    return cs.run(tens.map(i=list(range(n))))

report = total(numbers(size)).named("report")
all_of_it = {"report": report, "inside": inside(size)}
chosen = total(numbers(size), how)
tag = named(label)
broken = total([fails(1), numbers(2)])
long = sleeps(100)
nothing = 3
"""


#: A parameter of each kind.
KINDS = """
import datetime as dt, enum, pathlib
from typing import Literal
import cascade_nb as cs

class Color(enum.Enum):
    RED = "#f00"
    BLUE = 2

defaults = dict(
    color=(Color, Color.RED), day=(dt.date, dt.date(2024, 1, 2)), deep=(dict[str, int], {"a": 1}),
    how=(Literal["mean", "b c"], "mean"), many=(list[int], [1, 2]),
    place=(pathlib.Path, pathlib.Path("a b")), span=(dt.timedelta, dt.timedelta(hours=1)),
    text=(str, "\\x1b[31mred"),
)

@cs.task
def same(given, upto):
    return given == {name: default for name, (_, default) in defaults.items()}

given = {name: cs.Param(name, default=it, type=kind) for name, (kind, it) in defaults.items()}
report = same(given, cs.Param("upto", type=range(1, 11)))
"""


@pytest.fixture
def flow(here: Place, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = here.folder / "a_flow.py"
    path.write_text(FLOW, encoding="utf-8")
    path.with_name("ends.py").write_text("raise SystemExit(5)", encoding="utf-8")
    path.with_name("no_python.py").write_text("def (", encoding="utf-8")
    monkeypatch.chdir(here.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield path
    for name in ("a_flow", "ends", "no_python"):
        sys.modules.pop(name, None)


pytestmark = pytest.mark.may_block("a command waits in the thread that it is typed in")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["a_flow.py:report"], "report = 3"),
        (["a_flow:report"], "report = 3"),
        (["a_flow.py:report", "-p", "size=5", "--priority", "2"], "report = 10"),
        (["a_flow.py:chosen", "--param", "how=max", "-p", "size=4"], "chosen = 3"),
        (["a_flow.py:tag", "-p", "label=007"], "tag = '007'"),
        (["a_flow.py:named", "-p", "label=2024"], "named = '2024'"),
        (["a_flow.py:numbers", "-p", "n=2"], "numbers = [0, 1]"),
        (["a_flow.py:all_of_it", "-p", "size=2"], "all_of_it = {'report': 1, 'inside': [0, 10]}"),
    ],
)
@pytest.mark.usefixtures("flow")
def test_a_target_of_a_file_or_a_module_is_run_with_its_parameters(
    terminal: Terminal, words: list[str], value: str
) -> None:
    said = terminal.type("run", *words)
    assert said.code == 0, said
    assert value in said.out.splitlines()
    assert "Done in" in said.err


@pytest.mark.parametrize(
    ("on", "says"),
    [
        ("threads", "here = 'cascade"),
        ("processes", "here = 'MainThread'"),
        ("mine", "it is mine\nhere = 'cascade"),
    ],
)
def test_tasks_run_where_it_is_said(flow: Path, on: str, says: str) -> None:
    text = """
import threading
from cascade_nb.executors import LocalExecutor
import cascade_nb as cs

class Mine(LocalExecutor):
    def submit(self, job):
        print("it is mine", flush=True)
        super().submit(job)

mine = Mine(1)

@cs.task
def where():
    return threading.current_thread().name

here = where()
"""
    flow.with_name("where.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "cascade_nb", "run", "where.py:here", "--on", on]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=flow.parent)
    assert done.stdout.startswith(says)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["a_flow.py:repart"], 2, "did you mean 'report'"),
        (["b_flow.py:report"], 2, "did you mean 'a_flow.py'"),
        (["no.such:report"], 2, "there is no file or module 'no.such'"),
        (["a_flow.py"], 2, "a_flow.py:NAME; there is numbers, total"),
        (["a_flow.py:nothing"], 2, "nothing of a_flow.py cannot be run"),
        (["a_flow.py:plain"], 2, "`@cs.task` makes it one"),
        (["a_flow.py:report", "-p", "sise=4"], 2, "did you mean 'size'"),
        (["a_flow.py:report", "-p", "size=x"], 2, "takes int"),
        (["a_flow.py:report", "-p", "size"], 2, "given as name=value"),
        (["a_flow.py:report", "-p", "size=1", "-p", "size=2"], 2, "given twice"),
        (["a_flow.py:chosen"], 2, "parameter 'how' has no default: give it with -p how=…"),
        (["a_flow.py:chosen", "-p", "how=mean"], 2, "is none"),
        (["a_flow.py:fails"], 2, "fails needs x: -p x=…"),
        (["a_flow.py:report", "--priority", "x"], 2, "a priority is a whole number"),
        (["a_flow.py:report", "--frsh"], 2, "did you mean '--fresh'"),
        (["a_flow.py:report", "--on", "prozesses"], 2, "did you mean 'processes'"),
        (["a_flow.py:report", "--on", "nothing"], 2, "executor"),
        (["a_flow.py:report", "--state", "sqlight:///x"], 2, "sqlight"),
        ([], 2, "say which PLACE:NAME"),
        (["a_flow.py:broken"], 1, "fails: ValueError: no good"),
        (["none.ipynb:report"], 2, "none.ipynb cannot be read"),
        (["ends.py:x"], 2, "ends.py ended itself while it was imported (SystemExit: 5)"),
        (["no_python.py:x"], 1, "SyntaxError"),
    ],
)
@pytest.mark.usefixtures("flow")
def test_what_cannot_be_run_and_what_fails_is_said_with_an_exit_code(
    terminal: Terminal, words: list[str], code: int, told: str
) -> None:
    said = terminal.type("run", *words)
    assert told in said.err, said
    assert "\x1b" not in said.err + said.out
    assert said.code == code


def test_its_help_says_what_to_type_for_each_kind_of_parameter(
    here: Place, terminal: Terminal
) -> None:
    (here.folder / "kinds.py").write_text(KINDS, encoding="utf-8")
    said = terminal.type("run", f"{here.folder}/kinds.py:report", "-h").out
    told = dict(re.findall(r"^  -p (\w+)=…\s+(.*)$", said, re.MULTILINE))
    assert told == {
        "color": "one of RED, BLUE, default RED",
        "day": "date, default 2024-01-02",
        "deep": "dict[str, int], default {'a': 1}",
        "how": "one of 'mean', 'b c', default 'mean'",
        "many": "list[int], default [1, 2]",
        "place": "Path, default a b",
        "span": "timedelta, default 3600.0s",
        "text": "str, default '\\x1b[31mred'",
        "upto": "int from 1 to 10, needed",
    }
    # What is shown as a default is read as that.
    typed = ["color=RED", "day=2024-01-02", "place=a b", "span=3600.0s", "many=[1, 2]", "upto=3"]
    words = [word for one in typed for word in ("-p", one)]
    done = terminal.type("run", f"{here.folder}/kinds.py:report", *words)
    assert (done.code, "report = True" in done.out) == (0, True), done
    wrong = terminal.type("run", f"{here.folder}/kinds.py:report", "-p", "color=green")
    assert "parameter 'color' takes one of RED, BLUE, and 'green'" in wrong.err


@pytest.mark.usefixtures("flow")
def test_its_help_lists_the_parameters_of_the_target(terminal: Terminal) -> None:
    said = terminal.type("run", "a_flow.py:report", "--help")
    assert said.code == 0
    assert "-p size=…  int, default 3; how many" in said.out
    assert "how" not in said.out.partition("parameters of")[2].replace("how many", "")
    chosen = terminal.type("run", "a_flow.py:chosen", "-h").out
    assert "needed" in chosen.partition("parameters of")[2]
    assert "-p x=…  int, needed" in terminal.type("run", "a_flow.py:fails", "-h").out
    named = terminal.type("run", "a_flow.py:named", "-h").out
    assert "-p label=…  str | None, needed" in named
    assert "  a_flow.py:report\n" in terminal.type("run", "a_flow.py", "-h").out


@pytest.mark.usefixtures("flow")
def test_json_is_a_line_for_each_event_and_what_tasks_print_is_elsewhere(
    terminal: Terminal,
) -> None:
    said = terminal.type("run", "a_flow.py:report", "--json")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert [event["event"] for event in events][:1] == ["RunStarted"]
    assert [event["event"] for event in events][-2:] == ["RunFinished", "Outcome"]
    assert events[-1]["status"] == "succeeded"
    assert events[-1]["value"] == "3"
    assert events[-1]["exit"] == said.code == 0
    assert "making numbers" in said.err
    failed = terminal.type("run", "a_flow.py:broken", "--json")
    last = json.loads(failed.out.splitlines()[-1])
    assert (last["status"], last["exit"], failed.code) == ("failed", 1, 1)


@pytest.mark.usefixtures("flow")
def test_results_that_are_kept_stand_for_the_next_run_and_are_listed(terminal: Terminal) -> None:
    place = "sqlite:///kept.db"
    assert terminal.type("run", "a_flow.py:report", "--state", place).code == 0
    again = terminal.type("run", "a_flow.py:report", "--state", place, "--json")
    assert '"reason": "Reused"' in again.out
    fresh = terminal.type("run", "a_flow.py:report", "--state", place, "--fresh", "--json")
    assert "TaskExecutionStarted" in fresh.out
    state = terminal.type("state", place)
    assert "results" in state.out
    assert "report" in state.out
    runs = terminal.type("state", place, "--json").json["runs"]
    assert {run["status"] for run in runs} == {"succeeded"}
    assert "Removed" in terminal.type("state", place, "--clean", "--older", "0").out
    assert terminal.type("state", place, "--json").json["kept"] == []
    assert terminal.type("attach", "--state", place).code == 2
    nowhere = terminal.type("state")
    assert nowhere.code == 2
    assert "say where results are kept" in nowhere.err


def test_who_only_looks_at_a_place_for_results_makes_none(here: Place, terminal: Terminal) -> None:
    # Its name may be mistyped, and an empty file be taken for what was there.
    place = f"sqlite:///{here.folder}/mistyped.db"
    said = terminal.type("state", place)
    assert (said.code, said.err) == (0, "")
    assert "There is no file " in said.out
    assert terminal.type("state", place, "--json").json["kept"] == []
    assert terminal.type("state", place, "--clean", "--json").json["results"] == 0
    said = terminal.type("attach", "--state", place)
    assert said.code == 2
    assert "there is no file " in said.err
    assert not (here.folder / "mistyped.db").exists()
    assert "say where results are kept" in terminal.type("attach").err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize(
    ("redirected", "code", "told"),
    [
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        (">/dev/full", 1, "cascade-nb: what was to be said cannot be written: No space left"),
        (">/dev/full 2>/dev/full", 1, ""),
    ],
)
def test_an_output_that_is_closed_or_full_is_no_accident(
    here: Place, redirected: str, code: int, told: str
) -> None:
    words = shlex.join([sys.executable, "-m", "cascade_nb", "-h"])
    done = subprocess.run(
        ["sh", "-c", f"{words} {redirected}"],
        check=False,
        capture_output=True,
        text=True,
        cwd=here.folder,
        env={**os.environ, **here.environment, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == bool(told)


def test_where_results_are_kept_is_what_the_command_says_whatever_the_file_does(
    flow: Path, terminal: Terminal
) -> None:
    text = f"{FLOW}\ncs.use_state('sqlite:///own.db')\n"
    (flow.parent / "d_flow.py").write_text(text, encoding="utf-8")
    assert terminal.type("run", "d_flow.py:report", "--state", "sqlite:///said.db").code == 0
    assert (flow.parent / "said.db").exists()
    assert (
        not (flow.parent / "own.db").exists()
        or not terminal.type("state", "sqlite:///own.db", "--json").json["kept"]
    )
    assert terminal.type("run", "d_flow.py:report").code == 0
    assert terminal.type("state", "sqlite:///own.db", "--json").json["kept"]


def command(here: Place, *words: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "cascade_nb", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=here.folder,
        env={**os.environ, **here.environment, "PYTHONPATH": str(ROOT)},
        **more,
    )


def wait_for_door(here: Place) -> None:
    until(lambda: len(list((here.folder / "doors").glob("*.sock"))))


@pytest.mark.usefixtures("flow")
def test_a_process_that_is_told_to_end_cancels_its_run_first(here: Place) -> None:
    child = command(here, "run", "a_flow.py:long", "--json")
    assert child.stdout is not None
    assert "RunStarted" in child.stdout.readline()
    child.terminate()
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 143
    last = json.loads(out.splitlines()[-1])
    assert (last["status"], last["exit"]) == ("cancelled", 143)


@pytest.mark.usefixtures("flow")
def test_who_reads_only_the_beginning_is_no_trouble(here: Place) -> None:
    child = command(here, "run", "a_flow.py:long", "--json")
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "BrokenPipe" not in err


def test_what_a_module_raises_cannot_command_the_terminal(
    here: Place, flow: Path, terminal: Terminal
) -> None:
    (flow.parent / "c_flow.py").write_text("raise ValueError('\x1b[2Jgone')", encoding="utf-8")
    said = terminal.type("run", "c_flow.py:x", "--json")
    assert said.code == 1
    assert "ValueError: gone" in said.err
    assert "importlib" not in said.err
    assert "targets.py" not in said.err
    assert "\x1b" not in said.err
    assert said.json["kind"] == "ValueError"


@pytest.mark.usefixtures("flow")
def test_ctrl_c_ends_a_run_and_progress_is_told_meanwhile(here: Place) -> None:
    child = command(here, "run", "a_flow.py:long")
    assert child.stderr is not None
    running_line = r"sleeps · Running 1 task · 0 of 1 done, 1 running · \d+ s"
    while not re.match(running_line, line := child.stderr.readline()):
        assert line.startswith("sleeps · "), line
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Cancelled after" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("flow")
def test_it_is_seen_held_and_cancelled_from_another_terminal(
    here: Place, terminal: Terminal
) -> None:
    child = command(here, "run", "a_flow.py:long", "--json")
    wait_for_door(here)
    assert "script a_flow.py:long" in terminal.type("status").out
    assert terminal.type("pause", "sleeps").code == 0
    assert terminal.type("resume").code == 0
    assert terminal.type("cancel").code == 0
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 4
    assert json.loads(out.splitlines()[-1])["status"] == "cancelled"


@pytest.mark.usefixtures("flow")
def test_a_run_that_came_to_no_end_is_taken_up(here: Place, terminal: Terminal) -> None:
    text = FLOW + "\n@cs.task\ndef late(x):\n    for _ in cs.track(range(100_000)):\n"
    text += "        if Path('go').exists():\n            return x\n        time.sleep(0.01)\n"
    text += "\nfrom pathlib import Path\nresult = late(report)\n"
    (here.folder / "b_flow.py").write_text(text, encoding="utf-8")
    place = "sqlite:///taken.db"
    child = command(here, "run", "b_flow.py:result", "--state", place, "--json")
    assert child.stdout is not None
    while '"late"' not in (line := child.stdout.readline()):
        assert line, child.communicate()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    told = terminal.type("state", place).out
    assert "cancelled" in told
    (run,) = terminal.type("state", place, "--json").json["runs"]
    (here.folder / "go").touch()
    child = command(here, "attach", run["run_id"][:4], "--state", place, "--json")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    begun = [e["task_name"] for e in map(json.loads, out.splitlines()) if "attempt" in e]
    assert set(begun) == {"late"}  # what was completed does not run again
    assert json.loads(out.splitlines()[-1])["value"] == "3"


NOTEBOOK = [
    "%load_ext cascade_nb\nimport cascade_nb as cs\nimport os",
    "factor = 2\nunused = os._exit(1)",
    "settings = {}\nsettings['more'] = factor * 2",
    """%%cascade --run
size = cs.Param('size', default=4, type=int)
def numbers(n): return list(range(n))
xs = numbers(size)""",
    "%cascade limit numbers 1\nrun = %cascade run xs --wait\nrun.result()",
    "%%bash\nexit 1",
    """%%cascade
def scaled(xs): return [factor * x + settings['more'] for x in xs]
ys = scaled(xs)
%cascade run ys""",
    "while True: pass",
    "import sys; sys.exit(3)",
    "both = cs.task(lambda a, b: a + b, name='both')(xs, ys)",
]


def notebook(here: Place, cells: list[str]) -> None:
    made = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in cells]
    made.insert(0, {"cell_type": "markdown", "source": ["# A study"]})
    path = here.folder / "study.ipynb"
    path.write_text(json.dumps({"cells": made, "nbformat": 4}), encoding="utf-8")


def test_a_notebook_is_run_by_what_it_defines_and_nothing_else_of_it_is(here: Place) -> None:
    notebook(here, NOTEBOOK)
    child = command(here, "run", "study.ipynb:ys", "-p", "size=3")
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert out == "ys = [4, 6, 8]\n"
    child = command(here, "run", "study.ipynb:both", "-h")
    out, err = child.communicate(timeout=60)
    assert "-p size=…  int, default 4" in out, err


def test_a_notebook_is_written_as_a_module_that_runs_the_same(here: Place) -> None:
    notebook(here, NOTEBOOK)
    child = command(here, "export", "study.ipynb", "--tests", "--json")
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    assert json.loads(out)["files"] == ["study.py", "test_study.py"]
    child = command(here, "run", "study.py:ys", "-p", "size=3")
    out, err = child.communicate(timeout=90)
    assert out == "ys = [4, 6, 8]\n", err
    for words, said in (
        (["study.ipynb"], "study.py is there already"),
        (["study.py"], "say a notebook and a module"),
        (["study.ipynb", "flow.py", "zs"], "there is no node 'zs'"),
    ):
        child = command(here, "export", *words)
        out, err = child.communicate(timeout=90)
        assert child.returncode == 2
        assert said in err


def test_a_cell_that_fails_is_named(here: Place) -> None:
    notebook(here, ["%load_ext cascade_nb", "%%cascade\nx = 1 / 0"])
    child = command(here, "run", "study.ipynb:x")
    out, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "cell 2 of study.ipynb failed: ZeroDivisionError: division by zero" in err
    assert out == ""


def test_the_first_ctrl_c_is_no_exception_that_somebody_could_swallow() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with running._told_to_end() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked == [130]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("guard", ['if __name__ == "__main__":\n    ', ""])
def test_a_program_of_a_module_runs_its_lines_once(here: Place, guard: str) -> None:
    file = here.folder / "once.py"
    file.write_text(
        'import cascade_nb as cs\nprint("read")\nclass P:\n    pass\n@cs.task\n'
        "def makes(x): return [x, P()]\n@cs.task\ndef first(xs): return xs[0]\n"
        f"r = first(makes(7))\n{guard}cs.main(__file__, 'r')\n",
        encoding="utf-8",
    )
    for on in ("threads", "processes"):
        done = subprocess.run(
            [sys.executable, str(file), "--on", on],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, **here.environment},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["read", "r = 7"]


def test_a_file_that_runs_itself_while_it_is_imported_is_refused(
    here: Place, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = here.folder / "runs_itself.py"
    file.write_text("import cascade_nb as cs\ncs.main(__file__)\n", encoding="utf-8")
    said = terminal.type("run", str(file))
    sys.modules.pop("runs_itself", None)
    assert said.code == 2
    assert "runs itself while it is imported" in said.err
    assert len(said.err.splitlines()) == 1
