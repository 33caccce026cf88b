"""Engines that end with their test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from cascade_nb.engine import Engine
from cascade_nb.testing import InProcessConnector, SpySubscriber, VirtualClock

MakeEngine: TypeAlias = Callable[..., Engine]


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """Makes engines, and closes them after the test."""
    made: list[Engine] = []

    def make(**parts: Any) -> Engine:
        made.append(Engine(**parts))
        return made[-1]

    yield make
    for engine in made:
        await engine.aclose()


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine()


@pytest.fixture
def spy(engine: Engine) -> SpySubscriber:
    return SpySubscriber(engine.bus)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def connector() -> InProcessConnector:
    return InProcessConnector()
