"""Writes results to Redis, many at a time, and says what became of them."""

from __future__ import annotations

import itertools
import math
import secrets
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.errors import CodecError, LeaseLostError, StateError
from cascade_nb.file_stamps import in_json
from cascade_nb.forking import forget_after_fork
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import Entry, SaveCallback
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.redis.keys import Head, RedisKeys
from cascade_nb.state.redis.link import RedisLink, RedisServer
from cascade_nb.state.redis.room import RedisRoom
from cascade_nb.state.redis.scripts import CHUNK, KEEP, PUBLISH

CHUNK_BYTES: Final = 1 << 20  # a result larger than this goes in chunks of this size
BATCH_BYTES: Final = 1 << 20  # what one script takes at most, and at least one result
BATCH_COUNT: Final = 1000
ON_THE_WAY: Final = 3_600_000  # milliseconds until chunks go that a dead process has left


class _Item(NamedTuple):
    entry: Entry
    keeper: SaveCallback
    made: float


class _Packed(NamedTuple):
    item: _Item
    stamp: str
    pieces: Sequence[bytes | memoryview]
    size: int

    def head(self, chunks: int) -> str:
        entry = self.item.entry
        expires = math.inf if entry.expires is None else float(entry.expires)
        task, files = quote(entry.task, safe="", errors="replace"), in_json(entry.files)
        numbers = float(entry.seconds), self.item.made, chunks
        return Head(*numbers, self.stamp, self.size, expires, task, files).write()


