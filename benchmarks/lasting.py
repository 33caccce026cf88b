"""Runs whose every result is kept where it outlives the process, beside the same in memory.

The database and the server are made for each case, untimed, and are gone after it. What is timed
ends when the run does, which is when every result is safe there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.cases import Case, Contender, NotForThisError
from benchmarks.child import WrongResultError
from benchmarks.ours import Bench, TaskKit
from benchmarks.shapes import expected, nodes_of, wide
from cascade_nb.protocols.state_backend import StateBackend
from cascade_nb.state.memory import MemoryState
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.sqlite.backend import SqliteState
from tests.support.redis_server import RedisServer
from tools.system import PROGRAMS

#: A key of the benchmark's own, so that measuring makes none in the user's folder.
KEY: Final = b"signs what is measured"

#: How many results a place has, None where that cannot be asked.
Count = Callable[[], int | None]


@contextmanager
def _in_memory() -> Iterator[tuple[StateBackend, Count]]:
    yield MemoryState(), lambda: None


@contextmanager
def _in_sqlite() -> Iterator[tuple[StateBackend, Count]]:
    with TemporaryDirectory(prefix="benchmark") as folder:
        path = Path(folder) / "results.db"
        yield SqliteState(path, key=KEY), partial(_rows, path)


@contextmanager
def _in_redis() -> Iterator[tuple[StateBackend, Count]]:
    if PROGRAMS["redis-server"].find() is None:
        raise NotForThisError("redis-server is not installed")
    with RedisServer.start() as server:
        yield RedisState(server.url, key=KEY), partial(_entries, server)


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        count: int = database.execute("SELECT count(*) FROM results").fetchone()[0]
        return count


def _entries(server: RedisServer) -> int:
    return int(server.ask("DBSIZE").strip(b":\r\n"))


PLACES: Final = {"in memory": _in_memory, "in sqlite": _in_sqlite, "in redis": _in_redis}


def cascade(workload: str, mode: str, size: int) -> Case:
    """The wide shape, inline; every result is kept in the place that the mode names.

    In memory only the target's is, as a default engine does it.
    """
    if workload != "results kept" or mode not in PLACES:
        raise NotForThisError("it is about where results are kept")
    made = ExitStack()
    state, count = made.enter_context(PLACES[mode]())
    bench, kit, nodes = Bench(state=state), TaskKit("inline"), nodes_of("wide", size)

    def close() -> None:
        # A place that kept less than it was given would look fast.
        with made:
            bench.close()
            kept = count()
        if kept is not None and kept < nodes:
            raise WrongResultError(f"{kept} of {nodes} results were kept")

    return Case(lambda: bench.run(wide(size, kit)), expected("wide", size), close)


CONTENDERS: Final[Mapping[str, Contender]] = {"cascade": cascade}
