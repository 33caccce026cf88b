"""Runs a Dask cluster of this machine in a process of its own.

What it does costs this process nothing, and nothing of this one's main module is run again there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Final

from cascade_nb.errors import ClusterError

STARTING: Final = 120.0  # seconds in which it has to answer
ENDING: Final = 10.0  # seconds in which it ends by itself
_HOST: Final = """\
import sys
sys.path[:] = {path!r}
from cascade_nb.executors.dask.cluster import host
host({workers}, {modules!r})
"""
_NEEDED: Final = ("cascade_nb.engine.", "cascade_nb.executors.", "cascade_nb.model.")


class OwnProcess:
    """The process, from when it answers to its end.

    Args:
        workers: how many workers it has.

    Attributes:
        address: of its scheduler.
        pid: of the process, and of the group of all that it started.

    Raises:
        ClusterError: it does not start.
    """

    def __init__(self, workers: int) -> None:
        modules = [name for name in sys.modules if name.startswith(_NEEDED)]
        code = _HOST.format(path=sys.path, workers=workers, modules=modules)
        program = sys.executable or "python"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [program, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                # Workers are forked from a server without threads that has imported what they
                # need: in a tenth of the time, which matters most when one has ended.
                env={
                    **os.environ,
                    "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver",
                    # Dask gives up after 15 seconds, which a busy machine may take each time.
                    "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": f"{STARTING:g}s",
                },
            )
        except OSError as error:
            raise ClusterError(
                f"no local Dask cluster can be started: {program} cannot be run: {error}"
            ) from error
        self.pid = self._process.pid
        assert self._process.stdout is not None
        began = time.monotonic()
        late = threading.Timer(STARTING, self._kill)
        late.start()
        line = self._process.stdout.readline()
        late.cancel()
        late.join()
        if not line:
            how = f"its process ended with {self._process.wait()}"
            if time.monotonic() - began >= STARTING:
                how = f"it did not answer within {STARTING:g} s"
            self.end()
            raise ClusterError(f"no local Dask cluster can be started: {how}")
        self.address = str(json.loads(line)["address"])

    def end(self) -> None:
        """Have it end, with its workers."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._kill()
            process.wait()
        process.stdout.close()

    def _kill(self) -> None:
        """End it and all that it started: any of them has its output, which would not end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
