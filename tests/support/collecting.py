"""How several processes read the files of tests: each begins elsewhere, and all share what pytest
makes of a file.

pytest rewrites the assertions of a file when it first reads it, which takes it longer than all else
that it does with one, and keeps what came of it beside Python's own bytecode. Processes that read
the same files in the same order would each do that for all of them, at the same moment.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

_writes_nothing = sys.dont_write_bytecode


def begin(config: pytest.Config) -> None:
    """Have this process of several begin with files of its own, and keep what becomes of them."""
    given: Any = config
    worker = int(given.workerinput["workerid"].removeprefix("gw"))
    files = [file for argument in config.args for file in _files(argument)]
    first = len(files) * worker // given.workerinput["workercount"]
    config.args[:] = files[first:] + files[:first]
    # No test may find bytecode of what it writes and changes within a second: until it ends only.
    sys.dont_write_bytecode = False
    gc.disable()  # nothing of what is made now goes away


def end() -> None:
    """All files are read."""
    sys.dont_write_bytecode = _writes_nothing
    gc.enable()


def _files(argument: str) -> list[str]:
    """The files of tests in a folder; what is none is left as it is."""
    folder = Path(argument)
    found = sorted(folder.rglob("test_*.py")) if folder.is_dir() else []
    return [str(file) for file in found] or [argument]
