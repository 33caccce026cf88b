"""Results that may not be read are told of once for what has one cause."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cascade_nb.protocols.state_backend import Entry, StateBackend
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.sqlite.backend import SqliteState
from tests.state.witness import keep
from tests.support.redis_server import RedisServer

#: A backend of one place that signs with a key.
With = Callable[[bytes], StateBackend]


@pytest.fixture(params=["redis", "sqlite"])
def signed_with(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[With]:
    if request.param == "sqlite":
        yield lambda key: SqliteState(tmp_path / "results.db", key=key)
    else:
        with RedisServer.start() as server:
            yield lambda key: RedisState(server.url, key=key)


def entries(name: str) -> list[Entry]:
    return [Entry(f"{name}{n}", n, 1.0) for n in range(40)]


async def test_a_changed_key_is_told_once_however_many_results_it_makes_unreadable(
    signed_with: With,
) -> None:
    before, now = signed_with(b"b" * 32), signed_with(b"n" * 32)
    await before.open()
    await now.open()
    await keep(before, *entries("a"), *entries("b"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name in "ab":
            for _ in range(2):
                assert await now.values([entry.key for entry in entries(name)]) == {}
    assert [str(warning.message).count("another key") for warning in told] == [1]
    assert "the kept result a0 (and 39 more)" in str(told[0].message)
    await keep(now, *entries("a"))  # and computed again they are there again
    assert len(await now.values([entry.key for entry in entries("a")])) == 40
    await before.close()
    await now.close()


async def test_many_damaged_results_of_one_look_are_one_warning(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "results.db", key=b"k" * 32)
    await keep(state, *entries("a"))
    db = sqlite3.connect(tmp_path / "results.db", isolation_level=None)
    db.execute("UPDATE results SET bytes = 'x'")
    db.close()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert await state.values([entry.key for entry in entries("a")]) == {}
    assert len(told) == 1
    await state.close()
