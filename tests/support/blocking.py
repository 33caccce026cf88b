"""Finds calls by which `cascade_nb` holds up the event loop that it runs on."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import traceback
from collections.abc import Iterator
from pathlib import Path

import blockbuster.blockbuster
import pytest
from blockbuster import BlockBuster, BlockingError


@functools.cache
def _guard() -> BlockBuster:
    spec = importlib.util.find_spec("cascade_nb")
    assert spec is not None, "run the tests from the project's root"
    # Only the package's folder is asked for, so a package that cannot be imported does no harm.
    guard = BlockBuster(importlib.util.module_from_spec(spec))
    for name in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
        # Locks held for microseconds are how other threads reach a run; whether one is held at the
        # moment it is asked for is chance, and a test must not fail by chance.
        del guard.functions[name]
    for function in guard.functions.values():
        # It looks where the code is that it traces, on top of whatever runs just then.
        function.can_block_in("hypothesis/internal/scrutineer.py", ("trace", "trace_line"))
        # It looks for plugins on a loop in a thread of its own, where somebody asks for a cluster.
        function.can_block_in("distributed/comm/registry.py", ("get_backend",))
    return guard


@contextlib.contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """Make every blocking call of the package on a loop raise; yields the list of those made.

    The list is kept because code that must survive anything may have caught the exception.
    """
    calls: list[str] = []

    class RecordedBlockingError(BlockingError):
        def __init__(self, function: str) -> None:
            super().__init__(function)
            frames = [f for f in traceback.extract_stack() if Path(f.filename).is_absolute()]
            calls.append(f"{function}\n{''.join(traceback.format_list(frames[-12:]))}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockbuster.blockbuster, "BlockingError", RecordedBlockingError)
        _guard().activate()
        try:
            yield calls
        finally:
            _guard().deactivate()
