"""What others may have written into Redis: none of it is taken for a result, or believed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator

import pytest

from cascade_nb.errors import RefusedBlobWarning
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.redis.backend import RedisState
from tests.state.redis_tools import KEY, LARGE, put_all
from tests.support.redis_server import RedisServer

PLACE = "cascade:result:k"


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with RedisServer.start() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    running.ask("FLUSHALL")
    return running


@pytest.fixture
async def state(server: RedisServer) -> AsyncIterator[RedisState]:
    made = RedisState(server.url, key=KEY)
    await made.open()
    yield made
    await made.close()


async def is_refused(state: RedisState) -> None:
    """It counts as absent, with a warning; and what is put in its place counts again."""
    await put_all(state, [Entry("sound", 7, 1.0)])
    with pytest.warns(RefusedBlobWarning, match=r"result k: "):
        assert await state.values(["k", "sound"]) == {"sound": 7}
    assert set(await state.known(["k", "sound"])) == {"sound"}
    await put_all(state, [Entry("k", "new", 1.0)])
    assert set(await state.known(["k", "sound"])) == {"k", "sound"}
    assert await state.values(["k"]) == {"k": "new"}


def bulk(answer: bytes) -> bytes:
    """The bytes of an answer that is one string."""
    head, _, rest = answer.partition(b"\r\n")
    return rest[: int(head[1:])]


async def test_a_result_with_any_flipped_bit_is_refused(
    state: RedisState, server: RedisServer
) -> None:
    await put_all(state, [Entry("k", {"a": [1, 2.5, "text"]}, 1.0)])
    blob = bulk(server.ask("HGET", PLACE, "0"))
    for seed in range(25):
        dice = random.Random(seed)
        forged = bytearray(blob)
        forged[dice.randrange(len(forged))] ^= 1 << dice.randrange(8)
        server.ask("HSET", PLACE, "0", bytes(forged))
        with pytest.warns(RefusedBlobWarning):
            assert await state.values(["k"]) == {}
    await is_refused(state)


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
async def test_a_truncated_result_is_refused(
    state: RedisState, server: RedisServer, cut: int
) -> None:
    await put_all(state, [Entry("k", "some text", 1.0)])
    server.ask("HSET", PLACE, "0", bulk(server.ask("HGET", PLACE, "0"))[:cut])
    await is_refused(state)


async def test_a_result_from_another_place_is_refused(
    state: RedisState, server: RedisServer
) -> None:
    # Signed by the right key, but for another result: whoever can write could swap them.
    await put_all(state, [Entry("k", 1, 1.0), Entry("other", 2, 1.0)])
    server.ask("COPY", "cascade:result:other", PLACE, "REPLACE")
    await is_refused(state)


async def test_a_result_of_another_prefix_is_refused(
    state: RedisState, server: RedisServer
) -> None:
    other = RedisState(server.url, prefix="other", key=KEY)
    await other.open()
    await put_all(other, [Entry("k", 1, 1.0)])
    await other.close()
    server.ask("COPY", "other:result:k", PLACE)
    await is_refused(state)


async def test_a_result_signed_by_another_key_is_refused_and_not_destroyed(
    state: RedisState, server: RedisServer
) -> None:
    # Two users may share a server and a prefix; what one cannot read is still the other's.
    other = RedisState(server.url, key=b"o" * 32)
    await other.open()
    await put_all(other, [Entry("k", 1, 1.0)])
    with pytest.warns(RefusedBlobWarning):
        assert await state.values(["k"]) == {}
    assert await other.values(["k"]) == {"k": 1}
    await other.close()
    await put_all(state, [Entry("k", "new", 1.0)])
    assert await state.values(["k"]) == {"k": "new"}


@pytest.mark.parametrize("missing", ["1", "4"])
async def test_a_large_result_without_one_of_its_chunks_is_refused(
    state: RedisState, server: RedisServer, missing: str
) -> None:
    await put_all(state, [Entry("k", LARGE, 1.0)])
    assert server.ask("HDEL", PLACE, missing) == b":1\r\n"
    await is_refused(state)


async def test_a_large_result_with_a_chunk_of_another_is_refused(
    state: RedisState, server: RedisServer
) -> None:
    await put_all(state, [Entry("k", LARGE, 1.0)])
    server.ask("HSET", PLACE, "2", b"x" * (1 << 20))
    await is_refused(state)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "nonsense",
        "1.0 2.0 1",
        "nan 1.0 1 s",
        "-1.0 1.0 1 s",
        "inf 1.0 1 s",
        "1.0 1e999 1 s",
        "1.0 1.0 0 s",
        "1.0 1.0 -3 s",
        "1.0 1.0 1.5 s",
        "1.0 1.0 999999999999999999999999 s",  # so many chunks, of which the first is there
        "\u0661 1.0 1 s",
        b"\xff\x00 1.0 1 s",
        b"x" * 5_000_000,
    ],
)
async def test_a_result_behind_a_head_of_no_sense_is_refused(
    state: RedisState, server: RedisServer, head: str | bytes
) -> None:
    await put_all(state, [Entry("k", 1, 1.0)])
    server.ask("HSET", PLACE, "h", head)
    await is_refused(state)


@pytest.mark.parametrize(
    "command",
    [("SET", PLACE, "v"), ("RPUSH", PLACE, "v"), ("SADD", PLACE, "v"), ("HSET", PLACE, "h", "v")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("value", ["small", LARGE], ids=["small", "large"])
async def test_something_else_under_the_key_counts_as_absent_and_makes_room(
    state: RedisState, server: RedisServer, command: tuple[str, ...], value: object
) -> None:
    server.ask(*command)
    assert await state.known(["k"]) == {}
    assert await state.values(["k"]) == {}
    await put_all(state, [Entry("sound", 1, 1.0), Entry("k", value, 1.0)])
    assert await state.values(["k", "sound"]) == {"k": value, "sound": 1}
    if value == "small":
        assert server.ask("HLEN", PLACE) == b":2\r\n"


async def test_a_part_of_a_run_that_was_not_signed_for_it_is_not_read(
    state: RedisState, server: RedisServer
) -> None:
    journal = state.journal
    lease = await journal.claim("r", "o", 30)
    await journal.write(lease, "graph", [1, 2])
    await journal.write(lease, "params", {"n": 1})
    parts = "cascade:run:r:parts"
    for forged in (b"", b"x" * 100, bulk(server.ask("HGET", parts, "params"))):
        server.ask("HSET", parts, "graph", forged)
        with (
            pytest.warns(RefusedBlobWarning, match="graph of run r: "),
            pytest.raises(KeyError, match="graph"),
        ):
            await journal.read("r", "graph")
    assert await journal.read("r", "params") == {"n": 1}


async def test_damaged_history_and_records_are_left_out(
    state: RedisState, server: RedisServer
) -> None:
    journal = state.journal
    lease = await journal.claim("r", "o", 30)
    await journal.describe(lease, "t", 1.0, 1)
    await journal.append(lease, ["one"])
    for damage in (b"\xff", b"{}", b"[1]", b"[" * 100_000):
        server.ask("RPUSH", "cascade:run:r:lines", damage)
    await journal.append(lease, ["two"])
    with pytest.warns(RefusedBlobWarning, match="history of run r"):
        assert await journal.history("r") == ["one", "two"]
    server.ask("ZADD", "cascade:runs", "9", "gone")
    server.ask("HSET", "cascade:run:r2", "title", "t", "owner", "o", "status", "s", "started", "x")
    server.ask("ZADD", "cascade:runs", "8", "r2")
    server.ask("SET", "cascade:run:r3", "text")
    server.ask("ZADD", "cascade:runs", "7", "r3")
    assert [record.run_id for record in await journal.runs()] == ["r"]
