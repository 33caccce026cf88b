"""Names the classes whose objects are how code works and not what it works on: locks, caches.

They count by their class. Who waits at them, and what they hold just now, does not count.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from typing import Final

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
    weakref.WeakKeyDictionary,
    weakref.WeakValueDictionary,
    weakref.WeakSet,
}
"""Classes whose objects count by their class alone."""
