"""Dask workers are killed at random moments; a ledger that they write themselves judges."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.control.confirming import CONFIRMED_WITHIN
from cascade_nb.engine import Engine
from cascade_nb.events import TaskExecutionFinished
from cascade_nb.executors import DaskExecutor
from tests.support.examples import PROFILE
from tests.support.patience import wait_for_file

KILLS = 20 if PROFILE != "soak" else 100
LONG = 6.0 * KILLS  # seconds in which they are killed


def note(ledger: str, word: str) -> None:
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{word}\n".encode())
    finally:
        os.close(file)


def working(ledger: str, nodes: int) -> Any:
    """A body that says what it does and where; every third result is large, and so stays there. The
    last ones end when nobody disturbs any more.
    """

    def work(n: int, after: Any) -> Any:
        note(ledger, f"begin {n} {os.getpid()}")
        time.sleep(0.01 * (n % 7))
        if n >= nodes - 3:
            wait_for_file(f"{ledger}.over")
        own = n if after is None else n + int(np.asarray(after).sum()) % 2
        note(ledger, f"end {n} {os.getpid()}")
        return np.full(30_000, own) if n % 3 == 0 else own

    return work


def value_of(n: int) -> int:
    """What `work` makes of node n, in numbers."""
    if n % 3 != 2:
        return n
    before = n // 2
    total = value_of(before) * (30_000 if before % 3 == 0 else 1)
    return n + total % 2


class Disturber:
    """Kills workers and pauses the run, until it was disturbed often enough."""

    def __init__(self, run: Any, ledger: str, seed: int) -> None:
        self._dice = random.Random(seed)
        self._run, self._ledger = run, ledger
        self.killed: list[int] = []
        self._thread = threading.Thread(target=self._disturb)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def _disturb(self) -> None:
        try:
            self._disturb_often()
        finally:
            pathlib.Path(f"{self._ledger}.over").touch()

    def _disturb_often(self) -> None:
        enough = time.monotonic() + LONG  # on a busy machine a worker takes its time to come
        while not self._run.done() and len(self.killed) < KILLS and time.monotonic() < enough:
            time.sleep(self._dice.uniform(0.02, 0.2))
            if self._dice.random() < 0.3:
                self._hold_for_a_moment()
            else:
                self._kill()

    def _hold_for_a_moment(self) -> None:
        began = time.monotonic()
        self._run.pause()
        # A worker that was just killed may not have answered; nothing begins there either.
        if time.monotonic() - began < CONFIRMED_WITHIN:
            # What has begun there may be about to say so.
            note(self._ledger, f"held {self._run.status.running} 0")
        if self._dice.random() < 0.5:
            self._kill()
        time.sleep(self._dice.uniform(0, 0.3))
        note(self._ledger, "free 0 0")
        self._run.resume()

    def _kill(self) -> None:
        lines = pathlib.Path(self._ledger).read_text().splitlines()
        pids = list(dict.fromkeys(int(line.split()[2]) for line in lines if line[0] in "be"))
        alive = [pid for pid in pids if pid not in self.killed]
        if alive:
            pid = self._dice.choice(alive)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.killed.append(pid)
            note(self._ledger, f"killed {pid} 0")


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1 if PROFILE != "soak" else 3))
def test_nothing_is_lost_and_only_what_was_lost_runs_again(
    seed: int, tmp_path: pathlib.Path
) -> None:
    ledger = str(tmp_path / "ledger")
    pathlib.Path(ledger).touch()
    engine = Engine(executor=DaskExecutor(workers=3), reuse=False)
    heard = engine.bus.subscribe(
        lambda event: (
            note(ledger, f"finished {event.task_id} 0") if event.status == "completed" else None
        ),
        TaskExecutionFinished,
    )
    nodes: list[Any] = []
    count = 12 * KILLS
    # Some lose more workers than one may, by chance.
    work = cs.task(working(ledger, count), retry=1_000)
    for n in range(count):
        nodes.append(work(n, nodes[n // 2] if n % 3 == 2 else None))
    run = engine.start([node for n, node in enumerate(nodes) if n % 3 != 0])
    disturber = Disturber(run, ledger, seed)
    found = run.result(timeout=LONG + 300)
    disturber.wait()
    heard.flush()
    heard.close()
    engine.close()

    assert found == [value_of(n) for n in range(len(nodes)) if n % 3 != 0]
    text = pathlib.Path(ledger).read_text()
    lines = [line.split() for line in text.splitlines()]
    graph = run.graph
    by_id = {
        graph.nodes[graph.place[one.identity]].id: str(n)
        for n, one in enumerate(nodes)
        if one.identity in graph.place  # the others nobody reads
    }
    over: dict[str, str] = {}
    where: dict[str, str] = {}
    dead: set[str] = set()
    may_begin: int | None = None  # while everything is held: how many
    ended = Counter[str]()
    for word, what, pid in lines:
        if word in {"held", "free"}:
            may_begin = int(what) if word == "held" else None
        elif word == "killed":
            dead.add(what)
        elif word == "begin":
            if may_begin is not None:
                may_begin -= 1
                assert may_begin >= 0, f"{what} began while everything was held"
            if what in over:
                # Only a large result, which was on a worker that was killed, is made again.
                assert int(what) % 3 == 0, f"{what} ran again after it was completed"
                assert where[what] in dead, f"{what} ran again, and was not lost"
        elif word == "end":
            ended[what] += 1
            where[what] = pid
        else:
            over[by_id[what]] = "done"
    assert len(ended) == len(by_id)
    assert disturber.killed
