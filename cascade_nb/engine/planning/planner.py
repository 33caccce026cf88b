"""Answers what a run of a graph would do, and what stands for a value, before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.planning.doubts import Doubts
from cascade_nb.engine.planning.outlook import Outlook, plan_of
from cascade_nb.engine.planning.plan import WORK, Plan
from cascade_nb.engine.planning.whereabouts import whereabouts
from cascade_nb.engine.processes.executors import Executors
from cascade_nb.engine.reporting.history import History
from cascade_nb.engine.reuse.answers_kept import asks, forgotten, is_known, put_and_wait
from cascade_nb.engine.reuse.lookup import Reuse, find_reusable, fingerprint_graph
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.file_stamps import paths_in
from cascade_nb.graph.build import Bindings, build_graph
from cascade_nb.graph.graph import Graph, NodeKind
from cascade_nb.model.copying.isolation import reader_copy
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import REQUIRED, Param, check_given, checked_params
from cascade_nb.protocols.execution import Clock
from cascade_nb.protocols.state_backend import Known, StateBackend


class Found(NamedTuple):
    """What stands for a lazy value.

    Attributes:
        there: whether a result does.
        value: that result.
        made: when it was made, in seconds since the epoch.
        seconds: how long that took.
        words: why there is none.
        lasting: whether a run leaves one here; not where nothing can be known again by its key.
        comes: the number of the run that goes on and will give it.
        doubts: what it also depends on and no key can tell: "draws random numbers".
    """

    there: bool
    value: Any = None
    made: float | None = None
    seconds: float | None = None
    words: str = ""
    doubts: str = ""
    lasting: bool = True
    comes: int | None = None


_UNDER_WAY: Final = {
    NodeState.RUNNING,
    NodeState.HELD,
    NodeState.QUEUED,
    NodeState.WAITING,
    NodeState.ASKING,
}


class LiveRun(Protocol):
    """A run that goes on, as plans look at it."""

    @property
    def number(self) -> int:
        """It is the n-th of its engine."""

    @property
    def graph(self) -> Graph:
        """What runs."""

    def states(self) -> dict[str, NodeState]:
        """How each node of the graph stands, by id."""

    def why(self, name: str) -> list[str]:
        """Why a node stands as it does."""


class Planner:
    """Plans, and the answers to why.

    Attributes:
        bindings: what names mean where nothing else is said.
        provenance: what results were made of.
        history: what became of runs.
        given: values of parameters, by name, as runs were given them last.
        means: by task name, the mean seconds of an attempt in earlier runs.
        executors: where bodies run, by place.
    """

    constraints: ConstraintManager
    clock: Clock
    executors: Executors
    state: StateBackend
    reuse: bool
    runs: Sequence[LiveRun]

    def __init__(self) -> None:
        self.provenance = ProvenanceCache()
        self.history = History()
        self.bindings: Bindings | None = None
        self.given: dict[str, Any] = {}
        self.means: dict[str, float] = {}

    def graph_of(self, target: Any, bindings: Bindings | None = None) -> Graph:
        """The graph that a run of `target` would have.

        Args:
            target: a lazy value, a container of such, or a `Graph`, which is given as it is.
            bindings: what names mean now; without it what the engine's `bindings` say.

        Returns:
            A `Graph`; nothing runs.

        Raises:
            GraphError: there is nothing to run, or it needs itself.
        """
        if isinstance(target, Graph):
            return target
        return build_graph(target, bindings if bindings is not None else self.bindings)

    async def plan(
        self,
        target: Any,
        *,
        params: Mapping[str, Any] | None = None,
        bindings: Bindings | None = None,
        on: Any = None,
    ) -> Plan:
        """What a run of `target` would do, node by node, and why; nothing runs.

        Args:
            target: a lazy value, a container of such, or a `Graph`.
            params: values of parameters by name.
            bindings: what names mean now; without it what the engine's `bindings` say.
            on: where sync tasks run that do not say it, as for `Engine.start`.

        Returns:
            A `Plan`: a step for each node, how long it may take, and where it runs.

        Raises:
            GraphError, ParamError: as `Engine.start`.
            StateError: the state backend cannot be reached or read.
        """
        graph = self.graph_of(target, bindings)
        params = checked_params(params)
        check_given(params, graph.params())
        reuse = await self.standing(graph, params)
        given, before = given_in(graph, params), await self._before(graph, reuse)
        outlook = Outlook(
            reuse,
            {**given, **await self._conditions(graph, reuse)},
            tuple(self.constraints.constraints()),
            dict(self.means),
            {index: known.seconds for index, known in before.items()},
            self.clock.wall(),
            partial(self.history.last_seen, identity=reuse.grounds.identity),
            {i: paths_in(f for f in known.files if not f.wrote) for i, known in before.items()},
            given,
        )
        executors = self.executors
        place = None if on is None else executors.place(on)

        def made() -> Plan:
            plan = plan_of(graph, outlook)
            going = {step.node for step in plan.steps if step.action in WORK}
            where = whereabouts(graph, going, place, executors)
            return dataclasses.replace(plan, where=where) if where else plan

        return await run_in_thread(made)

    async def find(
        self,
        lazy: Lazy,
        *,
        params: Mapping[str, Any] | None = None,
        bindings: Bindings | None = None,
    ) -> Found:
        """The result that stands for `lazy`, or why there is none; nothing runs.

        Args:
            lazy: whose result is looked for.
            params: values of parameters by name; what it does not read is left out. By default what
                runs were given last.
            bindings: what names mean now; without it what the engine's `bindings` say.

        Returns:
            The value where one stands, and in words why none does.

        Raises:
            GraphError, ParamError: as `Engine.start`.
            StateError: the state backend cannot be reached or read.
        """
        graph = self.graph_of(lazy, bindings)
        known = graph.params()
        chosen = self.given if params is None else params
        given = {name: value for name, value in chosen.items() if name in known}
        check_given(given, known)
        index = graph.targets[0]
        node = graph.nodes[index]
        if isinstance(node.lazy, Param):
            return Found(True, node.lazy.value_in(given))
        for run in reversed(self.runs):
            if run.states().get(node.id) in _UNDER_WAY:
                words = f"run {run.number} goes on: {run.why(node.id)[0]}"
                return Found(False, words=words, comes=run.number)
        reuse = await self.standing(graph, given)
        if index in reuse.found:
            key = reuse.keys[index]
            values, kept = await self.state.values([key]), await self.state.known([key])
            if key in values:
                made = kept.get(key)
                seconds = None if made is None else made.seconds
                when = None if made is None else made.made
                doubts = Doubts(graph, {}, 0.0).of_result(index)
                return Found(True, reader_copy(values[key]), when, seconds, doubts=doubts)
        if index not in reuse.keys and (
            left := self.history.unkeyed.find(lazy, graph, reuse.grounds)
        ):
            gap = (reuse.gaps and reuse.gaps.why_not(index)) or "nothing is reused here"
            doubts = f"run {left[0]} made it, and each run does so anew: {gap}"
            return Found(True, reader_copy(left[1]), doubts=doubts)
        step = (await self.plan(graph, params=given)).step(node.id)
        verb = {"skip": "it is skipped: ", "hold": "it is held: ", "queue": "it is queued: "}
        words = verb.get(step.action, "") + step.reason
        seen = self.history.last_seen(node, reuse.grounds.identity)
        if step.action in ("hold", "queue") and seen is not None and seen.no_result is not None:
            words = f"it {seen.no_result}; now {words}"
        return Found(False, words=words, lasting=index in reuse.keys or step.action != "run")

    async def ask_again(
        self,
        lazy: Lazy,
        *,
        params: Mapping[str, Any] | None = None,
        bindings: Bindings | None = None,
    ) -> bool:
        """Have the next run that needs the answer to a question ask it anew, though one is kept.

        Args:
            lazy: what `cs.ask` gave.
            params: values of parameters by name; by default what runs were given last.
            bindings: what names mean now; without it what the engine's `bindings` say.

        Returns:
            False where no answer was kept.

        Raises:
            UsageError: it is no question, or one of several items.
            StateError: where answers are kept cannot be reached, read or written.
        """
        graph = self.graph_of(lazy, bindings)
        index = graph.targets[0]
        node = graph.nodes[index]
        if not asks(node) or node.kind is not NodeKind.TASK:
            raise UsageError(f"{node.id} is no question of cs.ask, so it cannot be asked anew")
        chosen = self.given if params is None else params
        given = {name: value for name, value in chosen.items() if name in graph.params()}
        await self.state.open()
        sight = await fingerprint_graph(graph, given, self.state.keeps_all, self.provenance)
        key = sight.keys.get(index)
        known = {} if key is None else await self.state.known([key])
        if key is None or key not in known or not is_known(known[key]):
            return False
        await run_in_thread(partial(put_and_wait, self.state, forgotten(key, node.task_name)))
        return True

    async def standing(self, graph: Graph, params: Mapping[str, Any]) -> Reuse:
        """What earlier runs have made of `graph`, without getting it.

        Raises:
            StateError: the state backend cannot be reached or read.
        """
        settled = graph.param_indexes
        if not self.reuse:
            nodes = frozenset(range(len(graph.nodes)))
            return Reuse({}, frozenset(), {}, nodes - settled, fresh=True)
        await self.state.open()
        sight = await fingerprint_graph(graph, params, self.state.keeps_all, self.provenance)
        found = await find_reusable(
            graph,
            self.state,
            sight.keys,
            sight=sight,
            settled=settled,
            now=self.clock.wall(),
            fetch=False,
        )
        self.provenance.stands(graph, found.grounds, found.standing)
        return found

    def why(self, name: str) -> list[str]:
        """Why a node runs, waits or did not run, in the newest run that goes on and has it.

        Raises:
            UnknownNameError: no such run has such a node.
        """
        for run in reversed(self.runs):
            try:
                return run.why(name)
            except UnknownNameError:
                continue
        known = {node.id for run in self.runs for node in run.graph.nodes}
        raise UnknownNameError("node", name, known)

    async def _conditions(self, graph: Graph, reuse: Reuse) -> dict[int, Any]:
        """The results that decide about others, where they are there."""
        deciding = {node.control.condition for node in graph.nodes} & reuse.found
        if not deciding:
            return {}
        keys = {index: reuse.keys[index] for index in deciding if index is not None}
        values = await self.state.values(list(keys.values()))
        return {index: values[key] for index, key in keys.items() if key in values}

    async def _before(self, graph: Graph, reuse: Reuse) -> dict[int, Known]:
        """What is kept of the last time of nodes that have to run."""
        keys = {}
        for name, made in reuse.grounds.before.items():
            index = reuse.grounds.place[name]
            if index in reuse.wanted and made.key is not None:
                keys[index] = str(made.key)
        known = await self.state.known(list(keys.values())) if keys else {}
        return {index: known[key] for index, key in keys.items() if key in known}


def given_in(graph: Graph, params: Mapping[str, Any]) -> dict[int, Any]:
    """The values of those parameters that have one, by index."""
    found = ((index, graph.nodes[index].lazy) for index in graph.param_indexes)
    return {
        index: lazy.value_in(params)
        for index, lazy in found
        if isinstance(lazy, Param) and (lazy.default is not REQUIRED or lazy.name in params)
    }
