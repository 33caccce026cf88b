"""Skips what cannot run after a failure or a skip, and what nobody will ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cascade_nb.engine.core.arguments import ABSENT, optional_inputs
from cascade_nb.engine.core.run_state import RunState
from cascade_nb.engine.core.scheduler import CANCELLED, DONE, FAILED, IDLE, SKIPPED
from cascade_nb.graph.graph import Node

_BAD: Final = (FAILED, SKIPPED, CANCELLED)
_DECIDED: Final = ("ConditionFalse", "UpstreamSkipped")


class SkipPropagation:
    """Skips, and what follows from skips and failures."""

    def __init__(self, flow: RunState) -> None:
        self._flow = flow

    def skip(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""
        flow = self._flow
        flow.skipped[index] = (reason, detail)
        ticket = flow.parked.pop(index, None)
        if ticket is not None:
            flow.services.manager.forget(ticket)
        flow.results.values[index] = ABSENT
        flow.results.reader.absent = True
        flow.has_failures_or_skips = True
        ready, others = flow.scheduler.skip(index)
        flow.state_changes.append(index)
        if flow.files.of:
            flow.files.collect(index)
        flow.tell.skipped(index, reason, detail)
        self.after_end(index, ready, others)

    def because_of(self, index: int, *readers: int) -> tuple[str, str]:
        """Reason and words for the skip of what cannot run without this node.

        The words are those of the first cause, however far away it is. Its identity stands behind
        them where one of `readers`, who are told so, is called like it: both are calls of one task.
        """
        flow = self._flow
        name, which = flow.label(index), ""
        if any(flow.label(reader) == name for reader in readers):
            which = f" ({flow.id_of(index)})"
        if index not in flow.skipped:
            return "UpstreamFailed", f"{name} failed{which}"
        reason, detail = flow.skipped[index]
        if reason.startswith("Upstream"):
            return reason, detail
        return "UpstreamSkipped", f"{name} was skipped: {detail}{which}"

    def after_end(self, index: int, ready: list[int], others: Sequence[int]) -> None:
        """A node was skipped or failed: tell what needed it, and let go of what it read."""
        flow = self._flow
        because = self.because_of(index, *others)
        if because[0] == "UpstreamFailed":
            flow.results.hold(index)  # whoever tries again will read it
        self.prune(flow.results.over(index, flow.scheduler.state))
        doomed = {
            other
            for other in others
            if flow.scheduler.state[other] < DONE and self.dooms(other, index)
        }
        for other in doomed:
            flow.control_flow.skip_later(other, *because)
        # With its last need a doomed node became ready too, and must not get to its queue.
        flow.control_flow.arrive([other for other in ready if other not in doomed])

    def prune(self, idle: list[int]) -> None:
        """Nobody will ever ask for these, nor for what only they would have read."""
        flow = self._flow
        scheduler, stack = flow.scheduler, list(idle)
        while stack:
            index = stack.pop()
            if scheduler.state[index] != IDLE:
                continue
            scheduler.skip(index)
            flow.skipped[index] = ("Pruned", "nothing that runs needs it")
            flow.state_changes.append(index)
            if index not in flow.carried:
                flow.tell.skipped(index, *flow.skipped[index])
            stack += flow.results.over(index, scheduler.state)

    def bad_source(self, index: int, sources: Sequence[int]) -> int | None:
        """The first of `sources` that is over in such a way that `index` cannot run."""
        state = self._flow.scheduler.state
        for source in sources:
            if state[source] in _BAD and self.dooms(index, source):
                return source
        return None

    def dooms(self, index: int, source: int) -> bool:
        """Whether a node cannot run because `source` was skipped or failed."""
        flow = self._flow
        if flow.control_flow.is_expanded(index):
            return False  # it waits until all its items are over, so that none is lost unheard
        node = flow.results.work[index]
        if not isinstance(node, Node):
            return True  # an item, which waits for nothing but what continues it
        if self.because_of(source)[0] == "UpstreamFailed":
            return True
        if source == node.control.condition or source in node.control.follows:
            return True  # also where it is to come after it anyhow
        if source in node.control.after and source not in node.inputs:
            return False
        return not has_default(node, source, flow.results.place)


def was_decided(flow: RunState, index: int) -> bool:
    """Whether results decided that a node was skipped, and not a failure or nobody's asking."""
    return flow.skipped[index][0] in _DECIDED


def decided_by(flow: RunState, index: int) -> Sequence[int]:
    """What decided that a node was skipped: who does without it has another result for that."""
    if not was_decided(flow, index):
        return ()
    work, state = flow.results.work[index], flow.scheduler.state
    if not isinstance(work, Node):
        return work.node.sources  # an item, which was continued
    reads = (*work.sources, *flow.control_flow.items(index))
    return [i for i in reads if state[i] == SKIPPED or i == work.control.condition]


def has_default(node: Node, source: int, place: Mapping[object, int]) -> bool:
    """Whether every place where a task reads `source` is a parameter with a default."""
    if source == node.control.condition or node.task is None:
        return False
    optional = optional_inputs(node)
    reads = [other for other in node.lazy.inputs if place.get(other.identity) == source]
    return bool(reads) and all(other.identity in optional for other in reads)
