"""Three things this project was asked for by name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Phase
from cascade_nb.errors import DependencyMissingError, TaskFailedError
from cascade_nb.events import TaskBlocked, TaskExecutionStarted
from cascade_nb.protocols.connector import Callback, Payload
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, started, until


@cs.task
async def gather(*values: Any) -> list[Any]:
    return list(values)


# Pause and resume mid-stage: what waits for a slot is asked again, and then the pause refuses it.


async def test_pause_and_resume_mid_stage_under_a_limit_of_one(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy, controller = SpySubscriber(engine.bus), ControllerTestApp(connector)
    hold = {"A": Hold(), "B": Hold()}

    @cs.task
    async def A() -> str:  # noqa: N802 - the two are called so
        return str(await hold["A"].rest("a"))

    @cs.task
    async def B() -> str:  # noqa: N802
        return str(await hold["B"].rest("b"))

    await controller.limit("global", 1)
    run = engine.start(gather(A(), B()))
    await until(lambda: hold["A"].came)
    await controller.pause("global")
    assert run.status.phase is Phase.PAUSING
    hold["A"].let_go()
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert not hold["B"].came
    assert started(spy) == ["A#1"]

    await controller.resume("global")
    hold["B"].let_go()
    assert await run == ["a", "b"]
    assert len(started(spy)) == 3


async def test_pause_and_resume_mid_stage_without_a_limit(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy, controller = SpySubscriber(engine.bus), ControllerTestApp(connector)
    hold = Hold()

    @cs.task
    async def A() -> str:  # noqa: N802
        return str(await hold.rest("a"))

    @cs.task
    async def B() -> str:  # noqa: N802
        return str(await hold.rest("b"))

    run = engine.start(gather(A(), B()))
    await until(lambda: len(hold.came) == 2)
    await controller.pause("global")
    assert "2 finishing" in run.status.headline
    hold.let_go()
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert run.status.done == 2  # both in flight finished, and their results are kept
    assert sorted(started(spy)) == ["A#1", "B#1"]

    await controller.resume("global")
    assert await run == ["a", "b"]
    assert started(spy)[2:] == ["gather#1"]


# No start-up race: constraints are there before anything could disobey them.


class RecordingConnector(InProcessConnector):
    """Writes down what is asked of it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []

    async def connect(self) -> None:
        self.calls.append(("connect", ""))
        await asyncio.sleep(0.01)  # a broker takes its time
        await super().connect()

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        self.calls.append(("subscribe", topic_filter))
        await asyncio.sleep(0.01)
        await super().subscribe(topic_filter, callback)

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        if topic.startswith("cascade/telemetry"):
            self.calls.append(("publish", json.loads(payload)["body"]["event"]))  # type: ignore[arg-type]
        await super().publish(topic, payload, retain)

    async def disconnect(self) -> None:
        self.calls.append(("disconnect", ""))
        await super().disconnect()


async def test_no_startup_race_connect_then_subscribe_then_the_runs_start(
    make_engine: MakeEngine,
) -> None:
    connector = RecordingConnector()
    engine = make_engine(connector=connector)
    assert await engine.run(gather(1)) == [1]
    assert connector.calls == [
        ("connect", ""),
        ("subscribe", "cascade/constraints/#"),
        ("subscribe", "cascade/requests/+"),
        ("publish", "RunStarted"),
        ("publish", "TaskExecutionStarted"),
        ("publish", "TaskExecutionFinished"),
        ("publish", "RunFinished"),
        ("disconnect", ""),
    ]


async def test_no_startup_race_a_retained_pause_is_honoured_before_the_first_task(
    make_engine: MakeEngine,
) -> None:
    connector = RecordingConnector()
    controller = ControllerTestApp(connector)
    await controller.pause("global", reason="night")
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    run = engine.start(gather(1, gather(2)))
    await until(lambda: spy.events_of_type(TaskBlocked))
    assert not spy.events_of_type(TaskExecutionStarted)
    assert run.status.phase is Phase.PAUSED
    assert "night" in run.status.headline
    await controller.resume("global")
    assert await run == [1, [2]]


# A mapped target that fails or is skipped: earlier engines looked for a name it has not.


@pytest.mark.parametrize("on_error", ["stop", "continue"])
@pytest.mark.parametrize("lane", ["thread", "inline"])
async def test_a_mapped_target_that_fails_or_is_skipped_names_itself_and_the_real_cause(
    engine: Engine, on_error: str, lane: str
) -> None:
    @cs.task(executor=lane)
    def clean(x: int) -> int:
        if x == 2:
            raise ValueError("two is bad")
        return x

    with pytest.raises(TaskFailedError, match=r"map\(clean\)\[1\].*two is bad") as caught:
        await engine.run(clean.map(x=[1, 2, 3]), on_error=on_error)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.task == "map(clean)[1]"
    assert caught.value.target == "map(clean)"

    with pytest.raises(DependencyMissingError, match=r"map\(clean\) was skipped: .*is false"):
        await engine.run(clean.map(x=[1]).run_if(False))

    @cs.task
    def broken() -> list[int]:
        raise OSError("no rows")

    with pytest.raises(TaskFailedError, match=r"map\(clean\).*broken failed: OSError: no rows"):
        await engine.run(clean.map(x=broken()), on_error=on_error)

    with pytest.raises(DependencyMissingError, match=r"map\(clean\) was skipped: broken was"):
        await engine.run(clean.map(x=broken().run_if(False)))
