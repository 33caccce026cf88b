"""Finds results in Redis, many at a time, and refuses what this user's key did not sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.errors import RefusedBlobError
from cascade_nb.protocols.state_backend import Known
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.redis.keys import Head, RedisKeys
from cascade_nb.state.redis.link import RedisServer
from cascade_nb.state.redis.replies import pair
from cascade_nb.state.redis.scripts import HEADS, READ
from cascade_nb.state.row_checks import known_of

KEYS_AT_ONCE: Final = 2000
BYTES_AT_ONCE: Final = 1 << 22  # an answer is a little larger than this at most
LOOKS: Final = 3  # at a large result that others replace while it is read


class ReadResults(NamedTuple):
    """What was read.

    Attributes:
        values: by key.
        refused: why others may not be read, by key.
    """

    values: dict[str, Any]
    refused: dict[str, RefusedBlobError]


class RedisReader:
    """Reads results; everything here is done on the link's loop.

    Args:
        keys: where results lie.
        codec: makes values of bytes; called in other threads.
    """

    def __init__(self, keys: RedisKeys, codec: Callable[[], Codec]) -> None:
        self._keys = keys
        self._codec = codec
        self._refused: dict[str, bytes] = {}  # with the head it had, since it may be put anew

    async def known(self, server: RedisServer, keys: Sequence[str]) -> Mapping[str, Known]:
        """What the heads tell, but for results that were refused."""
        known = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            heads = await server.script(HEADS, [self._keys.result(key) for key in some], [])
            for key, text in zip(some, heads, strict=False):
                head = None if text is None else Head.read(text)
                told = None if head is None else known_of(*head.told)
                if told is not None and self._refused.get(key) != text:
                    known[key] = told
        return known

    async def values(self, server: RedisServer, keys: Sequence[str]) -> ReadResults:
        """The values of those that have one, and why others were refused."""
        found = ReadResults({}, {})
        waiting = list(keys)
        while waiting:
            places = [self._keys.result(key) for key in waiting[:KEYS_AT_ONCE]]
            answer = await server.script(
                READ, places, [BYTES_AT_ONCE, self._keys.keep, self._keys.uses]
            )
            heads = dict(zip(waiting, answer[::2], strict=False))
            blobs: dict[str, bytes | bytearray] = {}
            for key, chunk in zip(heads, answer[1::2], strict=True):
                try:
                    if chunk is not None:
                        blobs[key] = await self._whole(server, key, heads[key], chunk)
                except RefusedBlobError as error:
                    found.refused[key] = error
            await run_in_thread(partial(self._decode, blobs, found))
            for key, text in heads.items():
                if key in found.refused:
                    self._refused[key] = text
                else:
                    self._refused.pop(key, None)
            del waiting[: len(heads)]
        return found

    async def _whole(
        self, server: RedisServer, key: str, text: bytes | None, chunk: bytes | None
    ) -> bytes | bytearray:
        place = self._keys.result(key)
        for _ in range(LOOKS):
            head = None if text is None else Head.read(text)
            if head is None or chunk is None:
                raise RefusedBlobError("what lies there is no result of this library")
            if head.chunks == 1:
                return chunk
            blob = bytearray(chunk)
            for number in range(1, head.chunks):
                now, more = await server.command(pair, "HMGET", place, "h", number)
                if now != text:  # somebody has put it anew
                    break
                if more is None:
                    raise RefusedBlobError("some of its bytes are missing")
                blob += more
            else:
                return blob
            text, chunk = await server.command(pair, "HMGET", place, "h", 0)
        raise RefusedBlobError("it was put anew again and again while it was read")

    def _decode(self, blobs: Mapping[str, bytes | bytearray], found: ReadResults) -> None:
        codec = self._codec()
        for key, blob in blobs.items():
            try:
                found.values[key] = codec.decode(memoryview(blob), self._keys.place(key))
            except RefusedBlobError as error:
                found.refused[key] = error
