"""Counts what results in Redis take, and removes some so that others have room."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote

from cascade_nb.errors import RoomWarning, StateError
from cascade_nb.events.thread_warnings import warn
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.state.redis.keys import Head, RedisKeys
from cascade_nb.state.redis.link import RedisServer
from cascade_nb.state.redis.replies import all_bytes, anything
from cascade_nb.state.redis.scripts import HEADS, USES
from cascade_nb.state.room import Kept, to_remove, usage_of
from cascade_nb.state.row_checks import is_moment

AT_ONCE: Final = 1000  # keys


class RedisRoom:
    """Counts and removes results; everything here is done on a link's loop.

    Args:
        keys: where results lie.
        limit: bytes that all of them may take together; None: there is no limit.
    """

    def __init__(self, keys: RedisKeys, limit: int | None) -> None:
        self._keys = keys
        self._limit = limit
        self._grown = limit or 0  # bytes since it was last seen to; the first result is enough

    async def usage(self, server: RedisServer) -> list[Usage]:
        """What is kept, by task."""
        return usage_of([kept async for kept in self._kept(server)])

    async def clean(self, server: RedisServer, unused_for: float | None = None) -> Cleaned:
        """Remove what has expired, what was not used for so long, and what is over the limit."""
        all_of_them = [kept async for kept in self._kept(server)]
        going = to_remove(all_of_them, time.time(), unused_for, self._limit)
        for at in range(0, len(going), AT_ONCE):
            some = [kept.place for kept in going[at : at + AT_ONCE]]
            await server.command(anything, "UNLINK", *some)
        return Cleaned(len(going), sum(kept.size for kept in going))

    async def grew(self, server: RedisServer, size: int) -> None:
        """So many bytes were kept: see to the limit once it may be exceeded by a twentieth."""
        if self._limit is None:
            return
        self._grown += size
        if self._grown < self._limit / 20:
            return
        self._grown = 0
        try:
            await self.clean(server)
        except StateError as error:
            # The results themselves are safe; whoever puts the next ones hears of the trouble too.
            warn(f"no room was made for results: {error}", RoomWarning, error)

    async def _kept(self, server: RedisServer) -> AsyncIterator[Kept]:
        """Every result, the longest unused first; what is gone of itself is forgotten."""
        seen: set[bytes] = set()
        start = 0
        while True:
            words = ("ZRANGE", self._keys.uses, start, start + AT_ONCE - 1)
            names = await server.command(all_bytes, *words)
            scores = await server.script(USES, [self._keys.uses], names) if names else []
            heads = await server.script(HEADS, [_text(name) for name in names], [])
            gone = [name for name, text in zip(names, heads, strict=False) if text is None]
            for name, score, text in zip(names, scores, heads, strict=False):
                head = None if text is None else Head.read(text)
                # What is used while this looks moves to the end, and is seen there once more.
                if head is not None and name not in seen:
                    seen.add(name)
                    expires = head.expires if is_moment(head.expires) else None
                    used = _moment(score)
                    yield Kept(_text(name), unquote(head.task), head.size, used, expires)
            if gone:
                await server.command(anything, "ZREM", self._keys.uses, *gone)
            if len(names) < AT_ONCE:
                return
            start += len(names) - len(gone)


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def _moment(score: bytes | None) -> float:
    """When a result was used last, in seconds since the epoch."""
    try:
        used = float(score or 0) / 1e6
    except ValueError:
        return 0.0
    return used if is_moment(used) else 0.0
