"""Lets an interrupt wait until what must not be left half done is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts_wait(then: Callable[[], object]) -> Iterator[None]:
    """An interrupt that comes inside does its work at the end; elsewhere than in the main thread,
    where none ever comes, this does nothing.

    Keep it short, and free of the user's code: what hangs inside cannot be interrupted.

    Args:
        then: called before that, where one came.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if is_main else None
    if not callable(before):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            then()
            before(*came[0])
