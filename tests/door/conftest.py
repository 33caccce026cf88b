"""Folders with short paths, since sockets have no long ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doors import Place, place


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as found:
        yield found
