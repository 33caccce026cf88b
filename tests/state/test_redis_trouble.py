"""A Redis server that is killed, stopped, full or closed to us: nothing is told that is not so."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.errors import StateError, UsageError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.redis import link as redis_link
from cascade_nb.state.redis.advice import trouble
from cascade_nb.state.redis.backend import RedisState
from cascade_nb.state.urls import state_from
from tests.engine.tools import until
from tests.state.redis_tools import KEY, LARGE, Ears, entries, opened, put_all
from tests.support.patience import tries
from tests.support.redis_server import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer.start() as running:
        yield running


@pytest.mark.parametrize("seed", range(6))
async def test_a_server_killed_mid_batch_has_all_that_was_acknowledged(
    server: RedisServer, seed: int
) -> None:
    # What was under way when it died may be there or not; but what was told must be true.
    dice = random.Random(seed)
    state = await opened(server.url)
    ears = Ears()
    some = [Entry(f"k{i}", LARGE if dice.random() < 0.01 else i, 1.0) for i in range(1500)]
    killed = dice.randrange(100, 1400)
    for i, entry in enumerate(some):
        state.put(entry, ears)
        if i % 50 == 0:
            await asyncio.sleep(0.002)
        if i == killed:
            server.kill()
    await ears.all(len(some))
    assert ears.errors
    assert all("cannot be reached" in str(error) for error in ears.errors.values())

    server.start_again()
    values = {entry.key: entry.value for entry in some}
    kept = await state.values(ears.kept_keys)
    assert kept == {key: values[key] for key in ears.kept_keys}
    again = await put_all(state, [entry for entry in some if entry.key in ears.errors])
    assert not again.errors
    assert await state.values(list(values)) == values
    await state.close()


async def test_after_the_server_started_anew_the_next_question_just_works(
    server: RedisServer,
) -> None:
    state = await opened(server.url)
    await put_all(state, entries(3))
    for ask in ("put", "known", "values", "claim"):
        server.kill()
        server.start_again()
        if ask == "put":
            assert not (await put_all(state, entries(1))).errors
        elif ask == "known":
            assert len(await state.known(["k0", "k1", "k2"])) == 3
        elif ask == "values":
            assert len(await state.values(["k0", "k1", "k2"])) == 3
        else:
            await state.journal.claim("r", "o", 30)
    await state.close()


async def test_a_stopped_server_is_told_of_in_seconds_and_not_waited_for(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attempt in tries(1.0):
        with attempt as limit:
            monkeypatch.setattr(redis_link, "ANSWER", limit)
            state = await opened(server.url)
            try:
                await _told_of_a_stopped(server, state, limit)
            finally:
                server.thaw()
                await state.close()


async def _told_of_a_stopped(server: RedisServer, state: RedisState, limit: float) -> None:
    await put_all(state, entries(2))
    server.freeze()
    began = time.monotonic()
    asked = asyncio.gather(
        state.known(["k0"]),
        state.values(["k0"]),
        state.journal.claim("r", "o", 30),
        state.journal.runs(),
        return_exceptions=True,
    )
    ears = await put_all(state, entries(500, LARGE[:10_000]))
    assert len(ears.errors) == 500
    for error in [*ears.errors.values(), *await asked]:
        assert isinstance(error, StateError)
        assert "does not answer; see whether it is stopped" in str(error)
    assert time.monotonic() - began < 60 * limit  # each alone would take as long as the limit

    server.thaw()
    assert not (await put_all(state, entries(500))).errors
    assert len(await state.values([f"k{i}" for i in range(500)])) == 500
    assert isinstance(await state.journal.claim(f"r{limit}", "o", 30), tuple)


@pytest.mark.parametrize("trouble", ["stopped", "gone"])
async def test_closing_does_not_wait_for_a_server_in_trouble(
    server: RedisServer, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "ANSWER", 1.0)
    state = await opened(server.url)
    ears = Ears()
    if trouble == "stopped":
        server.freeze()
    else:
        server.kill()
    for entry in entries(3000, LARGE[:2_000]):
        state.put(entry, ears)
    began = time.monotonic()
    await state.close()
    assert time.monotonic() - began < 60
    assert len(ears.errors) == 3000
    with pytest.raises(StateError):
        await state.open()
    await state.close()


async def test_a_large_value_that_was_cut_off_leaves_only_what_goes_by_itself(
    server: RedisServer,
) -> None:
    state = await opened(server.url)
    await put_all(state, [Entry("k", "earlier", 1.0)])
    server.ask("CONFIG", "SET", "maxmemory", str(memory_of(server) + 3_000_000))
    ears = await put_all(state, [Entry("k", LARGE, 1.0)])
    assert "maxmemory" in str(ears.errors["k"])
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await state.values(["k"]) == {"k": "earlier"}
    words = server.ask("KEYS", "*").split()
    left = [word for word in words if word.startswith(b"cascade:result:")]
    assert len(left) == 2  # the earlier result and the chunks
    (chunks,) = set(left) - {b"cascade:result:k"}
    assert 0 < int(server.ask("TTL", chunks)[1:]) <= 3600
    await state.close()


def memory_of(server: RedisServer) -> int:
    line = next(x for x in server.ask("INFO", "memory").split() if x.startswith(b"used_memory:"))
    return int(line.split(b":")[1])


async def test_a_full_server_takes_nothing_and_then_everything(server: RedisServer) -> None:
    state = await opened(server.url)
    server.ask("CONFIG", "SET", "maxmemory", "1")
    ears = await put_all(state, entries(10))
    assert len(ears.errors) == 10
    assert "has no memory left; raise its maxmemory" in str(ears.errors["k0"])
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert not (await put_all(state, entries(10))).errors
    await state.close()


async def test_a_replica_is_read_and_refuses_what_is_put(server: RedisServer) -> None:
    state = await opened(server.url)
    await put_all(state, entries(2))
    server.ask("REPLICAOF", "127.0.0.1", "1")
    ears = await put_all(state, entries(2, "new"))
    assert "use the address of the primary" in str(ears.errors["k0"])
    assert await state.values(["k0", "k1"]) == {"k0": "v", "k1": "v"}
    await state.close()


async def test_a_server_that_cannot_write_its_disk_says_so() -> None:
    with RedisServer.start("--save", "3600 1") as server:
        state = await opened(server.url)
        await put_all(state, entries(1))
        folder = Path(server.ask("CONFIG", "GET", "dir").split(b"\r\n")[4].decode())
        shutil.rmtree(folder)
        server.ask("BGSAVE")
        failed = b"rdb_last_bgsave_status:err"
        await until(lambda: failed in server.ask("INFO", "persistence"), "a failed save")
        ears = await put_all(state, entries(1))
        assert "cannot write to its own disk" in str(ears.errors["k0"])
        await state.close()


PASSWORD = "sesame/öffne?dich"
QUOTED = "sesame%2F%C3%B6ffne%3Fdich"


async def said_when_opening(state: RedisState) -> str:
    with pytest.raises(StateError) as caught:
        await state.open()
    await state.close()
    texts = []
    error: BaseException | None = caught.value
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    for text in texts:
        assert "sesame" not in text
    return texts[0]


async def test_a_password_is_wanted_wrong_or_right_and_never_told(server: RedisServer) -> None:
    port = server.port
    server.ask("CONFIG", "SET", "requirepass", PASSWORD)
    none = await said_when_opening(RedisState(server.url, key=KEY))
    assert "wants a password; put it into the URL" in none
    wrong = await said_when_opening(RedisState(f"redis://:sesame@127.0.0.1:{port}", key=KEY))
    assert "refused the user name or password" in wrong
    url = f"redis://:{QUOTED}@127.0.0.1:{port}/1"
    state = await opened(url)
    assert "sesame" not in state.where + repr(state)
    assert f"127.0.0.1:{port}, database 1" in state.where
    assert not (await put_all(state, entries(1))).errors
    server.kill()
    ears = await put_all(state, entries(1))
    assert f"127.0.0.1:{port}" in str(ears.errors["k0"])
    assert "sesame" not in repr(ears.errors["k0"])
    await state.close()
    gone = await said_when_opening(RedisState(url, key=KEY))
    assert "cannot be reached; see that it runs" in gone


async def test_a_user_who_may_not_write_is_told_what_is_needed(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "ada", "on", ">sesame", "~*", "+@read", "+ping")
    state = RedisState(f"redis://ada:sesame@127.0.0.1:{server.port}", key=KEY)
    assert "must be allowed to run scripts" in await said_when_opening(state)


async def test_what_answers_but_is_no_redis_is_named_so() -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(hello, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other:
        text = await said_when_opening(RedisState(f"redis://127.0.0.1:{port}", key=KEY))
    assert "does not answer as Redis does" in text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("LOADING Redis is loading the dataset in memory", "still loading"),
        ("MISCONF Redis is configured to save RDB snapshots", "its own disk"),
        # as servers before 7.0 tell of what failed within a script
        ("Error running script (call to f_6): @user_script:1: -OOM command not allowed", "memory"),
        ("max number of clients reached", "maxclients"),
        ("Error 1 connecting to ada:6379. [SSL: CERTIFICATE_VERIFY_FAILED]", "ssl_ca_certs=FILE"),
        ("BUSY Redis is busy running a script", "busy"),
        ("MOVED 3999 127.0.0.1:6381", "cluster"),
        ("ERR something nobody thought of", "refused: ERR something nobody thought of"),
    ],
)
def test_each_trouble_has_its_advice(text: str, advice: str) -> None:
    assert advice in str(trouble("ada:6379", "", text))
    assert "ada:6379" in str(trouble("ada:6379", "", text))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost:6379",
        "unix:///run/redis.sock",
        "redis://:sesame/rest@localhost",
        "redis://:sesame?rest@localhost",
        "redis://:1sesame#rest@localhost",
        "redis://localhost:sesame",
        "redis://localhost:99999999",
        "redis://[::1",
        "",
    ],
)
def test_a_wrong_url_is_refused_at_once_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        RedisState(url, key=KEY)
    assert "redis://user:password@host" in str(caught.value)
    assert "sesame" not in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "sesame" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("options", [{"prefix": ""}, {"ttl": 0}, {"ttl": -1.0}, {"ttl": "1 h"}])
def test_options_that_mean_nothing_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"prefix|ttl"):
        RedisState("redis://localhost", key=KEY, **options)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://ada", "ada:6379"),
        ("rediss://u:p@ada:6380/2", "ada:6380, database 2"),
        ("redis://[::1]:7000", "[::1]:7000"),
        ("redis://", "localhost:6379"),
    ],
)
def test_the_server_is_named_without_user_and_password(url: str, where: str) -> None:
    assert RedisState(url, key=KEY, insecure=True).where == f"Redis at {where}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://ada", "without TLS and without a password"),
        ("redis://:sesame@ada", "without TLS: whoever"),
        ("rediss://ada", "without a password"),
        ("rediss://:sesame@ada?ssl_cert_reqs=none", "without TLS: whoever"),
        ("redis://192.168.1.7", "is another machine"),
    ],
)
def test_another_machine_is_spoken_to_over_tls_with_a_password_or_when_that_is_said(
    url: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        RedisState(url, key=KEY)
    assert "sesame" not in str(caught.value)
    RedisState(url, key=KEY, insecure=True)
    if "?" not in url:
        with pytest.raises(UsageError, match=words):
            state_from(url)
        state_from(f"{url}?insecure=true")
        with pytest.raises(UsageError, match="true or false"):
            state_from(f"{url}?insecure=1")


@pytest.mark.parametrize(
    "url", ["redis://", "redis://127.0.0.1", "rediss://u:p@ada", "redis://[::1]"]
)
def test_this_machine_and_one_that_is_spoken_to_safely_need_nothing_said(url: str) -> None:
    RedisState(url, key=KEY)
