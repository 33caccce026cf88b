"""Keeps worker processes warm, hands each to one caller at a time, and replaces those that end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from cascade_nb.executors.processes.heads import PackedCall
from cascade_nb.executors.processes.process import WorkerProcess

ENDING: Final = 2.0  # seconds in which a process that is not needed ends by itself


class Pool:
    """The processes of one executor. Safe from any thread.

    Args:
        linger: seconds that an unused process stays.
        patience: seconds that one may take to start.
        most_calls: calls after which one is replaced; None for no end.
        first: what each is to run before anything else; None for nothing.
    """

    def __init__(
        self,
        linger: float,
        patience: float,
        most_calls: int | None,
        first: PackedCall | None,
    ) -> None:
        self._linger = linger
        self._patience = patience
        self._most_calls = most_calls
        self._first = first
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._closings = 0
        self._since: dict[WorkerProcess, int] = {}

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        with self._lock:
            return [one.pid for one in (*self._idle, *self._busy)]

    def take(self) -> WorkerProcess:
        """A process for the caller alone: the one that was used last, or else a new one.

        Raises:
            ProcessStartError: none can be started.
        """
        with self._lock:
            if self._idle:
                found = self._idle.pop()
                self._busy.add(found)
                return found
            closings = self._closings
        made = WorkerProcess(self._linger, self._patience)
        if self._first is not None:
            try:
                made.begin_with(self._first)
            except BaseException:
                made.leave()
                made.end(0.0)
                raise
        with self._lock:
            self._busy.add(made)
            self._since[made] = closings
        return made

    def give_back(self, process: WorkerProcess) -> None:
        """The caller is done with it."""
        worn = (
            self._most_calls is not None
            and process.calls - (self._first is not None) >= self._most_calls
        )
        with self._lock:
            self._busy.discard(process)
            if process.usable and not worn and self._since.get(process) == self._closings:
                self._idle.append(process)
                return
            self._since.pop(process, None)
        end_soon([process])

    def close(self) -> None:
        """End those that are idle, and the others when they are given back. New ones may come."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._closings += 1
            for one in idle:
                del self._since[one]
        end_soon(idle)

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        for one in (*self._idle, *self._busy):
            one.forget()
        self._lock = threading.Lock()
        self._idle, self._busy, self._since = [], set(), {}


def end_soon(processes: Sequence[WorkerProcess]) -> None:
    """End processes, without waiting for that here."""
    if not processes:
        return
    for one in processes:
        one.leave()

    def wait() -> None:
        for one in processes:
            one.end(ENDING)

    threading.Thread(target=wait, name="cascade-process-end", daemon=True).start()
