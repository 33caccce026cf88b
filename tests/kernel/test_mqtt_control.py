"""Kernels on one broker are held from outside, whatever their cells do, and one at a time."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.control.holders import A_PERSON
from cascade_nb.door.broker.callers import broker_at
from cascade_nb.door.callers import new_request
from cascade_nb.executors import LocalExecutor
from cascade_nb.testing import MqttControllerApp
from tests.connectors.mqtt_tools import Listener
from tests.engine.tools import until_blocking
from tests.support.examples import PROFILE
from tests.support.kernels import OWN, RealKernel
from tests.support.mosquitto import Mosquitto

T = TypeVar("T")

BLOCKS: Final = 20.0 if PROFILE == "soak" else 9.0  # seconds; the broker gives up after 6

SETUP = """
%load_ext cascade_nb
import asyncio, json, os, time
import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
engine = cs.Engine(connector=MqttConnector({url!r}, keepalive=4))
begun = []
@cs.task
def step(i):
    begun.append(time.time())
    time.sleep(.02)
    return i
run = engine.start(step.map(i=list(range(100_000))))
while not begun: await asyncio.sleep(.01)
print(run.id)
"""
LOOK = "print(json.dumps([len(begun), sum(at > {at!r} for at in begun), run.status.phase.value]))"
#: What a cell does meanwhile.
CELLS = {
    "idle": "",
    "awaiting": "while not os.path.exists({flag!r}): await asyncio.sleep(.01)",
    "blocked": "while not os.path.exists({flag!r}): time.sleep(.01)",
}


class Outside:
    """A controller and a listener on a loop of their own: a kernel's client has one, too."""

    def __init__(self, url: str) -> None:
        self._thread = LoopThread("outside")
        self.controller = MqttControllerApp(url, patience=60.0)
        self.statuses = Listener(url, "cascade/status/+")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(work).result(90)

    def hold(self, scope: str, engines: int) -> float:
        """Pause; when it was in force for all engines."""
        self.do(self.controller.pause(scope, reason="look"))
        self.do(self.controller.answers(engines))
        return time.time()

    def resume(self, scope: str, engines: int) -> None:
        self.do(self.controller.resume(scope))
        self.do(self.controller.answers(engines))

    @classmethod
    @contextlib.contextmanager
    def of(cls, broker: Mosquitto) -> Iterator[Outside]:
        made = cls(broker.url)
        made.do(made.controller.__aenter__())
        made.do(made.statuses.__aenter__())
        try:
            yield made
        finally:
            made.do(made.controller.__aexit__())
            made.do(made.statuses.__aexit__())
            made._thread.stop()


class Look(NamedTuple):
    """How many tasks have begun, and after a time that was asked for, and how the run is."""

    begun: int
    late: int
    phase: str


def look(kernel: RealKernel, at: float = 0.0) -> Look:
    return Look(*json.loads(kernel.check(LOOK.format(at=at)).stdout))


def nothing_begins(kernel: RealKernel, at: float) -> bool:
    """Whether nothing was let begin since: what had been may still write its time, one a thread."""
    until_blocking(lambda: look(kernel).phase == "paused")
    seen = look(kernel, at)
    time.sleep(0.2)
    return look(kernel).begun == seen.begun and seen.late <= LocalExecutor().capacity


def test_a_pause_is_in_force_at_once_whether_the_kernel_idles_awaits_or_is_blocked(
    tmp_path: Path,
) -> None:
    with (
        Mosquitto.start() as broker,
        RealKernel.start(OWN) as kernel,
        Outside.of(broker) as outside,
    ):
        scope = f"run:{kernel.check(SETUP.format(url=broker.url)).stdout.strip()}"
        for what, code in CELLS.items():
            flag = tmp_path / what
            cell = kernel.send(f"print('here')\n{code.format(flag=str(flag))}")
            if code:
                cell.wait_until(lambda done: done.stdout)
            else:
                cell.wait()
            at = outside.hold(scope, 1)  # answered by a kernel whose cell waits for what comes now
            if what == "blocked":
                time.sleep(BLOCKS)
                outside.resume(scope, 1)
                at = outside.hold(scope, 1)
            flag.touch()
            cell.wait()
            assert nothing_begins(kernel, at), what
            count = look(kernel).begun
            outside.resume(scope, 1)
            until_blocking(lambda count=count: look(kernel).begun > count)  # type: ignore[misc]
        said: list[Any] = [one for one in outside.statuses.contents if one is not None]
        assert said
        assert all(one["online"] for one in said)


def test_of_two_kernels_on_one_broker_the_one_that_is_meant_is_held() -> None:
    with (
        Mosquitto.start() as broker,
        RealKernel.start(OWN) as one,
        RealKernel.start(OWN) as two,
        Outside.of(broker) as outside,
    ):
        ids = [k.check(SETUP.format(url=broker.url)).stdout.strip() for k in (one, two)]
        at = outside.hold(f"run:{ids[0]}", 2)
        before = look(two).begun
        until_blocking(lambda: look(two).begun > before + 3)
        assert nothing_begins(one, at)
        assert look(two).phase == "running"
        at = outside.hold("task:step", 2)
        time.sleep(0.1)
        assert look(two, at).late <= LocalExecutor().capacity
        count = look(one).begun
        outside.resume(f"run:{ids[0]}", 2)
        outside.resume("task:step", 2)
        until_blocking(lambda: look(one).begun > count)


#: A run that ends when it is cancelled, and a cell that blocks until a file is there.
WAITS = """
%load_ext cascade_nb
import os, time
import cascade_nb as cs
engine = cs.Engine(connector={url!r})
@cs.task
def waits(x):
    for _ in cs.track(range(10**6)):
        time.sleep(.01)
run = engine.start(waits(1).named("waiting"))
while not run.status.running: await asyncio.sleep(.01)
"""
BLOCKED = "print('here', flush=True)\nwhile not os.path.exists({flag!r}): time.sleep(.01)"


def test_a_blocked_kernel_says_over_its_broker_how_its_run_stands_and_ends_it(
    tmp_path: Path,
) -> None:
    with (
        Mosquitto.start() as broker,
        RealKernel.start(OWN) as kernel,
        broker_at(broker.url, "ada", A_PERSON) as asks,
    ):
        kernel.check("import asyncio")
        kernel.check(WAITS.format(url=broker.url))
        flag = tmp_path / "flag"
        cell = kernel.send(BLOCKED.format(flag=str(flag)))
        cell.wait_until(lambda done: done.stdout)
        (caller,) = until_blocking(lambda: asks.neighbours().callers)
        said = caller.ask(new_request("status", {}))
        assert said["process"]["kind"] == "kernel"
        (run,) = said["runs"]
        assert run["running"] == 1
        assert (
            "waiting is running" in caller.ask(new_request("why", {"node": "waiting"}))["lines"][0]
        )
        told = caller.ask(new_request("cancel", {"run": run["run_id"], "holder": "person:ada"}))
        assert told["applied"] or told["asked"]
        assert not cell.done
        flag.touch()
        cell.wait()
        look = "try: await run\nexcept BaseException as error: print(error)"
        assert "cancelled by ada" in kernel.check(look).stdout
