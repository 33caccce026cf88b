"""What why, plans and values say of a node after what happened to it: each history asked each
question.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from cascade_nb.defaults import default_engine
from cascade_nb.engine.reporting.history import History
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache
from cascade_nb.notebook.extension import _sessions
from tests.notebook.conftest import Notebook

CELL = """%%cascade --quiet
BAD = 13
def _halve(x): return x // 2
def score(x):
    if x == BAD: raise ValueError("thirteen")
    return _halve(x)
def load(n): return list(range(n))
scores = [score(i) for i in (0, 13, 2)]
rows = load(20)
mapped = score.map(x=rows)
deep = load(score(13))
wanted = score(4).run_if(False)
after = load(wanted)
"""
MENDED = CELL.replace("BAD = 13", "BAD = -1")
HALVED = CELL.replace("x // 2", "x // 3")
SAME = "its code and inputs are the same"
FAILED = "ValueError: thirteen"
NEW = "never ran here"

#: What was done, what is asked, and what the answer says in this order.
TABLE = [
    # nothing yet
    ([], "why scores[1]", ["scores[1] is part of no run; `%cascade run scores[1]` starts one"]),
    ([], "why scores", ["scores holds 3 nodes; `%cascade why scores[0]` asks", ": 3 to run."]),
    ([], "why mapped[13]", ["mapped[13] is part of no run", "mapped would run: "]),
    ([], "why map(score)[13]", ["map(score)[13] is part of no run", "map(score) would run"]),
    ([], "why score#1", ["score#1 is part of no run"]),
    ([], "why score", ["score is a task; its nodes are mapped, wanted, score#1", "why mapped`"]),
    ([], "why wanted", ["it would be skipped: its condition is false"]),
    ([], "why after", ["it would be skipped: it needs wanted, which is skipped"]),
    ([], "why scores[9]", ["there is no item 'scores[9]'; scores has 3, from 0"]),
    ([], "why score[0]", ["there is no node 'score[0]'"]),
    # a list of calls, of which one failed
    (["run scores"], "why scores[1]", ["run 1: scores[1] failed: " + FAILED, "it failed in run 1"]),
    (
        ["run scores"],
        "plan scores[1]",
        ["1 runs: failed in run 1", "score#1 = score(13)  " + FAILED],
    ),
    (["run scores[0]"], "plan scores[1]", [f"1 runs: {NEW}", "score#1 = score(13)"]),
    (["run scores[0]"], "plan scores[0]", ["1 stands", "score#1 = score(0)"]),
    (["run scores", CELL], "why scores[1]", ["run 1: scores[1] failed: " + FAILED]),
    (
        ["run scores", MENDED],
        "plan scores[1]",
        ["`score`: its constant BAD changed: 13 → -1", "failed in run 1: " + FAILED],
    ),
    (["run scores", MENDED, "run scores"], "why scores[1]", ["run 2: scores[1] is done", SAME]),
    # edits are told of the very call that they touch
    (
        ["run scores[0]", HALVED],
        "plan scores[0]",
        ["`score`: its helper _halve changed, line 1", "score#1 = score(0)"],
    ),
    (
        ["run scores[2] deep"],
        "plan deep",
        ["1 runs: failed in run 1", "score#1 = score(13)  " + FAILED],
    ),
    (["run rows", CELL.replace("20", "21")], "why rows", ["its argument n changed: 20 → 21"]),
    # what was made of it, and what was not
    (["run deep"], "why deep", ["run 1: deep was not started: score failed", "not started in run"]),
    (["run deep"], "why score", ["run 1: score#1 failed: " + FAILED]),
    (["run deep", "run rows"], "why deep", ["run 1: deep was not started: score failed and the"]),
    (["run rows", "run deep"], "why rows", ["run 1: rows is done", SAME]),
    # maps and their items
    (["run mapped"], "why mapped", ["run 1: mapped failed at [13]: " + FAILED, "of 20 items of"]),
    (
        ["run mapped"],
        "why mapped[13]",
        ["mapped[13] failed: " + FAILED, "input: x=13"],
    ),
    (["run mapped"], "why map(score)[13]", ["map(score)[13] failed: " + FAILED, "input: x=13"]),
    (["run mapped", "run rows"], "why mapped[13]", ["run 1: mapped failed at [13]: " + FAILED]),
    (
        ["run mapped", "run rows"],
        "plan mapped",
        ["1 runs: failed at [13] in run 1", "mapped  " + FAILED],
    ),
    (["run mapped", MENDED, "run mapped"], "why mapped[13]", ["run 2: mapped[13] is done", SAME]),
    (["run rows"], "why rows[3]", ["run 1: rows is done"]),
    # conditions, holds, cancels
    (
        ["run scores[0] wanted"],
        "why wanted",
        ["wanted was skipped (ConditionFalse)"],
    ),
    (["run after"], "why after", ["after was skipped", "wanted", "it would be skipped"]),
    (
        ["pause load"],
        "why rows",
        ["part of no run", "would be held: load tasks paused"],
    ),
    (["pause load", "hold rows"], "why rows", ["rows is held: load tasks paused", "resume load`"]),
    (["pause load", "hold mapped"], "why mapped", ["mapped waits for rows"]),
    (["pause load", "hold mapped"], "why mapped[3]", ["mapped[3]: mapped has no items yet"]),
    (["pause score", "hold mapped"], "why mapped[3]", ["mapped[3] is held: score tasks paused"]),
    (["pause load", "hold rows", "cancel"], "why rows", ["did not finish: the run was cancelled"]),
    (
        ["pause load", "hold rows", "cancel"],
        "plan rows",
        ["did not finish in run 1", "the run was cancelled"],
    ),
    (["pause load", "hold rows", "cancel", "run scores[0]"], "why rows", ["run 1: rows did not"]),
]


def done(notebook: Notebook, what: str) -> None:
    if what.startswith("%%"):
        notebook.ok(what, "A")
    elif what.startswith("hold "):
        notebook.ok(f"held = cs.start({what[5:]})\nwhile not held.status.held: time.sleep(0.01)")
    elif what == "cancel":
        notebook.ok("held.cancel()\nwhile not held.done(): time.sleep(0.01)\n%cascade resume load")
    else:
        notebook.run(f"%cascade {what} --wait" if what.startswith("run ") else f"%cascade {what}")


@pytest.mark.may_block("IPython reads sources for a traceback")
def test_each_answer_fits_what_happened(notebook: Notebook) -> None:
    notebook.ok("import time, cascade_nb as cs\nfrom cascade_nb.defaults import default_engine")
    notebook.ok("engine = default_engine()")
    engine = default_engine()
    for history, question, answer in TABLE:
        asyncio.run(engine.state.clean(0.0))
        engine.provenance, engine.history, engine._started = ProvenanceCache(), History(), 0
        _sessions[notebook.shell].latest = None
        notebook.ok(CELL, "A")
        for step in history:
            done(notebook, step)
        asked = notebook.run(f"%cascade {question}")
        said = asked.text + str(asked.error or "")
        expected = ".*".join(map(re.escape, answer))
        assert re.search(expected, said, re.DOTALL), f"{history} {question}: {said}"
        is_new = f"1 runs: {NEW}" in answer
        assert (NEW in said) is is_new, f"{history} {question}: {said}"
        for run in engine.runs:
            run.cancel()
        notebook.ok("cs.resume('task:load'); cs.resume('task:score')")
        notebook.ok("while engine.runs: time.sleep(0.005)")
