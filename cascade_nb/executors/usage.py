"""Measures what a call in a process used: time of the processor, and memory at its peak."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Final, NamedTuple

if sys.platform != "win32":
    import resource

_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # bytes in which a peak is given
_LONG: Final = 0.002  # seconds
_RESET: Final = "/proc/self/clear_refs"


class Usage(NamedTuple):
    """What one call used, the processes that it started and waited for included.

    Attributes:
        cpu: seconds of processor time.
        memory: bytes that the process had at its peak while the call ran.
    """

    cpu: float
    memory: int


UNUSED: Final = Usage(0.0, 0)


class Meter:
    """Measures one call after the other in this process.

    The peak is asked for only where a call was long enough to have one: to ask takes longer than a
    tiny call.
    """

    def __init__(self) -> None:
        self._cpu = self._began = 0.0
        self._peak = _peak()
        self._stale = True

    def begin(self) -> None:
        """A call begins."""
        if self._stale:
            _forget_peak()
            self._peak = _peak()
            self._stale = False
        self._began, self._cpu = time.monotonic(), _cpu()

    def end(self) -> Usage:
        """It is over: what it used."""
        if time.monotonic() - self._began > _LONG:
            self._peak = _peak()
            self._stale = True
        return Usage(max(0.0, _cpu() - self._cpu), self._peak)


def _cpu() -> float:
    own = time.process_time()  # which costs a tenth of what `getrusage` does
    if sys.platform == "win32":
        return own
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own + others.ru_utime + others.ru_stime


def _peak() -> int:
    """Bytes at the peak. What `getrusage` says has that of the process before `exec` in it."""
    try:
        with open("/proc/self/status", "rb") as file:  # noqa: PTH123 - asked often
            _, found, rest = file.read().partition(b"VmHWM:")
            if found:
                return int(rest.split(maxsplit=1)[0]) * 1024
    except OSError:  # not on Linux
        pass
    if sys.platform == "win32":
        return 0  # it is not known
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _forget_peak() -> None:
    """The peak of the next call is its own; elsewhere than on Linux it is that of the process."""
    try:
        fd = os.open(_RESET, os.O_WRONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):  # a kernel, or a container, that does not allow it
            os.write(fd, b"5")
    finally:
        os.close(fd)
