"""Servers and files that are given time on a busy machine."""

from __future__ import annotations

import pytest

from cascade_nb.state.redis import link
from cascade_nb.state.sqlite import file


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes nobody for gone who only gets no turn; a test that is about that sets its own time."""
    monkeypatch.setattr(link, "ANSWER", 60.0)
    monkeypatch.setattr(link, "CONNECT", 60.0)
    monkeypatch.setattr(file, "BUSY", 60.0)
