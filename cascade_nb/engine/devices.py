"""Says which GPUs a task has that asked for some with `.with_constraints(gpu=…)`."""

from __future__ import annotations

import os
from typing import Final

from cascade_nb.control.gate_kinds.resource_pools import GPU, DevicePool
from cascade_nb.engine.body_context import own_gpus
from cascade_nb.engine.dispatch.attempt import Attempt, current_attempt

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"  # by what CUDA, and what stands on it, is told of its own


def gpu_ids() -> tuple[str, ...]:
    """The GPUs that the task has in whose body this is asked, which no other has meanwhile.

    They are those that ``.with_constraints(gpu=1)`` gave it, of as many as the engine was told of.
    In a process CUDA sees these alone, as ``cuda:0`` and so on; in a thread it sees all, so that a
    task says which it means: ``f"cuda:{cs.gpu_ids()[0]}"``. Several tasks that ask for parts of one
    (``gpu=0.5``) share it.

    Returns:
        Their ids, as `CUDA_VISIBLE_DEVICES` has them where that was set, else counted from 0; empty
        where the task asked for none, and outside of a task.

    Example:
        >>> @cs.task
        ... def train(x):
        ...     return cs.gpu_ids()
        >>> engine = cs.Engine(system_resources={"gpu": 2})
        >>> engine.start(train(1).with_constraints(gpu=1)).result()
        ('0',)
        >>> engine.close()
    """
    attempt = current_attempt()
    return own_gpus.get() if attempt is None else gpus_of(attempt)


def gpus_of(attempt: Attempt) -> tuple[str, ...]:
    """The ids of those that an attempt has."""
    pool = attempt.driver.core.pools.get(GPU)
    if not isinstance(pool, DevicePool):
        return ()
    said = os.environ.get(VISIBLE)
    seen = [one.strip() for one in said.split(",")] if said else []
    units = pool.units.get(attempt.ticket, ())
    return tuple(seen[unit] if unit < len(seen) else str(unit) for unit in units)
