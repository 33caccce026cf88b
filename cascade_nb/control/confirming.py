"""Tells of constraints when they are in force, also where somebody elsewhere has to confirm it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cascade_nb.control.constraint import Constraint, Key
from cascade_nb.control.constraint_events import applied, lifted
from cascade_nb.control.continuing import Continuing
from cascade_nb.control.gate_index import HOLD
from cascade_nb.control.holders import Holder
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.outside_events import ConstraintApplied

CONFIRMED_WITHIN: Final = 3.0
"""Seconds for which a pause waits for the word of those who were handed work and may not have begun
it; who says nothing for so long is taken not to answer at all."""


class Unconfirmed(NamedTuple):
    """A constraint that waits for word from elsewhere.

    Attributes:
        key: its key.
        words: set when they have come.
        event: told then; None where nobody listens.
    """

    key: Key
    words: list[threading.Event]
    event: ConstraintApplied | None


class Confirming(Continuing):
    """The part of a constraint manager that says what is in force."""

    bus: MessageBus

    def __init__(self, resources: Mapping[str, float] | None = None) -> None:
        super().__init__(resources)
        self._words: list[threading.Event] = []
        self._untold: dict[Key, Unconfirmed] = {}
        # The engine's: calls back when the move that goes on is done.
        self.after_move: Callable[[Callable[[], object]], None] = lambda ask: None

    @property
    def is_in_a_move(self) -> bool:
        """Whether the caller's own thread is in the middle of a move: a finalizer asks, or the
        handler of a signal, and nothing may be changed behind that move's back.
        """
        return bool(self.lock._is_owned())  # type: ignore[attr-defined]

    def await_word(self, word: threading.Event) -> None:
        """What is put into force just now holds only when `word` is set: until then something may
        begin that was handed over before. Call under `lock`, when told of a pause.
        """
        self._words.append(word)

    def _in_force(self, constraint: Constraint, lasts: float | None, wait: bool) -> Unconfirmed:
        """Tell of a constraint, unless it has to be confirmed first. Call under `lock`."""
        words, self._words = self._words, []
        self._tell_untold(constraint.key)
        event = applied(constraint, self.clock.wall(), lasts) if self.bus.listening else None
        made = Unconfirmed(constraint.key, words if wait else [], event)
        self._untold[constraint.key] = made
        if not made.words:
            self._tell_untold(constraint.key)
        return made

    def _confirm(self, one: Unconfirmed) -> None:
        """Wait until what was asked elsewhere is answered, and tell of it; without `lock`."""
        if not one.words:
            return
        until = time.monotonic() + CONFIRMED_WITHIN
        for word in one.words:
            word.wait(max(0.0, until - time.monotonic()))
        with self.lock:
            if self._untold.get(one.key) is one:  # otherwise somebody was quicker to change it
                self._tell_untold(one.key)

    def _tell_untold(self, key: Key) -> None:
        one = self._untold.pop(key, None)
        if one is not None and one.event is not None:
            self.bus.publish(one.event)

    def _tell_lifted(self, constraint: Constraint, cause: str, by: Holder) -> None:
        """Tell of the end of a constraint, after its beginning. Call under `lock`."""
        self._tell_untold(constraint.key)
        if self.bus.listening and constraint.type != HOLD:
            self.bus.publish(lifted(constraint, self.clock.wall(), cause, by))
