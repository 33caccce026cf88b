"""Lets other programs reach a script whose runs last longer than a moment.

A script that is over at once has none and does not pay for it. In a kernel with our magics its
control channel is the door.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from pathlib import Path
from typing import Final, Protocol

from cascade_nb.concurrency.scarce import has_begun, scarce
from cascade_nb.door.known_runs import THREADS, live_runs, remember, wake_who_waits
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.events.thread_warnings import warn
from cascade_nb.forking import forget_after_fork

VARIABLE: Final = "CASCADE_DOOR"
SOON: Final = 0.1  # seconds that runs go on before the door is opened
_AT_EXIT: Final = 1.0


class Serves(Protocol):
    """Listens and answers; see `server`."""

    def serve(self) -> None:
        """Until it is closed."""

    def close(self) -> None:
        """Have `serve` end."""

    def forget(self) -> None:
        """In a forked child: what listens is the parent's."""


class Door:
    """The door of this process; safe from any thread.

    Attributes:
        elsewhere: whether this process is asked in another way.
        title: what it does, for people; empty for the name of its script.
    """

    def __init__(self) -> None:
        self.elsewhere = False
        self.title = ""
        self._begin()
        forget_after_fork(self)
        atexit.register(self.close)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._server: Serves | None = None
        self._closing = threading.Event()

    def run_began(self, run: Run) -> None:
        """See to it that a run can be reached, if it lasts."""
        remember(run)
        if self._thread is None and not self.elsewhere and os.environ.get(VARIABLE) != "off":
            with self._lock:
                if self._thread is None:
                    self._closing = threading.Event()
                    self._thread = threading.Thread(target=self._work, name=THREADS, daemon=True)
                    if not has_begun(self._thread):
                        self._thread = None  # the next run tries

    def close(self) -> None:
        """Close it until the next run, and wait until it is closed."""
        wake_who_waits()
        with self._lock:
            thread, server = self._thread, self._server
            self._closing.set()
            if server is not None:
                server.close()
        if thread is not None and thread.is_alive():
            thread.join(_AT_EXIT)

    def forget(self) -> None:
        """In a forked child: the parent's door is not ours, and ours is not there yet."""
        server = self._server
        self._begin()
        if server is not None:
            server.forget()

    def called(self) -> str:
        """What this process is called, for people."""
        name = sys.argv[0] if sys.argv else ""
        shown = name if name and name not in ("-c", "-m", "-") else "python"
        return self.title or Path(shown).name

    def _work(self) -> None:
        while not self._closing.wait(SOON) and not self._opened():
            with self._lock:
                # A run that begins now finds no thread and starts one; one that began is seen here.
                if not live_runs():
                    self._thread = None
                    return
        server = self._server
        if server is not None:
            server.serve()
        with self._lock:
            self._server = self._thread = None

    def _opened(self) -> bool:
        """Whether there is nothing more to wait for; not before runs have gone on for a while."""
        if not live_runs():
            return False
        try:
            # Only a process whose runs last pays for what listens and answers.
            from cascade_nb.door.server import script_server  # noqa: PLC0415 - as above

            server = script_server(self.called)
        except OSError as error:
            if scarce(error):
                return False  # there may be more files again soon
            warn(f"no terminal can reach the runs of this process: {error}", RuntimeWarning, error)
            self._closing.wait()  # it is not tried again
            return True
        with self._lock:
            self._server = server
            if self._closing.is_set():
                server.close()
        return True


DOOR: Final = Door()


def open_for_runs() -> None:
    """From now on every run that lasts can be reached; said once, with the import."""
    if DOOR.run_began not in Engine.on_begun:
        Engine.on_begun.append(DOOR.run_began)
