"""What the tests of keys share."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.graph.cells import Cells, Folder


@pytest.fixture
def cells() -> Cells:
    return Cells()


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    place = tmp_path / "project"
    place.mkdir()
    monkeypatch.syspath_prepend(place)
    made = Folder(place)
    yield made
    made.forget()
