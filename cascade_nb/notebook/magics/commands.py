"""The sub-commands of `%cascade`: what each takes, and its help."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.engine.engine import ON_ERROR
from cascade_nb.notebook.magics.actions import (
    cap,
    draw,
    drop_names,
    end,
    hold,
    let_go,
    slow_down,
    start,
    tell_plan,
    tell_status,
    tell_times,
    tell_why,
)
from cascade_nb.notebook.magics.arguments import Arguments
from cascade_nb.notebook.magics.panels import show_panel
from cascade_nb.notebook.magics.state_and_runs import go_on, keep_in, tell_runs
from cascade_nb.notebook.session import Session


class Command(NamedTuple):
    """One sub-command.

    Attributes:
        takes: its arguments.
        kind: what its arguments name, for completion: "nodes", "scopes", "runs", "live" or "names".
        act: does it; what it gives is the value of the magic. The last argument says whether that
            is awaited.
    """

    takes: Arguments
    kind: str
    act: Callable[[Session, Namespace, bool], Any]


def _arguments(name: str, summary: str, examples: Sequence[tuple[str, str]] = ()) -> Arguments:
    return Arguments(f"%cascade {name}", summary, examples)


def _add_params(arguments: Arguments) -> None:
    arguments.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a parameter; as often as you like",
    )


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
    _add_params(run)
    run.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="after a failure: start nothing new (stop), or go on with all that does not need it",
    )

    plan = _arguments(
        "plan",
        "Say what a run would do, node by node, and why; nothing runs.",
        [
            ("%cascade plan report", "a table, and the graph with what would run"),
            ("%cascade plan report -p size=10", "with a parameter"),
        ],
    )
    plan.add_argument("name", nargs="*", help=_TARGET)
    _add_params(plan)

    status = _arguments(
        "status",
        "Say what runs are doing, and what holds them.",
        [("%cascade status", "all, and what is in force"), ("%cascade status 3", "run 3")],
    )
    status.add_argument("run", nargs="?", help="a run's number or id; without one, all")

    why = _arguments(
        "why",
        "Say why a node runs, waits, is queued, held or did not run, and what changed since then.",
        [
            ("%cascade why report", "a node"),
            ("%cascade why t[17]", "an item of a mapped node, with its input"),
        ],
    )
    why.add_argument("node", help="its name or id; `t[17]` for an item of a mapped one")

    pause = _arguments(
        "pause",
        "Let nothing of a scope start any more; what is under way finishes.",
        [
            ("%cascade pause", "everything"),
            ("%cascade pause train", "the task train, in every run"),
            ("%cascade pause from:clean --for 10m", "clean and all after it, for ten minutes"),
        ],
    )
    pause.add_argument("scope", nargs="?", help=_SCOPE)
    pause.add_argument("--reason", default="", help="why, for whoever looks")
    pause.add_argument("--for", dest="span", metavar="TIME", help="end by itself: 90s, 10m, 1h30m")

    resume = _arguments(
        "resume",
        "Lift a pause; what is ready starts at once.",
        [
            ("%cascade resume", "the only pause, or that of everything"),
            ("%cascade resume train", "of the task train"),
        ],
    )
    resume.add_argument("scope", nargs="?", help=f"{_SCOPE}; without one, the only pause")

    limit = _arguments(
        "limit",
        "Let at most so many of a scope run at once.",
        [
            ("%cascade limit train 4", "at most four"),
            ("%cascade limit train off", "no limit"),
            ("%cascade limit", "which limits there are"),
        ],
    )
    limit.add_argument(
        "scope_and_number", nargs="*", metavar="[SCOPE] N|off", help=f"{_SCOPE}; and a number"
    )

    rate = _arguments(
        "rate",
        "Let at most so many of a scope start per time.",
        [
            ("%cascade rate fetch 10/m", "ten starts a minute; also 5/s, 300/h, 1/30s"),
            ("%cascade rate fetch off", "as many as can"),
            ("%cascade rate", "which rates there are"),
        ],
    )
    rate.add_argument(
        "scope_and_rate", nargs="*", metavar="[SCOPE] RATE|off", help=f"{_SCOPE}; and a rate"
    )

    cancel = _arguments(
        "cancel",
        "End a run: nothing starts any more, what runs is stopped.",
        [("%cascade cancel", "the only one that goes on"), ("%cascade cancel 3", "run 3")],
    )
    cancel.add_argument("run", nargs="?", help="its number or id; without one, the only one")

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
        "List the runs of this kernel, and those that are written down where results are kept.",
        [("%cascade runs", "their numbers, ids, and how they ended")],
    )

    times = _arguments(
        "times",
        "Say how long each task of a run took: attempts, total, longest.",
        [("%cascade times", "of the latest run"), ("%cascade times 3", "of run 3")],
    )
    times.add_argument("run", nargs="?", help="its number or id; without one, the latest")

    panel = _arguments(
        "panel",
        "Show the panel of a run again, below this cell: in a second tab, or a reopened notebook.",
        [("%cascade panel", "of the latest run"), ("%cascade panel 3", "of run 3")],
    )
    panel.add_argument("run", nargs="?", help="its number or id; without one, the latest")

    attach = _arguments(
        "attach",
        "Go on with a run whose kernel is gone; nothing that was completed runs again.",
        [
            ("%cascade attach", "the latest that did not come to its end"),
            ("%cascade attach 3f2a", "the one whose id begins so"),
            ("%cascade attach --wait", "the cell ends when the run does"),
        ],
    )
    attach.add_argument("run", nargs="?", help="its id, or how it begins; see `%%cascade runs`")
    attach.add_argument("--wait", action="store_true", help="let the cell wait for the end")

    state = _arguments(
        "state",
        "Say where results are kept, or keep them elsewhere from now on.",
        [
            ("%cascade state sqlite:///results.db", "in a file of this folder"),
            ("%cascade state redis://localhost:6379/0", "where other machines find them too"),
            ("%cascade state memory:", "while this kernel lives"),
            ("%cascade state sqlite:///results.db?limit=20GB", "the longest unused go above that"),
            ("%cascade state --clean --older 30d", "remove what nobody used for 30 days"),
        ],
    )
    state.add_argument(
        "url", nargs="?", help="where; without it, say where they are and what takes how much"
    )
    state.add_argument(
        "--clean", action="store_true", help="remove results that have expired by their ttl"
    )
    state.add_argument(
        "--older",
        metavar="TIME",
        help="with --clean: and those that were not used for so long, such as 30d or 12h",
    )

    return {
        "graph": Command(graph, "nodes", draw),
        "plan": Command(plan, "nodes", tell_plan),
        "run": Command(run, "nodes", start),
        "status": Command(status, "runs", tell_status),
        "why": Command(why, "nodes", tell_why),
        "pause": Command(pause, "scopes", hold),
        "resume": Command(resume, "scopes", let_go),
        "limit": Command(limit, "scopes", cap),
        "rate": Command(rate, "scopes", slow_down),
        "cancel": Command(cancel, "live", end),
        "drop": Command(drop, "names", drop_names),
        "runs": Command(runs, "", tell_runs),
        "times": Command(times, "runs", tell_times),
        "panel": Command(panel, "runs", show_panel),
        "attach": Command(attach, "", go_on),
        "state": Command(state, "", keep_in),
    }


_TARGET: Final = "what to run; without one, what the last cell defined last, else the only end"
_SCOPE: Final = "a task, a node, or global, task:…, tag:…, node:…, from:…, run:…"
COMMANDS: Final = _commands()
# These wait for the state backend.
ASKING: Final = frozenset({"plan", "why", "runs", "attach", "state"})
