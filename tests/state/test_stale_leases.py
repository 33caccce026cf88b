"""Nobody waits longer than a lease, whatever a clock or a record says, and nobody is robbed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb import leases
from cascade_nb.engine import Engine
from cascade_nb.errors import LeaseHeldError, LeaseLostError
from cascade_nb.leases import StaleLeases, renewed_every
from cascade_nb.protocols.journal import Journal, Lease
from cascade_nb.state import RedisState, SqliteState
from tests.engine.tools import until
from tests.state.test_contract import Place
from tests.state.test_journal_contract import another, journal, place, state
from tests.support.redis_server import RedisServer

__all__ = ["another", "journal", "place", "state"]

KEY = b"k" * 32
SHORT = 0.4
HOURS = 7200.0


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE", SHORT)


async def taken(journal: Journal, ttl: float = SHORT) -> tuple[Lease, float]:
    """Take the lease of a run as soon as it is free; also how long that took."""
    began = time.monotonic()
    while True:
        try:
            return await journal.claim("run", "kernel 2", ttl), time.monotonic() - began
        except LeaseHeldError:
            assert time.monotonic() - began < 60  # else hours
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("short")
async def test_a_dead_owners_record_that_is_dated_hours_ahead_holds_for_one_lease(
    journal: Journal, another: Journal
) -> None:
    first = await journal.claim("run", "kernel 1", HOURS)  # or its clock was set back since
    lease, took = await taken(another)
    assert SHORT - 0.05 <= took < SHORT + 30
    assert lease.fence > first.fence
    with pytest.raises(LeaseLostError, match="kernel 2"):
        await journal.append(first, ["late"])


@pytest.mark.usefixtures("short")
async def test_a_living_owner_keeps_its_lease_however_far_its_record_is_dated_ahead(
    journal: Journal, another: Journal
) -> None:
    lease = await journal.claim("run", "kernel 1", HOURS)
    until_then = time.monotonic() + 3 * SHORT
    while time.monotonic() < until_then:
        await journal.renew(lease, HOURS)
        with pytest.raises(LeaseHeldError):
            await another.claim("run", "kernel 2", SHORT)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("ttl", [0.3, 1.0, 15.0, 600.0, HOURS])
def test_an_owner_renews_three_times_before_anybody_may_count_it_as_gone(ttl: float) -> None:
    for others in (0.3, 15.0, HOURS):
        if others >= ttl or ttl >= leases.LEASE:
            assert 3 * renewed_every(ttl) <= max(others, leases.LEASE)


def test_what_was_seen_of_one_run_says_nothing_of_another_and_is_bounded() -> None:
    seen = StaleLeases()
    for n in range(5_000):
        assert seen.left(f"run {n}", (1, 2), HOURS, 1.0) == leases.LEASE
    assert len(seen._seen) <= 1_000
    assert seen.left("run 1", (1, 2), 0.5, 1.0) == 0.5


def spoil_sqlite(path: Path, said: Any) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE runs SET expires = ?", (said,))


NONSENSE: list[Any] = [9e99, float("inf"), -1, "soon", b"\xff", None, 253402300798.0, 2**62]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_a_record_with_nonsense_holds_nobody_for_longer(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        spoil: Callable[[Any], object]
        if kind == "sqlite":
            path = tmp_path / "results.db"
            kept: Any = SqliteState(path, key=KEY)
            spoil = lambda said: spoil_sqlite(path, said)  # noqa: E731
        else:
            server = stack.enter_context(RedisServer.start())
            kept = RedisState(server.url, key=KEY)
            name = "cascade:run:run"
            spoil = lambda said: server.ask("HSET", name, "until", said)  # noqa: E731
        await kept.open()
        for said in NONSENSE:
            await kept.journal.claim("run", "kernel 1", 1.0)
            text = said if kind == "sqlite" or isinstance(said, bytes) else str(said)
            await asyncio.to_thread(spoil, text)
            lease, took = await taken(kept.journal)
            assert took < SHORT + 30, said
            await kept.journal.release(lease)
        await kept.close()


@cs.task
def give(x: int) -> int:
    return x


@pytest.mark.usefixtures("short")
async def test_an_attach_waits_one_lease_for_a_dead_kernel_whose_clock_was_ahead(
    place: Place,
) -> None:
    dead = Engine(state_backend=place())
    dead.pause()
    run = dead.start(give(7))
    assert dead.journal_writer is not None
    journal_writer = dead.journal_writer
    await until(lambda: run.id in journal_writer._runs)
    page = journal_writer._runs[run.id]
    await journal_writer.on_own_loop(journal_writer.journal.renew(page.lease, HOURS))
    page.renew_at = time.monotonic() + HOURS  # it renews no more, as one that is dead
    heir = Engine(state_backend=place(), lease=SHORT)
    began = time.monotonic()
    taken_up = await heir.attach(run.id)
    assert time.monotonic() - began < SHORT + 50
    heir.resume()
    assert await taken_up == 7
    run.cancel()
    await until(run.done)
    await heir.aclose()
    await dead.aclose()
