"""Keeps results and runs in Redis, where other kernels and machines find them too."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.errors import StateError
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.keyring import user_key
from cascade_nb.state.redis.journal import RedisJournal
from cascade_nb.state.redis.keys import RedisKeys
from cascade_nb.state.redis.link import RedisLink, RedisServer, refuse_exposed_server
from cascade_nb.state.redis.reader import RedisReader
from cascade_nb.state.redis.room import RedisRoom
from cascade_nb.state.redis.scripts import OPEN
from cascade_nb.state.redis.writer import RedisWriter
from cascade_nb.state.refused_results import RefusedResults


class RedisState:
    """Keeps results and runs in a Redis server (6.0 or newer, or one that speaks its protocol).

    A result is kept once the server has answered; whether it then outlives the server is the
    server's matter: with `appendonly yes` and `appendfsync always` it does. Values are signed, and
    what was not signed by the same key is not read.

    Args:
        url: `redis://` or, over TLS, `rediss://`, then `user:password@host:port/database`.
        prefix: what every key begins with, `<prefix>:`; who has another sees nothing of this.
        ttl: seconds after which results and runs go that nobody wrote or read; None: never.
        key: to sign with, None for the user's own.
        limit_bytes: when the kept results are larger together, those go that were not used for the
            longest; None: there is no limit.
        insecure: whether another machine may be spoken to without TLS, or without a password.

    Raises:
        UsageError: this is no URL of a Redis server, there is no prefix, or `ttl` is not above
            zero; or the server is another machine, and would be spoken to without TLS or without a
            password.
    """

    keeps_all = True

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "cascade",
        ttl: float | None = None,
        key: bytes | None = None,
        limit_bytes: int | None = None,
        insecure: bool = False,
    ) -> None:
        self._keys = RedisKeys(prefix, ttl)
        self._link = RedisLink(url, "cascade-redis")
        if not insecure:
            refuse_exposed_server(url)
        # With a loop of its own: a value that takes long to become bytes must not hold up those who
        # read, and least of all the renewal of a lease until it has run out.
        self._writer_link = RedisLink(url, "cascade-redis-writer")
        self._key = key
        self._made: Codec | None = None
        self._refused_results = RefusedResults()
        self._room = RedisRoom(self._keys, limit_bytes)
        self._writer = RedisWriter(self._writer_link, self._keys, self._codec, self._room)
        self._reader = RedisReader(self._keys, self._codec)
        self.journal = RedisJournal(self._link, self._keys, self._codec)

    @property
    def where(self) -> str:
        """The place, for people; without the password."""
        return f"Redis at {self._link.where}"

    async def open(self) -> None:
        """Get ready, and see that the server can be reached and written.

        Raises:
            StateError: it cannot, or the key to sign with cannot be had.
        """
        self._link.open()
        self._writer_link.open()
        await self._link.ask(self._try_out)

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Begin to keep a result; `keeper` is told when the server has answered."""
        self._writer.put(entry, keeper)
        return False

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is known of those of `keys` that have a value here.

        Raises:
            StateError: the server cannot be read.
        """
        return await self._link.ask(lambda server: self._reader.known(server, keys))

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """The values of those of `keys` that have one; of one that may not be read, why, as a
        warning.

        Raises:
            StateError: the server cannot be read.
        """
        found = await self._link.ask(lambda server: self._reader.values(server, keys))
        self._refused_results.tell(found.refused)
        return found.values

    async def usage(self) -> list[Usage]:
        """What is kept, by task, the largest first.

        Raises:
            StateError: the server cannot be read.
        """
        return await self._link.ask(self._room.usage)

    async def clean(self, unused_for: float | None = None) -> Cleaned:
        """Remove results that have expired, and, with seconds given, those that were neither made
        nor read for so long.

        Raises:
            StateError: the server cannot be read or written.
        """
        return await self._link.ask(lambda server: self._room.clean(server, unused_for))

    async def close(self) -> None:
        """Keep what is under way, then leave the server; what was kept stays there."""
        await asyncio.gather(self._link.close(), self._writer_link.close())

    async def _try_out(self, server: RedisServer) -> None:
        if self._made is None:
            # In a thread, since it may have to read a file, and this is a loop.
            key = await run_in_thread(user_key) if self._key is None else self._key
            self._made = Codec(key)
        await server.script(OPEN, [self._keys.probe], [])

    def _codec(self) -> Codec:
        if self._made is None:
            raise StateError(f"the results in Redis at {self._link.where} are not open yet")
        return self._made
