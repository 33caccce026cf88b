"""Applies the constraints that messages bring, retained ones first, each once or not at all."""

from __future__ import annotations

import threading
from typing import Final

from cascade_nb.control.constraint import TYPES, Constraint, Key
from cascade_nb.control.explanations import others_words
from cascade_nb.control.holders import A_PERSON, Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.envelope import Latest, control_key
from cascade_nb.control.remote.messages import Message, parse_message, topic_of
from cascade_nb.control.remote.outcomes import Done
from cascade_nb.errors import RefusedMessageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.outside_events import ConstraintRejected
from cascade_nb.protocols.execution import Clock

MOST: Final = 1_000  # constraints from outside; each is looked at for each kind of task
_SHOWN: Final = 200  # characters of a topic that an event has


class RemoteConstraints:
    """The constraints of an engine that came over its connector.

    Every method is safe from any thread, so that a connector can hand in a message while the loop
    of the engine is blocked: what it asks for is in force when `take` returns.

    Args:
        bus: told what was refused.
        clock: what time it is.
        manager: where they are applied.
    """

    def __init__(self, bus: MessageBus, clock: Clock, manager: ConstraintManager) -> None:
        self._bus, self._clock, self._manager = bus, clock, manager
        self._lock = threading.RLock()
        self._latest = Latest()
        self._listening = False
        # By scope, type and holder of what is in force, the message that asked for it.
        self._applied: dict[Key, Message] = {}
        self._announced: set[Key] | None = None

    def begin(self) -> None:
        """A connection is there, and messages may come: first those that a broker has kept."""
        with self._lock:
            self._listening, self._announced = True, set()

    def complete(self) -> None:
        """All that a broker has kept has come: what is in force and did not come again was lifted
        meanwhile.

        With a key only a signed message lifts, and that none came is no message.
        """
        with self._lock:
            announced, self._announced = self._announced or set(), None
            if control_key() is None:
                for key in self._applied.keys() - announced:
                    self._withdraw(key)

    def end(self) -> None:
        """Nobody listens any more. What came from outside comes again with the next connection, if
        it still holds; kept meanwhile, a pause that was lifted while nobody listened would hold the
        next run for ever.
        """
        with self._lock:
            self._listening = False
            for key in sorted(self._applied, key=str):
                if self._manager.find(*key) is not None:
                    self._latest.may_return((self._applied[key].topic_scope, *key[1:]))
                self._withdraw(key)

    def take(self, topic: str, payload: bytes | str) -> Done | None:
        """Do what a message asks for. One that is refused changes nothing and is told as an event.

        Returns:
            What was done; None where nobody can read it, or nobody listens any more.
        """
        with self._lock:
            if not self._listening:
                return None  # a connector that others use may know of us longer than we of it
            wall = self._clock.wall()
            message = None
            try:
                message = parse_message(topic, payload, wall, control_key())
                return self._obey(message)
            except RefusedMessageError as error:
                self._keep_what_it_replaced(topic)
                self._bus.publish(
                    ConstraintRejected(timestamp=wall, topic=topic[:_SHOWN], error=str(error))
                )
                return None if message is None else Done(message, refused=str(error))

    def _obey(self, message: Message) -> Done:
        types = TYPES if message.type is None else (message.type,)
        abouts = [(message.topic_scope, type_, message.holder) for type_ in types]
        before = [self._latest.is_repeated(one, message.envelope) for one in abouts]
        repeated = any(before)
        if message.ttl is not None and message.ttl <= 0:
            if not message.lift and not repeated:
                self._withdraw((message.scope, types[0], message.holder))  # which it would renew
            raise RefusedMessageError("its time was over before it came")
        lifted: list[Constraint] = []
        if message.lift:
            lifted = [] if repeated else self._lift(message, types)
        elif repeated:
            self._come_again(message)
        else:
            self._apply(message)
        for one in abouts:
            self._latest.take(one, message.envelope)
        return Done(message, lifted, self._why_not(message, types) if not lifted else "")

    def _why_not(self, message: Message, types: tuple[str, ...]) -> str:
        """Why a program's or an agent's lift has lifted nothing, where others hold that."""
        if not message.lift or message.holder.kind == "person":
            return ""
        standing = [one for type_ in types for one in self._manager.standing(message.scope, type_)]
        return others_words(message.holder, standing) if standing else ""

    def _apply(self, message: Message) -> None:
        assert message.type is not None
        key = message.scope, message.type, message.holder
        if len(self._applied) >= MOST and key not in self._applied and self._are_many(message):
            raise RefusedMessageError(f"{MOST:,} constraints from outside are in force already")
        self._applied[key] = message
        if self._announced is not None:
            self._announced.add(key)
        self._manager.apply(
            message.scope,
            message.type,
            message.params,
            reason=message.reason,
            by=message.holder,
            ttl=message.ttl,
        )

    def _are_many(self, message: Message) -> bool:
        """Whether its like has no room: programs and agents leave people theirs."""
        person = message.holder.kind == "person"
        return sum((key[2].kind == "person") is person for key in self._applied) >= MOST

    def _come_again(self, message: Message) -> None:
        assert message.type is not None
        key = message.scope, message.type, message.holder
        if key not in self._applied or self._manager.find(*key) is None:
            raise RefusedMessageError("it came before, and was lifted since")
        if self._announced is not None:
            self._announced.add(key)

    def _lift(self, message: Message, types: tuple[str, ...]) -> list[Constraint]:
        # What named a run came on the topic of its scope, and is lifted there.
        of_a_run = bool(message.envelope.run)
        only = message.holder if message.holder.name else None
        meant = [
            key
            for key, one in self._applied.items()
            if key[1] in types
            and only in (None, key[2])
            and message.topic_scope == one.topic_scope
            and (key[0] == message.scope or not of_a_run)
        ]
        if control_key() is not None:
            self._refuse_replayed(message, [self._applied[key] for key in meant])
        done = [one for key in meant for one in self._withdraw(key, message.holder)]
        for type_ in types:
            for lifted in self._manager.lift(message.scope, type_, by=message.holder, only=only):
                self._applied.pop(lifted.key, None)
                done.append(lifted)
        return done

    @staticmethod
    def _refuse_replayed(lift: Message, held: list[Message]) -> None:
        """Whoever has kept a signed message may send it again, to an engine that has not seen it: a
        lift is for what was there when it was sent.
        """
        sent = lift.envelope.issued_at
        for one in held:
            before = one.envelope.issued_at
            if sent is None or (before is not None and sent < before):
                raise RefusedMessageError(
                    "it was sent before what it would lift, or does not say when; do the clocks "
                    "of those who send agree?"
                )

    def _withdraw(self, key: Key, by: Holder = A_PERSON) -> list[Constraint]:
        self._applied.pop(key, None)
        scope, type_, holder = key
        return self._manager.lift(scope, type_, by=by, only=holder)

    def _keep_what_it_replaced(self, topic: str) -> None:
        """What is refused lifts nothing, though a broker has forgotten for it what it kept."""
        if self._announced is not None:
            for key, one in self._applied.items():
                if topic_of(one.topic_scope, *key[1:]) == topic:
                    self._announced.add(key)
