"""Has results made again that were there and are lost, with what they were made of, where that is
gone too.

It happens to what is kept on a cluster, whose workers can end. Only what something still reads is
made again; what would read it waits meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.core.scheduler import DONE, READY, WAITING
from cascade_nb.model.copying.elsewhere import Elsewhere


class LostResults:
    """What of a run's results is lost.

    Args:
        state: how the run stands.
    """

    def __init__(self, state: RunCore) -> None:
        self._state = state

    def _found(self) -> list[int]:
        """The nodes that are done, whose results are lost, and that something still reads."""
        results, states = self._state.results, self._state.scheduler.state
        return [
            index
            for index, value in enumerate(results.values)
            if isinstance(value, Elsewhere)
            and value.is_lost
            and states[index] == DONE
            and not results.unread(index)
        ]

    def make_again(self) -> list[int]:
        """Have what is lost, and still read, done once more; what waits for it waits. Gives it."""
        lost = [] if self._state.stopping is not None else self._found()
        if lost:
            self._state.made_ready(self._undone(lost))
        return lost

    def _undone(self, lost: Iterable[int]) -> list[int]:
        """Have these done once more. Gives what is ready now."""
        state = self._state
        scheduler, results = state.scheduler, state.results
        every: dict[int, None] = {}
        stack = list(lost)
        while stack:
            index = stack.pop()
            if index in every or scheduler.state[index] != DONE:
                continue
            every[index] = None
            stack += [source for source in results.sources(index) if self._is_gone(source)]
        readers = self._readers_of(every)
        for index in every:
            results.reads_again(index)
            scheduler.undo(index)
        ready = scheduler.demand(every)
        for reader, sources in readers.items():
            if scheduler.state[reader] == WAITING:
                scheduler.also_wait(reader, sources)
            elif scheduler.state[reader] == READY:
                scheduler.need(reader, sources)
                if (ticket := state.unpark(reader)) is not None:
                    state.changes.freed.append(ticket)
                    state.changes.more = True
            state.state_changes.append(reader)
        state.state_changes += every
        return ready

    def missing_for(self, index: int) -> list[int]:
        """What a node reads that is not there, now that it is to begin once more."""
        states = self._state.scheduler.state
        return [source for source in self._sources(index) if states[source] < DONE]

    def _is_gone(self, index: int) -> bool:
        value = self._state.results.values[index]
        if isinstance(value, Elsewhere):
            return value.is_lost
        return not self._state.results.alive(index, self._state.scheduler.state)

    def _sources(self, index: int) -> tuple[int, ...]:
        """What a node reads; for an item, what its mapped node does."""
        state = self._state
        return state.results.sources(index if index < state.own else state.node_of(index).index)

    def _readers_of(self, every: Collection[int]) -> dict[int, list[int]]:
        """By index of what has not begun, which of these it reads."""
        state = self._state
        found: dict[int, list[int]] = {}
        for index, now in enumerate(state.scheduler.state):
            if now not in (WAITING, READY) or index in every:
                continue
            if index < state.own and state.is_expanded(index):
                continue  # it waits for its items, and they for what they read
            sources = [source for source in self._sources(index) if source in every]
            if sources:
                found[index] = sources
        return found
