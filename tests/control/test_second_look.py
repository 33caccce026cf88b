"""What was admitted and has not begun is looked at once more: the world may have changed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.errors import ConstraintError
from cascade_nb.events.bus import MessageBus
from cascade_nb.testing import VirtualClock


class Waiters:
    """An owner that notes what it is offered."""

    def __init__(self, manager: ConstraintManager) -> None:
        self.manager = manager
        self.subject = Subject("r", "work")
        self.offered: list[int] = []
        self.flying: list[Ticket] = []
        manager.enter(self)

    def ticket(self, key: int, rank: int = 0) -> Ticket:
        return Ticket(self, key, key, rank, self.subject)

    def admit(self, key: int) -> Ticket:
        ticket = self.ticket(key)
        assert self.manager.admit(ticket) is None
        self.flying.append(ticket)
        return ticket

    def offer(self, ticket: Ticket) -> None:
        self.offered.append(ticket.key)

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        self.offered += [ticket.key for ticket in tickets]

    def paused(self) -> None: ...

    def lifting(self) -> None: ...

    def lifted(self) -> None: ...

    def in_flight(self) -> list[Ticket]:
        return self.flying

    def members(self, scope: Scope) -> frozenset[int]:
        return frozenset()

    def process_of(self, ticket: Ticket) -> int | None:
        return None

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        return (str(ticket.key),)

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        return str(ticket.key), 1, True


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def manager(clock: VirtualClock) -> ConstraintManager:
    return ConstraintManager(clock, MessageBus())


@pytest.fixture
def waiters(manager: ConstraintManager) -> Waiters:
    return Waiters(manager)


def test_a_lowered_limit_holds_back_what_has_not_begun(
    manager: ConstraintManager, waiters: Waiters
) -> None:
    # All three were admitted; then, before a worker woke up, only one was allowed any more.
    manager.apply("task:work", "concurrency", {"limit": 3})
    tickets = [waiters.admit(key) for key in range(3)]
    manager.apply("task:work", "concurrency", {"limit": 1})
    assert [manager.recheck(ticket) for ticket in tickets] == [True, True, False]


def test_a_new_limit_holds_back_what_has_not_begun(
    manager: ConstraintManager, waiters: Waiters
) -> None:
    tickets = [waiters.admit(key) for key in range(2)]
    manager.apply("global", "concurrency", {"limit": 1})
    assert [manager.recheck(ticket) for ticket in tickets] == [True, False]


def test_what_has_not_begun_pays_a_rate_limit_that_came_in_between(
    manager: ConstraintManager, waiters: Waiters, clock: VirtualClock
) -> None:
    first, second = waiters.admit(1), waiters.admit(2)
    manager.apply("global", "rate_limit", {"rate": 0.5})
    assert not manager.recheck(first)
    assert manager.recheck(second)
    clock.advance(2.0)
    manager.tick()
    assert waiters.offered == [2]


def test_a_withdrawn_start_gets_back_only_the_token_that_it_paid(
    manager: ConstraintManager, waiters: Waiters
) -> None:
    # Admitted before the limit was there, it has paid nothing: a token that came back with it
    # would be one start too many for everybody else.
    free_rider = waiters.admit(1)
    manager.apply("global", "rate_limit", {"rate": 0.5})
    waiters.admit(2)
    manager.apply("global", "pause")
    assert manager.recheck(free_rider)
    manager.lift("global", "pause")
    assert manager.admit(free_rider) is not None


def test_a_start_that_is_given_up_gives_back_its_token(
    manager: ConstraintManager, waiters: Waiters
) -> None:
    manager.apply("global", "rate_limit", {"rate": 0.5})
    first = waiters.admit(1)
    assert manager.admit(waiters.ticket(2)) is not None
    manager.give_up(first)
    manager.hand_out()
    assert waiters.offered == [2]


def test_waiters_of_equal_rank_keep_their_order_when_they_were_refused_again(
    manager: ConstraintManager, waiters: Waiters
) -> None:
    # Looking at the first and putting it back must not send it to the end of the queue.
    manager.apply("global", "concurrency", {"limit": 1})
    running = waiters.admit(0)
    for key in (1, 2, 3):
        manager.admit(waiters.ticket(key))
    for _ in range(2):
        manager.apply("global", "concurrency", {"limit": 1})
    manager.release(running)
    manager.hand_out()
    assert waiters.offered == [1, 2, 3]


def test_a_type_that_is_none_is_not_lifted_in_silence(manager: ConstraintManager) -> None:
    manager.apply("global", "pause")
    with pytest.raises(ConstraintError, match="did you mean 'pause'"):
        manager.lift("global", "pasue")


def test_a_pause_that_is_said_again_is_given_as_it_is_in_force(
    manager: ConstraintManager, clock: VirtualClock
) -> None:
    manager.apply("global", "pause", reason="lunch")
    clock.advance(60.0)
    again = manager.apply("global", "pause", reason="still lunch")
    assert (again.since, again.reason) == (0.0, "still lunch")
    assert manager.find("global") == again
