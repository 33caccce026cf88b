"""Measure, print the tables, write them down.

    python -m benchmarks [--quick] [--rounds N] [--readme] [--only WORD …]

The tables and a JSON file with every single figure go below `build/benchmarks/`.
"""

from __future__ import annotations

import argparse
import json
import os
import time

from benchmarks.plan import Trial, plan
from benchmarks.readme import write
from benchmarks.report import machine, markdown, plain
from benchmarks.results import Results
from benchmarks.runner import run
from tools.environments import ROOT, say

ROUNDS = 3
QUICK_ROUNDS = 2
HERE = ROOT / "build" / "benchmarks"


def main() -> None:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small sizes, in under two minutes")
    parser.add_argument("--rounds", type=int, help=f"by default {ROUNDS}, quick {QUICK_ROUNDS}")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="WORD",
        help="what has all these words in its contender, workload or mode",
    )
    arguments = parser.parse_args()
    chosen = [trial for trial in plan(arguments.quick) if _has(trial, arguments.only)]
    if not chosen:
        parser.error(f"nothing has {' and '.join(arguments.only)} in it")
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    name = "quick" if arguments.quick else "full"
    load, began = os.getloadavg()[0], time.monotonic()

    def keep(results: Results, done: int) -> str:
        minutes = (time.monotonic() - began) / 60
        heading = _heading(done, minutes, load)
        return _keep(name, heading, results)

    results = run(chosen, rounds, keep)
    text = keep(results, rounds)
    if arguments.readme:
        write(text)
    print(text)
    say(f"every figure is in {(HERE / name).relative_to(ROOT)}.json")


def _heading(rounds: int, minutes: float, load: float) -> str:
    on = machine()
    return (
        f"{rounds} rounds in {minutes:.0f} min on {on['processors']} processors, Python "
        f"{on['python']} built {on['build']}. The machine's load was {load:.1f} before it began "
        f"and {os.getloadavg()[0]:.1f} at the end; the benchmarks alone make it 1."
    )


def _keep(name: str, heading: str, results: Results) -> str:
    """Write down what there is so far; a long run that is ended early has not been for nothing."""
    text = f"{heading}\n\n{markdown(results)}"
    HERE.mkdir(parents=True, exist_ok=True)
    made = {"heading": heading, **plain(results)}
    (HERE / f"{name}.json").write_text(json.dumps(made, indent=1), encoding="utf-8")
    (HERE / f"{name}.md").write_text(text, encoding="utf-8")
    return text


def _has(trial: Trial, words: list[str]) -> bool:
    return all(word in " ".join(trial.key) for word in words)


if __name__ == "__main__":
    main()
