"""What tests run in processes of their own: kernels that share a database file, or are killed.

`python -m tests.state.sqlite_child keep|contend PATH NAME COUNT`, or `squeeze FOLDER NAME COUNT`
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from cascade_nb.errors import LeaseHeldError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.sqlite import file
from cascade_nb.state.sqlite.backend import SqliteState
from tests.engine.tools import until

KEY = b"the key of the user of the tests"
TTL = 60.0


def value_of(key: str) -> Any:
    """What the children put under a key: of every fifth a large one."""
    number = int(key.rpartition(".")[2])
    return key.encode() * 20_000 if number % 5 == 0 else {"key": key, "number": number}


class Crier:
    """Says on stdout what was kept, after it was: a line `kept KEY` or `refused KEY`."""

    def __init__(self) -> None:
        self.told = 0
        self.refused: list[str] = []

    def kept(self, entries: Sequence[Entry]) -> None:
        """These are safe now."""
        self._say("kept", entries)

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """Nothing of these was kept."""
        self.refused += [entry.key for entry in entries]
        self._say("refused", entries)

    def _say(self, word: str, entries: Sequence[Entry]) -> None:
        os.write(1, "".join(f"{word} {entry.key}\n" for entry in entries).encode())
        self.told += len(entries)


async def keep(state: SqliteState, name: str, count: int) -> None:
    """Put entries for as long as this lives, so many at a time as chance wills."""
    crier = Crier()
    put = 0
    while put < count:
        for _ in range(1 + put * 7 % 40):
            key = f"{name}.{put}"
            state.put(Entry(key, value_of(key), 0.0), crier)
            put += 1
        await asyncio.sleep(0.001)
    await until(lambda: crier.told == put)


async def contend(state: SqliteState, name: str, count: int) -> None:
    """Have one run, again and again, and write down who had it with which fence."""
    journal = state.journal
    assert journal is not None
    for _ in range(count):
        while True:
            try:
                lease = await journal.claim("run", name, TTL)
                break
            except LeaseHeldError:
                await asyncio.sleep(0.001)
        await journal.append(lease, [f"{name} {lease.fence} in"])
        await journal.append(lease, [f"{name} {lease.fence} out"])
        await journal.release(lease)


async def squeeze(folder: Path, name: str, count: int) -> None:
    """Put entries while the log may grow by so many bytes only, then without this; `count` times,
    each at a database of its own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for n in range(count):
        path = folder / f"{name}{n}.db"
        mine = SqliteState(path, key=KEY)
        await mine.open()
        crier = Crier()
        size = path.with_name(f"{path.name}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 700 * n, hard))
        for i in range(20):
            key = f"{name}{n}.{i}"
            mine.put(Entry(key, value_of(key), 0.0), crier)
            await until(lambda i=i, crier=crier: crier.told == i + 1)  # type: ignore[misc]
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for key in list(crier.refused):
            mine.put(Entry(key, value_of(key), 0.0), crier)
        await until(lambda crier=crier: crier.told == 20 + len(crier.refused))  # type: ignore[misc]
        await mine.close()


async def at(path: Path, work: Callable[[SqliteState], Awaitable[None]]) -> None:
    state = SqliteState(path, key=KEY)
    await state.open()
    await work(state)
    await state.close()


async def main(what: str, where: str, name: str, count: str) -> None:
    # Who only gets no turn on a busy machine is not given up.
    file.BUSY = 60.0  # type: ignore[misc]
    path, n = Path(where), int(count)
    if what == "keep":
        await at(path, lambda state: keep(state, name, n))
    elif what == "contend":
        await at(path, lambda state: contend(state, name, n))
    else:
        await squeeze(path, name, n)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
