"""Lets tasks that use the same state of the process run one at a time.

The state is the process's, so the gates of all its engines ask one place. That place has a lock of
its own, which is always taken last and never held while anything else is called: a manager may ask
it under its own lock, and no manager ever asks another.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator
from typing import Final

from cascade_nb.control.gates import Gate, Subject, Ticket
from cascade_nb.graph.effects.global_writes import place_of

POLL: Final = 0.02  # seconds between two looks at what another engine's task has

taking: Final = threading.RLock()
"""Held from the question whether a ticket may pass until it has."""

_inside: dict[str, dict[Ticket, bool]] = {}  # by place, who has it, and whether to change it


class ProcessGate(Gate):
    """One piece of state of the process, as one engine sees it.

    Any number of those who only read it pass side by side. A task that waits for a run which it has
    started itself lends that run what it has.

    Attributes:
        kind: which.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(None)
        self.kind = kind
        self._place = place_of(kind)
        self._mine: set[Ticket] = set()

    @property
    def title(self) -> str:
        return f"process:{self.kind.partition(' ')[0]}"

    def refuses(self, ticket: Ticket, now: float) -> bool:
        changes = ticket.subject.states[self.kind]
        with taking:
            others = _inside.get(self._place, {})
            in_the_way = [one for one, changing in others.items() if changing or changes]
        if any(one is not ticket and one not in ticket.within for one in in_the_way):
            return True
        # Readers that come and come must not keep one waiting for ever who is to change it.
        first = self.first()
        lent = any(one in ticket.within for one in in_the_way)
        return first is not None and first.rank < ticket.rank and not lent

    def refuses_start(self, ticket: Ticket, now: float) -> bool:
        return False  # it is its own since it was admitted

    def take(self, ticket: Ticket) -> None:
        with taking:
            _inside.setdefault(self._place, {})[ticket] = ticket.subject.states[self.kind]
        self._mine.add(ticket)

    def give_back(self, ticket: Ticket) -> bool:
        if ticket not in self._mine:
            return False
        self._mine.discard(ticket)
        with taking:
            left = _inside[self._place]
            del left[ticket]
            if not left:
                del _inside[self._place]
        self.moves += 1
        return True

    def opens_at(self, now: float) -> float:
        # What this gate has comes back to it. Of another engine nothing is heard, nor of who comes
        # to the same object by another name, also where that is back since this was refused.
        return math.inf if self._mine else now + POLL

    def passed(self) -> Collection[Ticket]:
        return list(self._mine)

    def holders(self) -> Collection[Ticket]:
        with taking:
            return list(_inside.get(self._place, ()))


class ProcessGates:
    """The gates of one engine, made when a task needs them."""

    def __init__(self) -> None:
        self._gates: dict[str, ProcessGate] = {}

    def of(self, subject: Subject) -> Iterator[ProcessGate]:
        """Those that a subject has to pass."""
        for kind in subject.states:
            if kind not in self._gates:
                self._gates[kind] = ProcessGate(kind)
            yield self._gates[kind]

    def all(self) -> Collection[ProcessGate]:
        """Every one there is."""
        return self._gates.values()
