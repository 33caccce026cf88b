"""Grows the items of mapped nodes, and finds those of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.run_state import RunState
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.loops.resume_waiter import ResumeWaiter
from cascade_nb.engine.storage.carry_over import PriorItems
from cascade_nb.engine.storage.result_keys import Keys, Standing
from cascade_nb.engine.storage.result_saver import THE_STATE, then_resume
from cascade_nb.errors import StateError
from cascade_nb.file_stamps import NO_STAMPS
from cascade_nb.graph.graph import Node
from cascade_nb.protocols import StateBackend


class Expander:
    """Makes items of the collections of mapped nodes.

    Args:
        flow: whose nodes they are.
        keys: by which items are kept.
        state: where they are.
        given: by index of mapped nodes, the items that an earlier try left.

    Attributes:
        grown: by index of mapped nodes, what they grew into.
        since: by index, when, in seconds since the epoch.
    """

    def __init__(
        self, flow: RunState, keys: Keys, state: StateBackend, given: Mapping[int, PriorItems]
    ) -> None:
        self._flow = flow
        self._keys = keys
        self._state = state
        self._given = given
        self.grown: dict[int, Expansion] = {}
        self.since: dict[int, float] = {}

    def expand(self, index: int, node: Node) -> None:
        """The collections of a mapped node are there."""
        flow = self._flow
        given = self._given.get(index)
        there: dict[int, Standing] = {}
        if given is not None:
            there = {
                n: Standing(value, given.files.get(n, NO_STAMPS))
                for n, value in given.results.items()
            }
            columns, fixed = given.expansion.goes_through
        else:
            columns, fixed = flow.results.reader.columns_of(node)
        if index < len(flow.graph.nodes) and self._keys.for_items(node) and any(columns.values()):
            flow.saver.under_way += 1  # the run is not over while somebody looks
            flow.services.spawn(self._look(index, node, columns, fixed, there))
            return
        expansion = Expansion(node, len(flow.results.work), columns, fixed)
        self._grow(index, expansion, there, [])

    async def _look(
        self,
        index: int,
        node: Node,
        columns: Mapping[str, list[Any]],
        fixed: Mapping[str, Any],
        given: Mapping[int, Standing],
    ) -> None:
        """On the loop, without the lock: which items are there already."""
        flow = self._flow
        keys: list[str] = []
        results: dict[int, Standing] = {}
        failure: BaseException | None = None
        try:
            keys, found = await self._found(node, columns)
            results = {**found, **given}
        except BaseException as error:
            failure = error
        with flow.lock:
            flow.saver.under_way -= 1
            if flow.is_over or flow.stopping is not None or flow.scheduler.state[index] >= DONE:
                flow.end_if_done()
                return
            try:
                if failure is not None:
                    flow.outcomes.fail(index, failure)
                else:
                    expansion = Expansion(node, len(flow.results.work), columns, fixed)
                    self._grow(index, expansion, results, keys)
                flow.end_if_done()
                flow.queues.pump_soon()
            except BaseException as error:
                flow.break_off(error)

    async def _found(
        self, node: Node, columns: Mapping[str, list[Any]]
    ) -> tuple[list[str], dict[int, Standing]]:
        """The keys of all items, and the results of those that stand, by position."""
        flow = self._flow
        waiter = ResumeWaiter(flow.services.manager, f"run:{flow.run_id}", flow.services.portal)
        while True:
            try:
                keys = await self._keys.of_items(node, columns)
                return keys, await self._keys.standing(node.index, keys, self._state)
            except StateError as error:
                if flow.stopping is not None:
                    raise
                await waiter.pause(then_resume(error), THE_STATE)

    def _grow(
        self, index: int, expansion: Expansion, results: Mapping[int, Standing], keys: list[str]
    ) -> None:
        flow = self._flow
        self.grown[index] = expansion
        self.since[index] = flow.services.clock.wall()
        flow.results.add_items(expansion)
        kind = flow.kinds.add_items(expansion)
        items = flow.scheduler.expand(index, expansion.count)
        self._keys.enter(items, keys)
        flow.state_changes.append(index)
        if not items:
            flow.control_flow.finish(index, [])
            return
        for position, one in results.items():
            flow.files.met(items[position], one.files)
        if results:
            self._take(items, results)
            return
        rank = flow.ranks[flow.control_flow.root_of(index)]
        assert kind.queue is not None
        flow.queues.push_all([rank << 32 | item for item in items], kind.queue)
        flow.queues.pump_soon()

    def _take(self, items: range, results: Mapping[int, Standing]) -> None:
        """Have the results of some items from an earlier run; the others start."""
        flow = self._flow
        for position, item in enumerate(items):
            if position not in results:
                flow.push(item)
                continue
            flow.control_flow.take_kept(item, results[position].value)
        flow.queues.pump_soon()
