"""A way to a server that can lose an answer, as a network does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
            busy = list(way._busy)
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of its own: of one that it made itself, the server would complain when it is
        # cancelled, wherever it is at that moment.
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        asking = asyncio.ensure_future(_pass_on(reader, back))
        try:
            while (data := await there.read(1 << 16)) and not self._is_lost():
                writer.write(data)
                await writer.drain()
        finally:
            asking.cancel()
            back.close()
            writer.close()
            await asyncio.gather(asking, return_exceptions=True)

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
