"""The commands of `cascade-nb`: what each takes, and what does it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Final, NamedTuple

from cascade_nb.grammar.arguments import Arguments
from cascade_nb.grammar.commands import SCOPE, SHARED, TIME
from cascade_nb.terminal.asking import tell_runs, tell_status, why
from cascade_nb.terminal.control import cancel, limit, pause, rate, resume

PROGRAM: Final = "cascade-nb"
_RUN: Final = "only the run of this number or id"


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
    for name in ("pause", "resume", "limit", "rate"):
        shared[name].add_argument("--scope", dest="scope_option", metavar="SCOPE", help=SCOPE)
        shared[name].add_argument("--run", metavar="RUN", help=_RUN)
    for name in ("limit", "rate"):
        shared[name].add_argument("--reason", default="", help="why, for whoever looks")
        shared[name].add_argument("--for", dest="span", metavar="TIME", help=TIME)
    shared["cancel"].add_argument("--run", dest="run_option", metavar="RUN", help=_RUN)
    shared["cancel"].add_argument("--reason", default="", help="why, for whoever looks")
    shared["status"].add_argument("--run", dest="run_option", metavar="RUN", help=_RUN)
    shared["why"].add_argument("--run", metavar="RUN", help=_RUN)
    runs = Arguments(
        f"{PROGRAM} runs",
        "List the runs of all kernels and scripts of yours, and how they stand or ended.",
        [(f"{PROGRAM} runs", "their numbers, ids, and processes")],
    )
    made = {
        "status": Command(shared["status"], tell_status),
        "why": Command(shared["why"], why),
        "runs": Command(runs, tell_runs),
        "pause": Command(shared["pause"], pause),
        "resume": Command(shared["resume"], resume),
        "limit": Command(shared["limit"], limit),
        "rate": Command(shared["rate"], rate),
        "cancel": Command(shared["cancel"], cancel),
    }
    for command in made.values():
        command.takes.add_argument("--json", action="store_true", help="say it as JSON")
    return made


COMMANDS: Final = _commands()
