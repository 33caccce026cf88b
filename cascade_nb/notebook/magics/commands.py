"""The sub-commands of `%cascade`: what each takes, and its help."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.engine.runs.request import ON_ERROR
from cascade_nb.grammar.arguments import Arguments
from cascade_nb.grammar.commands import MAGIC, SHARED, add_params, add_priority
from cascade_nb.notebook.export.action import export
from cascade_nb.notebook.export.importing import bring_in
from cascade_nb.notebook.magics.actions import (
    break_off,
    cap,
    draw,
    drop_names,
    end,
    hold,
    keep_free,
    let_go,
    slow_down,
    start,
    tell_plan,
    tell_status,
    tell_times,
    tell_why,
)
from cascade_nb.notebook.magics.answering import answer_question
from cascade_nb.notebook.magics.panels import show_panel
from cascade_nb.notebook.magics.parameters import show_params
from cascade_nb.notebook.magics.state_and_runs import go_on, keep_in, tell_runs
from cascade_nb.notebook.session import Session


class Command(NamedTuple):
    """One sub-command.

    Attributes:
        takes: its arguments.
        kind: what its arguments name, for completion: "nodes", "scopes", "runs", "live",
            "questions", "params" or "names".
        act: does it; what it gives is the value of the magic. The last argument says whether that
            is awaited.
    """

    takes: Arguments
    kind: str
    act: Callable[[Session, Namespace, bool], Any]


def _arguments(name: str, summary: str, examples: Sequence[tuple[str, str]] = ()) -> Arguments:
    return Arguments(f"{MAGIC} {name}", summary, examples)


def _commands() -> dict[str, Command]:
    graph = _arguments(
        "graph",
        "Show the graph of some names, or of all.",
        [
            ("%cascade graph", "of all names"),
            ("%cascade graph report", "report, and what it needs"),
        ],
    )
    graph.add_argument("name", nargs="*", help="what to show, with everything that it needs")

    run = _arguments(
        "run",
        "Run what some names need. In a notebook a panel shows how it goes; a terminal gives the "
        "prompt back at once, and says how the run ended.",
        [
            (
                "%cascade run report",
                "at once back; Pause and Cancel are in the panel, or %%cascade",
            ),
            ("%cascade run report --wait", "the cell ends when the run does"),
            ("%cascade run report -p size=10", "with a parameter"),
            ("run = %cascade run report", "keep the handle: run.pause(), await run"),
        ],
    )
    run.add_argument("name", nargs="*", help=_TARGET)
    run.add_argument("--wait", action="store_true", help="let the cell wait for the end")
    run.add_argument("--fresh", action="store_true", help="use no earlier results")
    run.add_argument(
        "--share",
        action="store_const",
        const="wait",
        default="no",
        help="wait for what another kernel with the same state computes just now",
    )
    add_params(run)
    run.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="after a failure: start nothing new (stop), or go on with all that does not need it",
    )
    run.add_argument(
        "--on",
        metavar="WHERE",
        help="where tasks run that do not say it: in threads, in processes, which a pause suspends "
        "and a cancel ends at once, or on an executor, by the name of its variable",
    )
    add_priority(run)

    plan = _arguments(
        "plan",
        "Say what a run would do, node by node, and why; nothing runs.",
        [
            ("%cascade plan report", "a table, and the graph with what would run"),
            ("%cascade plan report -p size=10", "with a parameter"),
            ("%cascade plan report --on processes", "and what would travel, and what cannot"),
        ],
    )
    plan.add_argument("name", nargs="*", help=_TARGET)
    add_params(plan)
    plan.add_argument(
        "--on",
        metavar="WHERE",
        help="where tasks would run that do not say it, as for run; nothing is started there",
    )

    params = _arguments(
        "params",
        "Show a form of the parameters; what is chosen there holds for all runs after that. Where "
        "there is no page, a table.",
        [
            ("%cascade params", "a form, and what a run would cost with what it says"),
            ("%cascade params size=10 mode=fast", "choose without a form; size= means its default"),
            ("%cascade params --reset", "all mean their defaults again"),
        ],
    )
    params.add_argument("value", nargs="*", metavar="NAME=VALUE", help="choose a value")
    params.add_argument("--reset", action="store_true", help="have all mean their defaults again")

    drop = _arguments(
        "drop",
        "Take names out of the workspace.",
        [("%cascade drop raw", "what reads it says so when it is planned")],
    )
    drop.add_argument(
        "name", nargs="+", help="a node or a task; what reads it says so when planned"
    )

    runs = _arguments(
        "runs",
        "List the runs of this kernel, and those that are written down where results are kept; or "
        "compare two that are over.",
        [
            ("%cascade runs", "their numbers, ids, and how they ended"),
            ("%cascade runs 6 7", "what changed, what got slower, which values differ"),
        ],
    )
    runs.add_argument("before", nargs="?", help="the number or id of a run that is over")
    runs.add_argument("after", nargs="?", help="that of the one to compare it with")

    times = _arguments(
        "times",
        "Say how long each task of a run took: attempts, total, longest.",
        [("%cascade times", "of the latest run"), ("%cascade times 3", "of run 3")],
    )
    times.add_argument("run", nargs="?", help="its number or id; without one, the latest")

    panel = _arguments(
        "panel",
        "Show all runs in one panel, which can stand at the side: what holds them, how each goes, "
        "and what two of them differ in. With a number, the panel of that run again: in a second "
        "tab, or a reopened notebook.",
        [
            ("%cascade panel", "all runs; a click on one opens its own panel"),
            ("%cascade panel 3", "the panel of run 3"),
        ],
    )
    panel.add_argument("run", nargs="?", help="its number or id; without one, all of them")

    written = _arguments(
        "export",
        "Write the workspace as a module with a command line, which runs without a notebook, or a "
        "run as a page that needs nothing beside itself.",
        [
            (
                "%cascade export flow.py",
                "then `python flow.py -h`, `cascade-nb run flow.py:report`",
            ),
            ("%cascade export flow.py report", "report, and what it needs"),
            ("%cascade export flow.py --tests", "and test_flow.py"),
            ("%cascade export report.html", "the last run: graph, time, failures, results"),
            ("%cascade export report.html 6", "run 6"),
        ],
    )
    written.add_argument("file", help="what to write: flow.py, report.html")
    written.add_argument(
        "name", nargs="*", help="nodes and tasks, or a run; without one, all, or the last"
    )
    written.add_argument("--tests", action="store_true", help="write a test of each end, too")
    written.add_argument("--force", action="store_true", help="write over files that are there")

    taken = _arguments(
        "import",
        "Take the tasks, parameters and nodes of a module as if its lines stood in a cell.",
        [("%cascade import flow.py", "again after an edit, and what it changed runs again")],
    )
    taken.add_argument("file", help="a file of Python, such as flow.py")
    taken.add_argument("--quiet", action="store_true", help="do not show the graph")

    shared = {name: make(MAGIC) for name, make in SHARED.items()}
    return {
        "graph": Command(graph, "nodes", draw),
        "plan": Command(plan, "nodes", tell_plan),
        "run": Command(run, "nodes", start),
        "status": Command(shared["status"], "runs", tell_status),
        "why": Command(shared["why"], "nodes", tell_why),
        "pause": Command(shared["pause"], "scopes", hold),
        "resume": Command(shared["resume"], "scopes", let_go),
        "limit": Command(shared["limit"], "scopes", cap),
        "rate": Command(shared["rate"], "scopes", slow_down),
        "breaker": Command(shared["breaker"], "scopes", break_off),
        "answer": Command(shared["answer"], "questions", answer_question),
        "guard": Command(shared["guard"], "scopes", keep_free),
        "cancel": Command(shared["cancel"], "live", end),
        "params": Command(params, "params", show_params),
        "export": Command(written, "names", export),
        "import": Command(taken, "", bring_in),
        "drop": Command(drop, "names", drop_names),
        "runs": Command(runs, "runs", tell_runs),
        "times": Command(times, "runs", tell_times),
        "panel": Command(panel, "runs", show_panel),
        "attach": Command(shared["attach"], "", go_on),
        "state": Command(shared["state"], "", keep_in),
    }


_TARGET: Final = "what to run; without one, what the last cell defined last, else the only end"
COMMANDS: Final = _commands()
# These wait for the state backend.
ASKING: Final = frozenset({"plan", "params", "why", "runs", "answer", "attach", "state", "export"})
