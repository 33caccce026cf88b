"""A real Dask cluster for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cascade_nb.executors import DaskExecutor


@pytest.fixture(scope="session")
def cluster() -> Iterator[DaskExecutor]:
    """One with two workers, for tests that leave it as it was."""
    executor = DaskExecutor(workers=2)
    executor.connect()
    yield executor
    executor.close()
