"""Results in a real Redis server: what it acknowledged is kept, and nobody is told otherwise."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from cascade_nb.errors import CodecError, LeaseLostError, StateError
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.redis.scripts import PUBLISH
from tests.engine.tools import until
from tests.state.redis_tools import KEY, LARGE, Ears, entries, put_all, refusals_ignored
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer.start() as running:
        yield running


@pytest.fixture
async def state(server: RedisServer, request: pytest.FixtureRequest) -> AsyncIterator[RedisState]:
    made = RedisState(server.url, prefix=request.node.name, key=KEY)
    await made.open()
    yield made
    await made.close()


async def test_entries_from_many_threads_are_told_in_a_few_calls_and_can_be_read(
    state: RedisState,
) -> None:
    ears = Ears()
    threads = [
        threading.Thread(
            target=lambda n=n: [state.put(Entry(f"{n}.{i}", i, 2.0), ears) for i in range(500)]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    await until(lambda: not any(thread.is_alive() for thread in threads))
    await ears.all(2000)
    assert not ears.errors
    assert len(ears.batches) < 500
    assert threading.current_thread() not in ears.threads
    keys = [f"{n}.{i}" for n in range(4) for i in range(500)]
    assert await state.values(keys) == {f"{n}.{i}": i for n in range(4) for i in range(500)}
    known = await state.known([*keys, "nothing"])
    assert set(known) == set(keys)
    assert known["0.0"].seconds == 2.0
    assert abs(known["0.0"].made - time.time()) < 60


async def test_a_large_value_travels_in_chunks_and_nothing_else_stays(
    state: RedisState, server: RedisServer
) -> None:
    ears = await put_all(state, [*entries(3), Entry("large", LARGE, 1.0)])
    assert not ears.errors
    assert await state.values(["large", "k1"]) == {"large": LARGE, "k1": "v"}
    place = f"{server_prefix(state)}:result:large"
    assert server.ask("HLEN", place) == b":6\r\n"  # the head and five chunks
    assert server.ask("TTL", place) == b":-1\r\n"  # and not that of chunks on their way
    keys = server.ask("KEYS", f"{server_prefix(state)}:result:*")
    assert keys.startswith(b"*4\r\n")


async def test_a_large_value_is_never_seen_half(state: RedisState) -> None:
    # The reader takes one chunk after another, and meanwhile others put the value anew.
    writer = RedisState(state._link._url, prefix=server_prefix(state), key=KEY)
    await writer.open()
    await put_all(state, [Entry("large", b"a" * 3_000_000, 1.0)])
    enough = asyncio.Event()

    async def rewrite() -> None:
        while not enough.is_set():
            for letter in b"bcd":
                await put_all(writer, [Entry("large", bytes([letter]) * 3_000_000, 1.0)])

    rewriting = asyncio.create_task(rewrite())
    seen = set()
    for _ in range(60):
        with refusals_ignored():
            found = await state.values(["large"])
        if found:
            value = found["large"]
            assert value == value[:1] * 3_000_000
            seen.add(value[:1])
    enough.set()
    await rewriting
    await writer.close()
    assert seen


async def test_a_large_value_whose_chunks_went_on_the_way_does_not_take_the_place_of_a_whole_one(
    state: RedisState, server: RedisServer
) -> None:
    # A server that evicts may drop them before the last has come.
    await put_all(state, entries(1))
    place = f"{server_prefix(state)}:result:k0"
    keys = ["no run", f"{place}:stamp", place, "uses"]
    server.ask("HSET", keys[1], "1", "the second of two")
    with pytest.raises(StateError, match="chunks of this result were evicted"):
        await state._link.ask(lambda s: s.script(PUBLISH, keys, ["", "", "1.0 1.0 2 stamp", 2]))
    assert await state.values(["k0"]) == {"k0": "v"}


async def test_a_value_without_bytes_is_refused_alone(state: RedisState) -> None:
    some = entries(10)
    some[4] = some[4]._replace(value=threading.Lock())
    ears = await put_all(state, some)
    assert list(ears.errors) == ["k4"]
    assert isinstance(ears.errors["k4"], CodecError)
    assert len(await state.values([f"k{i}" for i in range(10)])) == 9


async def test_a_later_value_replaces_the_earlier_whatever_their_sizes(
    state: RedisState, server: RedisServer
) -> None:
    place = f"{server_prefix(state)}:result:k"
    for value in ("small", LARGE, "small again", LARGE[:-1]):
        await put_all(state, [Entry("k", value, 1.0)])
        assert (await state.values(["k"]))["k"] == value
        left = b":2\r\n" if isinstance(value, str) else b":6\r\n"
        assert server.ask("HLEN", place) == left  # and no chunk of what was there before


async def test_the_newest_of_those_put_at_once_stays(state: RedisState) -> None:
    # A large value must not be overtaken by, nor overtake, what was put after it or before it.
    for values in ([1, LARGE, 2], [LARGE, 1, LARGE[:-1]]):
        ears = Ears()
        for value in values:
            state.put(Entry("k", value, 1.0), ears)
        await until(lambda ears=ears: len(ears.told) == 3)  # type: ignore[misc]
        assert (await state.values(["k"]))["k"] == values[-1]


async def test_what_a_stale_owner_puts_is_refused_and_the_others_are_kept(
    state: RedisState,
) -> None:
    stale = await state.journal.claim("r", "first", 0.001)
    owner = await until_claimed(state, "r", "second")
    ears = Ears()
    for i in range(30):
        lease = (None, stale, owner)[i % 3]
        state.put(Entry(f"k{i}", i, 1.0, lease), ears)
    state.put(Entry("large", LARGE, 1.0, stale), ears)
    await ears.all(31)
    assert set(ears.errors) == {"large", *(f"k{i}" for i in range(1, 30, 3))}
    for error in ears.errors.values():
        assert isinstance(error, LeaseLostError)
        assert error.owner == "second"
    assert set(await state.known(["large", *(f"k{i}" for i in range(30))])) == set(ears.kept_keys)


async def test_closing_tells_of_everything_and_leaves_no_thread(server: RedisServer) -> None:
    state = RedisState(server.url, prefix="closing", key=KEY)
    await state.open()
    ears = Ears()
    for entry in entries(3000):
        state.put(entry, ears)
    await state.close()
    assert len(ears.kept_keys) == 3000
    await state.open()
    assert len(await state.values([f"k{i}" for i in range(3000)])) == 3000
    await state.close()


async def test_what_is_put_into_a_closed_state_is_told_and_not_kept(server: RedisServer) -> None:
    state = RedisState(server.url, prefix="closed", key=KEY)
    before = await put_all(state, entries(2))
    await state.open()
    await state.close()
    after = await put_all(state, entries(2))
    for ears in (before, after):
        assert "closed" in str(ears.errors["k1"])
        assert threading.current_thread() not in ears.threads
    with pytest.raises(StateError, match="closed"):
        await state.known(["k1"])


async def test_closing_and_putting_at_once_tells_of_each_entry_once(server: RedisServer) -> None:
    # An entry may come in the moment between the last look at the queue and the end of the loop.
    state = RedisState(server.url, prefix="race", key=KEY)
    for turn in range(20):
        await state.open()
        ears = Ears()
        thread = threading.Thread(
            target=lambda ears=ears: [state.put(entry, ears) for entry in entries(300)]
        )
        thread.start()
        await asyncio.sleep(turn / 5000)
        await state.close()
        await until(lambda thread=thread: not thread.is_alive())  # type: ignore[misc]
        await ears.all(300)
        assert all("closed" in str(error) for error in ears.errors.values())


async def test_a_keeper_that_raises_keeps_the_others_from_nothing(
    state: RedisState, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Ears):
        def kept(self, entries: Sequence[Entry]) -> None:
            raise ZeroDivisionError

    said: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    deaf, ears = Deaf(), Ears()
    for entry in entries(10):
        state.put(entry, deaf)
        state.put(entry._replace(key="o" + entry.key), ears)
    await ears.all(10)
    assert [hooked.exc_type for hooked in said][:1] == [ZeroDivisionError]
    await put_all(state, entries(1))


async def test_it_can_be_used_from_one_loop_after_another_and_from_two_at_once(
    state: RedisState,
) -> None:
    await put_all(state, entries(5))
    keys = [f"k{i}" for i in range(5)]

    def on_another() -> int:
        return len(asyncio.run(state.values(keys)))

    counts = await asyncio.gather(*(asyncio.to_thread(on_another) for _ in range(3)))
    assert counts == [5, 5, 5]
    assert len(await state.values(keys)) == 5


async def test_what_nobody_uses_for_its_time_goes_and_what_is_read_stays(
    server: RedisServer,
) -> None:
    state = RedisState(server.url, prefix="ttl", ttl=3600, key=KEY)
    await state.open()
    await put_all(state, [*entries(2), Entry("large", LARGE, 1.0)])
    for key in ("k0", "k1", "large"):
        assert 3500 < number(server.ask("TTL", f"ttl:result:{key}")) <= 3600
        server.ask("PEXPIRE", f"ttl:result:{key}", "60000")
    await state.values(["k0", "large"])
    left = [number(server.ask("TTL", f"ttl:result:{key}")) for key in ("k0", "k1", "large")]
    assert [seconds > 3500 for seconds in left] == [True, False, True]
    await state.close()
    brief = RedisState(server.url, prefix="ttl", ttl=0.05, key=KEY)
    await brief.open()
    await put_all(brief, entries(2))
    deadline = time.monotonic() + 60
    while await brief.known(["k0", "k1"]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert await brief.values(["k0", "k1"]) == {}
    await brief.close()


async def test_another_prefix_sees_nothing(state: RedisState, server: RedisServer) -> None:
    await put_all(state, entries(3))
    other = RedisState(server.url, prefix="other", key=KEY)
    await other.open()
    assert await other.known(["k0", "k1", "k2"]) == {}
    await put_all(other, entries(1, "theirs"))
    assert await state.values(["k0"]) == {"k0": "v"}
    lease = await other.journal.claim("r", "o", 30)
    await other.journal.describe(lease, "t", 1.0, 1)
    assert await state.journal.runs() == []
    await other.close()


async def test_ten_thousand_keys_are_looked_up_in_a_few_questions(
    state: RedisState, server: RedisServer
) -> None:
    before = commands_of(server)
    keys = [f"k{i}" for i in range(10_000)]
    assert await state.known(keys) == {}
    assert await state.values(keys) == {}
    assert commands_of(server) - before < 20


def server_prefix(state: RedisState) -> str:
    return state._keys._prefix


def number(answer: bytes) -> int:
    return int(answer[1:])


def commands_of(server: RedisServer) -> int:
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", server.ask("INFO", "commandstats"))
    assert found
    return int(found[1])


async def until_claimed(state: RedisState, run_id: str, owner: str) -> Lease:
    deadline = time.monotonic() + 60
    while True:
        try:
            return await state.journal.claim(run_id, owner, 30)
        except StateError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
