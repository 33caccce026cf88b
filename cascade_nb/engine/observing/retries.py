"""Describes nodes that are tried again, and the runs that tasks have started."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from cascade_nb.engine.core.driven_run import NestedRun
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import NestedStatus, RetryStatus, RunStatus
from cascade_nb.graph.graph import Node

_SHOWN: Final = 5  # at most so many are told of


def retries_of(view: RunView) -> tuple[RetryStatus, ...]:
    """What is tried again just now, or will be, soonest first. Call under the view's lock."""
    if not view.core.tries:
        return ()
    going = {a.index for a in view.in_flight.values() if a.started is not None and a.number > 1}
    waiting = sorted(view.core.retry_at, key=view.core.retry_at.__getitem__)
    some = [*waiting[:_SHOWN], *sorted(going)][:_SHOWN]
    return tuple(retry_of(view, index) for index in some)


def retry_of(view: RunView, index: int) -> RetryStatus:
    """One of these. Call under the view's lock."""
    due = view.core.retry_at.get(index)
    retry = view.core.options_of(index).retry
    return RetryStatus(
        node=view.core.graph.nodes[view.core.root_of(index)].id,
        task=view.core.label(index),
        attempt=view.core.tries.get(index, 1),
        most=retry.max_attempts if retry is not None else 1,
        wait=None if due is None else max(0.0, due - view.services.clock.now()),
        error=view.core.last_errors.get(index, ""),
    )


def nested_in(view: RunView) -> list[tuple[Node, str, NestedRun]]:
    """The runs that tasks have started and wait for: of each the task's node in the graph, what the
    task is called, and the run. Call under the view's lock.
    """
    if not view.nested:
        return []
    nodes, root_of = view.core.graph.nodes, view.core.root_of
    found = [(nodes[root_of(a.index)], view.core.label(a.index), r) for r, a in view.nested.items()]
    return sorted(found, key=lambda one: one[2].number)


def with_nested(status: RunStatus, nested: Sequence[tuple[Node, str, RunStatus]]) -> RunStatus:
    """The status of a run, with that of those inside: of each the task's node in the graph, what
    the task is called, and how it stands.
    """
    if not nested:
        return status
    inside = tuple(
        NestedStatus(node.id, task, node.task_name, of_it) for node, task, of_it in nested
    )
    told = status.headline
    if not status.phase.is_over:
        more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
        told += f" · {inside[0].short}{more}"
    return dataclasses.replace(status, nested=inside, headline=told)
