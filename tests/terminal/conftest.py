"""A place with doors, and a terminal in this process that finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cascade_nb.door import kernel_caller
from cascade_nb.door.broker import callers
from cascade_nb.terminal import broker
from cascade_nb.terminal.main import main
from tests.support.doors import Place, place


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What it said as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Terminal:
    """Types commands."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def type(self, *words: str) -> Said:
        """What a command says, and its exit code."""
        self._capture.readouterr()
        code = main(words)
        said = self._capture.readouterr()
        return Said(code, said.out, said.err)


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as found:
        yield found


@pytest.fixture
def terminal(
    here: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    for name, value in here.environment.items():
        monkeypatch.setenv(name, value)
    # Who is there answers, however late; tests of who is not there shorten it.
    monkeypatch.setattr(kernel_caller, "_THERE", 60.0)
    for module in (broker, callers):
        monkeypatch.setattr(module, "WAIT", 20.0)
    return Terminal(capsys)
