"""A real Dask cluster for the tests of this folder, and a `__main__` for new processes."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from cascade_nb.executors import DaskExecutor


@pytest.fixture(scope="module", autouse=True)
def main_module() -> Iterator[None]:
    """Where a test has run IPython, `__main__` is what was left of IPython's."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def cluster() -> Iterator[DaskExecutor]:
    """One with two workers, for tests that leave it as it was."""
    executor = DaskExecutor(workers=2)
    executor.connect()
    yield executor
    executor.close()
