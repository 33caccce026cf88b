"""`cascade-nb answer` over a broker, for a run on another machine."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import Any

from cascade_nb.connectors.urls import mqtt_controller
from cascade_nb.control.holders import A_PERSON, parse_holder
from cascade_nb.errors import UsageError
from cascade_nb.terminal.broker import WAIT, myself
from cascade_nb.terminal.control import holder_of_command
from cascade_nb.terminal.output import DONE, FAILED, NOBODY, complain, say, say_json


def over_broker(given: Namespace) -> int:
    """Send an answer to a broker, and say what came of it. Gives the exit code.

    Raises:
        UsageError: no question is named, this is no URL of a broker, or paho-mqtt is not installed.
    """
    if given.name is None:
        raise UsageError("a broker does not say what is asked; give a name and an answer")
    holder = holder_of_command(given)
    controller = mqtt_controller(
        given.broker,
        by=myself(),
        holder=A_PERSON if holder is None else parse_holder(holder),
        patience=WAIT,
    )
    try:
        answers = asyncio.run(_answers(controller, given))
    except OSError as error:
        if given.json:
            kind = type(error).__name__
            say_json({"ok": False, "kind": kind, "error": str(error), "exit": FAILED})
        complain(f"cascade-nb: {error}")
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


async def _answers(controller: Any, given: Namespace) -> list[dict[str, Any]]:
    async with controller:
        value = " ".join(given.value)
        message = await controller.answer(given.name, value, run=given.run or "")
        found: list[dict[str, Any]] = await controller.answers(message, 1, WAIT)
        return found
