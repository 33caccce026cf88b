"""The bus tells everybody in order; nobody who listens can hurt anybody else."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cascade_nb.errors import UsageError
from cascade_nb.events import (
    Event,
    MessageBus,
    RunFinished,
    RunStarted,
    SubscriberWarning,
    TaskEvent,
    TaskProgress,
)
from cascade_nb.events import bus as bus_module

PATIENCE = 60.0


@pytest.fixture
def bus() -> MessageBus:
    return MessageBus()


def flushed(bus: MessageBus) -> None:
    assert bus.flush(PATIENCE)


def nobody_delivers() -> None:
    """Wait until no callback is running any more."""
    deadline = time.monotonic() + PATIENCE
    while any(t.name == "cascade-subscriber" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_everybody_hears_everything_in_order(bus: MessageBus) -> None:
    heard: dict[str, list[int]] = {"a": [], "b": []}

    def noted_in(numbers: list[int]) -> Callable[[Any], object]:
        return lambda event: numbers.append(event.done)

    for numbers in heard.values():
        bus.subscribe(noted_in(numbers))
    for i in range(1000):
        bus.publish(TaskProgress(done=i))
    flushed(bus)
    assert heard == {"a": list(range(1000)), "b": list(range(1000))}


def test_a_subscription_without_a_callback_keeps_what_it_hears(bus: MessageBus) -> None:
    subscription = bus.subscribe()
    bus.publish(RunStarted(title="a"))
    bus.publish(RunStarted(title="b"))
    assert [event.title for event in subscription.drain()] == ["a", "b"]  # type: ignore[attr-defined]
    assert subscription.drain() == []


def test_only_the_asked_kinds_and_their_subclasses_are_heard(bus: MessageBus) -> None:
    subscription = bus.subscribe(None, TaskEvent, RunFinished)
    for event in (RunStarted(), TaskProgress(), RunFinished(), Event()):
        bus.publish(event)
    assert [type(event) for event in subscription.drain()] == [TaskProgress, RunFinished]


def some(numbers: range, made_in: list[threading.Thread]) -> bus_module.Many:
    def made() -> Iterator[TaskProgress]:
        made_in.append(threading.current_thread())
        yield from (TaskProgress(done=i) for i in numbers)

    return bus_module.Many(TaskProgress, made)


def test_many_events_are_made_by_who_hears_them_and_in_their_turn(bus: MessageBus) -> None:
    made_in: list[threading.Thread] = []
    kept, others = bus.subscribe(), bus.subscribe(None, RunStarted)
    heard: list[int] = []
    bus.subscribe(lambda event: heard.append(event.done), TaskEvent)
    bus.publish(TaskProgress(done=0))
    bus.publish(some(range(1, 1000), made_in))
    bus.publish(TaskProgress(done=1000))
    flushed(bus)
    assert heard == list(range(1001))
    assert [thread.name for thread in made_in] == ["cascade-subscriber"]
    assert [event.done for event in kept.drain()] == list(range(1001))  # type: ignore[attr-defined]
    assert made_in[1:] == [threading.current_thread()]
    assert others.drain() == []


def test_one_may_close_in_the_middle_of_many_and_may_raise_at_each(bus: MessageBus) -> None:
    heard: list[int] = []

    def hear(event: TaskProgress) -> None:
        heard.append(event.done)
        if event.done == 3:
            subscription.close()
        raise ValueError

    subscription = bus.subscribe(hear)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bus.publish(some(range(10), []))
        nobody_delivers()
    assert [warning.category for warning in caught] == [SubscriberWarning]
    assert heard == [0, 1, 2, 3]


def test_it_knows_whether_anybody_listens(bus: MessageBus) -> None:
    assert not bus.listening
    one, two = bus.subscribe(), bus.subscribe(print)
    assert bus.listening
    one.close()
    assert bus.listening
    two.close()
    assert not bus.listening


def test_whoever_drains_is_woken(bus: MessageBus) -> None:
    woken: list[int] = []
    subscription = bus.subscribe(None, wake=lambda: woken.append(1))
    bus.publish(RunStarted())
    assert woken == [1]
    assert len(subscription.drain()) == 1


def test_one_that_raises_is_warned_about_once_and_hears_the_rest(bus: MessageBus) -> None:
    heard: list[Event] = []
    others: list[Event] = []

    def broken(event: Event) -> None:
        heard.append(event)
        raise RuntimeError("no")

    bus.subscribe(broken)
    bus.subscribe(others.append)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(10):
            bus.publish(RunStarted())
        flushed(bus)
    assert len(heard) == len(others) == 10
    (warning,) = caught
    assert warning.category is SubscriberWarning
    assert "broken raised RuntimeError('no') at RunStarted" in str(warning.message)


def test_one_that_hangs_holds_up_nobody(bus: MessageBus) -> None:
    go = threading.Event()
    heard: list[Event] = []
    bus.subscribe(lambda event: go.wait(PATIENCE))
    bus.subscribe(heard.append)
    began = time.monotonic()
    for _ in range(100):
        bus.publish(RunStarted())
    assert time.monotonic() - began < PATIENCE / 2  # publishing never waits
    deadline = time.monotonic() + PATIENCE
    while len(heard) < 100 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(heard) == 100
    assert not bus.flush(0.01)
    go.set()
    flushed(bus)


def many(bus: MessageBus, count: int) -> None:
    for _ in range(count):
        bus.publish(RunStarted())


def test_one_that_is_hopelessly_behind_is_given_up_with_a_warning(
    bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "BACKLOG", 10)
    go = threading.Event()
    bus.subscribe(lambda event: go.wait(PATIENCE))
    with pytest.warns(SubscriberWarning, match=r"10 events behind, so it is told nothing more"):
        many(bus, 20)
    assert not bus.listening
    go.set()


def test_one_may_publish_from_inside(bus: MessageBus) -> None:
    heard: list[Any] = []

    def echo(event: Event) -> None:
        heard.append(type(event).__name__)
        if isinstance(event, RunStarted):
            bus.publish(RunFinished())

    bus.subscribe(echo)
    bus.publish(RunStarted())
    flushed(bus)
    assert heard == ["RunStarted", "RunFinished"]


def test_one_may_unsubscribe_itself_and_others_in_the_middle(bus: MessageBus) -> None:
    heard: list[str] = []

    def once(event: Event) -> None:
        heard.append("once")
        mine.close()
        other.close()

    mine = bus.subscribe(once)
    other = bus.subscribe()
    third = bus.subscribe()
    bus.publish(RunStarted())
    nobody_delivers()
    for _ in range(2):
        bus.publish(RunStarted())
    flushed(bus)
    assert heard == ["once"]
    assert other.drain() == []
    assert len(third.drain()) == 3


def test_one_may_subscribe_another_in_the_middle(bus: MessageBus) -> None:
    later: list[Event] = []

    def add(event: Event) -> None:
        if not later:
            bus.subscribe(later.append)
            bus.publish(RunFinished())

    bus.subscribe(add, RunStarted)
    bus.publish(RunStarted())
    flushed(bus)
    assert [type(event) for event in later] == [RunFinished]


def test_a_closed_subscription_keeps_nothing(bus: MessageBus) -> None:
    subscription = bus.subscribe()
    bus.publish(RunStarted())
    subscription.close()
    subscription.close()
    subscription._put(RunStarted())  # a publisher that was already on its way
    assert subscription.drain() == []


def test_flushing_from_inside_a_callback_does_not_wait_for_itself(bus: MessageBus) -> None:
    flushes: list[bool] = []
    bus.subscribe(lambda event: flushes.append(bus.flush(PATIENCE)))
    bus.publish(RunStarted())
    flushed(bus)
    assert flushes == [True]


def test_the_delivering_thread_ends_when_there_is_nothing_to_tell(bus: MessageBus) -> None:
    bus.subscribe(lambda event: None)
    for _ in range(3):
        bus.publish(RunStarted())
        flushed(bus)
        nobody_delivers()


def test_many_threads_may_publish_subscribe_and_close_at_once(bus: MessageBus) -> None:
    heard: list[Event] = []
    bus.subscribe(heard.append)

    def work() -> None:
        for _ in range(200):
            mine = bus.subscribe()
            bus.publish(RunStarted())
            assert mine.drain()
            mine.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flushed(bus)
    assert len(heard) == 800


@pytest.mark.parametrize("given", [(RunFinished, print), (print, print), (print, RunFinished, 3)])
def test_what_cannot_be_heard_is_refused_where_it_is_asked_for(given: Any) -> None:
    # Else it would end the first run that has something to tell.
    bus = MessageBus()
    with pytest.raises(UsageError, match="the callback first and the classes of events behind it"):
        bus.subscribe(*given)
    assert not bus.listening
