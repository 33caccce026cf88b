"""Takes the answers and the signals that messages bring to the questions of one engine."""

from __future__ import annotations

import threading
from typing import Final

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.answer_messages import (
    RemoteAnswer,
    parse_remote_answer,
    parse_signal,
)
from cascade_nb.control.remote.envelope import Latest, control_key
from cascade_nb.control.remote.outcomes import outcome_of_answer
from cascade_nb.engine.asking.signals import signals_of
from cascade_nb.errors import AnswerError, CascadeError, RefusedMessageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.outside_events import AnswerRejected
from cascade_nb.protocols.execution import Clock
from cascade_nb.text import quoted

_SHOWN: Final = 200  # characters of a topic that an event has


class RemoteAnswers:
    """What comes over a connector for the questions of an engine. Safe from any thread, so that a
    connector can hand in a message while the engine's loop is blocked.

    Args:
        bus: told what was refused.
        clock: what time it is.
        manager: of the engine.
    """

    def __init__(self, bus: MessageBus, clock: Clock, manager: ConstraintManager) -> None:
        self._bus, self._clock = bus, clock
        self._signals = signals_of(manager)
        self._lock = threading.Lock()
        self._latest = Latest()

    def take(self, topic: str, payload: bytes | str, source: str) -> tuple[str, bytes] | None:
        """Answer the question that a message is about. One that is refused changes nothing and is
        told as an event.

        Returns:
            Topic and payload of what is to be said of that, where its sender asked.
        """
        wall, key = self._clock.wall(), control_key()
        try:
            answer = parse_remote_answer(topic, payload, wall, key)
        except RefusedMessageError as error:
            self._refused(topic, error)
            return None
        try:
            self._give(answer)
        except (CascadeError, RecursionError) as error:
            self._refused(topic, error)
            # Where several engines hear it, only one that asks has something to say.
            known = any(asks.knows(answer.name) for asks in self._signals.asking())
            return outcome_of_answer(answer, source, wall, key, str(error)) if known else None
        return outcome_of_answer(answer, source, wall, key)

    def hear(self, topic: str, payload: bytes | str) -> None:
        """A message came on a topic on which questions wait, or waited."""
        waiting = self._signals.waiting(topic)
        if not waiting:
            return  # nothing does any more; it was on its way
        try:
            value = parse_signal(topic, payload, control_key())
        except RefusedMessageError as error:
            self._refused(topic, error)
            return
        for deliver in waiting:
            try:
                deliver(value, topic)
            except (CascadeError, RecursionError) as error:
                self._refused(topic, error)

    def _give(self, answer: RemoteAnswer) -> None:
        if answer.ttl is not None and answer.ttl <= 0:
            raise RefusedMessageError("its time was over before it came")
        about = "answer", answer.name, answer.envelope.run
        with self._lock:
            if self._latest.is_repeated(about, answer.envelope):
                raise RefusedMessageError("it came before")
            self._latest.take(about, answer.envelope)
        run = answer.envelope.run
        asking = [one for one in self._signals.asking() if run in ("", one.run_id)]
        found = [one for one in asking if one.asks(answer.name)]
        found = found or [one for one in asking if one.knows(answer.name)][:1]
        if not found:
            raise AnswerError(f"nothing here asks {quoted(answer.name)}")
        if len(found) > 1:
            some = ", ".join(one.run_id for one in found[:5])
            raise AnswerError(f"several runs ask {quoted(answer.name)}, so say which: {some}")
        found[0].answer(answer.name, answer.value, answer.holder)

    def _refused(self, topic: str, error: BaseException) -> None:
        said = AnswerRejected(
            timestamp=self._clock.wall(), topic=topic[:_SHOWN], error=str(error)[:500]
        )
        self._bus.publish(said)
