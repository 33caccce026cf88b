"""Runs the lazy values that tasks return, and gives their results to these tasks.

A lazy value alone is continued by its result; lazy values inside lists, tuples, dicts, sets or
dataclasses by the same containers around their results. Loops and recursion are written that way.
A task that only continues another is left out of the chain at once, so that a loop of any length is
no deeper than one step, and the places of what is over are used again, so that it is no larger
either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from cascade_nb.engine.core.arguments import LAZIES
from cascade_nb.engine.core.initial_state import first_needs
from cascade_nb.engine.core.run_state import RunState
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.errors import CycleError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import FREE, Node
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.isolation import are_quick_to_copy
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import Param


class Continuations:
    """The nodes of a run whose results will be made of others'."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._own = state.own
        self._added = 0
        self._awaited: dict[
            int, Any
        ] = {}  # node -> what it returned, whose results will be its own
        self._heir: dict[int, int] = {}  # the node of what was returned -> who waits for it alone
        self._before: dict[int, tuple[int, float]] = {}  # attempt and seconds of what is continued

    def __contains__(self, index: int) -> bool:
        return index in self._awaited

    def awaited(self) -> Collection[int]:
        """The nodes whose body is over and whose result is not there."""
        return self._awaited

    def heir_of(self, index: int) -> int | None:
        """Who waits for a node alone, and is continued in its place where that one continues."""
        return self._heir.get(index)

    def continue_with(
        self, index: int, result: Any, number: int, took: float
    ) -> tuple[int, tuple[int, ...]]:
        """Attempt `number` at a node, after `took` seconds, returned lazy values. Gives the node
        that waits for the results of others, and these.

        Raises:
            GraphError: no graph can be made of them, or they need the node itself.
        """
        state = self._state
        waiting = self._heir.pop(index, None)
        if waiting is None:
            self._before[index] = (number, took)
        else:
            state.scheduler.finish(index)
            state.results.over(index, state.scheduler.state)
            state.results.no_longer_reads(waiting, index, state.scheduler.state)
            index = waiting
        targets = self._graft(result, index)
        self._awaited[index] = result
        if index < self._own:
            state.kinds.plain[index] = False
        results = state.results
        if isinstance(result, Lazy):
            target = targets[0]
            if target >= self._own and target not in results.kept and results.unread(target):
                self._heir[target] = index
        for target in targets:
            results.also_reads(index, target)
        state.state_changes.append(index)
        return index, targets

    def arrived(self, index: int, then: Callable[[Any], None]) -> None:
        """What a node waited for is there; `then` takes the node's own result."""
        returned, results = self._awaited[index], self._state.results
        if type(returned) in LAZIES:
            then(results.reader.direct(returned))
        elif are_quick_to_copy((returned,)) and all(
            type(results.values[read]) in FROZEN for read in results.sources(index)
        ):
            then(results.reader.value_of(returned))
        else:  # a set or a dict asks what comes into it for its hash
            make = partial(results.reader.value_of, returned)
            self._state.run_user_code(index, make, then)

    def left(self, index: int) -> tuple[int, float]:
        """A node waits no longer; gives the attempt and the seconds that it had before."""
        returned = self._awaited.pop(index)
        if isinstance(returned, Lazy):
            self._heir.pop(self._state.results.place.get(returned.identity, -1), None)
        return self._before.pop(index, (1, 0.0))

    def _graft(self, returned: Any, index: int) -> tuple[int, ...]:
        """Add what `returned`, which `index` gave, needs; what is there and alive is shared.

        Raises:
            GraphError: no graph can be made of it, or it needs `index` itself.
        """
        state, results = self._state, self._state.results
        graph = build_graph(returned, state.request.bindings)
        index_of: dict[int, int] = {}
        shares_open = False
        for node in graph.nodes:
            known = results.place.get(node.lazy.identity)
            if known is not None and self._is_shared(known):
                index_of[node.index] = known
                self._heir.pop(known, None)  # somebody else reads it too now
                shares_open |= state.scheduler.state[known] < DONE
            else:
                index_of[node.index] = self._adopt(node, index_of, state.root_of(index))
        for other, place in graph.place.items():
            results.place[other] = index_of[place]
        targets = tuple(dict.fromkeys(index_of[target] for target in graph.targets))
        if shares_open:
            self._refuse_cycle(index, targets)
        return targets

    def _refuse_cycle(self, index: int, targets: tuple[int, ...]) -> None:
        """What waits for itself would wait for ever.

        Raises:
            CycleError: one of `targets`, by which `index` is to be continued, needs `index`.
        """
        state = self._state
        read_by = dict.fromkeys(targets, index)
        stack = list(targets)
        while stack:
            node = stack.pop()
            if node == index:
                path = [index]
                while (node := read_by[node]) != index:
                    path.append(node)
                raise CycleError([state.label(i) for i in (index, *reversed(path))])
            for source in (*state.results.sources(node), *state.items(node)):
                if state.scheduler.state[source] < DONE and source not in read_by:
                    read_by[source] = node
                    stack.append(source)

    def _is_shared(self, index: int) -> bool:
        """Whether what a node has, or came to, stands for whoever reads it only now."""
        state = self._state
        reason, _ = state.skipped.get(index, ("", ""))
        return reason not in ("Pruned", "Reused") and state.results.alive(
            index, state.scheduler.state
        )

    def _adopt(self, node: Node, index_of: Mapping[int, int], root: int) -> int:
        """Make a node of another graph one of this run."""
        state, results = self._state, self._state.results
        control = node.control
        if control is not FREE:
            control = control._replace(
                after=tuple(index_of[i] for i in control.after),
                condition=None if control.condition is None else index_of[control.condition],
                routes=tuple([None if r is None else index_of[r] for r in control.routes]),
                follows=tuple(index_of[i] for i in control.follows),
                otherwise=tuple(index_of[i] for i in control.otherwise),
            )
        spare = results.spare()
        index = len(results.work) if spare is None else spare
        inputs = tuple(dict.fromkeys(index_of[i] for i in node.inputs))
        self._added += 1  # its ordinal goes on from there, so that no two have one id
        ordinal = self._own + self._added
        adopted = Node(index, node.lazy, node.task, inputs, node.name, ordinal, control)
        state.scheduler.grow(first_needs(adopted), spare)
        results.add_node(adopted, index)
        state.kinds.add(adopted, index)
        self._begin_anew(index)
        state.roots[index] = root
        if isinstance(node.lazy, Param):
            results.values[index] = node.lazy.value_in(state.request.params)
            state.scheduler.state[index] = DONE
        return index

    def _begin_anew(self, index: int) -> None:
        """A place is used for another node."""
        state = self._state
        known: dict[int, Any]
        for known in (
            state.branches, state.stages, state.user_code, state.grown, state.needs, state.tries
        ):  # fmt: skip
            known.pop(index, None)
        state.changes.anew.append(index)
        state.changes.more = True
