"""Says how a run ended that is over before any of its nodes was, or with no failure of one."""

from __future__ import annotations

from cascade_nb.engine.observing.run_view import ObservedRun
from cascade_nb.engine.observing.status import FailureLine, Phase


def why_before_start(run: ObservedRun, name: str) -> str:
    """Why a node of a run that has no machinery yet, or never had any, is not done."""
    if run.outcome is None:
        return f"{name} waits: the run is starting"
    if (how := ended_with(run)) is not None:
        return f"{name} was not started: {how.task}: {how.error}"
    return f"{name} was not started: the run was cancelled before it began"


def ended_with(run: ObservedRun) -> FailureLine | None:
    """What a run has failed with that is no failure of a task of its own: a target that was
    skipped, a state that is not to be used.
    """
    error = run.exception() if run.outcome is Phase.FAILED else None
    if error is None:
        return None
    title = run.graph.title
    return FailureLine(title, str(error).strip().split("\n")[0].removeprefix(f"{title} "), None)
