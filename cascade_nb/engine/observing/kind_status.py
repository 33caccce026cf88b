"""Describes all nodes of one task taken together, and what of a run rests in processes."""

from __future__ import annotations

from collections import Counter

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.explanations import whose_words
from cascade_nb.control.holders import YOU
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.task_groups import Spent
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import KindStatus, NodeState


def kind_status(
    manager: ConstraintManager, name: str, counts: Counter[NodeState], spent: Spent | None
) -> KindStatus:
    """All nodes of one task taken together.

    Args:
        manager: knows its pause and its limit.
        name: of the task.
        counts: how many of them stand how.
        spent: what they took so far.
    """
    scope = Scope("task", name)
    pauses, limits = manager.standing(scope), manager.standing(scope, "concurrency")
    ours = [*pauses, *limits]
    spent = spent or Spent()
    return KindStatus(
        name=name,
        total=sum(counts.values()),
        done=counts[NodeState.DONE] + counts[NodeState.REUSED],
        running=counts[NodeState.RUNNING],
        queued=counts[NodeState.QUEUED],
        held=counts[NodeState.HELD],
        asking=counts[NodeState.ASKING],
        waiting=counts[NodeState.WAITING],
        failed=counts[NodeState.FAILED],
        paused=bool(pauses),
        limit=min((one.limit for one in limits), default=None),
        by=whose_words(ours).strip(),
        others=tuple(dict.fromkeys(_short(one) for one in ours if one.by not in ("", YOU))),
        attempts=spent.attempts,
        seconds=spent.seconds,
        longest=spent.longest,
        cpu=spent.cpu,
        memory=spent.memory,
    )


def _short(constraint: Constraint) -> str:
    """Whose it is, where there is little room."""
    holder = constraint.holder
    short = holder.kind != "person" and not holder.means and not holder.shown
    return holder.name if short else constraint.by


def suspended_of(view: RunView | None, index: int | None = None) -> tuple[int, float | None]:
    """How many attempts are suspended in their processes, and since how many seconds the first is;
    of one node of the graph where one is given. Under the lock.
    """
    if view is None:
        return 0, None
    since = [
        a.rests_since
        for a in view.in_flight.values()
        if a.in_process and a.rests_since is not None
        and (index is None or view.core.root_of(a.index) == index)
    ]  # fmt: skip
    if not since:
        return 0, None
    return len(since), max(0.0, view.services.clock.now() - min(since))


def through_pauses(view: RunView | None) -> int:
    """How many attempts run in other processes that nothing can suspend. Under the lock."""
    return 0 if view is None else sum(a.runs_through_pauses for a in view.in_flight.values())
