"""Worker processes are killed at random moments; a ledger that they write themselves judges."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.events import TaskExecutionFinished
from cascade_nb.executors import ProcessExecutor
from tests.support.examples import PROFILE
from tests.support.leaks import is_running
from tests.support.patience import until, wait_for_file

KILLS = 200
PAUSES = KILLS // 4
LONG = KILLS / 2  # seconds in which they are killed


def note(ledger: str, word: str) -> None:
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{word}\n".encode())
    finally:
        os.close(file)


def working(ledger: str, nodes: int) -> Any:
    """A body that says what it does; the last ones end when nobody disturbs any more."""

    def work(n: int, after: int | None) -> int:
        note(ledger, f"begin {n}")
        time.sleep(0.002 * (n % 7))
        if n >= nodes - 2:
            wait_for_file(f"{ledger}.over")
        note(ledger, f"end {n}")
        return n if after is None else n + after % 2

    return work


class Disturber:
    """Kills processes and pauses the run, until it was disturbed often enough."""

    def __init__(self, executor: ProcessExecutor, run: Any, ledger: str, seed: int) -> None:
        self._dice = random.Random(seed)
        self._executor, self._run, self._ledger = executor, run, ledger
        self.killed = self.paused = 0
        self.pids: set[int] = set()
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
        enough = time.monotonic() + LONG  # a busy machine starts few processes in that time
        while not self._run.done() and self.killed < KILLS and time.monotonic() < enough:
            time.sleep(self._dice.uniform(0, 0.04))
            pids = self._executor.pids
            self.pids.update(pids)
            if self.paused < PAUSES and self._dice.random() < 0.2:
                self._run.pause()
                note(self._ledger, "held 0")
                if pids and self._dice.random() < 0.5:
                    self._kill(self._dice.choice(pids))
                time.sleep(self._dice.uniform(0, 0.05))
                note(self._ledger, "free 0")
                self._run.resume()
                self.paused += 1
            elif pids:
                self._kill(self._dice.choice(pids))

    def _kill(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
            self.killed += 1
        except ProcessLookupError:  # it has ended meanwhile
            pass


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1 if PROFILE != "soak" else 5))
def test_nothing_is_lost_nothing_runs_again_and_nothing_starts_while_held(
    seed: int, tmp_path: pathlib.Path
) -> None:
    ledger = str(tmp_path / "ledger")
    executor = ProcessExecutor(2)
    engine = Engine(executor=executor, reuse=False)
    heard = engine.bus.subscribe(
        lambda event: (
            note(ledger, f"finished {event.task_id}") if event.status == "completed" else None
        ),
        TaskExecutionFinished,
    )
    nodes: list[Any] = []
    count = 40 * KILLS // 4
    work = cs.task(working(ledger, count), retry=10_000)
    for n in range(count):
        after = nodes[n // 2] if n % 3 == 2 else None
        nodes.append(work(n, after))
    run = engine.start(nodes)
    disturber = Disturber(executor, run, ledger, seed)
    found = run.result()
    disturber.wait()
    heard.flush()
    heard.close()
    engine.close()

    expected: list[int] = []
    for n in range(len(nodes)):
        expected.append(n + expected[n // 2] % 2 if n % 3 == 2 else n)
    assert found == expected
    lines = [line.split(" ", 1) for line in pathlib.Path(ledger).read_text().splitlines()]
    finished = Counter(what for word, what in lines if word == "finished")
    assert len(finished) == len(nodes)
    assert set(finished.values()) == {1}
    ended, held = Counter[str](), False
    by_id = {node_id: str(n) for n, node_id in enumerate(node.id for node in run.graph.nodes)}
    over: set[str] = set()
    for word, what in lines:
        if word in {"held", "free"}:
            held = word == "held"
        elif word == "begin":
            assert what not in over, f"{what} ran again after it was completed"
            assert not held, f"{what} began while everything was held"
        elif word == "end":
            ended[what] += 1
        else:
            over.add(by_id[what])
    assert len(ended) == len(nodes)
    assert disturber.killed >= KILLS // 10
    until(lambda: not any(map(is_running, disturber.pids)))
