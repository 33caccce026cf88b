"""Writes runs and constraints as plain data, fit to be sent as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from cascade_nb.control.constraint import Constraint
from cascade_nb.door.protocol import short
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.planning.plan import Plan

_MOST: Final = 20  # failures, and runs inside
KINDS: Final = 50


def run_dict(status: RunStatus) -> dict[str, Any]:
    """How a run stands, as the wire has it."""
    kinds = sorted(status.kinds, key=lambda kind: -kind.total)[:KINDS]
    return {
        **head_dict(status),
        **{name: getattr(status, name) for name in _NUMBERS},
        "blocked_by": status.blocked_by and short(status.blocked_by),
        "kinds": [dataclasses.asdict(kind) for kind in kinds],
        "failures": [
            {"task": short(one.task), "error": short(one.error), "where": one.where}
            for one in status.failures[:_MOST]
        ],
        "inside": [short(one.words) for one in status.nested[:_MOST]],
        "questions": [
            {
                "name": one.name,
                "text": short(one.text),
                "takes": short(one.takes),
                "topic": one.topic,
                "waited": one.waited,
                "left": one.left,
            }
            for one in status.questions
        ],
        "retries": [short(one.short) for one in status.retries],
    }


_NUMBERS: Final = (
    "total", "done", "reused", "failed", "skipped", "cancelled", "running", "waiting", "queued",
    "held", "asking", "elapsed", "paused_for", "remaining", "parent",
)  # fmt: skip


def head_dict(status: RunStatus) -> dict[str, Any]:
    """Which run it is, and how it stands in a line."""
    return {
        "run_id": status.run_id,
        "number": status.number,
        "title": short(status.title),
        "phase": status.phase.value,
        "headline": short(status.headline),
    }


def constraint_dict(constraint: Constraint, now: float) -> dict[str, Any]:
    """A constraint as the wire has it; `now` is on its engine's clock."""
    expires = constraint.expires
    return {
        "scope": str(constraint.scope),
        "words": constraint.scope.words,
        "type": constraint.type,
        "params": constraint.params,
        "reason": constraint.reason,
        **_whose(constraint),
        "since": max(0.0, now - constraint.since),
        "expires_in": None if expires is None else max(0.0, expires - now),
    }


def plan_dict(plan: Plan) -> dict[str, Any]:
    """What a run would do, as the wire has it."""
    return {
        "title": short(plan.title),
        "summary": short(plan.summary),
        "timing": short(plan.timing),
        "reading": short(plan.reading),
        "where": [short(one) for one in plan.where],
        "counts": dict(plan.counts),
        "seconds": plan.seconds,
        "groups": [short(group.heading) for group in plan.groups[:KINDS]],
        "steps": [
            {"node": step.node, "action": step.action, "reason": short(step.reason)}
            for step in plan.steps[:KINDS]
        ],
        "left_off": len(plan.steps) > KINDS,
    }


def lifted_dict(constraint: Constraint) -> dict[str, Any]:
    """A constraint that is gone, as the wire has it."""
    return {
        "scope": str(constraint.scope),
        "type": constraint.type,
        "reason": constraint.reason,
        **_whose(constraint),
    }


def _whose(constraint: Constraint) -> dict[str, Any]:
    holder = constraint.holder
    return {"by": constraint.by, "holder": {"kind": holder.kind, "name": holder.name}}
