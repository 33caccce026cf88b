"""Executors with real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cascade_nb.executors.processes.executor import ProcessExecutor


@pytest.fixture(scope="module")
def warm() -> Iterator[ProcessExecutor]:
    """One with a warm process, for the tests of a file that leave it as it was."""
    executor = ProcessExecutor(1)
    executor.call(abs, 0)
    yield executor
    executor.close()
