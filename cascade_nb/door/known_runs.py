"""Knows the runs of this process, and which of them a name means; safe from any thread."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator
from typing import Final
from weakref import WeakSet

from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.history import EndedRun
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.forking import forget_after_fork

THREADS: Final = "cascade-door"
"""What the threads are called that answer for the runs of a script."""


class _Seen:
    """The runs that somebody holds."""

    def __init__(self) -> None:
        self._runs: WeakSet[Run] = WeakSet()
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """In a forked child: nobody is left who could give the lock back."""
        self._lock = threading.Lock()

    def add(self, run: Run) -> None:
        with self._lock:
            self._runs.add(run)

    def all(self) -> list[Run]:
        with self._lock:
            return list(self._runs)


_seen: Final = _Seen()
_waiters: Final[set[threading.Event]] = set()
_waiting: Final = threading.Lock()


def live_runs() -> list[Run]:
    """The runs of this process that are not over, the newest of each engine first."""
    return [run for engine in Engine.alive() for run in reversed(list(engine.runs))]


def remember(run: Run) -> None:
    """Have `why` answer for a run that is over, too, while somebody holds it."""
    _seen.add(run)


def remembered(but: Container[Run] = ()) -> list[Run]:
    """The runs that somebody holds, the latest first, without some."""
    return sorted((run for run in _seen.all() if run not in but), key=lambda run: -run.number)


def wait_for_end(run: Run, seconds: float) -> None:
    """Wait until a run is over, for so long at most, or until this process is about to end."""
    woken = threading.Event()
    with _waiting:
        _waiters.add(woken)
    try:
        run.add_done_callback(lambda _: woken.set())
        woken.wait(seconds)
    finally:
        with _waiting:
            _waiters.discard(woken)


def wake_who_waits() -> None:
    """Whoever waits for a run is to say at once how it stands."""
    with _waiting:
        for woken in _waiters:
            woken.set()


def ended_runs() -> list[EndedRun]:
    """How those stood that are over, the latest first."""
    ended = [one for engine in Engine.alive() for one in engine.history.runs]
    return sorted(ended, key=lambda one: -one.started)


def live_run(name: str | None) -> Run:
    """The run of this number or id; without one, the only one that goes on.

    Raises:
        UsageError: there is none, it is over, or more than one can be meant.
    """
    live = live_runs()
    found = [run for run in live if name is None or is_called(run.number, run.id, name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{run.id} ({run.number}, {run.graph.title})" for run in found or live)
    if found:
        raise UsageError(f"several runs can be meant, so say which by its id: {there}")
    if name is None or not live:
        raise UsageError("nothing is running here")
    ended = (one.status for one in ended_runs())
    over = next((it for it in ended if is_called(it.number, it.run_id, name)), None)
    if over is not None:
        raise UsageError(f"run {over.number} is over: {over.headline}")
    raise UnknownNameError("run", name, (), f"; what goes on is {there}")


def status_named(name: str) -> RunStatus:
    """How the run of this number or id stands, also one that is over.

    Raises:
        UnknownNameError: there is none.
    """
    for status in _statuses():
        if is_called(status.number, status.run_id, name):
            return status
    raise UnknownNameError("run", name, [str(status.number) for status in _statuses()])


def _statuses() -> Iterator[RunStatus]:
    yield from (run.status for run in live_runs())
    yield from (one.status for one in ended_runs())


def is_called(number: int, run_id: str, name: str) -> bool:
    """Whether a run is meant by this: its number, or how its id begins."""
    return name == str(number) or (len(name) > 2 and run_id.startswith(name))
