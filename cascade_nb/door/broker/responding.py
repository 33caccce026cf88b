"""Says over a broker how the runs of one engine stand, and ends one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.door.known_runs import asked_engines, is_called, only_of, wake_who_waits
from cascade_nb.door.opening import DOOR
from cascade_nb.engine.asking.requests import answer_requests_with
from cascade_nb.engine.engine import Engine
from cascade_nb.errors import RefusedMessageError
from cascade_nb.text import quoted

#: What can be asked over a broker. What holds and lets go are messages that a broker keeps.
DOES: Final = ("hello", "status", "why", "runs", "wait", "cancel")


class BrokerResponder:
    """Answers as the door of this machine does, for one engine; see `Responder`."""

    def reply(
        self,
        manager: ConstraintManager,
        content: Mapping[str, Any],
        holder: Holder,
        about: Mapping[str, Any],
        room: int,
    ) -> bytes | None:
        """What comes of a request; None where it is about a run of another engine."""
        # Only a process that is asked pays for what answers.
        from cascade_nb.door.answers import Process, answer  # noqa: PLC0415 - as above
        from cascade_nb.door.protocol import encoded  # noqa: PLC0415 - as above

        engine = next((one for one in Engine.alive() if one.constraints is manager), None)
        if engine is None:
            return None
        with only_of(engine):
            if not _is_of_ours(content.get("run")):
                return None
            do = content.get("do")
            asked: object = dict(content)
            if isinstance(do, str) and do not in DOES:
                words = (
                    f"over a broker one asks for {', '.join(DOES)}, and not for {quoted(do, 40)}"
                )
                asked = RefusedMessageError(words)
            elif do == "cancel":
                asked = _checked_cancel({**content, "holder": str(holder)})
            said = answer(asked, Process("kernel" if DOOR.elsewhere else "script", DOOR.called()))
        said["id"] = content.get("id")
        said.pop("can_start", None)  # nothing is started from there
        said["process"] = {**said["process"], **about}
        return encoded(said, room)

    def wake(self) -> None:
        """Whoever waits for the end of a run that is over is answered now."""
        wake_who_waits(for_ended=True)


def _checked_cancel(content: dict[str, Any]) -> object:
    """The request, where it says exactly which run is to end: one that is sent again later, or that
    another engine hears, is to end no other.
    """
    run = content.get("run")
    if any(one.id == run for engine in asked_engines() for one in engine.runs):
        return content
    return RefusedMessageError("over a broker a run that goes on is cancelled by its whole id")


def _is_of_ours(run: object) -> bool:
    if not isinstance(run, str):
        return True
    numbers = [(one.number, one.id) for engine in asked_engines() for one in engine.runs]
    numbers += [
        (one.status.number, one.status.run_id)
        for engine in asked_engines()
        for one in engine.history.runs
    ]
    return any(is_called(number, run_id, run) for number, run_id in numbers)


def answer_over_brokers() -> None:
    """From now on engines answer what they are asked over a broker; said once, with the import."""
    answer_requests_with(BrokerResponder())
