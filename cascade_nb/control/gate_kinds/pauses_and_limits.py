"""Gates of pauses, of limits of how many run at once, and of limits of how many start a second."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.gates import Gate, Subject, Ticket

_ENOUGH: Final = 1 - 1e-9  # a token that rounding took a billionth from is still a token


class PauseGate(Gate):
    """Lets nothing pass, and nothing of the runs that what it is about has started."""

    word = "held"

    def covers(self, subject: Subject) -> bool:
        if super().covers(subject):
            return True
        return subject.above is not None and self.covers(subject.above)

    def concerns(self, ticket: Ticket) -> bool:
        return any(map(super().concerns, (ticket, *ticket.within)))


class ConcurrencyGate(Gate):
    """Lets so many pass at once."""

    def __init__(self, constraint: Constraint) -> None:
        super().__init__(constraint)
        self.limit = constraint.limit
        self.inside: dict[Ticket, None] = {}  # in the order of their coming

    def refuses(self, ticket: Ticket, now: float) -> bool:
        return len(self.inside) >= self.limit

    def refuses_start(self, ticket: Ticket, now: float) -> bool:
        return len(self.inside) > self.limit  # it is one of them

    def take(self, ticket: Ticket) -> None:
        self.inside[ticket] = None  # no move: it was full when it last refused, so somebody left

    def give_back(self, ticket: Ticket) -> bool:
        if ticket not in self.inside:
            return False  # it started before the limit was there, and was not counted
        del self.inside[ticket]
        self.moves += 1
        return True

    def lend(self, ticket: Ticket, back: bool) -> bool:
        if not back:
            return self.give_back(ticket)
        self.take(ticket)  # for a moment there is one more than there may be
        return False

    def passed(self) -> Collection[Ticket]:
        return self.inside.keys()


class RateGate(Gate):
    """A token bucket: `rate` tokens a second come in, at most `capacity` are kept, a start takes
    one.

    It starts full, so the first `capacity` starts are free. The rule is the usual one, for instance
    in Turner, "New directions in communications", IEEE Communications Magazine 24(10), 1986.
    """

    def __init__(self, constraint: Constraint, now: float) -> None:
        super().__init__(constraint)
        self.rate, self.capacity = constraint.rate, constraint.capacity
        self.tokens = constraint.capacity
        self.filled = now
        self.paid: set[Ticket] = set()

    def _fill(self, now: float) -> None:
        if now > self.filled:
            self.tokens = min(self.capacity, self.tokens + (now - self.filled) * self.rate)
            self.filled = now

    def refuses(self, ticket: Ticket, now: float) -> bool:
        self._fill(now)
        return self.tokens < _ENOUGH

    def refuses_start(self, ticket: Ticket, now: float) -> bool:
        return ticket not in self.paid and self.refuses(ticket, now)

    def take(self, ticket: Ticket) -> None:
        if ticket not in self.paid:
            self.paid.add(ticket)
            self.tokens -= 1
            self.moves += 1

    def give_back(self, ticket: Ticket) -> bool:
        self.paid.discard(ticket)
        return False  # a start is a start, however soon it ends

    def undo(self, ticket: Ticket) -> bool:
        if ticket not in self.paid:
            return False  # admitted before the limit was there: it has paid nothing
        self.paid.remove(ticket)
        self.tokens = min(self.capacity, self.tokens + 1)
        self.moves += 1
        return True

    def passed(self) -> Collection[Ticket]:
        return self.paid

    def holders(self) -> Collection[Ticket]:
        return ()  # a token that was spent comes back to nobody

    def opens_at(self, now: float) -> float:
        self._fill(now)
        return now + max(0.0, 1 - self.tokens) / self.rate

    def change(self, constraint: Constraint, now: float) -> None:
        """Go on at another rate, with the tokens there are."""
        self._fill(now)
        self.constraint = constraint
        self.rate, self.capacity = constraint.rate, constraint.capacity
        self.tokens = min(self.tokens, self.capacity)
