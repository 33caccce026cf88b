"""Prepares a run before its first node: state, keys, journal, and the results that are there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine.core.initial_state import InitialState, make_initial_state
from cascade_nb.engine.files.kept_files import outdated_in
from cascade_nb.engine.loops.resume_waiter import ResumeWaiter
from cascade_nb.engine.processes.process_check import check_processes
from cascade_nb.engine.reuse.lookup import GraphSnapshot, Reuse, find_reusable, fingerprint_graph
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.runs.services import RunHost
from cascade_nb.engine.storage.carry_over import (
    NOTHING_CARRIED,
    Carried,
    PriorResults,
    Revision,
    carried_over,
    edited,
    with_classes_of_today,
)
from cascade_nb.engine.storage.recovery import TakenUp, changed_since, order_of
from cascade_nb.engine.storage.result_keys import Keys
from cascade_nb.engine.storage.result_saver import THE_STATE, then_goes_on
from cascade_nb.errors import LeaseHeldError, LeaseLostError, StateError, UnusableStateError
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.model.params.param import Param
from cascade_nb.protocols.journal import Lease


class Prepared(NamedTuple):
    """All that a flow is made of, ready to begin.

    Attributes:
        reuse: what was found, without the values: for who explains it later.
        given: what an earlier try leaves.
        reused, carried: indexes of what an earlier run made, and of what stands from before an
            edit.
        pending: by index, results that stand if the conditions of their nodes turn out true.
        initial: the machinery, as far as it follows from graph and results.
        files: by index, what the results that are there were made of.
    """

    reuse: Reuse
    given: PriorResults
    reused: frozenset[int]
    carried: frozenset[int]
    pending: Mapping[int, Any]
    initial: InitialState
    files: Mapping[int, Stamps]


class Preparation:
    """Gets a run ready, and ready again after an edit.

    Args:
        on_lost: called, in another thread, when another kernel has taken the run over.

    Attributes:
        keys: by which results are kept.
        lease: the right to write about the run, where runs are journaled.
        sight: what was seen of the graph; None where that does not count.
    """

    def __init__(
        self,
        engine: RunHost,
        run: Run,
        request: RunRequest,
        on_lost: Callable[[LeaseLostError], None],
    ) -> None:
        self._engine = engine
        self._run = run
        self._request = request
        self._on_lost = on_lost
        self._edited = False
        self._revision = 0 if request.taken_up is None else request.taken_up.revision
        self.keys: Keys
        self.lease: Lease | None = None
        self.sight: GraphSnapshot | None = None

    async def begin(self, waiter: ResumeWaiter, settled: Mapping[int, Any]) -> Prepared:
        """Have the state backend open and the run written down, and see what is there already.

        Where the state cannot be used, the run is paused with its advice until it can, which is
        looked at now and then and when somebody resumes.

        Args:
            waiter: how to pause.
            settled: the values of the graph's parameters, by index.

        Raises:
            LeaseHeldError, LeaseLostError: the run is another kernel's.
            UnusableStateError: no waiting would mend the state.
        """
        while True:
            try:
                reuse = await self._begin()
                ready = await self._prepared(reuse, settled, await self._given(), NOTHING_CARRIED)
            except (LeaseHeldError, LeaseLostError, UnusableStateError):
                raise
            except StateError as error:
                await waiter.pause_for_a_while(then_goes_on(error), THE_STATE)
            else:
                waiter.resume(THE_STATE)
                return ready

    async def look_for_edits(self) -> Revision | None:
        """The run as it is now; None where edits do not count.

        Raises:
            GraphError, TaskCallError: what was edited does not fit together any more.
        """
        engine, run, before = self._engine, self._run, self.sight
        if before is None:
            return None  # it was taken up, and its code is no cell's; or nothing is ever reused
        graph = build_graph(run.graph.shape, self._request.bindings)
        params = self._request.params
        keeps_all, provenance = engine.state.keeps_all, engine.provenance
        after = await fingerprint_graph(graph, params, keeps_all, provenance, before.prints)
        return Revision(graph, after, edited(run.graph, before, graph, after))

    async def revise(
        self,
        revision: Revision,
        waiter: ResumeWaiter,
        settled: Mapping[int, Any],
        carried: Carried,
    ) -> Prepared:
        """Go on with another graph, with what of it is there already and what stands."""
        self._edited = True
        self._revision += 1
        self.sight = revision.sight
        while True:
            try:
                reuse = await self._revise(carried.keys)
                items = PriorResults(items=carried.items, rewritten=carried.rewritten)
                ready = await self._prepared(reuse, settled, items, carried)
            except LeaseLostError:
                raise
            except StateError as error:
                await waiter.pause_for_a_while(then_goes_on(error), THE_STATE)
            else:
                waiter.resume(THE_STATE)
                return ready

    async def _given(self) -> PriorResults:
        """What of an earlier try's results stands today: its code may have been edited since."""
        given, sight = self._request.given, self.sight
        if given.values or given.items:
            given = await run_in_thread(partial(with_classes_of_today, given))
        if given.sight is None or sight is None or list(given.sight.prints) == list(sight.prints):
            return given
        before = given.sight
        if all(snapshot.holds() for snapshot in before.code.values()):
            # Nothing was edited; what tasks themselves change, a counter of theirs, is no edit.
            changed = (i for i in given.done if before.prints[i] != sight.prints[i])
            return dataclasses.replace(given, tainted=given.tainted.union(changed))
        carried = carried_over(given, Revision(self._run.graph, sight, ()))
        return PriorResults(carried.done, carried.values, items=carried.items, files=carried.files)

    async def _begin(self) -> Reuse:
        engine, request, run = self._engine, self._request, self._run
        graph, taken_up, journal_writer = run.graph, request.taken_up, engine.journal_writer
        await engine.state.open()
        known: Mapping[int, str] = {}
        anew = frozenset[int]()
        if engine.reuse or taken_up is not None:
            self.sight = await fingerprint_graph(
                graph, request.params, engine.state.keeps_all, engine.provenance
            )
        if taken_up is not None:
            assert self.sight is not None
            known, anew = await self._still_known(taken_up, self.sight)
        self._make_keys(known, taken_up, anew)
        there = await self._look_up()
        if journal_writer is not None and (there.wanted or taken_up is not None):
            # A run of which everything is there has nothing that could be taken up.
            lease = None if taken_up is None else taken_up.lease
            self.lease = await journal_writer.begin(
                run.id,
                graph.title,
                len(graph) - len(graph.param_indexes),
                {} if taken_up is not None else await self._order(),
                self._on_lost,
                lease,
            )
            if anew:
                await journal_writer.note(run.id, "order", await self._order())
        return there

    async def _still_known(
        self, taken_up: TakenUp, sight: GraphSnapshot
    ) -> tuple[Mapping[int, str], frozenset[int]]:
        """The keys of the run that was taken up, as far as its code is what it was, and the nodes
        whose code is not, with all that reads them.
        """
        run = self._run
        names, anew = await run_in_thread(lambda: changed_since(run.graph, sight, taken_up))
        if anew:
            run.take(run.graph, names)
            self._revision = taken_up.revision + 1
        return {i: key for i, key in taken_up.keys.items() if i not in anew}, anew

    async def _revise(self, known: Mapping[int, str]) -> Reuse:
        self._make_keys(known)
        journal_writer = self._engine.journal_writer
        if journal_writer is not None:
            await journal_writer.note(self._run.id, "order", await self._order())
        return await self._look_up()

    def _make_keys(
        self,
        known: Mapping[int, str],
        taken_up: TakenUp | None = None,
        anew: frozenset[int] = frozenset(),
    ) -> None:
        engine, run, sight = self._engine, self._run, self.sight
        self.keys = Keys(
            run.id,
            run.graph,
            {} if sight is None else sight.keys,
            None if sight is None else sight.prints,
            engine.journal_writer,
            self._since,
            self._revision,
            known=known,
            written=None if taken_up is None else taken_up.revision,
            anew=anew,
            partial=None if engine.state.keeps_all else engine.partial,
        )

    @property
    def _since(self) -> float:
        if self._request.fresh:
            return math.inf
        return 0.0 if self._request.taken_up is None else self._request.taken_up.since

    async def _order(self) -> dict[str, object]:
        # Whoever takes up a run that was to be fresh may use what the run itself has made.
        since = self._engine.clock.wall() if self._request.fresh else self._since
        graph, request, keys = self._run.graph, self._request, self.keys.of
        order = await run_in_thread(lambda: order_of(graph, request, keys, since))
        return {**order, "revision": self._revision}

    async def _look_up(self) -> Reuse:
        graph, engine = self._run.graph, self._engine
        found = await find_reusable(
            graph,
            engine.state,
            self.keys.of,
            sight=self.sight if self._request.taken_up is None or self._edited else None,
            settled=graph.param_indexes,
            now=engine.clock.wall(),
            since=self._since,
        )
        self.keys.floors = found.floors
        engine.provenance.stands(graph, found.grounds, found.standing)
        return found

    async def _prepared(
        self, reuse: Reuse, settled: Mapping[int, Any], given: PriorResults, carried: Carried
    ) -> Prepared:
        given = await still_given(given)
        reused = frozenset((reuse.found | given.values.keys()) - settled.keys() - carried.done)
        values = {index: reuse.values[index] for index in reuse.found if index in reuse.values}
        have = {**values, **given.values, **carried.values, **settled}
        pending = {**{i: reuse.values[i] for i in reuse.pending}, **carried.pending}
        pending = {index: value for index, value in pending.items() if index not in have}
        executors = self._engine.adapters.executors
        initial = await make_initial_state(
            self._run.id,
            self._run.graph,
            have,
            pending,
            self._engine.adapters.solver if reuse.wanted else None,
            self._engine.means,
            demand=not given.skipped,
            above=self._run.above,
            on=self._request.on or executors.default,
            place_of=executors.place_of,
            level=self._run.level,
        )
        await check_processes(initial, self._run.graph, executors.runner)
        bare = dataclasses.replace(reuse, values={}, standing=frozenset())
        files = {**reuse.files, **given.files, **carried.files}
        return Prepared(bare, given, reused, carried.done, pending, initial, files)


async def still_given(given: PriorResults) -> PriorResults:
    """What an earlier try left, without what was made of files that are not as they were."""
    stale = await outdated_in(given.files)
    maps = await outdated_in({index: of_one.made_of for index, of_one in given.items.items()})
    items = {index: await outdated_in(of_one.files) for index, of_one in given.items.items()}
    if not stale and not maps and not any(items.values()):
        return given
    return dataclasses.replace(
        given,
        done=given.done - stale,
        values={index: value for index, value in given.values.items() if index not in stale},
        skipped={},  # what decides about others may come out otherwise now
        items={
            index: of_one._replace(
                results={n: v for n, v in of_one.results.items() if n not in items[index]}
            )
            for index, of_one in given.items.items()
            if index not in maps
        },
        files={index: stamps for index, stamps in given.files.items() if index not in stale},
    )


def settled_in(graph: Graph, params: Mapping[str, Any]) -> dict[int, Any]:
    """The values of a graph's parameters, by index.

    Raises:
        ParamError: one is missing or of the wrong type.
    """
    lazies = {index: graph.nodes[index].lazy for index in graph.param_indexes}
    return {i: lazy.value_in(params) for i, lazy in lazies.items() if isinstance(lazy, Param)}
