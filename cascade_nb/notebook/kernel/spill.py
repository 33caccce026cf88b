"""Keeps on disk what tasks wrote and memory has no room for, until the kernel ends."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections import deque
from typing import IO, Any, Final

from cascade_nb.concurrency.scarce import has_begun

#: Bytes of a run's output that are kept on disk at most.
MOST: Final = 2_000_000_000
#: Bytes that may wait for a disk that is slower than who writes.
WAITING: Final = 50_000_000


class Spill:
    """Bytes in the order in which they were added. Safe from any thread.

    They are written by a thread of their own, since a task may print on the kernel's loop. The file
    has no name, so that nobody else can open it, and it is gone with its process however that ends.

    Attributes:
        size: how many bytes there are.
        lost: how many there was no room for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._disk = threading.Lock()
        self._file: IO[bytes] | None = None
        self._waiting: deque[bytes] = deque()
        self._written = 0
        self._at_work = self._is_full = False
        self.size = self.lost = 0

    def add(self, data: bytes) -> None:
        """Take some bytes."""
        with self._lock:
            waiting = self.size - self._written
            if self._is_full or self.size + len(data) > MOST or waiting > WAITING:
                self.lost += len(data)
                return
            self._waiting.append(data)
            self.size += len(data)
            if self._at_work:
                return
            self._at_work = True
        thread = threading.Thread(target=self._write, name="cascade-output", daemon=True)
        if not has_begun(thread):
            with self._lock:
                self._at_work = False  # what is printed next tries

    def read(self, start: int, size: int) -> bytes:
        """The bytes from a place on, at most so many; some at least, where there are any."""
        with self._lock:
            written, waiting = self._written, b"".join(self._waiting)
        if start >= written:
            return waiting[start - written :][:size]
        with self._disk:
            assert self._file is not None, "it was written to"
            self._file.seek(start)
            return self._file.read(min(size, written - start))

    def _write(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._at_work = False
                    return
                data = self._waiting[0]
            try:
                self._append(data)
            except OSError:  # the disk is full
                with self._lock:
                    self.lost += self.size - self._written
                    self.size, self._is_full = self._written, True
                    self._waiting.clear()
                continue
            with self._lock:
                self._waiting.popleft()
                self._written += len(data)

    def _append(self, data: bytes) -> None:
        with self._disk:
            if self._file is None:
                file = tempfile.TemporaryFile(prefix="cascade-output-", buffering=0)  # noqa: SIM115
                self._file = file  # it stays open as long as this is there
                weakref.finalize(self, _close, self._file)
            self._file.seek(self._written)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]


def _close(file: Any) -> None:
    file.close()
