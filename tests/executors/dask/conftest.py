"""Engines on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cascade_nb.engine import Engine
from cascade_nb.executors import DaskExecutor


@pytest.fixture
def engine(cluster: DaskExecutor) -> Iterator[Engine]:
    made = Engine(executor=DaskExecutor(cluster.address))
    yield made
    made.close()
