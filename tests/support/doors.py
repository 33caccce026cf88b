"""Scripts and kernels that can be asked, in folders of a test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cascade_nb.executors import LocalExecutor
from tests.support.kernels import RealKernel
from tools.environments import ROOT

PATIENCE = 60.0

#: Work of many short tasks, each of which writes a line to a ledger when it begins.
WORK = """
import os, sys, time
import cascade_nb as cs

LEDGER = {ledger!r}

def note(what):
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{{what}}\\n".encode())
    finally:
        os.close(file)

@cs.task
def part(i):
    note(i)
    time.sleep(0.02)
    return i

@cs.task
def total(xs):
    return sum(xs)

def work(n=100_000):
    return total(part.map(i=list(range(n))))
"""


class Place:
    """Where the doors of a test are, and the ledger of its tasks.

    Attributes:
        label: which kernel's version is there, if one is.
    """

    label = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        self.jupyter = folder / "jupyter"
        self.jupyter.mkdir()
        self.environment = {
            "CASCADE_RUNTIME_DIR": str(folder / "doors"),
            "JUPYTER_RUNTIME_DIR": str(self.jupyter),
        }

    @property
    def work(self) -> str:
        """What to run in a script or a kernel."""
        return WORK.format(ledger=str(self.ledger))

    def begun(self) -> int:
        """How many tasks have begun."""
        return len(self.ledger.read_bytes().splitlines()) if self.ledger.exists() else 0

    def wait_for_more(self, than: int = 0) -> int:
        """Wait until more have begun."""
        return until(lambda: (n := self.begun()) > than and n)

    def starts_nothing(self) -> bool:
        """Whether nothing begins any more.

        Bodies that were let begin may still write theirs, one for each thread, however long that
        takes them on a busy machine. Where more begin, they do so every few milliseconds, and it
        never rests.
        """
        first, deadline = self.begun(), time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            before = self.begun()
            time.sleep(0.25)
            if self.begun() == before:
                return before - first <= LocalExecutor().capacity
        return False

    @contextlib.contextmanager
    def script(self, body: str) -> Iterator[subprocess.Popen[str]]:
        """A script at work in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", self.work + textwrap.dedent(body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)

    @contextlib.contextmanager
    def kernel(self, label: str) -> Iterator[RealKernel]:
        """A kernel at work, whose connection file lies where Jupyter lays it."""
        with RealKernel.start(label, None, **self.environment) as kernel:
            self.show(kernel)
            kernel.check(f"{self.work}\n%load_ext cascade_nb")
            yield kernel

    def show(self, kernel: RealKernel) -> Path:
        """Have its connection file found."""
        path = self.jupyter / f"kernel-{kernel.pid}.json"
        shutil.copyfile(kernel.manager.connection_file, path)
        path.chmod(0o600)
        return path


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A folder with a short path, since sockets have no long ones."""
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        yield Place(Path(folder))


def until(condition: Callable[[], int]) -> int:
    """What a condition gives, when it gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found
