"""Whatever a Redis server holds or replies: no raw error, no endless loop, no wrong value."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from cascade_nb.errors import StateError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.redis.backend import RedisState
from tests.state.redis_tools import KEY, LARGE, refusals_ignored
from tests.state.witness import Witness, keep
from tests.support.examples import examples
from tests.support.redis_server import RedisServer

VALUES = {"small": [1, 2], "large": LARGE}
RUN = "cascade:run:run"


async def ask_everything(state: RedisState) -> None:
    """Whatever a kernel does with a server. Nothing takes longer than a few answers."""
    journal = state.journal
    assert journal is not None
    keys = [*VALUES, "none"]
    asked: list[Callable[[], Awaitable[Any]]] = [
        state.open,
        lambda: state.known(keys),
        journal.runs,
        lambda: journal.history("run"),
        lambda: journal.claim("run", "you", 5.0),
        lambda: journal.claim("new", "you", 5.0),
        lambda: Witness().put(state, Entry("new", 3, 1.0)),
        lambda: Witness().put(state, Entry("large", LARGE, 1.0)),
        lambda: journal.forget("run"),
    ]
    for ask in asked:
        with contextlib.suppress(StateError):
            await asyncio.wait_for(ask(), 60)
    with contextlib.suppress(StateError):
        found = await asyncio.wait_for(state.values(keys), 60)
        assert all(VALUES[key] == value for key, value in found.items())
    with contextlib.suppress(StateError, KeyError):
        assert await asyncio.wait_for(journal.read("run", "order"), 60) == [7]
    await state.close()


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with RedisServer.start() as server:
        yield server


FIELDS = {
    "cascade:result:small": ("h", "0"),
    "cascade:result:large": ("h", "0", "1", "4"),
    RUN: ("fence", "owner", "until", "title", "started", "status", "total", "last"),
    f"{RUN}:parts": ("order",),
}
ODD = ("", "x", "-1", "0", "1e400", "nan", "9" * 400, "1.5 1.5 1 s", "1.5 1.5 99999999 s",
       "nan 1 1 s", "1 1e300 1 s", "\x00\x01", "[1", "[[1]]", "running", "\ud800")  # fmt: skip


def damage(server: RedisServer, rng: random.Random) -> tuple[Any, ...]:
    """One command that puts something where this library did not."""
    odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
    key = rng.choice([*FIELDS, f"{RUN}:lines", "cascade:runs"])
    command: tuple[Any, ...] = rng.choice([("SET", key, odd), ("DEL", key)])
    if key in FIELDS and rng.random() < 0.8:
        field = rng.choice(FIELDS[key])
        command = rng.choice([("HSET", key, field, odd), ("HDEL", key, field)])
    elif key.endswith(":lines"):
        command = ("RPUSH", key, odd)
    elif rng.random() < 0.8:
        command = ("ZADD", "cascade:runs", "7", odd)
    server.ask(*command)
    return command


async def test_no_single_field_gives_a_raw_error_or_a_wrong_value(running: RedisServer) -> None:
    rng = random.Random(5)
    running.ask("FLUSHALL")
    state = RedisState(running.url, key=KEY)
    await state.open()
    await keep(state, *(Entry(key, value, 1.0) for key, value in VALUES.items()))
    assert state.journal is not None
    lease = await state.journal.claim("run", "me", 1000.0)
    await state.journal.describe(lease, "title", 5.0, 3)
    await state.journal.append(lease, ["one", "two"])
    await state.journal.write(lease, "order", [7])
    await state.close()
    keys = [*FIELDS, f"{RUN}:lines", "cascade:runs"]
    for key in keys:
        running.ask("COPY", key, f"saved:{key}")
    for _ in range(examples(100)):
        command = damage(running, rng)
        try:
            with refusals_ignored():
                await ask_everything(RedisState(running.url, key=KEY))
        except BaseException as error:
            error.args = (f"{command!r:.200}: {error!r}",)
            raise
        for key in keys:
            running.ask("COPY", f"saved:{key}", key, "REPLACE")


def a_reply(rng: random.Random, depth: int = 0) -> bytes:
    """A reply of RESP2 that no command need ever have given."""
    kind = rng.randrange(8 if depth < 2 else 6)
    number = rng.choice([0, 1, -1, 3, 10**6, 2**63 - 1])
    texts = (b"", b"x", b"\xff\x00", b"1.5 1.5 1 s", b"1.5 1.5 2 s", b"12", b"-4", b"9" * 30)
    text = rng.choice(texts)
    if kind == 0:
        return b":%d\r\n" % number
    if kind == 1:
        return rng.choice([b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"+OK\r\n", b"+\xfe\r\n"])
    if kind == 2:
        return b"-%s\r\n" % rng.choice([b"ERR odd", b"WRONGTYPE no", b"", b"\xff", b"OOM full"])
    if kind <= 5:
        return b"$%d\r\n%s\r\n" % (len(text), text)
    items = [a_reply(rng, depth + 1) for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 6]))]
    return b"*%d\r\n%s" % (len(items), b"".join(items))


@pytest.fixture
async def odd_server() -> AsyncIterator[tuple[str, random.Random]]:
    """A server that replies anything at all, but greets as it should."""
    rng = random.Random(3)
    talking: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
        ):
            while head := await reader.readline():
                words = []
                for _ in range(int(head[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                greeting = words[0] in (b"CLIENT", b"SELECT", b"HELLO")
                writer.write(b"+OK\r\n" if greeting else a_reply(rng))
                await writer.drain()
        writer.close()
        talking.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0", rng
    server.close()
    for task in talking.copy():
        task.cancel()
    await asyncio.gather(*talking, return_exceptions=True)


async def test_no_reply_gives_a_raw_error_or_a_wrong_value(
    odd_server: tuple[str, random.Random],
) -> None:
    url, rng = odd_server
    for seed in range(examples(150)):
        rng.seed(seed)
        try:
            with refusals_ignored():
                await ask_everything(RedisState(url, key=KEY))
        except BaseException as error:
            error.args = (f"replies of seed {seed}: {error!r}",)
            raise
