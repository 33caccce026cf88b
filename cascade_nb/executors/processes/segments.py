"""Hands large values to another process through memory that both have, without a name or a copy in
a pipe.

A segment is an anonymous file in memory, passed on as an open file. It needs no `/dev/shm`, whose
size containers limit, and is gone with the last process that has it, however that ends.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Final

ALIGN: Final = 64  # bytes on whose multiples each part begins, as vector instructions like it
_ONCE: Final = 1 << 30  # bytes that one write takes at most


def write_segment(parts: Sequence[memoryview]) -> int:
    """A new segment that holds `parts`, one after the other; gives its file descriptor.

    Raises:
        OSError: there is no room for it.
    """
    fd = _anonymous()
    try:
        place = 0
        for part in parts:
            done = 0
            while done < len(part):
                done += os.pwrite(fd, part[done : done + _ONCE], place + done)
            place = _after(place, len(part))
        os.ftruncate(fd, max(place, 1))
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_segment(fd: int, sizes: Sequence[int]) -> list[memoryview]:
    """The parts of a segment, where they lie; they may be written to. The descriptor is closed."""
    try:
        whole = memoryview(mmap.mmap(fd, 0))
    finally:
        os.close(fd)
    parts, place = [], 0
    for size in sizes:
        parts.append(whole[place : place + size])
        place = _after(place, size)
    return parts


def _after(place: int, size: int) -> int:
    return (place + size + ALIGN - 1) // ALIGN * ALIGN


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("cascade", os.MFD_CLOEXEC)
    with contextlib.closing(tempfile.TemporaryFile(buffering=0)) as file:
        return os.dup(file.fileno())
