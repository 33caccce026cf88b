"""Owners of runs are killed while two others wait to take up what they leave: one of them goes on,
and nothing that was completed runs again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.state.taking_over import ITEMS
from tests.support.examples import examples
from tests.support.killing import place
from tests.support.ledger import Ledger
from tools.environments import ROOT

KILLS: Final = examples(25)  # of each kind
PATIENCE: Final = 60.0


class Processes:
    """Those that run and those that wait."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.state.taking_over", url]
        self._maker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.there: set[int] = set()

    def make(self, what: str) -> int:
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        print(what, file=self._maker.stdin, flush=True)
        made = int(self._maker.stdout.readline())
        self.there.add(made)
        return made

    def kill(self, one: int) -> None:
        self.there.discard(one)
        with suppress(ProcessLookupError):  # it had just ended
            os.kill(one, signal.SIGKILL)

    def end(self) -> None:
        for one in list(self.there):
            self.kill(one)
        self._maker.communicate(timeout=PATIENCE)


@contextmanager
def processes(url: str) -> Iterator[Processes]:
    made = Processes(url)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.timeout(600 + 6 * KILLS)
def test_of_two_that_wait_one_goes_on_with_what_the_dead_left(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("CASCADE_TEST_LEDGER", str(tmp_path / "ledger"))
    rng = random.Random(f"a third one, {kind}")
    ledger = Ledger(tmp_path / "ledger")
    with place(kind, tmp_path) as url, processes(url) as all_of_them:
        kills, runs, under_way = 0, 1, 0
        all_of_them.make("begin 1")
        for _ in range(2):
            all_of_them.make("attach")
        deadline = time.monotonic() + PATIENCE
        while kills < KILLS or len(values(ledger)) < runs:
            assert time.monotonic() < deadline, f"nobody went on after {kills} kills"
            assert said(ledger, "broken") == []
            time.sleep(0.02)
            if len(values(ledger)) == runs:  # it came to its end
                runs += 1
                all_of_them.make(f"begin {runs}")
                deadline = time.monotonic() + PATIENCE
            owner = int((said(ledger, "owner") or ["0"])[-1])
            if kills < KILLS and owner in all_of_them.there:
                time.sleep(rng.uniform(0.0, 0.15))
                all_of_them.kill(owner)
                under_way += len(ledger.in_flight())
                all_of_them.make("attach")
                kills += 1
                deadline = time.monotonic() + PATIENCE
            assert broken(ledger) == []
        assert values(ledger) == {f"report_{n + 1} {ITEMS * (ITEMS - 1)}" for n in range(runs)}
    begun = said(ledger, "begin")
    assert len(set(begun)) == runs * (2 * ITEMS + 1)
    begun = kept(ledger, begun)
    assert len(begun) - len(set(begun)) <= under_way  # no more began again than was under way


def said(ledger: Ledger, word: str) -> list[str]:
    """What was written down behind this word, in order."""
    return [line.what for line in ledger.lines() if line.word == word]


def kept(ledger: Ledger, nodes: list[str]) -> list[str]:
    """Those of runs that were taken from nobody who was alive, and only had no turn."""
    robbed = {title.partition("_")[2] for title in said(ledger, "robbed")}
    return [node for node in nodes if node.partition("_")[2].partition("[")[0] not in robbed]


def broken(ledger: Ledger) -> list[str]:
    """What began again after it was completed; who is robbed of its run may be about to say so."""
    deadline = time.monotonic() + PATIENCE / 4
    while (found := kept(ledger, ledger.broken_promises())) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def values(ledger: Ledger) -> set[str]:
    """What runs came to; one that waits for a run which ends meanwhile has its value, too."""
    return set(said(ledger, "value"))
