"""Makes the items of mapped nodes, and finds results that earlier runs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.loops.resume_waiter import ResumeWaiter
from cascade_nb.engine.storage.carry_over import PriorItems
from cascade_nb.engine.storage.result_keys import Keys, Standing
from cascade_nb.engine.storage.result_saver import THE_STATE, then_goes_on
from cascade_nb.errors import StateError
from cascade_nb.file_stamps import NO_STAMPS
from cascade_nb.graph.graph import Node
from cascade_nb.protocols.state_backend import StateBackend


class Expander:
    """Makes items of the collections of mapped nodes.

    Args:
        driver: whose nodes they are.
        keys: by which items are kept.
        state: where they are.
        given: by index of mapped nodes, the items that an earlier try left.
    """

    def __init__(
        self, driver: DrivenRun, keys: Keys, state: StateBackend, given: Mapping[int, PriorItems]
    ) -> None:
        self._driver = driver
        self._keys = keys
        self._state = state
        self._given = given

    def expand(self, index: int) -> None:
        """The inputs of a mapped node are there; a move, to be settled."""
        core = self._driver.core
        node, reader = core.node_of(index), core.results.reader
        given = self._given.get(index)
        if given is not None:
            there = {
                n: Standing(value, given.files.get(n, NO_STAMPS))
                for n, value in given.results.items()
            }
            self._expand(index, there, given.expansion.goes_through)
        elif not reader.is_plain_map(node):  # any iterable is a collection, also one of the user's
            then = partial(self._expand, index, {})
            core.run_user_code(index, partial(reader.columns_of, node), then)
        else:
            try:
                columns = reader.columns_of(node)
            except Exception as error:
                core.fail(index, error)
                return
            self._expand(index, {}, columns)

    def _expand(
        self,
        index: int,
        there: dict[int, Standing],
        goes_through: tuple[Mapping[str, list[Any]], Mapping[str, Any]],
    ) -> None:
        """It is known what it goes through, and which of its items are there."""
        driver, node = self._driver, self._driver.core.node_of(index)
        columns, fixed = goes_through
        if index < driver.core.own and self._keys.for_items(node) and any(columns.values()):
            driver.saver.under_way += 1  # the run is not over while somebody looks
            driver.services.spawn(self._look(index, node, columns, fixed, there))
            return
        self._grow(index, node, columns, fixed, there, [])

    async def _look(
        self,
        index: int,
        node: Node,
        columns: Mapping[str, list[Any]],
        fixed: Mapping[str, Any],
        given: Mapping[int, Standing],
    ) -> None:
        """On the loop, without the lock: which items are there already."""
        driver = self._driver
        keys: list[str] = []
        results: dict[int, Standing] = {}
        failure: BaseException | None = None
        try:
            keys, found = await self._found(node, columns)
            results = {**found, **given}
        except BaseException as error:
            failure = error
        with driver.moving():
            driver.saver.under_way -= 1
            if driver.is_over or not driver.core.is_ready(index):
                return
            if failure is not None:
                driver.core.fail(index, failure)
            else:
                self._grow(index, node, columns, fixed, results, keys)

    async def _found(
        self, node: Node, columns: Mapping[str, list[Any]]
    ) -> tuple[list[str], dict[int, Standing]]:
        """The keys of all items, and the results of those that stand, by position."""
        driver = self._driver
        services = driver.services
        waiter = ResumeWaiter(services.manager, f"run:{driver.run_id}", services.portal)
        while True:
            try:
                keys = await self._keys.of_items(node, columns)
                standing = await self._keys.standing(node.index, keys, self._state)
            except StateError as error:
                if driver.core.stopping is not None:
                    raise
                await waiter.pause_for_a_while(then_goes_on(error), THE_STATE)
            else:
                waiter.resume(THE_STATE)
                return keys, standing

    def _grow(
        self,
        index: int,
        node: Node,
        columns: Mapping[str, list[Any]],
        fixed: Mapping[str, Any],
        results: Mapping[int, Standing],
        keys: list[str],
    ) -> None:
        driver, core = self._driver, self._driver.core
        expansion = Expansion(node, len(core.results.work), columns, fixed)
        first = expansion.first
        self._keys.enter(range(first, first + expansion.count), keys)
        for position, one in results.items():
            driver.files.met(first + position, one.files)
        there = {position: one.value for position, one in results.items()}
        core.items_found(index, expansion, driver.services.clock.wall(), there)
