"""Plain programs are killed at random moments, as `tests/kernel/test_killed_kernels.py` does with
kernels; the next one goes on, and nothing completed runs again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.examples import KILLED_PROCESSES, PROFILE
from tests.support.killing import (
    AT_ONCE,
    FUNCTIONS,
    ITEMS,
    LEASE,
    REPORT,
    Victim,
    kill_again_and_again,
    place,
    was_none_left,
)
from tests.support.ledger import Ledger
from tools.environments import ROOT

KILLS: Final = KILLED_PROCESSES[PROFILE]
PATIENCE: Final = 60.0

SETUP: Final = f"""
import time
import cascade_nb as cs
from cascade_nb.defaults import default_engine
from cascade_nb.errors import UsageError

default_engine().lease = {LEASE}
default_engine().take_state(default_engine().state)
"""

BEGIN: Final = f"""
{FUNCTIONS}
cs.limit("global", {AT_ONCE})
first = cs.task(begin_{{n}}).map(x=list(range({ITEMS}))).named("first_{{n}}")
second = cs.task(go_on_{{n}}).map(x=first).named("second_{{n}}")
report = cs.task(sum_{{n}})(second).named("{REPORT}")
print("begins", flush=True)
print(cs.start(report).result())
"""

GO_ON: Final = """
print("begins", flush=True)
try:
    print(cs.attach().result())
except UsageError as error:
    print(error)
"""


class ProcessVictim:
    """A program, which says that it begins and what came of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def is_over_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def value(self) -> str | None:
        said, trouble = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0, trouble.decode()
        return None if was_none_left(said.decode()) else said.decode().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.timeout(600 + 10 * KILLS)
def test_nothing_completed_runs_again_however_often_the_process_is_killed(
    kind: str, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger")

    @contextmanager
    def start(n: int, left: bool) -> Iterator[Victim]:
        program = tmp_path / "program.py"
        program.write_text(SETUP + ledger.writer + (GO_ON if left else BEGIN.format(n=n)))
        process = subprocess.Popen(
            [sys.executable, str(program)],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "CASCADE_STATE": url,
                "CASCADE_KEY_FILE": str(tmp_path / "key"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # what is read ahead of the first line would be lost to `communicate`
        )
        with process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"begins\n", process.communicate()
                yield ProcessVictim(process)
            finally:
                process.kill()

    with place(kind, tmp_path) as url:
        kill_again_and_again(start, ledger, KILLS, random.Random(f"kill -9, {kind}"))
