"""Layouts that know nothing of each other, and the programs that make them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.view.graphviz import layout
from cascade_nb.view.graphviz.layout_cache import LayoutCache

# A program that never ends, and a script that waits for one.
FOR_EVER = ("exec sleep 1000", "sleep 1000; exit 1")
MakeDot = Callable[[str], "FakeDot"]


@dataclass
class FakeDot:
    """A `dot` on the PATH that notes each start and then does as it is told."""

    log: Path

    @property
    def starts(self) -> list[int]:
        """The process ids of those started so far."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another laid out."""
    for name in ("_LAYOUTS", "_IMAGES"):
        fresh: LayoutCache[Any] = LayoutCache(room=64, keeps=getattr(layout, name)._keeps)
        monkeypatch.setattr(layout, name, fresh)


@pytest.fixture
def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeDot:
    """Puts a `dot` first on the PATH, which runs a line of shell; $DOT is the real one."""
    real = shutil.which("dot")
    assert real is not None, "the tests need Graphviz: apt-get install graphviz"

    def make(line: str) -> FakeDot:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "starts"
        script = folder / "dot"
        script.write_text(f'#!/bin/sh\nDOT={real}\necho $$ >> "{log}"\n{line}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return FakeDot(log)

    return make


@pytest.fixture
def no_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which pip installed everything and nothing else did."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture(params=["dot", "pygraphviz"])
def either_program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The system's `dot`, and the wheel alone."""
    if request.param == "pygraphviz":
        request.getfixturevalue("no_dot")
    else:
        assert shutil.which("dot"), "the tests need Graphviz: apt-get install graphviz"
    return str(request.param)
