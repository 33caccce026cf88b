"""May this node start now? All or nothing, and whoever waits is not forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from cascade_nb.control import ConstraintManager, Scope
from cascade_nb.control.gate_kinds.resource_pools import check_against
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.errors import ConstraintError, PolicyError
from cascade_nb.events import ConstraintApplied, ConstraintLifted, MessageBus
from cascade_nb.testing import SpySubscriber, VirtualClock


class Crowd:
    """An owner whose tickets ask again when they are told to, and run until they are ended."""

    def __init__(self, manager: ConstraintManager, run_id: str = "r") -> None:
        self.manager = manager
        self.run_id = run_id
        self.running: dict[int, Ticket] = {}
        self.waiting: set[int] = set()
        self.rests = 0
        manager.enter(self)

    def ask(self, key: int, task: str = "work", tags: str = "", **needs: float) -> bool:
        subject = Subject(self.run_id, task, frozenset(tags.split()))
        return self._ask(Ticket(self, key, key, key, subject, needs or None))

    def _ask(self, ticket: Ticket) -> bool:
        if self.manager.admit(ticket) is None:
            self.running[ticket.key] = ticket
            self.waiting.discard(ticket.key)
            return True
        self.waiting.add(ticket.key)
        return False

    def end(self, key: int) -> None:
        self.manager.release(self.running.pop(key))
        self.manager.hand_out()

    def offer(self, ticket: Ticket) -> None:
        self._ask(ticket)

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        for ticket in tickets:
            self._ask(ticket)

    def paused(self) -> None:
        """This one counts nothing."""

    def lifting(self) -> None:
        """This one has nothing to hold back."""

    def lifted(self) -> None:
        self.rests += 1

    def in_flight(self) -> Iterable[Ticket]:
        return list(self.running.values())

    def members(self, scope: Scope) -> frozenset[int]:
        return frozenset({1, 2} if scope.value == "low" else ())

    def process_of(self, ticket: Ticket) -> int | None:
        return None

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        return (f"task {ticket.key}",)

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        return f"task {ticket.key}", 1, True


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus() -> MessageBus:
    return MessageBus()


@pytest.fixture
def manager(clock: VirtualClock, bus: MessageBus) -> ConstraintManager:
    return ConstraintManager(clock, bus, {"gpu": 2.0})


@pytest.fixture
def crowd(manager: ConstraintManager) -> Crowd:
    return Crowd(manager)


def test_without_constraints_everything_may_start(manager: ConstraintManager, crowd: Crowd) -> None:
    assert manager.idle(Subject("r", "work"))
    assert all(crowd.ask(key) for key in range(5))


@pytest.mark.parametrize(
    ("scope", "task", "tags", "holds"),
    [
        ("global", "work", "", True),
        ("task:work", "work", "", True),
        ("task:w*", "work", "", True),
        ("task:W*", "work", "", False),
        ("task:other", "work", "", False),
        ("tag:a", "work", "a b", True),
        ("tag:c", "work", "a b", False),
        ("run:r", "work", "", True),
        ("run:other", "work", "", False),
        ("node:low", "work", "", True),
        ("from:low", "work", "", True),
        ("node:high", "work", "", False),
    ],
)
def test_a_constraint_is_about_its_scope(
    manager: ConstraintManager, crowd: Crowd, scope: str, task: str, tags: str, holds: bool
) -> None:
    manager.apply(scope)
    assert crowd.ask(1, task, tags) is not holds
    manager.lift(scope)
    assert crowd.running.keys() == {1}


def test_nothing_is_taken_when_anything_is_refused(
    manager: ConstraintManager, crowd: Crowd, clock: VirtualClock
) -> None:
    manager.apply("global", "concurrency", {"limit": 1})
    manager.apply("task:work", "rate_limit", {"rate": "1/h"})
    manager.apply("tag:held", "pause")
    assert not crowd.ask(1, tags="held", gpu=2)
    # The slot, the token and the gpu are all still there for another.
    assert crowd.ask(2, gpu=2)
    crowd.end(2)
    manager.lift("tag:held")
    assert crowd.waiting == {1}  # the token is spent now
    clock.advance(3600)
    manager.tick()
    assert crowd.running.keys() == {1}


def test_waiters_are_served_by_rank(manager: ConstraintManager, crowd: Crowd) -> None:
    manager.apply("global", "concurrency", {"limit": 1})
    assert crowd.ask(9)
    for key in (5, 3, 7):
        crowd.ask(key)
    order: list[int] = []
    for _ in range(3):
        (running,) = crowd.running
        crowd.end(running)
        order += crowd.running
    assert order == [3, 5, 7]


@pytest.mark.parametrize("limit", [2, 3, 10])
def test_raising_a_limit_lets_in_so_many_more(
    manager: ConstraintManager, crowd: Crowd, limit: int
) -> None:
    manager.apply("global", "concurrency", {"limit": 1})
    for key in range(5):
        crowd.ask(key)
    manager.apply("global", "concurrency", {"limit": limit})
    assert len(crowd.running) == min(limit, 5)


def test_a_new_limit_counts_what_runs_and_lowering_one_lets_nobody_in(
    manager: ConstraintManager, crowd: Crowd
) -> None:
    for key in range(3):
        assert crowd.ask(key)
    manager.apply("global", "concurrency", {"limit": 2})
    assert not crowd.ask(3)
    crowd.end(0)
    assert crowd.waiting == {3}
    crowd.end(1)
    assert crowd.running.keys() == {2, 3}


def test_one_that_waits_for_two_things_gets_both(manager: ConstraintManager, crowd: Crowd) -> None:
    manager.apply("task:a", "concurrency", {"limit": 1})
    manager.apply("tag:t", "concurrency", {"limit": 1})
    assert crowd.ask(1, "a")
    assert crowd.ask(2, "b", "t")
    assert not crowd.ask(3, "a", "t")
    assert not crowd.ask(4, "b", "t")
    crowd.end(1)  # 3 is offered the one, and refused by the other
    assert crowd.waiting == {3, 4}
    crowd.end(2)
    assert crowd.running.keys() == {3}
    crowd.end(3)
    assert crowd.running.keys() == {4}


def test_resources_are_given_in_order_and_given_back(
    manager: ConstraintManager, crowd: Crowd
) -> None:
    assert crowd.ask(5, gpu=1)
    assert not crowd.ask(6, gpu=2)
    assert not crowd.ask(7, gpu=1)  # or 6 would be overtaken for ever
    assert crowd.ask(8)  # who needs none does not wait
    crowd.end(5)
    assert crowd.running.keys() == {6, 8}
    crowd.end(6)
    assert crowd.running.keys() == {7, 8}


def test_needs_that_could_never_be_met_are_refused(manager: ConstraintManager) -> None:
    check_against(manager.pools, {"gpu": 2}, "train")
    with pytest.raises(PolicyError, match=r"train needs 2.5 gpu, and there is only 2 in all"):
        check_against(manager.pools, {"gpu": 2.5}, "train")
    with pytest.raises(PolicyError, match=r"needs 'gpus'.*did you mean 'gpu'.*Engine\(system_res"):
        check_against(manager.pools, {"gpus": 1}, "train")
    with pytest.raises(PolicyError):
        ConstraintManager(VirtualClock(), MessageBus(), {"gpu": -1})


def test_an_owner_that_leaves_takes_its_tickets_along(
    manager: ConstraintManager, crowd: Crowd
) -> None:
    other = Crowd(manager, "other")
    manager.apply("global", "concurrency", {"limit": 1})
    assert other.ask(1, gpu=2)
    assert not other.ask(2)
    assert not crowd.ask(3, gpu=1)
    manager.leave(other)
    manager.hand_out()
    assert crowd.running.keys() == {3}


@pytest.mark.parametrize("wrong", ["global", "gpu"])
def test_where_one_gate_goes_wrong_at_an_owners_end_the_others_have_back_what_they_gave(
    manager: ConstraintManager, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    other = Crowd(manager, "other")
    limit = manager.apply("global", "concurrency", {"limit": 1})
    gates = {"gpu": manager.pools["gpu"], "global": manager._gates[limit.key]}
    assert other.ask(1, gpu=2)

    def go_wrong(ticket: Ticket) -> bool:
        raise MemoryError

    monkeypatch.setattr(gates[wrong], "give_back", go_wrong)
    with pytest.raises(MemoryError):
        manager.leave(other)
    if wrong == "global":
        manager.lift("global")
        assert crowd.ask(2, gpu=2)
    else:
        assert crowd.ask(2)


@pytest.mark.parametrize("type", ["pause", "concurrency", "rate_limit"])
def test_a_constraint_ends_when_its_time_is_over(
    manager: ConstraintManager, crowd: Crowd, clock: VirtualClock, bus: MessageBus, type: str
) -> None:
    spy = SpySubscriber(bus)
    params: Any = {"concurrency": {"limit": 0}, "rate_limit": {"rate": "1/d"}}.get(type)
    manager.apply("global", type, params, ttl=60)
    crowd.ask(1)
    crowd.ask(2)
    assert manager.next_change() == pytest.approx(60)
    clock.advance(59)
    manager.tick()
    assert 2 in crowd.waiting
    clock.advance(1)
    manager.tick()
    assert crowd.running.keys() == {1, 2}
    assert manager.constraints() == []
    (event,) = spy.events_of_type(ConstraintLifted)
    assert (event.type, event.cause) == (type, "expired")
    assert crowd.rests == 1


def test_a_later_word_replaces_the_earlier_one_of_its_scope_and_type(
    manager: ConstraintManager, clock: VirtualClock, bus: MessageBus
) -> None:
    spy = SpySubscriber(bus)
    manager.apply("task:a", "pause", reason="one", ttl=10)
    clock.advance(5)
    made = manager.apply("task:a", "pause", reason="two")
    assert (made.reason, made.since, made.expires) == ("two", 0.0, None)
    assert manager.find("task:a") == made
    manager.apply("task:a", "concurrency", {"limit": 1})
    manager.apply("task:b", "pause")
    assert len(manager.constraints()) == 3
    assert [c.type for c in manager.lift("task:a")] == ["pause", "concurrency"]
    assert [str(c) for c in manager.constraints()] == ["pause of task:b"]
    assert manager.lift("task:a") == []
    assert len(spy.events_of_type(ConstraintApplied)) == 4


@pytest.mark.parametrize(
    ("scope", "type", "params", "ttl"),
    [
        ("nowhere", "pause", None, None),
        ("global", "hold", None, None),
        ("global", "concurrency", {"limit": -1}, None),
        ("global", "pause", None, 0),
    ],
)
def test_what_no_constraint_can_be_changes_nothing(
    manager: ConstraintManager, bus: MessageBus, scope: str, type: str, params: Any, ttl: Any
) -> None:
    spy = SpySubscriber(bus)
    with pytest.raises(ConstraintError):
        manager.apply(scope, type, params, ttl=ttl)
    assert manager.constraints() == []
    assert spy.events == []


def test_a_rate_goes_on_with_its_tokens_when_it_changes(
    manager: ConstraintManager, crowd: Crowd, clock: VirtualClock
) -> None:
    manager.apply("global", "rate_limit", {"rate": 1, "capacity": 3})
    assert [crowd.ask(key) for key in range(4)] == [True, True, True, False]
    manager.apply("global", "rate_limit", {"rate": 10, "capacity": 3})
    assert crowd.waiting == {3}
    clock.advance(0.11)
    manager.tick()
    assert 3 in crowd.running
