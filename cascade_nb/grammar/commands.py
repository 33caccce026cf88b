"""The commands that notebook and terminal have in common: what each takes, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Final

from cascade_nb.grammar.arguments import Arguments
from cascade_nb.text import quoted

MAGIC: Final = "%cascade"
SCOPE: Final = "a task, a node, or global, task:…, tag:…, node:…, from:…, run:…"
TIME: Final = "end by itself: 90s, 10m, 1h30m"


def add_params(arguments: Arguments) -> None:
    """Let parameters be given."""
    arguments.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a parameter; as often as you like",
    )


def add_priority(arguments: Arguments) -> None:
    """Let a run have a priority."""
    arguments.add_argument(
        "--priority",
        metavar="N",
        help="before other runs with a lower one; without it 0",
    )


def status(caller: str) -> Arguments:
    """What runs are doing."""
    made = Arguments(
        f"{caller} status",
        "Say what runs are doing, and what holds them.",
        [(f"{caller} status", "all, and what is in force"), (f"{caller} status 3", "run 3")],
    )
    made.add_argument("run", nargs="?", help="a run's number or id; without one, all")
    return made


def why(caller: str) -> Arguments:
    """Why a node stands as it does."""
    made = Arguments(
        f"{caller} why",
        "Say why a node runs, waits, is queued, held or did not run, and what changed since then.",
        [
            (f"{caller} why report", "a node"),
            (
                f"{caller} why {_typed('t[17]', caller)}",
                "an item of a mapped node, with its input",
            ),
        ],
    )
    made.add_argument("node", help="its name or id; `t[17]` for an item of a mapped one")
    return made


def pause(caller: str) -> Arguments:
    """Hold a scope."""
    judges = caller == MAGIC
    made = Arguments(
        f"{caller} pause",
        "Let nothing of a scope start any more; what is under way finishes. Or set a breakpoint: "
        "all goes on, and what is of the scope is held when it would start.",
        [
            (f"{caller} pause", "everything"),
            (f"{caller} pause train", "the task train, in every run"),
            (f"{caller} pause from:clean --for 10m", "clean and all after it, for ten minutes"),
            *([(f"{caller} pause train --dry", "what that would hold")] if judges else []),
            (f"{caller} pause --before train", "a breakpoint; resume lets go on what it holds"),
            *(
                [
                    (
                        f'{caller} pause --before train --if "len(x) > 3"',
                        "where that is true of its inputs",
                    )
                ]
                if judges
                else []
            ),
        ],
    )
    made.add_argument("scope", nargs="?", help=SCOPE)
    made.add_argument("--before", action="store_true", help="set a breakpoint before each of them")
    made.add_argument(
        "--if",
        dest="condition",
        metavar="EXPRESSION",
        type=str if judges else _no_condition,
        help="with --before: hold only where this is true of what a call gets, by the names of its "
        "parameters, and of what has a name here"
        if judges
        else argparse.SUPPRESS,
    )
    if judges:
        made.add_argument(
            "--dry", action="store_true", help="say what it would hold, and hold nothing"
        )
    made.add_argument("--reason", default="", help="why, for whoever looks")
    made.add_argument("--for", dest="span", metavar="TIME", help=TIME)
    return made


def resume(caller: str) -> Arguments:
    """Lift a pause."""
    made = Arguments(
        f"{caller} resume",
        "Lift a pause; what is ready starts at once. Where there is none, what is held at a "
        "breakpoint goes on.",
        [
            (f"{caller} resume", "the only pause, or that of everything"),
            (f"{caller} resume train", "of the task train"),
            (f"{caller} resume {_typed('t[17]', caller)}", "an item that a breakpoint holds"),
            (f"{caller} resume --before train", "no breakpoint before train any more"),
        ],
    )
    made.add_argument("scope", nargs="?", help=f"{SCOPE}; without one, the only pause")
    made.add_argument("--before", action="store_true", help="take a breakpoint away")
    return made


def limit(caller: str) -> Arguments:
    """Cap how many run at once."""
    made = Arguments(
        f"{caller} limit",
        "Let at most so many of a scope run at once.",
        [
            (f"{caller} limit train 4", "at most four"),
            (f"{caller} limit train off", "no limit"),
            (f"{caller} limit", "which limits there are"),
        ],
    )
    made.add_argument(
        "scope_and_number", nargs="*", metavar="[SCOPE] N|off", help=f"{SCOPE}; and a number"
    )
    return made


def rate(caller: str) -> Arguments:
    """Cap how many start per time."""
    made = Arguments(
        f"{caller} rate",
        "Let at most so many of a scope start per time.",
        [
            (f"{caller} rate fetch 10/m", "ten starts a minute; also 5/s, 300/h, 1/30s"),
            (f"{caller} rate fetch off", "as many as can"),
            (f"{caller} rate", "which rates there are"),
        ],
    )
    made.add_argument(
        "scope_and_rate", nargs="*", metavar="[SCOPE] RATE|off", help=f"{SCOPE}; and a rate"
    )
    return made


def breaker(caller: str) -> Arguments:
    """Hold what fails too often."""
    made = Arguments(
        f"{caller} breaker",
        "Pause a scope when so many attempts of it fail within a time.",
        [
            (f"{caller} breaker fetch 3/1m", "at three within a minute; also 5/30s, 2/h"),
            (f"{caller} breaker fetch 3/1m --probe 5m", "one tries it again after 5 minutes"),
            (f"{caller} breaker fetch off", "no breaker, nor the pause that it made"),
            (f"{caller} breaker", "which breakers there are"),
        ],
    )
    made.add_argument(
        "scope_and_rule",
        nargs="*",
        metavar="[SCOPE] FAILURES/TIME|off",
        help=f"{SCOPE}; and how many failures within which time",
    )
    made.add_argument(
        "--probe",
        metavar="TIME",
        help="after this time let one through, whose end decides: 90s, 10m; without it, "
        "whoever resumes the scope does",
    )
    return made


def answer(caller: str) -> Arguments:
    """Answer a question."""
    again = caller == MAGIC
    made = Arguments(
        f"{caller} answer",
        "Answer what a run asks.",
        [
            (f"{caller} answer", "what is asked"),
            (f"{caller} answer approve yes", "the question of the node approve"),
            (f"{caller} answer {_typed('map(ask)[3]', caller)} 12", "of an item of a mapped one"),
            *([(f"{caller} answer approve --again", "have it asked anew")] if again else []),
        ],
    )
    made.add_argument("name", nargs="?", help="of the node that asks; without one, what is asked")
    made.add_argument("value", nargs="*", help="the answer; of several words, with a space between")
    if again:
        made.add_argument(
            "--again",
            action="store_true",
            help="do not use the answer that is kept: the next run asks",
        )
    return made


def guard(caller: str) -> Arguments:
    """Start nothing while memory is scarce."""
    made = Arguments(
        f"{caller} guard",
        "Let nothing of a scope start while more than a part of the memory is used.",
        [
            (f"{caller} guard memory 85%", "of the machine, or of the container around it"),
            (f"{caller} guard memory 85% --suspend", "and suspend processes, the largest first"),
            (f"{caller} guard train memory 70%", "the task train alone"),
            (f"{caller} guard off", "no guard"),
            (f"{caller} guard", "which guards there are"),
        ],
    )
    made.add_argument(
        "scope_and_part",
        nargs="*",
        metavar="[SCOPE] memory PERCENT|off",
        help=f"{SCOPE}; and above how much of the memory nothing starts",
    )
    made.add_argument(
        "--suspend",
        action="store_true",
        help="suspend what runs in processes meanwhile, all but one, the largest first; nothing "
        "is ever ended",
    )
    return made


def cancel(caller: str) -> Arguments:
    """End a run."""
    made = Arguments(
        f"{caller} cancel",
        "End a run: nothing starts any more, what runs is stopped.",
        [(f"{caller} cancel", "the only one that goes on"), (f"{caller} cancel 3", "run 3")],
    )
    made.add_argument("run", nargs="?", help="its number or id; without one, the only one")
    return made


def attach(caller: str) -> Arguments:
    """Go on with a run."""
    waits = caller == MAGIC
    made = Arguments(
        f"{caller} attach",
        "Go on with a run whose kernel is gone; nothing that was completed runs again.",
        [
            (f"{caller} attach", "the latest that did not come to its end"),
            (f"{caller} attach 3f2a", "the one whose id begins so"),
            *([(f"{caller} attach --wait", "the cell ends when the run does")] if waits else []),
        ],
    )
    listed = caller.replace("%", "%%")
    made.add_argument("run", nargs="?", help=f"its id, or how it begins; see `{listed} runs`")
    if waits:
        made.add_argument("--wait", action="store_true", help="let the cell wait for the end")
    return made


def state(caller: str) -> Arguments:
    """Where results are kept."""
    moves = caller == MAGIC
    made = Arguments(
        f"{caller} state",
        "Say where results are kept, or keep them elsewhere from now on."
        if moves
        else "Say what is kept at a place for results, and remove what is old.",
        [
            (f"{caller} state sqlite:///results.db", "in a file of this folder"),
            (f"{caller} state redis://localhost:6379/0", "where other machines find them too"),
            *(
                [
                    (f"{caller} state memory:", "while this kernel lives"),
                    (
                        f"{caller} state sqlite:///results.db?limit=20GB",
                        "the longest unused go above that",
                    ),
                ]
                if moves
                else []
            ),
            (f"{caller} state --clean --older 30d", "remove what nobody used for 30 days"),
        ],
    )
    made.add_argument(
        "url",
        nargs="?",
        help="where; without it, say where they are and what takes how much"
        if moves
        else "where; without it, what CASCADE_STATE says",
    )
    made.add_argument(
        "--clean", action="store_true", help="remove results that have expired by their ttl"
    )
    made.add_argument(
        "--older",
        metavar="TIME",
        help="with --clean: and those that were not used for so long, such as 30d or 12h",
    )
    return made


def _no_condition(text: str) -> str:
    """Refuse a condition where it would come from outside."""
    raise argparse.ArgumentTypeError(
        "a condition is code, which no kernel takes from outside; in a cell of its notebook "
        f"`{MAGIC} pause --before SCOPE --if {quoted(text)}` sets it"
    )


def _typed(name: str, caller: str) -> str:
    """A name that a shell would take for a pattern, as one has to type it."""
    return name if caller == MAGIC else f"'{name}'"


#: By name, what makes the arguments of a command, given what is typed before that name.
SHARED: Final[Mapping[str, Callable[[str], Arguments]]] = {
    make.__name__: make
    for make in (
        *(status, why, pause, resume, limit, rate, breaker, guard),
        *(answer, cancel, attach, state),
    )
}
