"""Breakers: so many failures within a time hold what they are of, until a person or a probe frees
it.

The rule is that of Nygard, "Release It!", 2007, with its three states: *closed*, everything passes;
*open*, or tripped, nothing does; *half-open*, one node does, as a probe, and its end decides.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.holders import Holder
from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.text import readable

THE_BREAKER: Final = "the breaker"  # by whom a pause is that one puts into force
_NAMED: Final = 3  # failures that a story tells of
_WORDS: Final = 120  # characters of each


class BreakerGate(Gate):
    """Lets everything pass until it trips; then a pause of its scope holds that.

    Attributes:
        story: which failures tripped it, in words; empty while it is closed.
        since: when it tripped.
        pause: what it put into force then.
        holder: whose that pause is: of whoever has the breaker, by means of it.
        probe: what was let through to try whether it works again.
    """

    word = "held"

    def __init__(self, constraint: Constraint) -> None:
        super().__init__(constraint)
        self.rule = constraint
        self.noted: deque[tuple[float, str]] = deque(maxlen=constraint.failures)
        self.story = ""
        self.since = 0.0
        self.pause: Constraint | None = None
        self.probe: Ticket | None = None

    @property
    def holder(self) -> Holder:
        return dataclasses.replace(self.rule.holder, means=THE_BREAKER)

    @property
    def probe_at(self) -> float:
        """When a probe may pass, once it has tripped; infinity for never."""
        after = self.rule.probe_after
        return math.inf if after is None else self.since + after

    def note(self, ticket: Ticket, words: str | None, now: float) -> bool:
        """An attempt did not succeed. Gives whether that trips the breaker.

        Args:
            ticket: its ticket, not released yet.
            words: what failed and how; None where it was cancelled, which says nothing.
            now: when.
        """
        if self.story:
            if self.probe is None or (ticket is not self.probe and self.probe not in ticket.within):
                return False  # it began before the breaker tripped
            if words is None:
                self.undo(ticket)
                return False
            self._trip(f"its probe failed: {_short(words)}", now)
            return True
        if words is None:
            return False
        self.noted.append((now, _short(words)))
        if len(self.noted) < self.rule.failures or now - self.noted[0][0] > self.rule.within:
            return False
        self._trip(self._story([told for _, told in self.noted]), now)
        return True

    def _story(self, told: Sequence[str]) -> str:
        scope = self.rule.scope
        of = "" if scope.kind == "global" else f" of {scope.words}"
        within = seconds_text(self.rule.within)
        more = f" and {len(told) - _NAMED:,} more" if len(told) > _NAMED else ""
        failures = f"{count_text(len(told), 'failure')}{of} within {within}"
        return f"{failures}: {'; '.join(told[:_NAMED])}{more}"

    def close(self) -> None:
        """Let everything pass, and count anew."""
        self.story, self.probe, self.pause = "", None, None
        self.noted.clear()
        self.moves += 1

    def _trip(self, story: str, now: float) -> None:
        """Let nothing pass from now on."""
        self.story, self.since, self.probe, self.pause = story, now, None, None
        self.moves += 1

    def change(self, constraint: Constraint) -> None:
        """Go on with other numbers; what has failed has failed, and what is held stays so."""
        self.constraint = self.rule = constraint
        self.noted = deque(self.noted, maxlen=constraint.failures)

    def retime(self, pause: Gate | None) -> None:
        """Its own pause, where that stands, ends when a probe may pass, to the last digit."""
        if pause is not None and self.pause is not None:
            expires = None if self.probe_at == math.inf else self.probe_at
            pause.constraint = self.pause = dataclasses.replace(self.pause, expires=expires)

    def refuses(self, ticket: Ticket, now: float) -> bool:
        if not self.story:
            return False
        if now < self.probe_at:
            return True
        probe = self.probe  # what it has started itself, and waits for, passes with it
        return probe is not None and probe is not ticket and probe not in ticket.within

    def take(self, ticket: Ticket) -> None:
        if self.story and self.probe is None:
            self.probe = ticket
            self.moves += 1

    def give_back(self, ticket: Ticket) -> bool:
        if ticket is not self.probe:
            return False
        self.close()  # had it failed, that would have been noted before
        return True

    def undo(self, ticket: Ticket) -> bool:
        if ticket is not self.probe:
            return False
        self.probe = None
        self.moves += 1
        return True

    def forget(self, owner: TicketOwner) -> None:
        super().forget(owner)
        if self.probe is not None and self.probe.owner is owner:
            self.undo(self.probe)

    def opens_at(self, now: float) -> float:
        return self.probe_at if self.story and now < self.probe_at else math.inf


def _short(words: str) -> str:
    told = readable(words)
    return told if len(told) <= _WORDS else f"{told[: _WORDS - 2]} …"
