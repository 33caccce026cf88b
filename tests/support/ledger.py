"""What tasks did, written to a file outside of everything that is tested: it outlives a kill -9."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

#: Run in a kernel, it gives `_note(word, what)`, which writes one line and has it on the disk's
#: side of the process when it returns, and writes down what is reported finished.
WRITER: Final = """
import os

from cascade_nb.defaults import default_engine
from cascade_nb.events import TaskExecutionFinished

_LEDGER = {path!r}

def _note(word, what):
    file = os.open(_LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{{word}} {{what}}\\n".encode())
    finally:
        os.close(file)

def _told(event):
    if event.status == "completed":
        _note("finished", event.task_id)

_heard = default_engine().bus.subscribe(_told, TaskExecutionFinished)
"""


class Line(NamedTuple):
    """`begin`, `end` or `finished`, and of which node."""

    word: str
    what: str


class Ledger:
    """The lines that kernels wrote so far."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def writer(self) -> str:
        """What to run in a kernel."""
        return WRITER.format(path=str(self._path))

    def lines(self) -> list[Line]:
        """All of them, oldest first."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        return [Line(*line.split(" ", 1)) for line in text.splitlines()]

    def in_flight(self) -> set[str]:
        """What has begun and was not reported finished."""
        lines = self.lines()
        done = {line.what for line in lines if line.word == "finished"}
        return {line.what for line in lines if line.word == "begin"} - done

    def run_again(self, since: int = 0) -> Counter[str]:
        """How often each node has begun from line `since` on though it had begun before."""
        lines = self.lines()
        before = {line.what for line in lines[:since] if line.word == "begin"}
        begun = [line.what for line in lines[since:] if line.word == "begin"]
        again = Counter(begun)
        again.subtract(set(begun) - before)
        return +again

    def broken_promises(self) -> list[str]:
        """Nodes that began again after they were reported finished."""
        done: set[str] = set()
        broken = []
        for line in self.lines():
            if line.word == "finished":
                done.add(line.what)
            elif line.word == "begin" and line.what in done:
                broken.append(line.what)
        return broken
