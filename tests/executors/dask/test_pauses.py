"""Nothing begins on a worker once a pause is acknowledged, by a ledger that the workers write."""

from __future__ import annotations

import os
import pathlib
import random
import threading
import time
from typing import Any

import cascade_nb as cs
from cascade_nb.control import confirming
from cascade_nb.engine import Engine
from cascade_nb.events import TaskRetrying
from cascade_nb.executors.dask.cluster import Cluster
from cascade_nb.executors.dask.flights import Flights
from cascade_nb.executors.dask.sender import Sender
from cascade_nb.testing import SpySubscriber
from tests.executors.dask.test_chaos import note
from tests.support.patience import until, wait_for_file

PAUSES = 12
LOOK = 0.1  # seconds in which what is on its way would have begun


def noting(ledger: str, last: int = 1_500) -> Any:
    """A short body, of which many wait on each worker; from `last` on they end when they may."""

    def work(n: int) -> int:
        note(ledger, f"begin {n}")
        if n >= last:
            wait_for_file(f"{ledger}.go")
        time.sleep(0.002)
        return n

    return work


def begun(ledger: str) -> list[str]:
    return pathlib.Path(ledger).read_text().splitlines()


def test_nothing_begins_after_the_acknowledgement_however_much_was_handed_over(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    ledger = str(tmp_path / "ledger")
    pathlib.Path(ledger).touch()
    dice = random.Random(0)
    work = cs.task(noting(ledger, 500), name="work", reuse=False)
    run = engine.start(work.map(n=list(range(600))))
    until(lambda: len(begun(ledger)) > 100)  # by now they are known to be short
    judged = 0
    for _ in range(PAUSES):
        time.sleep(dice.uniform(0, 0.04))
        asked = time.monotonic()
        run.pause()
        if time.monotonic() - asked < confirming.CONFIRMED_WITHIN:  # else a worker did not answer
            # A body that has begun may be about to say so.
            begins, before = run.status.running, len(begun(ledger))
            time.sleep(LOOK)
            assert len(begun(ledger)) - before <= begins
            judged += not run.done()
        run.resume()
    assert judged
    pathlib.Path(f"{ledger}.go").touch()
    assert run.result() == list(range(600))
    assert sorted(begun(ledger)) == sorted(f"begin {n}" for n in range(600))  # each of them once


def test_what_a_worker_gave_back_is_no_loss_of_it_also_where_dask_says_first_that_it_is_done(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    ledger = str(tmp_path / "ledger")
    pathlib.Path(ledger).touch()
    ask_back = Cluster.ask_back
    given_back = 0

    def late(self: Cluster, function: Any, worker: str, keys: Any) -> set[str]:
        nonlocal given_back
        found, futures = ask_back(self, function, worker, keys), self._client.futures
        until(lambda: all(key not in futures or futures[key].status != "pending" for key in found))
        given_back += len(found)
        return found

    monkeypatch.setattr(Cluster, "ask_back", late)
    spy = SpySubscriber(engine.bus)
    work = cs.task(noting(ledger), name="work", reuse=False)
    runs = 0
    while given_back < 2:  # one run may be over before any look at it
        run, before = engine.start(work.map(n=list(range(600)))), len(begun(ledger)) + 100
        runs += 1
        while given_back < 2 and not run.done():
            until(lambda run=run, least=before: run.done() or len(begun(ledger)) > least)  # type: ignore[misc]
            before = len(begun(ledger))
            run.pause()
            run.resume()
        assert run.result() == list(range(600))
    assert sorted(begun(ledger)) == sorted(runs * [f"begin {n}" for n in range(600)])
    assert not spy.events_of_type(TaskRetrying)


def test_what_a_pause_meets_before_it_is_handed_over_stays_here(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    ledger = str(tmp_path / "ledger")
    pathlib.Path(ledger).touch()
    prepare = Sender._prepare
    packing, paused = threading.Event(), threading.Event()

    def slow(self: Sender, *given: Any) -> None:
        packing.set()
        assert paused.wait(60)
        prepare(self, *given)

    monkeypatch.setattr(Sender, "_prepare", slow)
    work = cs.task(noting(ledger), name="work", reuse=False)
    run = engine.start(work(1))
    until(packing.is_set)  # it is begun here, and its worker knows nothing of it
    run.pause()
    paused.set()
    until(lambda: run.status.held == 1)
    assert not begun(ledger)
    run.resume()
    assert run.result() == 1
    assert begun(ledger) == ["begin 1"]


def test_what_a_cancel_meets_before_it_is_handed_over_never_begins(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    ledger = str(tmp_path / "ledger")
    pathlib.Path(ledger).touch()
    prepare = Sender._prepare
    packing, cancelled = threading.Event(), threading.Event()

    def slow(self: Sender, *given: Any) -> None:
        packing.set()
        assert cancelled.wait(60)
        prepare(self, *given)

    take_back = Flights.take_back

    def taken(self: Flights, *given: Any) -> Any:
        try:
            return take_back(self, *given)
        finally:
            cancelled.set()

    monkeypatch.setattr(Sender, "_prepare", slow)
    monkeypatch.setattr(Flights, "take_back", taken)
    work = cs.task(noting(ledger), name="work", reuse=False)
    run = engine.start(work(1))
    until(packing.is_set)
    run.cancel()
    until(run.done)
    assert engine.start(cs.task(os.getpid, reuse=False)()).result() > 0  # it has come to its turn
    assert not begun(ledger)
