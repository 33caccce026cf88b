"""What the record of a run says of its owner, and of the constraints that are in force."""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.storage.result_saver import THE_STATE
from cascade_nb.model.options.pause_condition import condition_in_words


def constraints_in_words(manager: ConstraintManager) -> list[dict[str, Any]]:
    """What is in force, so that it can be put into force again elsewhere; without what a state
    holds that cannot be used here, and may be there.
    """
    now, wall = manager.clock.now(), manager.clock.wall()
    return [
        {
            "scope": str(one.scope),
            "type": one.type,
            "params": dict(one.params),
            "reason": _reason_of(one),
            "holder": dataclasses.asdict(one.holder),
            "expires_at": None if one.expires is None else wall + one.expires - now,
        }
        for one in manager.constraints()
        if one.holder != THE_STATE
    ]


def _reason_of(constraint: Constraint) -> str:
    """Why it is in force, wherever it is put into force again: a condition is code, and stays."""
    if constraint.pause_if is None:
        return constraint.reason
    lost = (
        f"it was to hold only if {condition_in_words(constraint.pause_if)}, which is lost with its "
        "kernel: it holds all that comes; lift it, or set it again"
    )
    return "; ".join(filter(None, [constraint.reason, lost]))


def owner_in_words() -> str:
    """Who writes: the process, the machine, the notebook if it is one, and a mark of its own, for a
    process number comes again.
    """
    notebook = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    where = f"process {os.getpid()} on {socket.gethostname()}"
    return f"{where}{', ' + notebook if notebook else ''} ({secrets.token_hex(3)})"
