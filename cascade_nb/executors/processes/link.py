"""Carries messages between two processes over one socket, and open files beside them.

A message is a kind and some parts, each of them bytes. What is small goes through the socket as one
frame; what is large lies in a segment of memory, and only its file goes through. So no send waits
for a reader that is slow or stopped.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from cascade_nb.executors.processes.segments import read_segment, write_segment

SMALL: Final = 48 * 1024  # bytes that go through the socket
_AT_ONCE: Final = 64 * 1024
_HEAD: Final = struct.Struct("<IBBH")  # length of all, kind, whether in a segment, number of parts
_ONE: Final = struct.Struct("<IBBHI")  # the same, and the size of the only part
_FD: Final = array.array("i", [0]).itemsize
_ROOM: Final = socket.CMSG_LEN(16 * _FD)  # for open files that come at once


class Message(NamedTuple):
    """What came.

    Attributes:
        kind: which, as the two sides agree.
        parts: its bytes.
    """

    kind: int
    parts: Sequence[memoryview]


class NoRoomError(OSError):
    """There is no memory that two processes could have for a message."""


class Link:
    """One end of the connection. Any thread may send; one receives.

    Args:
        sock: a connected stream socket of the UNIX family; the link owns it from now on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._rest = b""
        self._files: deque[int] = deque()
        self._ready: deque[Message] = deque()
        self._patience: float | None = None

    def fileno(self) -> int:
        """What to wait on."""
        return self._sock.fileno()

    def send(self, kind: int, parts: Sequence[bytes | memoryview]) -> None:
        """Send a message.

        Raises:
            NoRoomError: a large message finds no room in memory; nothing of it was sent.
            OSError: the other end is gone.
        """
        count, total = len(parts), sum(map(len, parts))
        if total <= SMALL:
            if count == 1:
                frame = b"".join((_ONE.pack(_ONE.size + total, kind, 0, 1, total), parts[0]))
            else:
                sizes = struct.pack(f"<{count}I", *map(len, parts))
                length = _HEAD.size + len(sizes) + total
                frame = b"".join((_HEAD.pack(length, kind, 0, count), sizes, *parts))
            with self._sending:
                self._sock.sendall(frame)
            return
        views = [memoryview(part).cast("B") for part in parts]
        sizes = struct.pack(f"<{len(views)}Q", *map(len, views))
        try:
            fd = write_segment(views)
        except OSError as error:
            raise NoRoomError(*error.args) from error
        try:
            frame = _HEAD.pack(_HEAD.size + len(sizes), kind, 1, len(views)) + sizes
            with self._sending:
                sent = socket.send_fds(self._sock, [frame], [fd])
                if sent < len(frame):
                    self._sock.sendall(frame[sent:])
        finally:
            os.close(fd)

    def receive(self) -> Message:
        """The next message, when it is there.

        Raises:
            EOFError: the other end is gone.
        """
        while not self._ready:
            self.read()
        return self._ready.popleft()

    def receive_within(self, seconds: float | None) -> Message | None:
        """The same; None when nothing came for so long."""
        if seconds != self._patience:
            # The system's own clock: to ask whether something is there would be a call for each.
            whole, part = (0.0, 0.0) if seconds is None else divmod(max(seconds, 1e-6), 1.0)
            time = struct.pack("@ll", int(whole), int(part * 1e6))
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time)
            self._patience = seconds
        try:
            return self.receive()
        except BlockingIOError:
            return None

    def received(self) -> Message | None:
        """The next of the messages that were read already; None for none."""
        return self._ready.popleft() if self._ready else None

    def read(self, wait: bool = True) -> None:
        """Read what is there, once; a message may need several times.

        Args:
            wait: whether to wait for something.

        Raises:
            EOFError: the other end is gone.
            BlockingIOError: nothing is there, and it is not to be waited for.
        """
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            data, beside, _, _ = self._sock.recvmsg(_AT_ONCE, _ROOM, flags)
        except ConnectionError as error:
            raise EOFError from error
        for level, kind, held in beside:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files = array.array("i", held[: len(held) - len(held) % _FD])
                for file in files:
                    os.set_inheritable(file, False)
                self._files.extend(files)
        if not data:
            raise EOFError
        self._take(self._rest + data if self._rest else data)

    def close(self) -> None:
        """Let go of it; the other end hears of that."""
        self._sock.close()
        while self._files:
            os.close(self._files.popleft())

    def _take(self, data: bytes) -> None:
        place = 0
        while len(data) - place >= _HEAD.size:
            length, kind, shared, count = _HEAD.unpack_from(data, place)
            if len(data) - place < length:
                break
            self._ready.append(self._message(data, place, length, kind, shared, count))
            place += length
        self._rest = data[place:]

    def _message(
        self, data: bytes, place: int, length: int, kind: int, shared: int, count: int
    ) -> Message:
        start = place + _HEAD.size
        if count == 1 and not shared:  # a pickle without buffers, which nobody writes to
            return Message(kind, [memoryview(data)[start + 4 : place + length]])
        if shared:
            sizes = struct.unpack_from(f"<{count}Q", data, start)
            return Message(kind, read_segment(self._files.popleft(), sizes))
        sizes = struct.unpack_from(f"<{count}I", data, start)
        start += 4 * count
        frame = bytearray(data[start : place + length])  # of its own: arrays lie in it
        view, parts, at = memoryview(frame), [], 0
        for size in sizes:
            parts.append(view[at : at + size])
            at += size
        return Message(kind, parts)
