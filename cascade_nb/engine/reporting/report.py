"""Describes runs and constraints in a few lines of text, the same wherever they are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from cascade_nb.control.constraint import Constraint, Key
from cascade_nb.control.explanations import constraint_line
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.words import count_text, left_text, seconds_text, size_text
from cascade_nb.engine.observing.status import KindStatus, Phase, RunStatus
from cascade_nb.engine.reporting.history import History
from cascade_nb.protocols.execution import Clock

#: The numbers of a run's status that are told beside what is done, in the order of telling.
COUNTED: Final = (
    "reused",
    "failed",
    "skipped",
    "cancelled",
    "asking",
    "running",
    "waiting",
    "queued",
    "held",
)

FAILURES: Final = 20
_USED: Final = ("processor", "memory")  # what is known of those in processes
INSIDE: Final = 5  # runs inside a run that are told of one by one


class Standing(Protocol):
    """A run that has a status."""

    @property
    def status(self) -> RunStatus:
        """What it is doing now."""


class Reported(Protocol):
    """An engine, as far as it is told of.

    Attributes:
        clock, constraints, history: as the engine's.
    """

    clock: Clock
    constraints: ConstraintManager
    history: History

    @property
    def runs(self) -> Sequence[Standing]:
        """Those that go on."""


@dataclasses.dataclass(frozen=True)
class Status:
    """What the runs of a process are doing, and what holds them, at one moment.

    Attributes:
        runs: those that go on, and the one that ended last where none does.
        constraints: what is in force.
        lines: the same in words.
    """

    runs: tuple[RunStatus, ...]
    constraints: tuple[Constraint, ...]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


def status_of(engines: Sequence[Reported]) -> Status:
    """The status of some engines together."""
    live = outermost([run.status for engine in engines for run in reversed(engine.runs)])
    ended = [run for engine in engines for run in engine.history.runs]
    last = max(ended, key=lambda run: run.started, default=None)
    runs = live or ([last.status] if last is not None else [])
    lines = [line for status in runs for line in summary_lines(status)]
    if not live:
        lines.insert(0, "Nothing is running." + (" The last run:" if last is not None else ""))
    in_force: dict[Key, Constraint] = {}
    told: list[str] = []
    for engine in engines:
        now = engine.clock.now()
        new = [one for one in engine.constraints.constraints() if one.key not in in_force]
        in_force.update((one.key, one) for one in new)
        told += [f"  {constraint_line(one, now)}" for one in new]
    if told:
        lines += ["In force:", *told]
    return Status(tuple(runs), tuple(in_force.values()), tuple(lines))


def summary_lines(status: RunStatus) -> list[str]:
    """A run in a few lines: what it did, what goes on inside, and what failed and where."""
    lines = [title_line(status), *standing_lines(status), *inside_lines(status)]
    return [*lines, *failure_lines(status)]


def title_line(status: RunStatus) -> str:
    """Which run it is."""
    return f"{status.title} · run {status.number} ({status.run_id})"


def standing_lines(status: RunStatus) -> list[str]:
    """What it is doing, and how many of its nodes stand how."""
    if status.phase is Phase.STARTING:  # nothing is counted yet
        return [status.headline]
    so_far = f"{seconds_text(status.elapsed)}{left_text(status.remaining)}"
    links = [] if status.phase.is_over else [f"  Dask shows it at {u}" for u in status.dashboards]
    return [status.headline, f"{counts_line(status)} · {so_far}", *links]


def inside_lines(status: RunStatus, indent: str = "  ") -> list[str]:
    """What is tried again, and the runs that its tasks have started, each below its own."""
    lines = [f"{indent}? {one.words}, {one.time_words}" for one in status.questions]
    lines += [f"{indent}↻ {retry.short}" for retry in status.retries]
    for nested in status.nested[:INSIDE]:
        lines.append(f"{indent}↳ {nested.words}")
        lines += inside_lines(nested.status, indent + "  ")
    if len(status.nested) > INSIDE:
        lines.append(f"{indent}… and {count_text(len(status.nested) - INSIDE, 'more run')} inside")
    return lines


def outermost(runs: Sequence[RunStatus]) -> list[RunStatus]:
    """Those runs that no task of another of them has started: these are told of below it."""
    known = {status.run_id for status in runs}
    return [status for status in runs if status.parent not in known]


def counts_line(status: RunStatus) -> str:
    """How many of its nodes stand how."""
    counts = [f"{status.done + status.reused:,} of {status.total:,} done"]
    for name in COUNTED:
        number = getattr(status, name)
        if number:
            counts.append(f"{number:,} {name}")
    return ", ".join(counts)


def failure_lines(status: RunStatus) -> list[str]:
    """What failed, and where."""
    lines = []
    for failure in status.failures[:FAILURES]:
        place = f"\n    {failure.where}" if failure.where else ""
        lines.append(f"✕ {failure.task}: {failure.error}{place}")
    if len(status.failures) > FAILURES:
        lines.append(f"… and {count_text(len(status.failures) - FAILURES, 'failure')} more")
    return lines


def times_lines(kinds: Iterable[KindStatus]) -> list[str]:
    """How long each task took, as a table; those that took longest first."""
    shown = sorted(kinds, key=lambda kind: (-kind.seconds, kind.name))
    shown = [kind for kind in shown if kind.attempts]
    in_processes = any(kind.memory for kind in shown)
    table = [("task", "attempts", "total", "longest", *_USED[: 2 * in_processes])]
    for kind in shown:
        row = (kind.name, f"{kind.attempts:,}", seconds_text(kind.seconds))
        used = (seconds_text(kind.cpu), size_text(kind.memory)) if kind.memory else ("", "")
        table.append((*row, seconds_text(kind.longest), *used[: 2 * in_processes]))
    columns = range(1, len(table[0]))
    wide = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        (f"  {row[0]:<{wide[0]}}  " + "  ".join(f"{row[i]:>{wide[i]}}" for i in columns)).rstrip()
        for row in table
    ]
