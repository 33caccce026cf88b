"""Stands before a broker as one that knows no MQTT 5: it refuses that as the standard says, and
hands on everything else.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

_NO_SUCH_VERSION = b"\x20\x02\x00\x01"  # CONNACK of MQTT 3.1.1: unacceptable protocol version


class OldBroker:
    """A proxy.

    Args:
        port: of the broker behind it.

    Attributes:
        url: how to reach it.
        versions: of MQTT that were asked for, in order.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.versions: list[int] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    @contextlib.contextmanager
    def standing(self) -> Iterator[OldBroker]:
        """It listens while the block lasts."""
        self._threads[0].start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()
            self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            if select.select([self._listener], [], [], 0.02)[0]:
                connection = self._listener.accept()[0]
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            first = connection.recv(1 << 16)
            self.versions.append(first[first.index(b"MQTT") + 4])
            if self.versions[-1] > 4:
                connection.sendall(_NO_SUCH_VERSION)
                return
            with socket.create_connection(("127.0.0.1", self._port)) as broker:
                broker.sendall(first)
                self._relay(connection, broker)

    def _relay(self, one: socket.socket, two: socket.socket) -> None:
        other = {one: two, two: one}
        while not self._ended.is_set():
            for ready in select.select([one, two], [], [], 0.02)[0]:
                data = ready.recv(1 << 16)
                if not data:
                    return
                other[ready].sendall(data)
