"""Runs written down in a real Redis server, whose answers may get lost on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from cascade_nb.errors import LeaseHeldError, LeaseLostError, StateError
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.redis import link as redis_link
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.redis.journal import RedisJournal
from tests.engine.tools import until
from tests.state.redis_tools import KEY, LARGE, Ears, entries, opened, put_all
from tests.support.lossy import LossyWay
from tests.support.patience import PATIENCE, tries
from tests.support.redis_server import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer.start() as running:
        yield running


@pytest.fixture
async def state(server: RedisServer) -> AsyncIterator[RedisState]:
    made = await opened(server.url)
    yield made
    await made.close()


@pytest.fixture
def journal(state: RedisState) -> RedisJournal:
    return state.journal


async def test_a_fence_grows_even_when_the_run_was_forgotten(
    journal: RedisJournal, server: RedisServer
) -> None:
    # A kernel that was away meanwhile must not find that its number is good again.
    first = await journal.claim("r", "o", 30)
    await journal.forget("r")
    second = await journal.claim("r", "o", 30)
    server.ask("FLUSHALL")
    third = await journal.claim("r", "o", 30)
    assert first.fence < second.fence < third.fence
    for past in (first, second):
        with pytest.raises(LeaseLostError):
            await journal.append(past, ["from the past"])
    await journal.append(third, ["now"])
    assert await journal.history("r") == ["now"]


async def test_two_who_claim_at_once_have_one_owner(server: RedisServer, state: RedisState) -> None:
    other = await opened(server.url)
    for turn in range(30):
        some = await asyncio.gather(
            *(s.journal.claim(f"r{turn}", f"o{i}", 30) for i, s in enumerate((state, other))),
            return_exceptions=True,
        )
        owners = [found for found in some if isinstance(found, Lease)]
        losers = [found for found in some if isinstance(found, LeaseHeldError)]
        assert len(owners) == len(losers) == 1
        assert losers[0].owner == owners[0].owner
    await other.close()


async def test_a_large_value_on_its_way_does_not_hold_up_a_lease(
    state: RedisState, journal: RedisJournal
) -> None:
    ears = Ears()
    lease = await journal.claim("r", "o", 30)
    put = 0
    deadline = time.monotonic() + PATIENCE
    while len(ears.told) == put:  # they may all have come before the loop here had its turn
        assert time.monotonic() < deadline
        for entry in entries(20, LARGE):
            state.put(entry._replace(lease=lease), ears)
        put += 20
        await journal.renew(lease, 30)
    await until(lambda: len(ears.told) == put)
    assert not ears.errors


async def test_lines_whose_answer_was_lost_are_there_once_when_appended_again(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server has the command when it is stopped, and carries it out when it goes on; by then
    # nobody waits for its answer.
    for attempt in tries(0.4):
        with attempt as limit:
            monkeypatch.setattr(redis_link, "ANSWER", limit)
            state = await opened(server.url)
            try:
                await _lose_an_answer(state.journal, server, f"r{limit}")
            finally:
                server.thaw()
                await state.close()


async def _lose_an_answer(journal: RedisJournal, server: RedisServer, run: str) -> None:
    lease = await journal.claim(run, "o", 30)
    await journal.append(lease, ["1"])
    server.freeze()
    for lines in (["2", "3"], ["2", "3", "4"]):
        with pytest.raises(StateError, match="does not answer"):
            await journal.append(lease, lines)
    server.thaw()
    carried_out = b":2\r\n"
    key = f"cascade:run:{run}:lines"
    await until(lambda: server.ask("LLEN", key) >= carried_out, "what lay in the server's socket")
    await journal.append(lease, ["2", "3", "4", "5"])
    assert await journal.history(run) == ["1", "2", "3", "4", "5"]
    await journal.append(lease, ["5"])
    assert (await journal.history(run))[-2:] == ["5", "5"]


async def test_an_answer_that_got_lost_is_asked_for_again_and_nothing_happens_twice(
    server: RedisServer,
) -> None:
    async with LossyWay.to(server.port) as way:
        state = await opened(f"redis://127.0.0.1:{way.port}")
        lease = await state.journal.claim("r", "o", 30)
        for i in range(3):
            way.lose = 1
            await state.journal.append(lease, [str(i)])
        for value, answer in (("small", 1), (LARGE, 2), (LARGE[1:], 6)):  # chunk, end
            way.lose = answer
            assert not (await put_all(state, [Entry("k", value, 1.0, lease)])).errors
            assert way.lose == 0
            assert await state.values(["k"]) == {"k": value}
        assert await state.journal.history("r") == ["0", "1", "2"]
        await state.close()


async def test_lines_that_never_arrived_are_there_once_when_appended_again(
    journal: RedisJournal, server: RedisServer
) -> None:
    lease = await journal.claim("r", "o", 30)
    await journal.append(lease, ["1"])
    server.kill()
    for lines in (["2"], ["2", "3"]):
        with pytest.raises(StateError, match="cannot be reached"):
            await journal.append(lease, lines)
    server.start_again()
    await journal.append(lease, ["2", "3", "4"])
    await journal.append(lease, ["5"])
    assert await journal.history("r") == ["1", "2", "3", "4", "5"]


async def test_lines_that_were_given_up_hold_up_no_others(
    journal: RedisJournal, server: RedisServer
) -> None:
    lease = await journal.claim("r", "o", 30)
    server.kill()
    with pytest.raises(StateError):
        await journal.append(lease, ["lost"])
    server.start_again()
    await journal.append(lease, ["other"])
    assert await journal.history("r") == ["other"]


async def test_appends_that_overlap_keep_their_order(journal: RedisJournal) -> None:
    lease = await journal.claim("r", "o", 30)
    await asyncio.gather(*(journal.append(lease, [str(i)]) for i in range(100)))
    assert await journal.history("r") == [str(i) for i in range(100)]


async def test_a_long_history_comes_back_whole(
    journal: RedisJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade_nb.state.redis.journal.PAGE", 7)
    lease = await journal.claim("r", "o", 30)
    lines = [f"{i} ü\n\x00\ud800" for i in range(42)]
    for line in lines:
        await journal.append(lease, [line])
    assert await journal.history("r") == lines


async def test_what_was_acknowledged_outlives_the_server(
    journal: RedisJournal, server: RedisServer
) -> None:
    lease = await journal.claim("r", "kernel 1", 600)
    await journal.describe(lease, "report", 12.5, 40)
    await journal.write(lease, "graph", {"a": LARGE})
    await journal.append(lease, ["1", "2"])
    server.kill()
    server.start_again()
    assert await journal.read("r", "graph") == {"a": LARGE}
    assert await journal.history("r") == ["1", "2"]
    (record,) = await journal.runs()
    assert record[:6] == ("r", "report", "kernel 1", 12.5, "running", 40)
    assert 500 < record.lease_left <= 600
    with pytest.raises(LeaseHeldError):
        await journal.claim("r", "kernel 2", 30)
    await journal.append(lease, ["3"])


async def test_a_stopped_server_does_not_make_a_lease_longer(
    journal: RedisJournal, server: RedisServer
) -> None:
    # The server's clock goes on; who stood still with it has no more time than anybody else.
    await journal.claim("r", "first", 0.5)
    server.freeze()
    await asyncio.sleep(0.6)
    server.thaw()
    assert (await journal.claim("r", "second", 30)).owner == "second"


async def test_a_run_lives_as_long_as_its_lease_even_where_others_go_sooner(
    server: RedisServer,
) -> None:
    state = RedisState(server.url, ttl=600, key=KEY)
    await state.open()
    lease = await state.journal.claim("r", "o", 7200)
    await state.journal.describe(lease, "t", 1.0, 1)
    await state.journal.append(lease, ["1"])
    await state.journal.write(lease, "p", 1)
    left = [int(server.ask("TTL", f"cascade:run:r{part}")[1:]) for part in ("", ":lines", ":parts")]
    assert left[0] > 7000
    assert 400 < left[1] <= 600
    await state.journal.renew(lease, 3600)
    left = [int(server.ask("TTL", f"cascade:run:r{part}")[1:]) for part in ("", ":lines", ":parts")]
    assert min(left) > 3400
    await state.close()


async def test_a_run_that_went_by_itself_is_no_longer_listed(server: RedisServer) -> None:
    for attempt in tries(0.05):
        with attempt as ttl:  # in which it is to be described
            state = RedisState(server.url, ttl=ttl, key=KEY)
            await state.open()
            try:
                lease = await state.journal.claim(f"r{ttl}", "o", ttl)
                await state.journal.describe(lease, "t", 1.0, 1)
                deadline = time.monotonic() + PATIENCE
                while await state.journal.runs():
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                assert server.ask("ZCARD", "cascade:runs") == b":0\r\n"
            finally:
                await state.close()


async def test_after_closing_the_journal_says_that_it_is_closed(server: RedisServer) -> None:
    state = await opened(server.url)
    await state.close()
    with pytest.raises(StateError, match="closed"):
        await state.journal.runs()
