"""Lists the runs of a kernel, and what is in force, as text."""

from __future__ import annotations

from typing import Final

from cascade_nb.control.explanations import constraint_line
from cascade_nb.control.words import ago, count_text
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.notebook.session import Session

#: The first line of such a list.
HEAD: Final = "Runs of this kernel:"
_SHOWN: Final = 20


def in_force_in_words(session: Session) -> str:
    """What is in force, a line for each; empty where nothing is."""
    in_force = session.constraints().values()
    now = session.engine.clock.now()
    lines = [f"  {constraint_line(constraint, now)}" for constraint in in_force]
    return "\n".join(["In force:", *lines]) if lines else ""


def here_in_words(session: Session) -> str:
    """A table of this kernel's runs, the latest first."""
    live = [run.status for run in session.live_runs()]
    ended = [one for engine in session.engines for one in engine.history.runs]
    now = session.engine.clock.wall()
    latest = sorted(ended, key=lambda one: -one.started)
    rows = [(status, "goes on") for status in live]
    rows += [(one.status, ago(now - one.started)) for one in latest]
    if not rows:
        return "Nothing was run in this kernel yet."
    shown = _below_their_own(rows)
    titles = [
        f"{'  ' * (depth - 1)}{'↳ ' if depth else ''}{status.title} "
        f"({count_text(status.total, 'node')})"
        for depth, status, _ in shown[:_SHOWN]
    ]
    width = max(map(len, titles))
    lines = [
        f"  {status.number:>3}  {status.run_id}  {title:<{width}}  {when:>14}  {status.headline}"
        for (_, status, when), title in zip(shown, titles, strict=False)
    ]
    if len(rows) > _SHOWN:
        lines.append(f"  … and {count_text(len(rows) - _SHOWN, 'run')} before these")
    return "\n".join([HEAD, *lines])


def _below_their_own(rows: list[tuple[RunStatus, str]]) -> list[tuple[int, RunStatus, str]]:
    """The same, those that a task of another has started below that one, with how deep."""
    known = {status.run_id for status, _ in rows}
    inside: dict[str | None, list[tuple[RunStatus, str]]] = {}
    for row in rows:
        parent = row[0].parent
        inside.setdefault(parent if parent in known else None, []).append(row)
    found: list[tuple[int, RunStatus, str]] = []
    left = [(0, *row) for row in reversed(inside.get(None, []))]
    while left:
        depth, status, when = left.pop()
        found.append((depth, status, when))
        left += [(depth + 1, *row) for row in inside.get(status.run_id, [])]
    return found
