"""`%cascade` and its sub-commands: what they do, what they say, and how they refuse."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from cascade_nb import errors
from cascade_nb.control.constraint import Scope
from cascade_nb.defaults import default_engine
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.protocol import VERSION
from cascade_nb.engine.runs.preparation import Preparation
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.storage.carry_over import Revision
from cascade_nb.notebook.magics.commands import COMMANDS
from tests.notebook.conftest import Notebook

PATIENCE = 60.0

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

TASKS = """%%cascade --quiet
def load(n):
    return list(range(n))
def total(xs, scale=1):
    return scale * sum(xs)
raw = load(5)
report = total(raw)
"""


@pytest.fixture
def built(notebook: Notebook) -> Notebook:
    notebook.ok(TASKS, "A")
    return notebook


def paused() -> list[str]:
    return [str(c.scope) for c in default_engine().constraints.constraints() if c.type == "pause"]


# Showing.


def test_a_cell_shows_the_graph_of_the_whole_workspace(notebook: Notebook) -> None:
    notebook.ok(TASKS, "A")
    text = notebook.ok("%%cascade\nother = load(2)", "B").text
    assert "raw → report" in text
    assert "other" in text
    assert not notebook.ok("%%cascade --quiet\nmore = load(2)", "C").text


def test_what_cannot_be_planned_is_said_and_the_rest_is_shown(built: Notebook) -> None:
    text = built.ok("%%cascade\nother = load(2)\ndel raw", "B").text
    assert "`report` reads `raw`, which cell In[3] deleted" in text
    assert "other: 1 node" in text


def test_graph_shows_what_is_named(built: Notebook) -> None:
    text = built.ok("%cascade graph raw").text
    assert "raw: 1 node" in text
    assert "report" not in text


def test_graph_of_nothing_says_so(notebook: Notebook) -> None:
    assert "There are no nodes yet" in notebook.ok("%cascade graph").text


def test_a_lazy_value_says_what_it_is_and_how_to_run_it(built: Notebook) -> None:
    text = built.ok("report").text
    assert "report = total, which reads raw\nNo value stands: its result is not" in text
    assert "`%cascade run report` computes it." in text
    unnamed = built.ok("load(3)").text
    assert "memory. `import cascade_nb as cs`, then cs.run(load(…)), computes it." in unnamed
    built.ok("import cascade_nb as flow")
    assert "memory. flow.run(load(…)) computes it." in built.ok("load(3)").text
    in_a_list = built.ok("[report]").text
    assert "[report = total, which reads raw; `%cascade run report` computes it]" in in_a_list
    assert "now = load" in built.ok("%%cascade --quiet\nnow = load(3)\nnow").text


def test_a_lazy_value_with_many_inputs_stays_short(built: Notebook) -> None:
    assert "and 14 more" in built.ok("total([load(i) for i in range(20)])").text


def test_what_was_done_and_is_stale_now_is_marked(built: Notebook) -> None:
    assert "✓" not in built.ok("%cascade graph").text
    built.ok("%cascade run report")
    assert "raw ✓ → report ✓" in built.ok("%cascade graph").text
    text = built.ok("%%cascade\ndef total(xs, scale=1):\n    return -scale * sum(xs)", "B").text
    assert "raw ✓ → report ↻" in text


def test_what_each_run_does_anew_is_never_stale(built: Notebook) -> None:
    built.ok("import socket\nline = socket.socket()")
    built.ok("%%cascade --quiet\ndef over(x):\n    return x, line is None")
    built.ok("%%cascade --quiet\nsent = over(raw)\nseen = over(sent)")
    built.ok("%cascade run seen")
    assert "raw ✓ → sent ▷ → seen ▷" in built.ok("%cascade graph seen").text
    built.ok("line.close()")


def test_a_run_that_code_started_counts_for_the_marks_too(built: Notebook) -> None:
    built.ok("import cascade_nb as cs\n%cascade pause\nrun = cs.start(report)")
    built.ok("%cascade resume\nrun.result()")
    assert "raw ✓ → report ✓" in built.ok("%cascade graph").text


# Planning.


def test_plan_says_what_would_run_and_runs_nothing(built: Notebook) -> None:
    text = built.ok("%cascade plan report").text
    assert "report: 2 to run" in text
    assert (
        "It runs load, total in processes." in built.ok("%cascade plan report --on processes").text
    )
    assert not built.ok("%cascade status").text.startswith("report")
    built.ok("%cascade run report")
    assert "report: 2 to reuse" in built.ok("%cascade plan").text


def test_plan_works_where_nothing_can_be_awaited(built: Notebook) -> None:
    assert "2 to run" in built.ok("def go():\n    %cascade plan report\ngo()").text


def test_plan_refuses_what_a_run_would(built: Notebook) -> None:
    assert "nothing here reads" in built.run("%cascade plan report -p no=3").text
    built.ok("%cascade drop raw")
    assert isinstance(built.run("%cascade plan report").error, errors.DroppedNameError)


# Running.


def test_run_gives_the_run(built: Notebook) -> None:
    built.ok("run = %cascade run report")
    run = built.names["run"]
    assert isinstance(run, Run)
    assert run.result() == 10
    assert built.ok("%cascade run report\n_ = 1").error is None


def test_the_run_is_the_cells_value_and_says_how_it_stands_where_no_panel_does(
    built: Notebook,
) -> None:
    done = built.ok("%cascade run report")
    assert isinstance(done.result, Run)
    assert done.text.count("report · run 1") == 1
    assert "<run 1 of report" in done.text
    assert "<run 1 of report: Done" in built.ok("_").text


def test_run_without_a_name_says_what_it_runs(built: Notebook) -> None:
    assert "No name was given, so this runs `report`" in built.ok("%cascade run").text
    done = built.ok("%%cascade --run\nother = load(2)", "B")
    assert "this runs `other`" in done.text
    assert done.result.result() == [0, 1]


def test_a_cell_runs_what_it_is_told_to(built: Notebook) -> None:
    done = built.ok("%%cascade --run report\nother = load(2)", "B")
    assert done.result.result() == 10


def test_several_names_are_run_together(built: Notebook) -> None:
    assert built.ok("%cascade run raw report").result.result() == [[0, 1, 2, 3, 4], 10]


def test_containers_of_nodes_are_run_too(built: Notebook) -> None:
    built.ok("%%cascade --quiet\nxs = {'a': load(1), 'b': [load(2), 'plain']}", "B")
    assert built.ok("%cascade run xs").result.result() == {"a": [0], "b": [[0, 1], "plain"]}


def test_runs_follow_redefinitions(built: Notebook) -> None:
    built.ok("%%cascade --quiet\nraw = load(3)", "B")
    assert built.ok("%cascade run report").result.result() == 3


def test_parameters_are_given_by_name(built: Notebook) -> None:
    built.ok(
        "%%cascade --quiet\nimport cascade_nb as cs\n"
        "scale = cs.Param('scale', 1, int)\nscaled = total(raw, scale)",
        "B",
    )
    assert built.ok("%cascade run scaled -p scale=3").result.result() == 30
    assert built.ok("k = 4").error is None
    assert built.ok("%cascade run scaled --param scale={k}").result.result() == 40


def test_a_run_has_the_priority_that_it_was_given(built: Notebook) -> None:
    assert built.ok("%cascade run raw --priority -3").result.request.priority == -3
    assert built.ok("%cascade run raw").result.request.priority is None


def test_on_error_continue_goes_on_with_what_does_not_need_it(built: Notebook) -> None:
    built.ok(
        "%%cascade --quiet\n"
        "ran = []\n"
        "def bad(): raise ValueError('no')\n"
        "def later(x): ran.append(x)\n"
        "b = bad()\nl = later(later(1))",
        "B",
    )
    built.run("%cascade run b l --on-error continue")
    assert len(built.names["ran"]) == 2


def test_a_task_that_fails_is_shown_at_the_users_line(built: Notebook) -> None:
    built.ok("%%cascade --quiet\n\ndef bad(x):\n    return 1 / x\nb = bad(0)", "B")
    done = built.run("%cascade run b")
    assert isinstance(done.error, errors.TaskFailedError)
    assert "Cell In[3], line 4, in bad(x)" in done.text
    assert "----> 4     return 1 / x" in done.text
    assert "TaskFailedError: b failed" in done.text
    assert "cascade_nb" not in done.text


@pytest.mark.parametrize("line", ["{}", "def go():\n    {}\ngo()"])
def test_several_failures_are_shown_as_lines_of_one_error(built: Notebook, line: str) -> None:
    # IPython would show a group with every frame of ours, and not as an output of the cell.
    built.ok("%%cascade --quiet\ndef bad(x):\n    return 1 / x\nb, c = bad(0), bad('x')", "B")
    done = built.run(line.format("%cascade run b c --on-error continue"))
    assert type(done.error) is errors.RunError
    assert done.error.__context__ is None
    assert "RunError: 2 tasks of b, c failed:" in done.text
    assert "because b failed: ZeroDivisionError" in done.text
    assert "because c failed: TypeError" in done.text
    assert "cascade_nb" not in done.text


def test_a_run_inside_a_function_waits_too(built: Notebook) -> None:
    # A plain function cannot await, so the magic blocks there.
    built.ok("def go():\n    run = %cascade run report --wait\n    return run.done()\ndone = go()")
    assert built.names["done"] is True


def test_a_run_in_a_block_at_the_top_level_waits_too(built: Notebook) -> None:
    built.ok("for _ in range(2):\n    run = %cascade run report --wait\n    assert run.done()")


def test_a_run_below_another_magic_waits_too(built: Notebook) -> None:
    built.ok("%%time\nrun = %cascade run report --wait\nassert run.done()")


def test_a_run_in_a_cascade_cell_runs_what_the_cell_has_bound_so_far(built: Notebook) -> None:
    built.ok("%%cascade --quiet\nother = load(3)\nrun = %cascade run other\nn = run.result()", "B")
    assert built.names["n"] == [0, 1, 2]


# Holding.


@pytest.mark.parametrize(
    ("typed", "scope"),
    [
        ("", "global"),
        ("global", "global"),
        ("load", "task:load"),
        ("lo*", "task:lo*"),
        ("raw", "node:raw"),
        ("task:load", "task:load"),
        ("tag:slow", "tag:slow"),
        ("from:raw", "from:raw"),
        ("run:abc", "run:abc"),
    ],
)
def test_pause_and_resume_take_every_scope_and_bare_names(
    built: Notebook, typed: str, scope: str
) -> None:
    assert "Paused: " in built.ok(f"%cascade pause {typed}").text
    assert paused() == [scope]
    assert "Resumed: " in built.ok(f"%cascade resume {typed}").text
    assert paused() == []


def test_a_pause_has_a_reason_and_an_end(built: Notebook) -> None:
    built.ok("%cascade pause load --reason 'look first' --for 1h30m")
    pause = default_engine().constraints.find(Scope("task", "load"))
    assert pause is not None
    assert pause.reason == "look first"
    assert pause.expires is not None
    assert pause.expires - pause.since == pytest.approx(5400)
    text = built.ok("%cascade status").text
    assert "task:load: paused" in text
    assert "look first" in text


def test_before_a_hold_is_done_it_says_what_it_does(notebook: Notebook) -> None:
    notebook.ok(
        "%%cascade --quiet\ndef work(x):\n    begun.append(x)\n    go.wait(60)\n    return x\n"
        "ready = work.map(x=[1, 2, 3])\nlast = work(ready)"
    )
    assert "No run goes on that it is about." in notebook.ok("%cascade pause work --dry").text
    notebook.ok("import threading, time, cascade_nb as cs\ngo, begun = threading.Event(), []")
    notebook.ok("%cascade limit node:ready 1\nrun = cs.start(last)")
    notebook.ok("while len(begun) < 1: time.sleep(0.01)")
    text = notebook.ok("%cascade pause work --dry --for 10m").text
    assert "Would pause work tasks for 10 min. Holds 3, 1 will finish." in text
    before = notebook.ok("%cascade pause --before node:last --dry").text
    assert "Would set a breakpoint before last. Holds 1 when it would start." in before
    judged = notebook.ok('%cascade pause --before work --if "x == 2" --dry').text
    assert "if `x == 2`. Judges 3, each when it would start." in judged
    assert paused() == []
    assert "breakpoint" not in notebook.ok("%cascade status").text
    number = notebook.ok("run.number").result
    assert "Holds 3, 1 will finish. Run" in notebook.ok(f"%cascade pause run:{number}").text
    notebook.ok("%cascade resume\n%cascade limit node:ready off\ngo.set()")
    assert notebook.ok("run.result(60)").result == [1, 2, 3]


def test_a_breakpoint_has_a_condition_and_the_workflow_has_breakpoints_of_its_own(
    notebook: Notebook,
) -> None:
    notebook.ok("most = 2\nimport time, cascade_nb as cs")
    notebook.ok(
        "%%cascade --quiet\ndef clean(rows):\n    return [row + 1 for row in rows]\n"
        "cleaned = clean([0]).pause_before()\nsums = clean.map(rows=[[1], [1, 2], [1, 2, 3]])"
    )
    text = notebook.ok('%cascade pause --before node:sums --if "len(rows) > most" --for 1h').text
    assert "A breakpoint before sums, if `len(rows) > most`, for 1 h." in text
    assert "if `len(rows) > most`" in notebook.ok("%cascade status").text
    plan = notebook.ok("%cascade plan cleaned sums").text
    assert "1 is held: a breakpoint before it by the workflow" in plan
    assert "held before it starts, if `len(rows) > most`" in plan
    notebook.ok("run = cs.start([cleaned, sums])")
    judged = "run.progress_of(run.graph.node('sums').index) == (2, 3) and run.status.held == 2"
    notebook.ok(f"while not ({judged}): time.sleep(0.01)")
    notebook.ok("while 'being judged' in str(run.why('sums')): time.sleep(0.01)")
    assert "by you, if `len(rows) > most`; its inputs" in notebook.ok("%cascade why sums").text
    assert "before cleaned by the workflow; its" in notebook.ok("%cascade why cleaned").text
    done = notebook.run("%cascade resume --before node:cleaned")
    assert "the breakpoint before cleaned is part of the workflow: `%cascade resume" in done.text
    notebook.ok("%%cascade --quiet\ncleaned = clean([0])")
    notebook.ok("%cascade resume node:cleaned")
    goes_on = "run.states()['cleaned'].value == 'done' and run.status.held == 1"
    notebook.ok(f"while not ({goes_on}): time.sleep(0.01)\n%cascade resume node:sums")
    assert notebook.ok("run.result(60)").result == [[1], [[2], [2, 3], [2, 3, 4]]]
    notebook.ok("%cascade resume --before node:sums")


@pytest.mark.parametrize("asked", ["%cascade pause?", "%cascade pause ?", "  %cascade pause??\n"])
def test_a_question_mark_behind_a_command_shows_its_help(notebook: Notebook, asked: str) -> None:
    assert notebook.ok(asked).text == notebook.ok("%cascade pause -h").text
    assert "cascade" in notebook.ok("%cascade?").text  # which IPython answers itself


def test_resume_without_a_scope_means_the_only_pause(built: Notebook) -> None:
    built.ok("%cascade pause load")
    assert "Resumed: load tasks" in built.ok("%cascade resume").text
    built.ok("%cascade pause load\n%cascade pause total")
    text = built.ok("%cascade resume").text
    assert "everything was not paused; paused is task:load, task:total" in text
    assert "other tasks were not paused" in built.ok("%cascade resume task:other").text


def test_who_resumes_while_a_run_looks_at_edits_is_told_that_it_goes_on_by_itself(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited, looks, let_go = threading.Event(), threading.Event(), threading.Event()
    look = Preparation.look_for_edits

    async def slowly(self: Preparation) -> Revision | None:
        if edited.is_set():
            looks.set()
            await asyncio.to_thread(let_go.wait, PATIENCE)
        return await look(self)

    monkeypatch.setattr(Preparation, "look_for_edits", slowly)
    notebook.ok("%%cascade --quiet\ndef load(n):\n    return n\ntotal = load(3)")
    notebook.ok("%cascade pause")
    notebook.ok("import cascade_nb as cs\nrun = cs.start(total)")
    notebook.ok("import time\nwhile run.status.phase.value != 'paused': time.sleep(0.01)")
    notebook.ok("%%cascade --quiet\ndef load(n):\n    return n + 1")
    edited.set()
    assert "Resumed: everything" in notebook.ok("%cascade resume").text
    assert looks.wait(PATIENCE)
    said = notebook.ok("%cascade resume").text
    looking = "run 1 of total looks at what was edited meanwhile, and then goes on by itself"
    assert f"Nothing pauses everything any more: {looking}." in said
    asked = {"v": VERSION, "id": "1", "do": "resume"}
    assert answer(asked, Process("notebook", "a test"))["looking"] == ["run 1 of total"]
    let_go.set()
    notebook.ok("while not run.done(): time.sleep(0.01)")
    assert "everything was not paused." in notebook.ok("%cascade resume").text


def test_pauses_and_runs_of_every_engine_of_the_process_count(built: Notebook) -> None:
    built.ok("import cascade_nb as cs\nengine = cs.Engine()\n%cascade pause")
    built.ok("run = engine.start(load(3))")
    assert "load · run 1" in built.ok("%cascade status").text
    assert built.names["run"].status.held == 1 or not built.names["run"].done()
    built.ok("%cascade resume\nrun.result()\nengine.close()")


def test_a_slip_in_a_scope_that_could_be_is_pointed_out(built: Notebook) -> None:
    assert "no such task yet; did you mean 'load'?" in built.ok("%cascade pause task:laod").text
    assert "no such node yet; did you mean 'raw'?" in built.ok("%cascade pause node:rwa").text


def test_resume_says_whose_pauses_it_has_lifted(built: Notebook) -> None:
    built.ok("%cascade pause load --reason lunch")
    built.ok("import cascade_nb as cs; cs.pause('task:load', by='agent:claude', reason='looking')")
    assert "by the agent claude: looking" in built.ok("%cascade status").text
    text = built.ok("%cascade resume").text
    assert "Resumed: load tasks (by you: lunch, and by the agent claude: looking)." in text
    assert not paused()


def test_a_limit_beside_that_of_another_says_so(built: Notebook) -> None:
    built.ok("import cascade_nb as cs; cs.limit('task:load', 2, by='agent:claude')")
    text = built.ok("%cascade limit load 4").text
    assert "At most 4 at once: load tasks. Beside it stands task:load: at most 2 at once" in text
    assert (
        "No limit any more: load tasks (by you, and by the agent claude)"
        in built.ok("%cascade limit load off").text
    )
    assert default_engine().constraints.constraints() == []


def test_a_kernel_of_an_agent_lifts_no_more_than_its_own(
    built: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.ok("%cascade pause load")
    monkeypatch.setenv("CASCADE_HOLDER", "agent:claude")
    built.ok("%cascade limit load 2")
    error = built.run("%cascade resume").error
    assert isinstance(error, errors.HolderError)
    assert "load tasks: paused by you; the agent claude lifts only what is its own" in str(error)
    assert "No limit any more" in built.ok("%cascade limit load off").text
    assert paused() == ["task:load"]


def test_limit_sets_and_lifts(built: Notebook) -> None:
    find = default_engine().constraints.find
    built.ok("%cascade limit load 4\n%cascade limit 2")
    assert [find(s, "concurrency").limit for s in ("task:load", "global")] == [4, 2]  # type: ignore[union-attr]
    built.ok("%cascade limit load off\n%cascade limit off")
    assert [find(s, "concurrency") for s in ("task:load", "global")] == [None, None]


def test_a_memory_guard_is_set_listed_and_lifted(built: Notebook) -> None:
    assert "There is none; `%cascade guard memory 85%` sets one" in built.ok("%cascade guard").text
    told = "othing starts while more than 99.5% of the memory is used"
    said = built.ok("%cascade guard memory 99.5% --suspend").text
    assert f"N{told}; what runs in processes is suspended: everything." in said
    assert f"global: n{told}" in built.ok("%cascade guard").text
    assert "No memory guard any more: everything." in built.ok("%cascade guard off").text
    assert "There was no memory guard of everything." in built.ok("%cascade guard off").text


def test_status_tells_of_the_last_run_and_of_nothing(built: Notebook) -> None:
    assert "Nothing was run yet" in built.ok("%cascade status").text
    built.ok("%cascade run report")
    text = built.ok("%cascade status").text
    assert "report · run 1" in text
    assert "2 of 2 done" in text
    assert built.ok("%cascade status 1").text == text


def test_why_tells_of_the_last_run_and_of_no_run(built: Notebook) -> None:
    assert "raw is part of no run" in built.ok("%cascade why raw").text
    built.ok("%cascade run report")
    assert "run 1: raw is done" in built.ok("%cascade why raw").text


def test_drop_takes_names_out(built: Notebook) -> None:
    assert "Dropped: raw, total" in built.ok("%cascade drop raw total").text
    assert not {"raw", "total"} & set(built.names)
    done = built.run("%cascade run report")
    assert isinstance(done.error, errors.DroppedNameError)


def test_names_are_compared_as_python_compares_them(built: Notebook) -> None:
    # To Python the micro sign and the letter mu are one name, and the ligature is two letters.
    built.ok("%%cascade --quiet\n\u00b5 = load(2)\n\ufb01tted = load(3)", "B")
    assert built.ok("%cascade run \u00b5 \ufb01tted --wait").result.result() == [[0, 1], [0, 1, 2]]
    assert built.ok("%%cascade --run \u00b5\nn = 3", "C").result.result() == [0, 1]
    assert "\u03bc is reused" in built.ok("%cascade why \u00b5").text
    built.ok("%cascade pause \ufb01tted")
    assert paused() == ["node:fitted"]
    built.ok("%cascade resume \ufb01tted\n%cascade drop \u00b5")
    assert "\u03bc" not in built.names


# Refusing: one clear sentence, and nothing done.

REFUSED = [
    ("rnu report", errors.UnknownNameError, "no %cascade command 'rnu'; did you mean 'run'?"),
    ("run reprot", errors.UnknownNameError, "there is no node 'reprot'; did you mean 'report'?"),
    ("graph rwa", errors.UnknownNameError, "did you mean 'raw'?"),
    ("why rwa", errors.UnknownNameError, "did you mean 'raw'?"),
    ("drop rwa", errors.UnknownNameError, "did you mean 'raw'?"),
    ("drop report rwa", errors.UnknownNameError, "did you mean 'raw'?"),
    ("run load", errors.TargetError, "`load` is a task"),
    ("run number", errors.TargetError, "`number` is the int 3, no lazy value"),
    ("run --wiat", errors.UsageError, "no option '--wiat'; did you mean '--wait'?"),
    ("run report -p", errors.UsageError, "--param needs a value behind it"),
    ("run report -p scale", errors.UsageError, "a parameter is given as name=value"),
    ("run report -p sacle=3", errors.ParamError, "nothing here reads a parameter 'sacle'"),
    ("run report --on threds", errors.UsageError, "no executor 'threds'; did you mean 'threads'"),
    ("run report --on-error explode", errors.UsageError, "is one of 'stop', 'continue'"),
    ("run 'report", errors.UsageError, "a quote is not closed"),
    ("pause laod", errors.ConstraintError, "there is no scope, task or node 'laod'; did you mean"),
    ("pause tsk:load", errors.ConstraintError, "there is no scope 'tsk:load' (a scope is 'global'"),
    ("pause task:", errors.ConstraintError, "needs a value"),
    ("pause --for soon", errors.UsageError, "'soon' is no length of time; write 90s"),
    ("pause --for 0m", errors.UsageError, "above zero"),
    ("pause load total", errors.UsageError, "takes no argument 'total'"),
    ("limit load -1", errors.ConstraintError, "a limit cannot be below zero"),
    ("limit load many", errors.UsageError, "a limit is a whole number or off, not 'many'"),
    ("limit a b 3", errors.UsageError, "takes a scope and a number"),
    ("cancel", errors.UsageError, "nothing is running"),
    ("cancel 7", errors.UnknownNameError, "there is no run '7'; nothing is running"),
    ("status 7", errors.UnknownNameError, "there is no run '7'; nothing was run yet"),
    ("drop", errors.UsageError, "say which name"),
    ("why", errors.UsageError, "say which node"),
]


@pytest.mark.parametrize(("line", "kind", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    built: Notebook, line: str, kind: type[Exception], words: str
) -> None:
    built.ok("number = 3")
    done = built.run(f"%cascade {line}")
    assert isinstance(done.error, kind)
    assert words in done.text
    assert done.text.strip() == f"{type(done.error).__name__}: {done.error}"
    assert "\n" not in str(done.error)
    assert not default_engine().constraints.constraints()
    assert not default_engine().runs
    assert {"raw", "report"} <= set(built.names)


def test_code_can_catch_what_a_magic_refuses(built: Notebook) -> None:
    built.ok(
        "from cascade_nb.errors import ConstraintError\n"
        "try:\n    get_ipython().run_line_magic('cascade', 'pause nowhere')\n"
        "except ConstraintError as error:\n    caught = str(error)"
    )
    assert "nowhere" in built.names["caught"]


def test_a_name_that_is_a_task_and_a_node_must_be_said_with_its_kind(built: Notebook) -> None:
    built.ok("%%cascade --quiet\ndef clean(x): return x\nother = clean(1).named('x')", "B")
    built.ok("%%cascade --quiet\nimport cascade_nb as cs\n@cs.task(name='raw')\ndef r(): pass", "C")
    done = built.run("%cascade pause raw")
    assert "'raw' is a task and a node; say task:raw or node:raw" in done.text


def test_several_wrong_options_of_the_cell_magic_run_nothing(built: Notebook) -> None:
    done = built.run("%%cascade --rnu\nran = True")
    assert "no option '--rnu'; did you mean '--run'?" in done.text
    assert "ran" not in built.names


def test_a_cell_that_is_told_to_run_what_is_not_there_keeps_what_it_defined(
    built: Notebook,
) -> None:
    done = built.run("%%cascade --run nothing\nother = load(1)", "B")
    assert isinstance(done.error, errors.UnknownNameError)
    assert "other" in built.names


# Help.


@pytest.mark.parametrize("line", ["", "-h", "--help"])
def test_help_lists_every_sub_command(notebook: Notebook, line: str) -> None:
    text = notebook.ok(f"%cascade {line}").text
    assert all(f"%cascade {name}" in text for name in COMMANDS)
    assert "%%cascade" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_sub_command_explains_itself(notebook: Notebook, name: str) -> None:
    text = notebook.ok(f"%cascade {name} -h").text
    assert f"usage: %cascade {name}" in text
    assert COMMANDS[name].takes.summary in text
    assert "awaited" not in text


@pytest.mark.parametrize("below", ["", "\n", "\nran = True\n"])
def test_the_cell_magic_explains_itself_and_runs_nothing(notebook: Notebook, below: str) -> None:
    assert "usage: %%cascade" in notebook.ok(f"%%cascade -h{below}").text
    assert "ran" not in notebook.names


# Completion.


def test_a_run_goes_on_in_processes_where_the_magic_says_so(built: Notebook) -> None:
    built.ok(
        "%%cascade --quiet\n"
        "import os\n"
        "factor = 2\n"
        "def helper(x): return x * factor\n"
        "def there(): return os.getpid(), helper(4)\n"
        "t = there()",
        "B",
    )
    built.run("run = %cascade run t --on processes --wait")
    pid, value = built.names["run"].result()
    assert (pid == os.getpid(), value) == (False, 8)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        built.names["mine"] = pool
        built.run("run = %cascade run t --on mine --fresh --wait")
        there, value = built.names["run"].result()
    assert value == 8
    assert there not in {pid, os.getpid()}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%cascade ru", ["run", "runs"]),
        ("%cascade re", ["resume"]),
        ("%cascade run rep", ["report"]),
        ("run = %cascade run ra", ["raw"]),
        (
            "%cascade run --",
            [
                "--fresh",
                "--help",
                "--on",
                "--on-error",
                "--param",
                "--priority",
                "--share",
                "--wait",
            ],
        ),
        ("%cascade run report --on-error c", ["continue"]),
        ("%cascade run report --on p", ["processes"]),
        ("%cascade run report -p s", ["scale="]),
        ("%cascade pause task:lo", ["task:load"]),
        ("%cascade pause gl", ["global"]),
        ("%cascade br", ["breaker"]),
        ("%cascade breaker tot", ["total"]),
        ("%cascade guard memory 85% --s", ["--suspend"]),
        ("%cascade breaker total 3/1m --p", ["--probe"]),
        ("%cascade pause tot", ["total"]),
        ("%cascade pause tag:s", ["tag:slow"]),
        ("%cascade pause from:ra", ["from:raw"]),
        ("%cascade drop to", ["total"]),
        ("%cascade status 1", ["1"]),
        ("%%cascade --r", ["--run"]),
        ("%%cascade --run rep", ["report"]),
    ],
)
def test_the_tab_key_knows_words_and_names(built: Notebook, line: str, offered: list[str]) -> None:
    built.ok(
        "%%cascade --quiet\nimport cascade_nb as cs\nscale = cs.Param('scale', 1)\n"
        "scaled = total(raw, scale).tagged('slow')",
        "B",
    )
    built.ok("%cascade run report")
    assert built.complete(line) == [line.rpartition(" ")[0] + f" {word}" for word in offered]


def test_completion_of_ordinary_code_is_left_alone(built: Notebook) -> None:
    assert "report" in built.complete("rep")
    assert "get_ipython().run_cell" in built.complete("get_ipython().run_c")
