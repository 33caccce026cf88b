"""Names the classes whose objects are how code works and not what it works on: locks, what
each thread has for itself.

They count by their class. Who waits at them, and what they hold just now, does not count. What is
between a means and a value, as a container of weak references, is here too.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.graph.values.atoms import CannotKeyError, frame, text

LOCKS: Final[frozenset[type]] = frozenset(
    {
        type(threading.Lock()),
        type(threading.RLock()),
        threading.Barrier,
        threading.BoundedSemaphore,
        threading.Condition,
        threading.Semaphore,
        asyncio.BoundedSemaphore,
        asyncio.Condition,
        asyncio.Lock,
        asyncio.Semaphore,
    }
)
"""What keeps others out, or makes them wait. An event is none: whether it is set can be read."""

MEANS: Final[frozenset[type]] = LOCKS | {
    threading.local,
    type(os.environ),  # those variables count that are read by name
}
"""Classes whose objects count by their class alone."""

WEAK: Final = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
"""Containers of weak references."""


def means_bytes(value: object) -> bytes:
    """The bytes of what counts by its class."""
    return frame(b"k", text(type(value).__qualname__))


def weak_bytes(value: Any, encode: Callable[[Any], bytes], *, alone: bool) -> bytes:
    """The bytes of a container of weak references: of what of it is still there.

    Args:
        value: it.
        encode: gives the bytes of what it holds.
        alone: whether it is not inside another object. Inside it is mostly a cache of that, and
            what has no content is no obstacle.

    Raises:
        CannotKeyError: something in it has no content.
    """
    held = set(value) if type(value) is weakref.WeakSet else dict(value.items())
    try:
        said = encode(held)
    except CannotKeyError:
        if alone:
            raise
        said = b""
    return frame(b"k", text(type(value).__qualname__) + said)


def variable_bytes(value: contextvars.ContextVar[Any], encode: Callable[[Any], bytes]) -> bytes:
    """The bytes of a context variable: its name, and what it is set to where the run is started,
    since tasks see that.
    """
    try:
        said = encode(value.get())
    except (LookupError, CannotKeyError):  # it is not set; or it is a means, not content
        said = b""
    return frame(b"v", text(value.name) + said)
