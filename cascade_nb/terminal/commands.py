"""The commands of `cascade-nb`: what each takes, and what does it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Final, NamedTuple

from cascade_nb.engine.runs.request import ON_ERROR
from cascade_nb.grammar.arguments import Arguments
from cascade_nb.grammar.commands import SCOPE, SHARED, TIME, add_params, add_priority
from cascade_nb.terminal.answers.answering import answer
from cascade_nb.terminal.asking import tell_runs, tell_status, why
from cascade_nb.terminal.broker import may_be_over_broker
from cascade_nb.terminal.control import breaker, cancel, guard, limit, pause, rate, resume
from cascade_nb.terminal.keeping import tell_state
from cascade_nb.terminal.planning import export, plan, serve_agent
from cascade_nb.terminal.remote.place import take_broker
from cascade_nb.terminal.running import attach, run
from cascade_nb.terminal.watching import watch

PROGRAM: Final = "cascade-nb"
HOLDS: Final = {
    "pause": pause,
    "resume": resume,
    "limit": limit,
    "rate": rate,
    "breaker": breaker,
    "guard": guard,
}
_RUN: Final = "only the run of this number or id"
_AS: Final = (
    "program:NAME or agent:NAME, which lifts no more than its own; without it, what CASCADE_HOLDER "
    "says, else you"
)


class Command(NamedTuple):
    """One command.

    Attributes:
        takes: its arguments.
        act: does it, and gives the exit code.
    """

    takes: Arguments
    act: Callable[[Namespace], int]


def _commands() -> dict[str, Command]:
    shared = {name: make(PROGRAM) for name, make in SHARED.items()}
    for name in HOLDS:
        shared[name].add_argument("--scope", dest="scope_option", metavar="SCOPE", help=SCOPE)
        shared[name].add_argument("--run", metavar="RUN", help=_RUN)
    for name in ("limit", "rate", "breaker", "guard"):
        shared[name].add_argument("--reason", default="", help="why, for whoever looks")
        shared[name].add_argument("--for", dest="span", metavar="TIME", help=TIME)
    for name in (*HOLDS, "cancel"):
        shared[name].add_argument("--as", dest="holder", metavar="HOLDER", help=_AS)
    shared["cancel"].add_argument("--run", dest="run_option", metavar="RUN", help=_RUN)
    shared["cancel"].add_argument("--reason", default="", help="why, for whoever looks")
    shared["status"].add_argument("--run", dest="run_option", metavar="RUN", help=_RUN)
    shared["why"].add_argument("--run", metavar="RUN", help=_RUN)
    run_list = Arguments(
        f"{PROGRAM} runs",
        "List the runs of all kernels and scripts of yours, and how they stand or ended.",
        [(f"{PROGRAM} runs", "their numbers, ids, and processes")],
    )
    made = {
        "status": Command(shared["status"], tell_status),
        "why": Command(shared["why"], why),
        "runs": Command(run_list, tell_runs),
        **{
            name: Command(shared[name], may_be_over_broker(shared[name], name, act))
            for name, act in HOLDS.items()
        },
        "cancel": Command(shared["cancel"], cancel),
    }
    answers = shared["answer"]
    answers.add_argument("--run", metavar="RUN", help=_RUN)
    answers.add_argument("--as", dest="holder", metavar="HOLDER", help=_AS)
    made["answer"] = Command(answers, answer)
    made["watch"] = Command(_watch(), watch)
    for name in ("status", "why", "runs", "cancel", "answer", "watch"):
        take_broker(made[name].takes)
    run_takes, attach_takes = _run(), shared["attach"]
    for takes in (run_takes, attach_takes):
        takes.add_argument("--state", metavar="URL", help="where results are kept: sqlite:///…")
    made["run"] = Command(run_takes, run)
    made["plan"] = Command(_plan(), plan)
    made["export"] = Command(_export(), export)
    made["attach"] = Command(attach_takes, attach)
    made["state"] = Command(shared["state"], tell_state)
    for command in made.values():
        command.takes.add_argument("--json", action="store_true", help="say it as JSON")
    return {**made, "mcp": Command(_mcp(), serve_agent)}


def _run() -> Arguments:
    made = Arguments(
        f"{PROGRAM} run",
        "Run a target of a file of Python, a module or a notebook, and wait for its end.",
        [
            (f"{PROGRAM} run flow.py:report", "the name report of flow.py"),
            (f"{PROGRAM} run flow.py:report -h", "and which parameters it has"),
            (f"{PROGRAM} run flow.py:report -p size=10", "with a parameter"),
            (f"{PROGRAM} run study.ipynb:report", "of a notebook's %%cascade cells"),
            (f"{PROGRAM} run flow.py:report --on processes", "its tasks in processes"),
            (f"{PROGRAM} run flow:report --json", "its events, a line of JSON each"),
        ],
    )
    _add_target(made)
    made.add_argument("--fresh", action="store_true", help="use no earlier results")
    made.add_argument(
        "--share",
        action="store_const",
        const="wait",
        default="no",
        help="wait for what another process with the same state computes just now",
    )
    made.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="after a failure: start nothing new (stop), or go on with all that does not need it",
    )
    made.add_argument(
        "--on",
        metavar="WHERE",
        help="where tasks run that do not say it: threads, processes, or an executor of the "
        "module, by its name",
    )
    add_priority(made)
    return made


def _plan() -> Arguments:
    made = Arguments(
        f"{PROGRAM} plan",
        "Say what a run would do, node by node, and why; nothing runs.",
        [
            (f"{PROGRAM} plan flow.py:report", "what of report would run, and what is there"),
            (f"{PROGRAM} plan study.ipynb:report -p size=10", "with a parameter"),
            (f"{PROGRAM} plan flow.py:report --on processes", "and what travels, and what cannot"),
        ],
    )
    _add_target(made)
    made.add_argument(
        "--on",
        metavar="WHERE",
        help="where tasks would run that do not say it, as for run; nothing is started there",
    )
    made.add_argument("--state", metavar="URL", help="where results are kept: sqlite:///…")
    return made


def _export() -> Arguments:
    made = Arguments(
        f"{PROGRAM} export",
        "Write what a notebook's %%cascade cells define as a module with a command line.",
        [
            (f"{PROGRAM} export study.ipynb", "as study.py, beside it"),
            (f"{PROGRAM} export study.ipynb flow.py report", "report, and what it needs"),
            (f"{PROGRAM} export study.ipynb flow.py --tests", "and test_flow.py"),
        ],
    )
    made.add_argument("notebook", help="such as study.ipynb")
    made.add_argument("file", nargs="?", help="what to write; without it, one beside the notebook")
    made.add_argument("name", nargs="*", help="nodes and tasks; without one, all")
    made.add_argument("--tests", action="store_true", help="write a test of each end, too")
    made.add_argument("--force", action="store_true", help="write over files that are there")
    return made


def _add_target(made: Arguments) -> None:
    made.add_argument(
        "target",
        metavar="PLACE:NAME",
        help="flow.py:report, package.flow:report, study.ipynb:report",
    )
    add_params(made)


def _mcp() -> Arguments:
    return Arguments(
        f"{PROGRAM} mcp",
        "Serve a coding agent that has started this: tools that look, plan, hold and start.",
        [
            (f"{PROGRAM} mcp", "what to write into the agent's configuration; needs the extra mcp"),
            (f"CASCADE_HOLDER=agent:claude {PROGRAM} mcp", "and what to call the agent"),
        ],
    )


def _watch() -> Arguments:
    made = Arguments(
        f"{PROGRAM} watch",
        "Tell how runs go until they are over.",
        [
            (f"{PROGRAM} watch", "all that go on; painted in place with the extra `terminal`"),
            (f"{PROGRAM} watch 3f2a && say done", "one, whose outcome is the exit code"),
            (f"{PROGRAM} watch --every 10s", "look every ten seconds"),
        ],
    )
    made.add_argument("run", nargs="?", help="a run's number or id; without one, all")
    made.add_argument("--every", metavar="TIME", default="1s", help="how often: 1s, 10s, 1m")
    return made


COMMANDS: Final = _commands()
