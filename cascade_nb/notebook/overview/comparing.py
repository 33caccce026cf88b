"""Finds two runs of a kernel that are over, and compares them."""

from __future__ import annotations

from cascade_nb.engine.planning.comparison import Comparison, Remembered, compare
from cascade_nb.errors import UsageError
from cascade_nb.notebook.session import Session


async def compared(session: Session, before: str, after: str) -> Comparison:
    """What is other in a run than in one before it.

    Args:
        session: whose runs these are.
        before, after: their ids.

    Raises:
        UsageError: one of them is not over, or not remembered any more.
        StateError: results cannot be read where they are kept.
    """
    return await compare(_remembered(session, before), _remembered(session, after))


def _remembered(session: Session, run_id: str) -> Remembered:
    for engine in session.engines:
        for one in engine.history.runs:
            if one.status.run_id == run_id:
                return Remembered(one.status, engine.history.nodes_of(run_id), engine.state)
    going = next((run for run in session.live_runs() if run.id == run_id), None)
    if going is not None:
        raise UsageError(f"run {going.number} goes on; two runs that are over can be compared")
    raise UsageError("one of these runs is not remembered any more")