class RedisWriter:
    """Writes entries in the order they were put, those of one run at least.

    When the server is in trouble, everything that waits is handed back with the error: who put it
    puts it again when the trouble is over.

    Args:
        link: to the server.
        keys: where results lie.
        codec: makes bytes of values; called on the link's loop.
        room: sees to a limit.
    """

    def __init__(
        self, link: RedisLink, keys: RedisKeys, codec: Callable[[], Codec], room: RedisRoom
    ) -> None:
        self._room = room
        self._link = link
        self._keys = keys
        self._codec = codec
        self._lock = threading.Lock()
        self._queue: list[_Item] = []
        self._awake = False
        self._token = secrets.token_hex(6)
        self._numbers = itertools.count()
        forget_after_fork(self)

    def forget(self) -> None:
        """In a child process: what waits is its parent's to keep."""
        self._lock, self._queue, self._awake = threading.Lock(), [], False
        self._token = secrets.token_hex(6)

    def put(self, entry: Entry, keeper: SaveCallback) -> None:
        """Have `entry` written soon; from any thread."""
        with self._lock:
            self._queue.append(_Item(entry, keeper, entry.dated))
            if self._awake:
                return
            self._awake = True
        try:
            self._link.call(self._start)
        except StateError as error:
            self._hand_back(error)

    def _hand_back(self, error: StateError) -> None:
        # Others may have put since, and left it to the one who is awake.
        with self._lock:
            waiting, self._queue = self._queue, []
            self._awake = False
        # On a thread of its own: who puts may hold what the keeper needs.
        threading.Thread(
            target=_tell, args=(waiting, error), name="cascade-redis-closed", daemon=True
        ).start()

    def _take(self) -> list[_Item]:
        """What has gathered; the writer sleeps when that is nothing."""
        with self._lock:
            taken, self._queue = self._queue, []
            self._awake = bool(taken)
            return taken

    def _start(self, server: RedisServer) -> None:
        # The loop waits for its tasks before it ends, so this one need not be held.
        begin_task(self._work(server)).set_name("cascade-redis-writer")

    async def _work(self, server: RedisServer) -> None:
        while taken := self._take():
            by_lease: defaultdict[Lease | None, list[_Item]] = defaultdict(list)
            for item in taken:
                by_lease[item.entry.lease].append(item)
            waiting = deque(by_lease.items())
            while waiting:
                lease, items = waiting.popleft()
                rest = deque(items)
                try:
                    await self._write(server, lease, rest)
                except LeaseLostError as error:
                    _tell(rest, error)
                except Exception as error:  # whoever put them must hear of it, whatever it is
                    for _, more in waiting:
                        rest.extend(more)
                    waiting.clear()
                    with self._lock:
                        gathered, self._queue = self._queue, []
                    _tell([*rest, *gathered], _state_error(error))

    async def _write(self, server: RedisServer, lease: Lease | None, rest: deque[_Item]) -> None:
        """Write all of `rest`, and take from it what has been told."""
        while rest:
            small, large = self._pack(rest)
            if small:
                await self._keep(server, lease, small)
                _tell([rest.popleft() for _ in small])
            if large is not None:
                await self._stream(server, lease, large)
                _tell([rest.popleft()])
            written = [*small, *([] if large is None else [large])]
            await self._room.grew(server, sum(packed.size for packed in written))

    def _pack(self, rest: deque[_Item]) -> tuple[list[_Packed], _Packed | None]:
        """The bytes of the first few of `rest`, which stay there, without those that have none."""
        codec, small, size = self._codec(), list[_Packed](), 0
        position = 0
        while position < len(rest) and len(small) < BATCH_COUNT and size < BATCH_BYTES:
            item = rest[position]
            try:
                pieces = codec.encode(item.entry.value, self._keys.place(item.entry.key))
            except CodecError as error:
                del rest[position]
                _tell([item], error)
                continue
            length = sum(map(_size, pieces))
            packed = _Packed(item, f"{self._token}.{next(self._numbers)}", pieces, length)
            if length > CHUNK_BYTES:
                return small, packed
            small.append(packed)
            size += length
            position += 1
        return small, None

    async def _keep(
        self, server: RedisServer, lease: Lease | None, small: Sequence[_Packed]
    ) -> None:
        keys = [self._run_key(lease), self._keys.uses]
        words: list[str | bytes] = [_fence(lease), self._keys.keep]
        for packed in small:
            keys.append(self._keys.result(packed.item.entry.key))
            words += packed.head(1), b"".join(packed.pieces)
        _refuse(lease, await server.script(KEEP, keys, words))

    async def _stream(self, server: RedisServer, lease: Lease | None, large: _Packed) -> None:
        place = self._keys.result(large.item.entry.key)
        passage = f"{place}:{large.stamp}"
        number = 0
        for number, chunk in enumerate(_chunks(large.pieces), 1):
            await server.script(CHUNK, [passage], [number - 1, chunk, ON_THE_WAY])
        keys = [self._run_key(lease), passage, place, self._keys.uses]
        words: list[str | int] = [_fence(lease), self._keys.keep, large.head(number), number]
        _refuse(lease, await server.script(PUBLISH, keys, words))

    def _run_key(self, lease: Lease | None) -> str:
        return self._keys.run("" if lease is None else lease.run_id)[0]


def _fence(lease: Lease | None) -> str:
    return "" if lease is None else str(lease.fence)


def _refuse(lease: Lease | None, owner: bytes | None) -> None:
    if lease is not None and owner is not None:
        raise LeaseLostError(lease.run_id, owner.decode(errors="replace"))


def _state_error(error: Exception) -> StateError:
    if isinstance(error, StateError):
        return error
    wrapped = StateError(f"results could not be kept: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def _tell(items: Iterable[_Item], error: Exception | None = None) -> None:
    """Tell each keeper once of all its entries, even if another one raises."""
    by_keeper: dict[int, tuple[SaveCallback, list[Entry]]] = {}
    for item in items:
        by_keeper.setdefault(id(item.keeper), (item.keeper, []))[1].append(item.entry)
    for keeper, entries in by_keeper.values():
        try:
            if error is None:
                keeper.kept(entries)
            else:
                keeper.not_kept(entries, error)
        except Exception:
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))


def _size(piece: bytes | memoryview) -> int:
    return piece.nbytes if isinstance(piece, memoryview) else len(piece)


def _chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """All bytes of the pieces, in order, so many at a time that each chunk but the last is full."""
    gathered = bytearray()
    for piece in pieces:
        view = memoryview(piece).cast("B")
        while view:
            room = CHUNK_BYTES - len(gathered)
            gathered += view[:room]
            view = view[room:]
            if len(gathered) == CHUNK_BYTES:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)
