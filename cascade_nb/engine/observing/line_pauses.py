"""Knows which pauses are over nodes that wait in line for a worker.

No gate has been asked about these yet, since no worker is free; and when one is, the pause stops
them. So they are held from the moment of the pause on, and are counted and told as such.
"""

from __future__ import annotations

from cascade_nb.control.explanations import stopper
from cascade_nb.control.gates import Gate
from cascade_nb.engine.core.scheduler import READY
from cascade_nb.engine.core.task_groups import NO_WORKERS, TaskGroup
from cascade_nb.engine.observing.run_view import RunView


class LinePauses:
    """The pauses over what waits in line in a run, at one moment. Everything is called under the
    engine's lock.

    Args:
        view: the run.

    Attributes:
        on_nodes: by index of a node of the graph, the pause on it by name.
    """

    def __init__(self, view: RunView) -> None:
        self._core, self._manager = view.core, view.services.manager
        self._on_kinds: dict[TaskGroup, Gate | None] = {}
        by_name = self._manager.pauses_by_name()
        around = (gate for gate in by_name if any(map(gate.concerns, view.within)))
        self._around: Gate | None = next(around, None)  # over a task that has started this run
        self.on_nodes: dict[int, Gate] = {}
        of = self._core.kinds.of
        for gate in by_name:
            assert gate.constraint is not None
            for index in gate.members.get(view.admission, ()):
                if of[index].subject.is_of(gate.constraint.scope.run):
                    self.on_nodes.setdefault(index, gate)

    def on_kind(self, kind: TaskGroup) -> Gate | None:
        """The pause over all nodes of a kind."""
        if kind not in self._on_kinds:
            self._on_kinds[kind] = self._manager.pause_of(kind.subject) or self._around
        return self._on_kinds[kind]

    def over(self, index: int) -> Gate | None:
        """The pause over a node or an item."""
        gate = self.on_kind(self._core.kinds.of[index])
        if gate is None and self.on_nodes:
            return self.on_nodes.get(self._core.root_of(index))
        return gate


def stopper_of(view: RunView, index: int) -> Gate | None:
    """What keeps a node or an item from starting that is ready: the gate where it waits, or a pause
    over it while it waits in line; None where neither does. Under the engine's lock.
    """
    ticket = view.core.parked.get(index)
    if ticket is not None:
        return stopper(view.services.manager, ticket)
    return LinePauses(view).over(index) if waits_for_a_worker(view, index) else None


def pause_in_line(view: RunView, index: int) -> Gate | None:
    """The pause over what of a node of the graph waits in line: itself, or some of its items. Under
    the engine's lock.
    """
    core = view.core
    places = core.items(index) or (index,)
    gate = LinePauses(view).over(places[0])
    if gate is None:
        return None
    return gate if any(waits_for_a_worker(view, place) for place in places) else None


def waits_for_a_worker(view: RunView, index: int) -> bool:
    """Whether a node could start, but for a worker: it asked no gate yet, and is in line."""
    return (
        view.core.scheduler.state[index] == READY
        and view.core.kinds.of[index].queue not in NO_WORKERS
        and index not in view.core.retry_at
        and index not in view.core.questions
        and index not in view.core.parked
    )
