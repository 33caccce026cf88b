"""What kept results take is shown, what expired goes, and a limit is kept to by last use."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import UsageError
from cascade_nb.protocols.state_backend import Entry, StateBackend
from cascade_nb.state.memory import MemoryState
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.room import FILL, Kept, bytes_of, to_remove
from cascade_nb.state.sqlite.backend import SqliteState
from cascade_nb.state.urls import state_from
from tests.state.test_contract import KEY
from tests.state.witness import keep
from tests.support.patience import PATIENCE
from tests.support.redis_server import RedisServer

#: A backend of one place with a limit.
Limited = Callable[[int | None], StateBackend]


@pytest.fixture(params=["memory", "redis", "sqlite"])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Limited]:
    if request.param == "memory":
        yield lambda limit: MemoryState(2**31 if limit is None else limit)
    elif request.param == "sqlite":
        path = tmp_path / "results.db"
        yield lambda limit: SqliteState(path, key=KEY, limit_bytes=limit)
    else:
        with RedisServer.start() as server:
            yield lambda limit: RedisState(server.url, key=KEY, limit_bytes=limit)


async def test_usage_says_what_each_task_takes_the_largest_first(limited: Limited) -> None:
    state = limited(None)
    await state.open()
    assert await state.usage() == []
    large = [Entry(f"l{n}", bytes([n]) * 200_000, 1.0, task="train ä") for n in range(3)]
    small = [Entry(f"s{n}", n, 1.0, task="load") for n in range(5)]
    await keep(state, *large, *small)
    first, second = await state.usage()
    assert (first.task, first.results) == ("train ä", 3)
    assert 600_000 <= first.size <= 603_000
    assert (second.task, second.results) == ("load", 5)
    assert abs(first.used - time.time()) < 60
    await state.close()


async def test_what_expired_goes_and_nothing_else_unless_asked(limited: Limited) -> None:
    state = limited(None)
    await state.open()
    now = time.time()
    await keep(
        state,
        Entry("old", bytes(100_000), 1.0, expires=now - 1),
        Entry("young", 1, 1.0, expires=now + 1000),
        Entry("always", 2, 1.0),
    )
    cleaned = await state.clean()
    assert cleaned.results == 1
    assert cleaned.size >= 100_000
    assert set(await state.known(["old", "young", "always"])) == {"young", "always"}
    assert (await state.clean(1000)).results == 0
    assert (await state.clean(0)).results == 2
    assert await state.usage() == []
    await state.close()


async def test_above_the_limit_the_longest_unused_go(limited: Limited) -> None:
    state = limited(1_000_000)
    await state.open()
    for n in range(4):
        await keep(state, Entry(f"k{n}", bytes([n]) * 240_000, 1.0))
        await asyncio.sleep(0.01)
    if isinstance(state, SqliteState):  # a use is written down once in ten minutes
        await asyncio.to_thread(_long_ago, state)
    assert set(await state.values(["k0"])) == {"k0"}
    await keep(state, Entry("new", bytes(240_000), 1.0))
    keys = ["k0", "k1", "k2", "k3", "new"]
    kept = set(keys)
    deadline = time.monotonic() + PATIENCE
    while "k1" in kept:  # room is made when it is told already that the new one is safe
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
        kept = set(await state.known(keys))
    assert {"k0", "new"} <= kept
    assert sum(usage.size for usage in await state.usage()) <= 1_000_000
    await state.close()


def _long_ago(state: Any) -> None:
    db = sqlite3.connect(state._path, isolation_level=None)
    db.execute("UPDATE results SET used = used - 3600, made = made - 3600")
    db.close()


async def test_removed_values_leave_no_file_and_give_the_disk_its_room_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.db"
    state = SqliteState(path, key=KEY)
    await keep(state, *(Entry(f"f{n}", bytes([n]) * 100_000, 1.0) for n in range(5)))
    await keep(state, *(Entry(f"r{n}", bytes([n]) * 30_000, 1.0) for n in range(50)))
    await state.close()
    before = path.stat().st_size
    assert (await state.clean(0)).results == 55
    await state.close()
    blobs = path.with_name("results.db.blobs")
    assert [file for file in blobs.rglob("*") if file.is_file()] == []
    assert path.stat().st_size < before / 5


def test_a_limit_is_part_of_the_url() -> None:
    assert "1 MB" in state_from("memory:?limit=1MiB").where
    assert state_from("sqlite:///r.db?limit=20GB")._limit == 20 * 10**9  # type: ignore[attr-defined]
    redis = state_from("redis://localhost:1/0?limit=5MB&prefix=x")
    assert redis._room._limit == 5_000_000  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"'much' is no size; write 500MB"):
        state_from("sqlite:///r.db?limit=much")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("500", 500),
        ("7kB", 7000),
        ("3tb", 3 * 10**12),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "1XB", "1e99TB", "nan", "inf"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        bytes_of(text)


kept = st.builds(
    Kept,
    st.integers(),
    st.just("t"),
    st.integers(0, 100),
    st.floats(0, 100),
    st.one_of(st.none(), st.floats(0, 200)),
)


@given(
    st.lists(kept),
    st.one_of(st.none(), st.floats(0, 100)),
    st.one_of(st.none(), st.integers(0, 500)),
)
def test_what_stays_is_young_enough_fits_and_was_used_after_what_went_for_the_limit(
    all_of_them: list[Kept], unused_for: float | None, limit: int | None
) -> None:
    going = to_remove(all_of_them, 100.0, unused_for, limit)
    gone = set(map(id, going))
    staying = [one for one in all_of_them if id(one) not in gone]
    assert len(gone) == len(going)
    for one in staying:
        assert one.expires is None or one.expires > 100
        assert unused_for is None or 100 - one.used < unused_for
    for_the_limit = to_remove(staying, 100.0, unused_for, limit)
    assert for_the_limit == []
    if limit is None:
        due = [
            one
            for one in all_of_them
            if (one.expires is not None and one.expires <= 100)
            or (unused_for is not None and 100 - one.used >= unused_for)
        ]
        assert going == due
    else:
        assert sum(one.size for one in staying) <= limit
        assert sum(one.size for one in all_of_them) > FILL * limit or len(going) <= len(all_of_them)


async def test_an_engine_cleans_results_by_their_ttl_and_runs_that_ended(tmp_path: Path) -> None:
    @cs.task
    def load() -> int:
        return 1

    @cs.task
    def train(x: int) -> int:
        return x

    engine = Engine(state_backend=SqliteState(tmp_path / "results.db", key=KEY))
    await engine.run(train(load().with_cache(ttl=0.05)))
    assert {usage.task for usage in await engine.usage()} == {"load", "train"}
    await asyncio.sleep(0.1)
    assert (await engine.clean()).results == 1
    assert [usage.task for usage in await engine.usage()] == ["train"]
    assert len(await engine.recorded()) == 1
    assert (await engine.clean(0)).results == 1
    assert await engine.recorded() == []
    assert await engine.run(train(load())) == 1
    await engine.aclose()
