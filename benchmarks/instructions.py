"""Count the machine's instructions of a node: what a busy machine cannot disturb.

    python -m benchmarks.instructions [--sizes FEW MANY] [SHAPE …]

A process for each contender, shape and size runs under `valgrind --tool=callgrind`; what a node
costs is the slope between two sizes, so that imports and the making of an engine fall out. Two runs
differ by a few in a thousand. The collector is off, since when it comes depends on all that a
process has; and a slice of inline nodes lasts as long as there are any, since under valgrind ten
milliseconds are over after a few of them.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import bare, ours
from benchmarks.child import WrongResultError
from cascade_nb.engine.dispatch import inline
from tools.environments import ROOT

SHAPES: Final = ("wide", "chain", "layered", "tree", "map")
SIZES: Final = (1_000, 6_000)
CASCADE: Final = "cascade"
LIMIT: Final = "limit loop, events"
_CONTENDERS: Final = {**bare.CONTENDERS, **ours.CONTENDERS}
_COUNTED: Final = re.compile(r"Collected : (\d+)")


class NotCountedError(Exception):
    """Valgrind is not here, or said no number."""


def main() -> None:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions")
    parser.add_argument("shapes", nargs="*", default=SHAPES, metavar="SHAPE")
    parser.add_argument("--sizes", nargs=2, type=int, default=SIZES, metavar=("FEW", "MANY"))
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        contender, size = given.once
        run_once(contender, given.shapes[0], int(size))
        return
    print("| shape | cascade | limit loop with events | ratio |\n| --- | --: | --: | --: |")
    for shape in given.shapes:
        own, least = (counted(one, shape, given.sizes) for one in (CASCADE, LIMIT))
        print(f"| {shape} | {own:,.0f} | {least:,.0f} | {own / least:.2f} |", flush=True)


def counted(contender: str, shape: str, sizes: Sequence[int]) -> float:
    """Instructions that one node more costs.

    Raises:
        NotCountedError: valgrind is not here, or it said no number.
    """
    few, many = (_total(contender, shape, size) for size in sizes)
    return (many - few) / (sizes[1] - sizes[0])


def run_once(contender: str, shape: str, size: int) -> None:
    """What runs under valgrind.

    Raises:
        WrongResultError: it came to another value.
    """
    gc.disable()
    inline.SLICE = math.inf  # type: ignore[misc]
    case = _CONTENDERS[contender](shape, "inline", size)
    value = case.run()
    case.close()
    if value != case.expected:
        raise WrongResultError(f"{value!r:.60} came out, not {case.expected!r:.60}")


def _total(contender: str, shape: str, size: int) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise NotCountedError("valgrind is not installed")
    # One seed: otherwise sets and dictionaries of one run are walked in another order than those
    # of the next.
    said = subprocess.run(
        [
            *(valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-m"),
            *("benchmarks.instructions", shape, "--once", contender, str(size)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _COUNTED.search(said.stderr)
    if said.returncode or found is None:
        raise NotCountedError(said.stderr.strip()[-400:])
    return int(found[1])


if __name__ == "__main__":
    main()
