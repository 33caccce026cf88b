"""Starts one process after the other, in rounds, so that whatever else the machine does weighs on
all alike.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.environment import PEERS
from benchmarks.plan import Trial
from benchmarks.results import PROBE, Results
from tools.environments import ROOT, say

#: A peer that took so many seconds once is not asked again.
LONG: Final = 10.0

#: Seconds that a process gets beyond its budget, to start and to end.
GRACE: Final = 30.0


def run(
    trials: Sequence[Trial], rounds: int, after_round: Callable[[Results, int], object]
) -> Results:
    """Every trial in every round; every other round goes backwards through them.

    Args:
        after_round: given what was measured so far, and in how many rounds.
    """
    results = Results()
    peers = str(PEERS.make()) if any(trial.is_peer for trial in trials) else ""
    tired: set[tuple[str, str, str]] = set()
    for number in range(rounds):
        asked = [t for t in trials if number < t.rounds and t.key not in tired]
        say(f"round {number + 1} of {rounds}: {len(asked)} processes")
        for trial in asked if number % 2 == 0 else asked[::-1]:
            began = time.monotonic()
            for figures in said_by(trial, peers if trial.is_peer else sys.executable):
                results.add(trial.key, number, figures)
            if trial.is_peer and time.monotonic() - began > LONG:
                tired.add(trial.key)
        after_round(results, number + 1)
    return results


def said_by(trial: Trial, python: str) -> Iterator[Mapping[str, Any]]:
    """Start one process; what it said, and how it ended where it did not end well."""
    command = [python, "-m", "benchmarks.child", json.dumps(trial.order())]
    problem: str | None = None
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that what it starts, a server for instance, can end with it
    ) as child:
        try:
            output, words = child.communicate(
                timeout=trial.budget + (0 if trial.is_peer else GRACE)
            )
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            problem = f"over {trial.budget:.0f} s"
        except BaseException:  # Ctrl-C does not reach it where it is
            os.killpg(child.pid, signal.SIGKILL)
            raise
        else:
            if child.returncode:
                last = words.decode(errors="replace").strip().splitlines() or ["no word"]
                problem = f"ended with {child.returncode}: {last[-1][:120]}"
    heard = [_figures(line) for line in output.decode(errors="replace").splitlines()]
    figures = [one for one in heard if one is not None]
    yield from figures
    if problem is not None:
        missing = [size for size in trial.sizes if size not in {one.get("size") for one in figures}]
        yield {"size": missing[0] if missing else PROBE, "error": problem}


def _figures(line: str) -> Mapping[str, Any] | None:
    """One line of a child's; None for what a library printed."""
    if not line.startswith("{"):
        return None
    figures: Mapping[str, Any] = json.loads(line)
    return figures
