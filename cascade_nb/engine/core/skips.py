"""Says what a failure or a skip means for others, and skips what cannot run after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cascade_nb.engine.core.arguments import ABSENT, optional_inputs
from cascade_nb.engine.core.changes import Ended
from cascade_nb.engine.core.run_state import RunState
from cascade_nb.engine.core.scheduler import CANCELLED, DONE, FAILED, SKIPPED
from cascade_nb.graph.graph import Node

_BAD: Final = (FAILED, SKIPPED, CANCELLED)
_DECIDED: Final = ("ConditionFalse", "UpstreamSkipped")


class SkipPropagation:
    """Skips and failures, and what follows from them."""

    def __init__(self, state: RunState) -> None:
        self._state = state

    def skip(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""
        state = self._state
        state.skipped[index] = (reason, detail)
        ticket = state.unpark(index)
        if ticket is not None:
            state.changes.freed.append(ticket)
        state.results.values[index] = ABSENT
        state.results.reader.absent = True
        state.has_failures_or_skips = True
        ready, others = state.scheduler.skip(index)
        state.state_changes.append(index)
        state.changes.end(Ended(index, "skipped", reason=reason, detail=detail))
        self._after_end(index, ready, others)

    def fail(self, index: int, error: BaseException, number: int = 1, took: float = 0.0) -> None:
        """A node failed for good."""
        state = self._state
        state.has_failures_or_skips = True
        how = "fell" if state.is_expanded(index) else "failed"
        state.changes.end(Ended(index, how, number, took, error))
        ready, others = state.scheduler.fail(index)
        state.state_changes.append(index)
        if state.request.on_error == "stop":
            self.stop("failed")
        self._after_end(index, ready, others)

    def stop(self, why: str) -> None:
        """Start nothing new; what runs may finish. `why` is "failed", "edited" or "cancelled"."""
        state = self._state
        if state.stopping is None or why == "cancelled":
            state.stopping = why
        state.changes.ready.clear()
        state.changes.stopped = state.changes.more = True
        state.retry_at.clear()
        state.state_changes.extend(state.parked)  # nothing holds them any more
        state.changes.freed.extend(state.parked.values())
        state.parked.clear()

    def because_of(self, index: int, *readers: int) -> tuple[str, str]:
        """Reason and words for the skip of what cannot run without this node.

        The words are those of the first cause, however far away it is. Its identity stands behind
        them where one of `readers`, who are told so, is called like it: both are calls of one task.
        """
        state = self._state
        name, which = state.label(index), ""
        if any(state.label(reader) == name for reader in readers):
            which = f" ({state.id_of(index)})"
        if index not in state.skipped:
            return "UpstreamFailed", f"{name} failed{which}"
        reason, detail = state.skipped[index]
        if reason.startswith("Upstream"):
            return reason, detail
        return "UpstreamSkipped", f"{name} was skipped: {detail}{which}"

    def bad_source(self, index: int, sources: Sequence[int]) -> int | None:
        """The first of `sources` that is over in such a way that `index` cannot run."""
        states = self._state.scheduler.state
        for source in sources:
            if states[source] in _BAD and self._dooms(index, source):
                return source
        return None

    def _after_end(self, index: int, ready: list[int], others: Sequence[int]) -> None:
        """A node was skipped or failed: tell what needed it, and let go of what it read."""
        state = self._state
        because = self.because_of(index, *others)
        if because[0] == "UpstreamFailed":
            state.results.hold(index)  # whoever tries again will read it
        state.prune(state.results.over(index, state.scheduler.state))
        doomed = {
            other
            for other in others
            if state.scheduler.state[other] < DONE and self._dooms(other, index)
        }
        for other in doomed:
            state.skip_later(other, *because)
        # With its last need a doomed node became ready too, and must not get to its queue.
        state.arrive([other for other in ready if other not in doomed])

    def _dooms(self, index: int, source: int) -> bool:
        """Whether a node cannot run because `source` was skipped or failed."""
        state = self._state
        if state.is_expanded(index):
            return False  # it waits until all its items are over, so that none is lost unheard
        node = state.results.work[index]
        if not isinstance(node, Node):
            return True  # an item, which waits for nothing but what continues it
        if self.because_of(source)[0] == "UpstreamFailed":
            return True
        if source == node.control.condition or source in node.control.follows:
            return True  # also where it is to come after it anyhow
        if source in node.control.after and source not in node.inputs:
            return False
        return not has_default(node, source, state.results.place)


def was_decided(state: RunState, index: int) -> bool:
    """Whether results decided that a node was skipped, and not a failure or nobody's asking."""
    return state.skipped[index][0] in _DECIDED


def decided_by(state: RunState, index: int) -> Sequence[int]:
    """What decided that a node was skipped: who does without it has another result for that."""
    if not was_decided(state, index):
        return ()
    work, states = state.results.work[index], state.scheduler.state
    if not isinstance(work, Node):
        return work.node.sources  # an item, which was continued
    reads = (*work.sources, *state.items(index))
    return [i for i in reads if states[i] == SKIPPED or i == work.control.condition]


def has_default(node: Node, source: int, place: Mapping[object, int]) -> bool:
    """Whether every place where a task reads `source` is a parameter with a default."""
    if source == node.control.condition or node.task is None:
        return False
    optional = optional_inputs(node)
    reads = [other for other in node.lazy.inputs if place.get(other.identity) == source]
    return bool(reads) and all(other.identity in optional for other in reads)
