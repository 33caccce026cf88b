"""`cascade-nb answer`: says what is asked, and answers it."""

from __future__ import annotations

import shlex
from argparse import Namespace

from cascade_nb.control.words import seconds_text
from cascade_nb.door.asked import Answer, ask, ask_everybody, ask_those_with, who
from cascade_nb.errors import UsageError
from cascade_nb.terminal.answers.over_broker import over_broker
from cascade_nb.terminal.output import tell
from cascade_nb.terminal.remote.place import asked_at, holder_of_command, nobody_at
from cascade_nb.text import quoted

_NOBODY = "nothing is running, so nothing is asked"


def answer(given: Namespace) -> int:
    """Answer what a run asks; without a name, say what is asked."""
    if given.name is not None and not given.value:
        raise UsageError(f"`cascade-nb answer {shlex.quote(given.name)} VALUE` needs the answer")
    if given.name is None:
        return _tell_questions(given)
    if given.broker is not None:
        return over_broker(given)
    holder = holder_of_command(given)
    said = {"node": given.name, "value": " ".join(given.value), "holder": holder}
    asked = ask_everybody("status", {}) if given.run is None else None
    asking = [] if asked is None else [c for c, it in asked.answers if _asks(it, given.name)]
    if asked is not None and len(asking) == 1:
        asked = ask(asking, asked.skipped, "answer", said)
    elif asking:
        some = ", ".join(dict.fromkeys(_runs_that_ask(asked.good if asked else [], given.name)))
        raise UsageError(f"several runs ask {quoted(given.name)}, so say which by --run: {some}")
    else:  # who has asked it before says who has answered
        asked = ask_those_with(given.run, "answer", said, live=True)
    lines = []
    for it in asked.good:
        lines += [f"{who(it)}: {one['node']} gets {one['answer']}" for one in it["answered"]]
    return tell(asked, given.json, lines, _NOBODY)


def _asks(it: Answer, name: str) -> bool:
    return any(_names(run, name) for run in it.get("runs", ()))


def _names(run: Answer, name: str) -> bool:
    return any(one["name"] == name for one in run.get("questions", ()))


def _runs_that_ask(answers: list[Answer], name: str) -> list[str]:
    found = [run for it in answers for run in it.get("runs", ()) if _names(run, name)]
    return [f"{run['run_id']} ({run['title']})" for run in found]


def _tell_questions(given: Namespace) -> int:
    with asked_at(given) as among:
        asked = ask_everybody("status", {}, among)
    lines = []
    for it in asked.good:
        for run in it.get("runs", ()):
            for one in run.get("questions", ()):
                left = "" if one["left"] is None else f", for {seconds_text(one['left'])} more"
                when = f"asked {seconds_text(one['waited'])} ago{left}"
                question = " ".join(one["text"].split())
                text = f"{one['name']}: {question} ({one['takes']}), {when}"
                lines.append(f"{who(it)}: run {run['number']} ({run['run_id']}): {text}")
            more = run.get("asking", 0) - len(run.get("questions", ()))
            if more > 0:
                lines.append(f"{who(it)}: run {run['number']} asks {more:,} more")
    return tell(asked, given.json, lines or ["Nothing is asked."], nobody_at(given))
