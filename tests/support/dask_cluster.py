"""A real Dask scheduler of one's own, and workers of it, each a process that is as a test wants it.

with Scheduler.start() as scheduler:
    with scheduler.worker("--resources", "GPU=2"):
        engine = Engine(executor=DaskExecutor(scheduler.address))
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

#: Seconds that a scheduler may take to start, and each of them to end.
PATIENCE: Final = 90.0
_WORKER: Final = "from distributed.cli.dask_worker import main; main()"


class Scheduler:
    """A scheduler without workers, until some are started.

    Args:
        folder: of its own.
        address: where it answers.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self.address = address

    @classmethod
    @contextlib.contextmanager
    def start(cls) -> Iterator[Scheduler]:
        """One that ends with the block."""
        with tempfile.TemporaryDirectory(prefix="dask", ignore_cleanup_errors=True) as name:
            told = Path(name) / "scheduler.json"
            words = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
            command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *words]
            with _running([*command, "--scheduler-file", str(told)], Path(name)) as process:
                deadline = time.monotonic() + PATIENCE
                while not (address := _address_in(told)):
                    assert process.poll() is None, (Path(name) / "log").read_text(errors="replace")
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                yield cls(Path(name), address)

    @contextlib.contextmanager
    def worker(
        self, *words: str, first: str = "", environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A worker with one thread, which ends with the block; it may not have come yet.

        Args:
            words: of its command line.
            first: Python that its process runs before anything else.
            environment: variables that it has besides.
        """
        command = [sys.executable, "-c", f"{first}\n{_WORKER}", self.address, "--nthreads", "1"]
        command += ["--no-nanny", "--no-dashboard", "--local-directory", str(self._folder), *words]
        with _running(command, self._folder, environment) as process:
            yield process


@contextlib.contextmanager
def _running(
    command: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def _address_in(file: Path) -> str:
    """What a scheduler has written down; "" before it has, or while it does."""
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(file.read_text())["address"])
    return ""
