"""Publishes on the bus what changes about constraints."""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.holders import Holder
from cascade_nb.events.outside_events import ConstraintApplied, ConstraintLifted


def applied(constraint: Constraint, wall: float, lasts: float | None) -> ConstraintApplied:
    """It is in force.

    Args:
        wall: now, in seconds since the epoch.
        lasts: for how many seconds, or None.
    """
    return ConstraintApplied(
        timestamp=wall,
        scope=str(constraint.scope),
        type=constraint.type,
        by=constraint.by,
        holder=str(constraint.holder),
        params=constraint.params,
        reason=constraint.reason,
        expires_in=lasts,
    )


def lifted(constraint: Constraint, wall: float, cause: str, by: Holder) -> ConstraintLifted:
    """It is gone, because it was "lifted", by somebody, or has "expired"."""
    return ConstraintLifted(
        timestamp=wall,
        scope=str(constraint.scope),
        type=constraint.type,
        by=constraint.by,
        holder=str(constraint.holder),
        cause=cause,
        lifted_by=by.words if cause == "lifted" else "",
    )
