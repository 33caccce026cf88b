"""`cascade-nb answer` over a broker, for a run on another machine."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import Any

from cascade_nb.terminal.broker import WAIT, heard_over_broker
from cascade_nb.terminal.output import DONE, FAILED, NOBODY, complain, say, say_json


def over_broker(given: Namespace) -> int:
    """Send an answer to a broker, and say what came of it. Gives the exit code.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
    """
    answers = heard_over_broker(given, partial(_answers, given))
    if answers is None:
        return FAILED
    taken = [one for one in answers if "refused" not in one]
    code = DONE if taken else FAILED if answers else NOBODY
    if given.json:
        said = {"ok": code == DONE, "node": given.name, "answers": answers, "exit": code}
        say_json(said)
        return code
    say(*(f"{one['source']}: {one['name']} has its answer" for one in taken))
    complain(*(f"{one['source']} refused: {one['refused']}" for one in answers if one not in taken))
    if code == NOBODY:
        complain(f"nobody asks that, or answered within {WAIT:g} s")
    return code


async def _answers(given: Namespace, controller: Any) -> list[dict[str, Any]]:
    value = " ".join(given.value)
    message = await controller.answer(given.name, value, run=given.run or "")
    found: list[dict[str, Any]] = await controller.answers(message, 1, WAIT)
    return found
