"""Runs one child process at a time, that somebody may stop, and leaves no trace of it."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any, Final

SHARED_FOLDERS: Final = (Path("/usr/share"), Path("/usr/local/share"))


class GraphvizError(Exception):
    """Graphviz did not draw; the message says what it said."""


class TimeUpError(GraphvizError):
    """The child was killed because it took too long."""


class StoppedError(Exception):
    """The child was killed, or not started, because nobody wants its work any more."""


def commands(engine: str, form: str) -> list[list[str]]:
    """The commands that read DOT and write `form`, the better ones first.

    They are the system's `dot`, where it is found, and a Python with the `pygraphviz` wheel, which
    needs nothing else to be installed.
    """
    found = []
    system = shutil.which("dot")
    if system is not None:
        found.append([system, f"-K{engine}", f"-T{form}", "-q"])
    if sys.executable:
        script = Path(__file__).with_name("graphviz_child.py")
        found.append([sys.executable, str(script), engine, form])
    return found


def has_fonts() -> bool:
    """Whether there is a font to write words into an image with.

    Only a bare Linux, such as a container, has none; Graphviz then paints empty rectangles for
    letters.
    """
    if sys.platform != "linux":
        return True
    home = Path.home()
    named = map(Path, os.environ.get("XDG_DATA_DIRS", "").split(os.pathsep))
    places = (home / ".local" / "share", *filter(Path.is_absolute, named), *SHARED_FOLDERS)
    folders = (home / ".fonts", *(place / "fonts" for place in places))
    return any(
        name.lower().endswith((".ttf", ".otf", ".ttc", ".pfb"))
        for folder in folders
        for _, _, names in os.walk(folder)
        for name in names
    )


class Child:
    """A place for one child process at a time.

    It belongs to the thread that calls `run`; `stop` may come from any other and is final.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        _children.add(self)

    def run(self, command: list[str], data: bytes, seconds: float) -> bytes:
        """What `command` writes when it has read `data`.

        Raises:
            TimeUpError: it takes more than `seconds`; it is dead now.
            StoppedError: `stop` was called; it is dead now.
            GraphvizError: it cannot be started or ends with an error.
        """
        with self._start(command) as process:
            try:
                output, complaints = process.communicate(data, timeout=max(0.0, seconds))
            except subprocess.TimeoutExpired:
                raise TimeUpError(f"it took longer than {seconds:.1f} s") from None
            finally:
                _kill(process)
                with self._lock:
                    self._process = None
                    stopped = self._stopped
        if stopped:
            raise StoppedError
        if process.returncode != 0 or not output:
            words = complaints.decode("utf-8", "replace").strip().splitlines()
            said = words[-1] if words else f"exit code {process.returncode}"
            raise GraphvizError(f"{Path(command[0]).name}: {said[:200]}")
        return output

    def stop(self) -> None:
        """Kill the child, if there is one, and start none any more."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise StoppedError
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the command is one of `commands`
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    **_APART,
                )
            except OSError as error:
                raise GraphvizError(f"{command[0]} cannot be started: {error}") from error
            return self._process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started, for a `dot` may be a script that runs another; nothing if it
    has ended.
    """
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        # It leads a group of its own. The group may end between the question and the answer.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


# In a session of its own, because an interrupt of the kernel goes to its whole process group and
# would end a drawing that other cells wait for.
_APART: Final[dict[str, Any]] = (
    {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
_children: Final[weakref.WeakSet[Child]] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for child in list(_children):
        child.stop()
