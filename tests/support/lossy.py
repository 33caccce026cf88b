"""A way to a server that can lose an answer, as a network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class LossyWay:
    """Passes on what it gets to a server on this machine, and the answers back.

    Args:
        port: of the server.

    Attributes:
        lose: when that many more answers have come, the last of them is dropped and its connection
            closed; 0: none. The server has carried out by then what it was asked.
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._busy: set[asyncio.Task[None]] = set()
        self.lose = 0
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[LossyWay]:
        """One that is gone after the block."""
        way = cls(port)
        server = await asyncio.start_server(way._accept, "127.0.0.1", 0)
        way.port = server.sockets[0].getsockname()[1]
        try:
            yield way
        finally:
            server.close()
            for task in way._busy:
                task.cancel()
            await asyncio.gather(*way._busy, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        asking = asyncio.ensure_future(_pass_on(reader, back))
        try:
            # cancelled by `to`, it ends like one whose client left: streams complain of others
            with suppress(asyncio.CancelledError):
                while (data := await there.read(1 << 16)) and not self._is_lost():
                    writer.write(data)
                    await writer.drain()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            back.close()
            writer.close()
            self._busy.discard(task)

    def _is_lost(self) -> bool:
        if self.lose == 0:
            return False
        self.lose -= 1
        return self.lose == 0


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        to.write(data)
        await to.drain()
    to.close()
