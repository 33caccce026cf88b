"""Writes runs down in Redis, each by the one who has its lease."""

from __future__ import annotations

import json
import secrets
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.errors import (
    LeaseHeldError,
    LeaseLostError,
    RefusedBlobError,
    RefusedBlobWarning,
)
from cascade_nb.leases import StaleLeases
from cascade_nb.protocols.journal import Lease, RunRecord
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.redis.keys import RedisKeys
from cascade_nb.state.redis.link import RedisLink, RedisServer, Script
from cascade_nb.state.redis.replies import all_bytes, anything, maybe_bytes
from cascade_nb.state.redis.scripts import (
    APPEND,
    CLAIM,
    DESCRIBE,
    FINISH,
    FORGET,
    RECORDS,
    RELEASE,
    RENEW,
    WRITE,
)
from cascade_nb.state.row_checks import lines_of, record_of

PAGE: Final = 1000  # entries of a history that are read at once

_FIELDS: Final = ("title", "owner", "started", "status", "total", "until")


class RedisJournal:
    """Keeps what runs need to be taken up again. Leases run out by the server's clock.

    Args:
        link: to the server.
        keys: where runs lie.
        codec: makes bytes of values and values of bytes; called in other threads.
    """

    def __init__(self, link: RedisLink, keys: RedisKeys, codec: Callable[[], Codec]) -> None:
        self._link = link
        self._keys = keys
        self._codec = codec
        self._stale = StaleLeases()
        # Appends of which nobody knows whether the server carried them out: stamp and lines.
        self._unsure: defaultdict[str, list[tuple[str, list[str]]]] = defaultdict(list)

    async def claim(self, run_id: str, owner: str, ttl: float) -> Lease:
        """Take the lease of a run for `ttl` seconds, with a new fence.

        Raises:
            LeaseHeldError: somebody else has it.
            StateError: the server cannot be reached or written.
        """
        words: list[str | int | bytes] = [owner, _microseconds(ttl), self._keep(ttl), ""]
        keys = self._keys.run(run_id)
        while True:
            answer = await self._link.ask(lambda server: server.script(CLAIM, keys, words))
            if len(answer) == 1:
                self._stale.forget(run_id)
                return Lease(run_id, owner, int(answer[0]))
            holder, until = answer[0], answer[2]
            left = self._stale.left(run_id, (holder, until), int(answer[1]) / 1e6, ttl)
            if left > 0 or words[3] == until:
                raise LeaseHeldError(run_id, _text(holder), max(left, 0.0))
            words[3] = until

    async def renew(self, lease: Lease, ttl: float) -> None:
        """Have it for `ttl` more seconds from now on.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the server cannot be reached or written.
        """
        words = (_microseconds(ttl), self._keep(ttl), lease.owner)
        await self._fenced(RENEW, lease, *words)

    async def release(self, lease: Lease) -> None:
        """Let it go; nothing happens when it is another's already.

        Raises:
            StateError: the server cannot be reached or written.
        """
        await self._fenced(RELEASE, lease)

    async def describe(self, lease: Lease, title: str, started: float, total: int) -> None:
        """Enter the run among `runs`, as "running".

        Raises:
            LeaseLostError: another owner has it.
            StateError: the server cannot be reached or written.
        """
        keys = [*self._keys.run(lease.run_id), self._keys.runs]
        words = (self._keys.keep, title, repr(float(started)), total, lease.run_id)
        await self._fenced(DESCRIBE, lease, *words, keys=keys)

    async def finish(self, lease: Lease, status: str) -> None:
        """Say how it ended.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the server cannot be reached or written.
        """
        await self._fenced(FINISH, lease, self._keys.keep, status)

    async def write(self, lease: Lease, part: str, value: Any) -> None:
        """Keep a part of what the run is made of, in the place of an earlier one of this name.

        Raises:
            LeaseLostError: another owner has it.
            CodecError: the value has no bytes.
            StateError: the server cannot be reached or written.
        """
        place = self._keys.part_place(lease.run_id, part)
        blob = await run_in_thread(lambda: b"".join(self._codec().encode(value, place)))
        await self._fenced(WRITE, lease, self._keys.keep, part, blob)

    async def read(self, run_id: str, part: str) -> Any:
        """A part that was written.

        Raises:
            KeyError: there is none, or it may not be read; then a warning says why.
            StateError: the server cannot be reached.
        """
        parts = self._keys.run(run_id)[2]
        blob = await self._link.ask(lambda server: server.command(maybe_bytes, "HGET", parts, part))
        if blob is None:
            raise KeyError(part)
        place = self._keys.part_place(run_id, part)
        try:
            return await run_in_thread(lambda: self._codec().decode(blob, place))
        except RefusedBlobError as error:
            text = f"{part} of run {run_id}: {error}"
        warnings.warn(text, RefusedBlobWarning, stacklevel=2)
        raise KeyError(part)

    async def append(self, lease: Lease, lines: Sequence[str]) -> None:
        """Add lines of text to the run's history, all of them or none.

        When the answer of the server was lost, nobody knows which. Who then appends the same lines
        again, with or without more after them, has each of them once.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the server cannot be reached or written.
        """
        if lines:
            await self._link.ask(lambda server: self._append(server, lease, list(lines)))

    async def history(self, run_id: str) -> list[str]:
        """Every line, in order; one that was damaged is left out with a warning.

        Raises:
            StateError: the server cannot be reached.
        """
        lines, damaged = await self._link.ask(lambda server: self._history(server, run_id))
        if damaged:
            text = f"some of the history of run {run_id} is damaged and was left out"
            warnings.warn(text, RefusedBlobWarning, stacklevel=2)
        return lines

    async def runs(self) -> list[RunRecord]:
        """All that is written down, latest first.

        Raises:
            StateError: the server cannot be reached.
        """
        return await self._link.ask(self._runs)

    async def forget(self, run_id: str) -> None:
        """Drop everything about a run but the results that it kept by fingerprint.

        Raises:
            StateError: the server cannot be reached or written.
        """
        keys = [*self._keys.run(run_id), self._keys.runs]
        await self._link.ask(lambda server: server.script(FORGET, keys, [run_id]))

    def _keep(self, ttl: float) -> str:
        # A run that goes before its lease ends would be taken from its owner.
        keep = self._keys.keep
        return keep and str(max(int(keep), int(ttl * 1000)))

    async def _fenced(
        self, script: Script, lease: Lease, *words: str | bytes | int, keys: Sequence[str] = ()
    ) -> None:
        keys = keys or self._keys.run(lease.run_id)
        arguments = [str(lease.fence), *words]
        _refuse(lease, await self._link.ask(lambda s: s.script(script, keys, arguments)))

    async def _append(self, server: RedisServer, lease: Lease, lines: list[str]) -> None:
        async with server.turn:
            # Of an earlier attempt that may have been carried out this one is the continuation, or
            # else its lines were given up.
            earlier = [e for e in self._unsure[lease.run_id] if lines[: len(e[1])] == e[1]]
            stamp = secrets.token_hex(8)
            words = [str(lease.fence), self._keys.keep, stamp, json.dumps(lines)]
            for other, done in earlier:
                left = lines[len(done) :]
                words += other, json.dumps(left) if left else ""
            try:
                answer = await server.script(APPEND, self._keys.run(lease.run_id), words)
            except BaseException:  # also when somebody no longer waits for the answer
                self._unsure[lease.run_id] = [*earlier, (stamp, lines)]
                raise
            del self._unsure[lease.run_id]
            _refuse(lease, answer)

    async def _history(self, server: RedisServer, run_id: str) -> tuple[list[str], bool]:
        key = self._keys.run(run_id)[1]
        lines, damaged, start = list[str](), False, 0
        while page := await server.command(all_bytes, "LRANGE", key, start, start + PAGE - 1):
            for entry in page:
                some = lines_of(entry.decode(errors="replace"))
                damaged |= some is None
                lines += some or []
            start += len(page)
        return lines, damaged

    async def _runs(self, server: RedisServer) -> list[RunRecord]:
        listed = await server.command(all_bytes, "ZREVRANGE", self._keys.runs, 0, -1)
        # A name that is no text is of no run: its key would be another one's.
        names = [name.decode() for name in listed if _is_text(name)]
        keys = [self._keys.run(name)[0] for name in names]
        now, *found = await server.script(RECORDS, keys, _FIELDS)
        pairs = list(zip(names, found, strict=False))
        gone = [name for name, fields in pairs if not any(fields)]
        if gone:
            await server.command(anything, "ZREM", self._keys.runs, *gone)
        records = [_record(name, fields, now) for name, fields in pairs]
        return [record for record in records if record is not None]


def _record(run_id: str, fields: Sequence[bytes | None], now: bytes) -> RunRecord | None:
    some = [_text(field) for field in fields if field is not None]
    if len(some) < len(_FIELDS):
        return None  # it went by itself, or somebody else wrote it
    title, owner, started, status, total, until = some
    try:
        row = (run_id, title, owner, float(started), status, int(total), int(until) / 1e6)
        return record_of(row, int(now) / 1e6)
    except (ValueError, OverflowError):
        return None


def _refuse(lease: Lease, owner: bytes | None) -> None:
    if owner is not None:
        raise LeaseLostError(lease.run_id, _text(owner))


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
