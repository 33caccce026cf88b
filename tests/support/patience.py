"""Claims about time that a busy machine cannot break: a process may get no turn for seconds."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

#: Seconds for what has to come: they are over only where it never does.
PATIENCE: Final = 90.0
_TIMES: Final = (1, 4, 16)


def until(found: Callable[[], Any], what: str = "") -> Any:
    """Wait for a condition, in a thread without a loop; gives what it gave.

    Args:
        found: the condition.
        what: it is about, in words.
    """
    deadline = time.monotonic() + PATIENCE
    while not (there := found()):
        assert time.monotonic() < deadline, f"this never came: {what or found}"
        time.sleep(0.002)
    return there


def wait_for_file(path: str) -> None:
    """Wait for a file that somebody makes, in whatever process this is.

    Args:
        path: of the file; a text, since a run takes a `Path` for one of its own.
    """
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path) and time.monotonic() < deadline:  # noqa: PTH110 - a text
        time.sleep(0.002)


def tries(first: float) -> Iterator[contextlib.AbstractContextManager[float]]:
    """Limits of ever more seconds for a claim, until it holds: a busy machine exceeds a short one,
    and what is wrong fails with each.

        for attempt in tries(0.5):
            with attempt as limit:
                assert took_less_than(limit)

    Args:
        first: the shortest limit.
    """
    held = False

    @contextlib.contextmanager
    def attempt(limit: float, is_last: bool) -> Iterator[float]:
        nonlocal held
        try:
            yield limit
            held = True
        except (Exception, pytest.fail.Exception) as error:
            by_itself = isinstance(error, pytest.fail.Exception) and "DID NOT" not in str(error)
            if is_last or by_itself:
                raise

    for times in _TIMES:
        if not held:
            yield attempt(first * times, times == _TIMES[-1])
