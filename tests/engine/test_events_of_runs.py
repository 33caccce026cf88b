"""What a run tells: in order, safe to write down, and nothing when nobody listens."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.reporting import event_publisher as teller_module
from cascade_nb.events import (
    Event,
    RunFinished,
    RunStarted,
    SubscriberWarning,
    TaskBlocked,
    TaskEvent,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskRetrying,
    TaskSkipped,
    event_from_json,
)
from cascade_nb.events import record as record_module
from cascade_nb.events.record import record
from cascade_nb.testing import SpySubscriber
from tests.engine.test_dataflow import task_for
from tests.engine.tools import kinds, outcome, until


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


def rich_target() -> Any:
    """A graph in which everything happens that can happen."""
    tries: list[int] = []

    def flaky(x: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return x

    @cs.task
    async def tracked() -> int:
        async for _ in cs.track([1, 2]):
            await asyncio.sleep(0)
        return 1

    @cs.task
    def again(n: int) -> Any:
        return n if n == 3 else again(n + 1)

    mapped = task_for("thread", flaky).map(x=[1, 2, 3]).with_retry(3)
    router = cs.Router(give("a"), {"a": give(1), "b": give(2)})
    return [mapped, router, tracked(), again(0), give([5, give(3).run_if(give(False))]), mapped]


async def check_story(engine: Engine, spy: SpySubscriber, target: Any) -> None:
    run = engine.start(target, on_error="continue")
    await outcome(run)
    events = [event for event in spy.events if event.run_id == run.id]
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    stories: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if isinstance(event, TaskEvent):
            stories[event.task_id].append(event)
    for story in stories.values():
        state = "waiting"
        for event in story:
            if isinstance(event, TaskExecutionStarted):
                assert state in ("waiting", "retrying"), kinds(story)
                state = "running"
            elif isinstance(event, TaskRetrying):
                assert state == "running", kinds(story)
                state = "retrying"
            elif isinstance(event, TaskExecutionFinished):
                assert state == "running" or event.status == "failed", kinds(story)
                state = "over"
            elif isinstance(event, TaskSkipped):
                assert state in ("waiting", "running"), kinds(story)
                state = "over"
        assert state == "over", kinds(story)
    assert [event_from_json(event.to_json()) for event in events] == events


async def test_every_node_has_its_story_in_order(engine: Engine, spy: SpySubscriber) -> None:
    await check_story(engine, spy, rich_target())


async def test_also_when_everything_is_held_for_a_while(engine: Engine, spy: SpySubscriber) -> None:
    engine.pause(ttl=0.05)
    engine.limit("global", 1)
    await check_story(engine, spy, rich_target())
    assert spy.events_of_type(TaskBlocked)


async def test_each_run_tells_its_own_story(engine: Engine, spy: SpySubscriber) -> None:
    runs = [engine.start(rich_target()) for _ in range(4)]
    await asyncio.gather(*[outcome(run) for run in runs])
    for run in runs:
        mine = [event for event in spy.events if event.run_id == run.id]
        assert isinstance(mine[0], RunStarted)
        assert isinstance(mine[-1], RunFinished)


async def test_no_event_is_made_when_nobody_listens(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[type] = []

    def counted(kind: type[Event], values: Any) -> Event:
        made.append(kind)
        return record(kind, values)

    for module in (record_module, teller_module):  # the two places where any is made
        monkeypatch.setattr(module, "record", counted)
    await outcome(engine.start(rich_target()))
    assert made == []
    listening = engine.bus.subscribe()
    await outcome(engine.start(rich_target()))
    heard = [type(event) for event in listening.drain()]
    assert Counter(made) == Counter(heard)  # some are made only when they are heard
    listening.close()


async def test_subscribers_may_do_what_they_like(engine: Engine) -> None:
    heard = SpySubscriber(engine.bus)
    started: list[Any] = []

    def restless(event: Event) -> None:
        if isinstance(event, RunStarted):
            engine.pause("task:nothing")  # re-enters the engine
            started.append(list(engine.runs))
            raise RuntimeError("no")
        if isinstance(event, TaskExecutionStarted):
            subscription.close()

    with pytest.warns(SubscriberWarning, match=r"restless raised"):  # noqa: PT031
        subscription = engine.bus.subscribe(restless)
        assert await engine.run(give.map(x=list(range(50)))) == list(range(50))
        await until(lambda: engine.bus.flush(0.0))
    assert started
    assert len(heard.events_of_type(TaskExecutionFinished)) == 50


async def test_items_and_continued_tasks_have_ids_of_their_own(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def again(n: int) -> Any:
        return n if n == 5 else again(n + 1)

    await engine.run([give.map(x=[1, 2]).named("all"), again(0)])
    ids = [event.task_id for event in spy.events_of_type(TaskExecutionStarted)]
    assert len(set(ids)) == len(ids)
    assert {"all[0]", "all[1]"} <= set(ids)
