"""Whether a task's body is running here, where a task is a plain function."""

from __future__ import annotations

import contextvars
from typing import Final

_inside: Final = contextvars.ContextVar("cascade_body", default=False)

in_body: Final = _inside.get
"""Whether the code that asks belongs to the body of a task. True in threads and coroutines too that
the body started with a copy of its context, as `asyncio.to_thread` and `create_task` do."""


def enter_body() -> None:
    """From here on, in this context, a task's body is running; for whatever runs bodies."""
    _inside.set(True)
