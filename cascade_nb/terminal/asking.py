"""`cascade-nb status`, `why` and `runs`."""

from __future__ import annotations

import time
from argparse import Namespace

from cascade_nb.control.words import ago
from cascade_nb.door.asked import Answer, ask_everybody, ask_those_with, who
from cascade_nb.errors import UsageError
from cascade_nb.terminal.output import tell
from cascade_nb.terminal.remote.place import asked_at, nobody_at
from cascade_nb.text import quoted


def tell_status(given: Namespace) -> int:
    """Say what runs are doing, and what holds them."""
    run = one_of(given.run, given.run_option, "run")
    with asked_at(given) as among:
        if run is None:
            asked = ask_everybody("status", {}, among)
        else:
            asked = ask_those_with(run, "status", {}, live=False, among=among)
    # Those in which something goes on are told last, where one looks.
    answers = sorted(asked.good, key=lambda answer: bool(answer.get("live")))
    lines = [line for answer in answers for line in status_lines(answer)]
    return tell(asked, given.json, lines, nobody_at(given))


def status_lines(answer: Answer) -> list[str]:
    """What one process says of its runs."""
    lines = [f"{who(answer)}:", *(f"  {line}" for line in answer.get("lines", ()))]
    if not answer.get("live"):
        last = "; the last run:" if answer.get("runs") else ""
        lines.insert(1, f"  nothing is running{last}")
    if answer.get("in_force"):
        lines += ["  in force:", *(f"    {line}" for line in answer["in_force"])]
    if answer.get("left_off"):
        lines.append("  … and more, which no answer has room for")
    return lines


def why(given: Namespace) -> int:
    """Say why a node stands as it does."""
    with asked_at(given) as among:
        said = {"node": given.node}
        asked = ask_those_with(given.run, "why", said, live=False, among=among)
    known = [answer for _, answer in asked.answers if answer["ok"]]
    lines = [f"{who(answer)}: {line}" for answer in known for line in answer["lines"]]
    if known:  # that others have no such node is not worth a word
        kept = [(caller, answer) for caller, answer in asked.answers if answer["ok"]]
        asked = asked._replace(answers=kept)
    return tell(asked, given.json, lines, nobody_at(given))


def tell_runs(given: Namespace) -> int:
    """List the runs."""
    with asked_at(given) as among:
        asked = ask_everybody("runs", {}, among)
    now = time.time()
    lines = []
    for answer in asked.good:
        lines.append(f"{who(answer)}:")
        rows = [
            (
                f"{one['number']:>5}  {one['run_id']}  {one['title']}",
                "goes on" if one["started"] is None else ago(now - one["started"]),
                one["headline"],
            )
            for one in answer["runs"]
        ]
        width = max((len(row[0]) for row in rows), default=0)
        lines += [f"{head:<{width}}  {when:>12}  {how}" for head, when, how in rows]
        if not rows:
            lines.append("  nothing was run yet")
    return tell(asked, given.json, lines, nobody_at(given))


def one_of(positional: str | None, option: str | None, what: str) -> str | None:
    """What was given in one of two ways.

    Raises:
        UsageError: in both.
    """
    if positional is not None and option is not None:
        raise UsageError(f"the {what} is given twice: {quoted(positional)} and {quoted(option)}")
    return option if positional is None else positional
