"""`cascade-nb answer` over a broker, for a run on another machine."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import Any

from cascade_nb.door.broker.callers import WAIT
from cascade_nb.terminal.broker import heard_over_broker
from cascade_nb.terminal.output import DONE, FAILED, NOBODY, complain, say, say_json


def over_broker(given: Namespace) -> int:
    """Send an answer to a broker, and say what came of it. Gives the exit code.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
    """
    heard = heard_over_broker(given, partial(_sent, given), alone=True)
    if heard is None:
        return FAILED
    code = heard.code
    if given.json:
        said = {"ok": code == DONE, "node": given.name, "answers": heard.answers}
        say_json({**said, "skipped": heard.unreadable, "exit": code})
        return code
    say(*(f"{one['source']}: {given.name} has its answer" for one in heard.done))
    heard.complain()
    if code == NOBODY:
        complain(f"nobody asks that, or answered within {WAIT:g} s")
    return code


async def _sent(given: Namespace, controller: Any) -> object:
    return await controller.answer(given.name, " ".join(given.value), run=given.run or "")
