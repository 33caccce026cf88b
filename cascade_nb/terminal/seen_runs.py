"""Runs as a watching terminal has seen them, and the words for them."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from cascade_nb.control.words import count_text, left_text, seconds_text
from cascade_nb.door.asked import Answer
from cascade_nb.engine.reporting.report import COUNTED
from cascade_nb.terminal.output import CANCELLED, DONE, FAILED

#: By how a run ended, the exit code that says so.
ENDED: Final = {"succeeded": DONE, "failed": FAILED, "cancelled": CANCELLED}
_SPAN: Final = 20.0  # seconds over which a rate is taken


class SeenRun(NamedTuple):
    """A run as it was seen last.

    Attributes:
        who: whose it is.
        run: how it stands, as the wire has it.
        rates: by task, how many of its nodes end a minute.
        in_force: what holds or limits its process, in lines.
    """

    who: str
    run: Answer
    rates: dict[str, float]
    in_force: list[str]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.run["phase"] in ENDED


class Rates:
    """Counts how many nodes of each task end a minute."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def of(self, run: Answer, now: float) -> dict[str, float]:
        """By task, so many a minute; only of those of which any ended lately."""
        found = {}
        for kind in run.get("kinds", ()):
            seen = self._seen.setdefault((run["run_id"], kind["name"]), deque())
            seen.append((now, kind["attempts"]))
            while len(seen) > 2 and seen[0][0] < now - _SPAN:
                seen.popleft()
            (began, before), (ended, after) = seen[0], seen[-1]
            if after > before:
                found[kind["name"]] = (after - before) / (ended - began) * 60
        return found


def run_line(one: SeenRun) -> str:
    """How a run goes, in a line."""
    run = one.run
    head = f"{run['title']} (run {run['number']}, {run['run_id']})"
    return " · ".join([head, run["headline"], *([] if one.is_over else [counts(run), times(run)])])


def counts(run: Answer) -> str:
    """How many of its nodes stand how."""
    told = [f"{run['done'] + run['reused']:,} of {run['total']:,} done"]
    return ", ".join([*told, *(f"{run[name]:,} {name}" for name in COUNTED if run[name])])


def times(run: Answer) -> str:
    """How long it has taken, and will."""
    return seconds_text(run["elapsed"]) + left_text(run["remaining"])


def kind_words(kind: Answer, rate: float | None) -> list[str]:
    """What is to be said of all nodes of a task, in parts: done, running and what waits, how fast,
    what holds them.
    """
    waits = [f"{kind[name]:,} {name}" for name in ("asking", "running", "queued", "held", "failed")
             if kind[name]]  # fmt: skip
    mean = kind["seconds"] / kind["attempts"] if kind["attempts"] else None
    fast = [] if mean is None else [f"{seconds_text(mean)} each"]
    fast += [] if rate is None else [f"{rate:,.3g} a minute"]
    held = ["paused"] if kind["paused"] else []
    held += [] if kind["limit"] is None else [f"at most {kind['limit']}"]
    done = f"{kind['done']:,} of {count_text(kind['total'], 'node')}"
    return [done, ", ".join(waits), " · ".join(fast), ", ".join(held)]
