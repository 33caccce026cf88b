"""Knows the runs of this process, or of one engine of it, and which of them a name means; safe from
any thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Container, Iterator
from contextvars import ContextVar
from typing import Final
from weakref import WeakSet

from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.reporting.history import EndedRun
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
_waiters: Final[dict[threading.Event, Run]] = {}
_waiting: Final = threading.Lock()
_only: Final[ContextVar[Engine | None]] = ContextVar("cascade_only_engine", default=None)


@contextlib.contextmanager
def only_of(engine: Engine) -> Iterator[None]:
    """What is asked inside is asked of one engine: whoever reaches that alone sees no other."""
    token = _only.set(engine)
    try:
        yield
    finally:
        _only.reset(token)


def asked_engines() -> list[Engine]:
    """Those that are asked."""
    only = _only.get()
    return Engine.alive() if only is None else [only]


def live_runs() -> list[Run]:
    """The runs that are not over, the newest of each engine first."""
    return [run for engine in asked_engines() for run in reversed(list(engine.runs))]


def looking_at_edits() -> list[str]:
    """What the runs are called that a resume lets look at what was edited meanwhile, before they go
    on by themselves.
    """
    return [
        f"run {run.number} of {run.graph.title}"
        for run in live_runs()
        if run.engine.constraints.holds_itself(run.id)
    ]


def remember(run: Run) -> None:
    """Have `why` answer for a run that is over, too, while somebody holds it."""
    _seen.add(run)


def remembered(but: Container[Run] = ()) -> list[Run]:
    """The runs that somebody holds, the latest first, without some."""
    asked = asked_engines()
    found = (run for run in _seen.all() if run not in but and run.engine in asked)
    return sorted(found, key=lambda run: -run.number)


def wait_for_end(run: Run, seconds: float) -> None:
    """Wait until a run is over, for so long at most, or until whoever waits is woken."""
    woken = threading.Event()
    with _waiting:
        _waiters[woken] = run
    try:
        run.add_done_callback(lambda _: woken.set())
        if not run.status.phase.is_over:
            woken.wait(seconds)
    finally:
        with _waiting:
            del _waiters[woken]


def wake_who_waits(*, for_ended: bool = False) -> None:
    """Whoever waits for a run is to say at once how it stands.

    Args:
        for_ended: only who waits for one that is over.
    """
    with _waiting:
        for woken, run in _waiters.items():
            if not for_ended or run.status.phase.is_over:
                woken.set()


def ended_runs() -> list[EndedRun]:
    """How those stood that are over, the latest first."""
    ended = [one for engine in asked_engines() for one in engine.history.runs]
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
