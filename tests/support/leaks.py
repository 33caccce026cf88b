"""What a test may leave behind: nothing. No thread, no child process, no task.

Things that are just ending get a moment to do so. On Linux the test process adopts orphans, so a
grandchild whose parent was killed is seen too; it stays a zombie once it ends, so ask `is_running`
and not `psutil.pid_exists` whether it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

#: Seconds that something which is ending may take to be gone.
PATIENCE = 30.0

#: Threads that belong to the process and not to a test: the start of the name -> whose it is.
PROCESS_THREADS = {
    "Dask-Callback-Thread": "calls back what waits for results of Dask, one for the whole process",
    "Dask-Offload": "reads large messages of Dask, one for the whole process",
    "TCP-Executor": "connects for Dask, for the whole process",
    "cascade-leftovers": "closes the databases that nobody closed, one for the whole process",
    "pytest_timeout": "the clock of pytest-timeout, where it cannot use a signal",
}

#: Where threads of the package stand while they wait for work and end soon if none comes:
#: (end of the file's name, function) -> why that is fine.
IDLE_IN = {
    ("cascade_nb/executors/local.py", "_next"): "a worker; a test of its own says that it ends",
}

#: Processes that belong to this one and not to a test: part of the command line -> whose it is.
PROCESS_CHILDREN = {
    "multiprocessing.resource_tracker": "counts shared memory, one for the whole process",
    "multiprocessing.forkserver": "the parent of later workers, one for the whole process",
}


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans; Linux only."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended; one that waits to be reaped has ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Before:
    """The threads and child processes that were there before a test."""

    threads: frozenset[threading.Thread] = field(
        default_factory=lambda: frozenset(threading.enumerate())
    )
    children: frozenset[int] = field(default_factory=lambda: frozenset(_children()))

    def strays(self) -> list[str]:
        """What came since and is still there after the moment it gets; one line each. A thread may
        end with its owner, and that may be garbage that nobody has collected yet.
        """
        deadline = time.monotonic() + PATIENCE
        pause, collected = 0.001, False
        while (found := self._threads() + self._processes()) and time.monotonic() < deadline:
            if not collected and time.monotonic() > deadline - PATIENCE / 2:
                gc.collect()
                collected = True
            time.sleep(pause)
            pause = min(0.05, pause * 2)
        return found

    def _threads(self) -> list[str]:
        return [
            f"thread {thread.name!r} (daemon={thread.daemon})"
            for thread in threading.enumerate()
            if thread not in self.threads
            and not thread.name.startswith(tuple(PROCESS_THREADS))
            and not _is_idle(thread)
        ]

    def _processes(self) -> list[str]:
        return [
            line
            for child in _children() - self.children
            if (line := _running_line(child)) is not None
        ]


def stray_tasks(before: Iterable[asyncio.Task[object]] = ()) -> list[asyncio.Task[object]]:
    """The unfinished tasks of the running loop but the current one and those of `before`."""
    known = {*before, asyncio.current_task()}
    return [task for task in asyncio.all_tasks() if task not in known and not task.done()]


async def tasks_left(before: Iterable[asyncio.Task[object]]) -> list[str]:
    """Those that are still there after the moment they get; one line each."""
    left = stray_tasks(before)
    if left:
        await asyncio.wait(left, timeout=PATIENCE)
    return [f"task {task!r}" for task in left if not task.done()]


# What tornado says of a wait in vain. One whose waiter has gone runs into that unread: nothing here
# waits by tornado, connections of Dask's do, and one that closes leaves it to chance.
_OF_TORNADO = ("Timeout",)


class AsyncioComplaints(logging.Handler):
    """Collects what asyncio says of tasks whose failure nobody read or that were thrown away."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if type(error).__name__ != "TimeoutError" or getattr(error, "args", ()) != _OF_TORNADO:
            self.lines.append(self.format(record))

    @contextlib.contextmanager
    def collected(self) -> Iterator[list[str]]:
        """Yields the list that the complaints go to while the block lasts."""
        logger = logging.getLogger("asyncio")
        logger.addHandler(self)
        try:
            yield self.lines
        finally:
            logger.removeHandler(self)


def live_runs() -> set[object]:
    """The runs that go on now, whatever engine they belong to."""
    module = sys.modules.get("cascade_nb.engine.engine")
    engines = [] if module is None else module.Engine.alive()
    return {run for engine in engines for run in list(engine.runs)}


def runs_left(before: set[object]) -> list[str]:
    """Those that go on after the moment they get to end, without `before`; one line each."""
    deadline = time.monotonic() + PATIENCE
    while (left := live_runs() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [f"run {run!r}" for run in left]


def _is_idle(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        code = frame.f_code
        if any(code.co_filename.endswith(f) and code.co_name == name for f, name in IDLE_IN):
            return True
        frame = frame.f_back
    return False


def _children() -> set[int]:
    """The process ids of the children of this process."""
    try:  # psutil reads what the system knows of every process, which takes longer than most tests
        lists = [tasks.read_text() for tasks in Path("/proc/self/task").glob("*/children")]
    except OSError:  # a thread that has just ended
        lists = []
    if not lists:
        return {child.pid for child in psutil.Process().children()}
    return {int(pid) for line in lists for pid in line.split()}


def _running_line(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return None
    if any(part in command for part in PROCESS_CHILDREN):
        return None
    return f"process {pid}: {command or process.name()}"
