"""Pools that are somebody's own, as users bring them, with every worker started."""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from loky.process_executor import (  # type: ignore[import-untyped]
    ProcessPoolExecutor as LokyPool,
)

WIDTH: Final = 2  # workers
_PATIENCE: Final = 60.0


def _processes(width: int) -> Any:
    return ProcessPoolExecutor(width, mp_context=multiprocessing.get_context("spawn"))


_MAKERS: Final[dict[str, Callable[[int], Any]]] = {
    "ThreadPoolExecutor": ThreadPoolExecutor,
    "ProcessPoolExecutor": _processes,
    "loky": LokyPool,
}
POOLS: Final = tuple(_MAKERS)
REMOTE: Final = tuple(name for name in POOLS if name != "ThreadPoolExecutor")


@contextlib.contextmanager
def warm_pool(name: str, width: int = WIDTH) -> Iterator[Any]:
    """One of `POOLS` with its workers started, so that no test is told to have left them behind."""
    with _MAKERS[name](width) as pool:
        warm(pool, width)
        yield pool


def warm(pool: Any, width: int = WIDTH) -> None:
    """Have every worker of a pool started."""
    if isinstance(pool, ThreadPoolExecutor):
        together = threading.Barrier(width)
        list(pool.map(lambda _: together.wait(_PATIENCE), range(width)))
    else:
        # Each waits for the others: else one that is done early takes two, and a test starts one.
        with tempfile.TemporaryDirectory() as folder:
            list(pool.map(_meet, [folder] * width, range(width), [width] * width))


def _meet(folder: str, number: int, width: int) -> None:
    Path(folder, str(number)).touch()
    deadline = time.monotonic() + _PATIENCE
    while len(list(Path(folder).iterdir())) < width and time.monotonic() < deadline:
        time.sleep(0.005)
