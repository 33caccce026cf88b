"""A pause that is about work handed elsewhere is told when whoever has the work has answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cascade_nb.control import ConstraintManager
from cascade_nb.control import confirming as module
from cascade_nb.events import ConstraintApplied, ConstraintLifted, MessageBus
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.control.test_manager import Crowd

PATIENCE = 30.0


class Elsewhere(Crowd):
    """An owner whose work is elsewhere, where somebody has to be asked."""

    def __init__(self, manager: ConstraintManager) -> None:
        super().__init__(manager)
        self.asked = threading.Event()
        self.word = threading.Event()

    def paused(self) -> None:
        self.manager.await_word(self.word)
        self.asked.set()


@pytest.fixture
def bus() -> MessageBus:
    return MessageBus()


@pytest.fixture
def manager(bus: MessageBus) -> ConstraintManager:
    return ConstraintManager(VirtualClock(), bus)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def told(spy: SpySubscriber) -> list[str]:
    found = [*spy.events_of_type(ConstraintApplied), *spy.events_of_type(ConstraintLifted)]
    return [f"{type(one).__name__} {one.scope}" for one in found]


def test_a_pause_is_acknowledged_when_the_word_has_come(
    manager: ConstraintManager, bus: MessageBus, thread: ThreadPoolExecutor
) -> None:
    spy, owner = SpySubscriber(bus), Elsewhere(manager)
    made = thread.submit(manager.apply, "global")
    assert owner.asked.wait(PATIENCE)
    assert manager.find("global") is not None  # nothing more is handed over
    assert not made.done()
    assert not told(spy)
    owner.word.set()
    assert made.result(PATIENCE) == manager.find("global")
    assert told(spy) == ["ConstraintApplied global"]


def test_one_that_is_lifted_meanwhile_is_told_before_its_end(
    manager: ConstraintManager, bus: MessageBus, thread: ThreadPoolExecutor
) -> None:
    spy, owner = SpySubscriber(bus), Elsewhere(manager)
    made = thread.submit(manager.apply, "global")
    assert owner.asked.wait(PATIENCE)
    manager.lift("global")
    assert told(spy) == ["ConstraintApplied global", "ConstraintLifted global"]
    owner.word.set()
    made.result(PATIENCE)
    assert len(told(spy)) == 2


def test_a_pause_that_stands_waits_again_for_what_has_not_come(
    manager: ConstraintManager, thread: ThreadPoolExecutor
) -> None:
    owner = Elsewhere(manager)
    manager.apply("global", wait=False)
    owner.asked.clear()
    made = thread.submit(manager.apply, "global", reason="again")
    assert owner.asked.wait(PATIENCE)
    assert not made.done()
    owner.word.set()
    made.result(PATIENCE)


def test_who_never_answers_is_not_waited_for(
    manager: ConstraintManager, bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONFIRMED_WITHIN", 0.01)
    spy = SpySubscriber(bus)
    Elsewhere(manager)
    manager.apply("global")
    assert told(spy) == ["ConstraintApplied global"]
