"""Decides what a ready node needs next: its condition, its branch, its items, or what it returned.

A plain task goes from ready straight to its queue. Every other node is ready more than once: first
when its condition is known, then when its inputs are, then when its items or its branch are. Each
time it comes here, and either needs more (`Scheduler.need`) or is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cascade_nb.control.gate_kinds.resource_pools import check_against
from cascade_nb.engine.core.arguments import ABSENT, LAZIES, Expansion
from cascade_nb.engine.core.changes import Ended, Save, UserCode
from cascade_nb.engine.core.continuation import Continuations
from cascade_nb.engine.core.initial_state import first_needs, inputs_and_order
from cascade_nb.engine.core.run_state import RunState, Stage
from cascade_nb.engine.core.scheduler import DONE, FAILED, SKIPPED
from cascade_nb.engine.core.skips import SkipPropagation
from cascade_nb.errors import CascadeError, MapError
from cascade_nb.graph.graph import Node, NodeKind
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.options.checks import checked_amount
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.routing import Router, is_plain_choice, place_chosen


class ControlFlow:
    """What becomes of ready nodes that are not plain."""

    def __init__(
        self, state: RunState, skips: SkipPropagation, continuations: Continuations
    ) -> None:
        self._state = state
        self._skips = skips
        self._continuations = continuations

    def work_off(self) -> None:
        """Look at what became ready, or is to be skipped, and at what follows, to the last."""
        state, agenda = self._state, self._state.agenda
        while agenda and state.stopping is None:
            index, reason, detail = agenda.popleft()
            if state.scheduler.state[index] >= DONE:
                continue
            if reason:
                self._skips.skip(index, reason, detail)
            else:
                self._advance(index)
        agenda.clear()  # where it stops, what is not over is cancelled in the end

    def continued(self, index: int, result: Any, number: int, took: float) -> None:
        """Attempt `number` at a node, after `took` seconds, returned lazy values."""
        heir = self._continuations.heir_of(index)
        try:
            index, targets = self._continuations.continue_with(index, result, number, took)
        except CascadeError as error:
            self._skips.fail(index if heir is None else heir, error, number, took)
            return
        self._state.stages[index] = Stage.CONTINUATION
        self._need(index, targets)

    def expanded(self, index: int, expansion: Expansion, when: float) -> range:
        """The collections of a mapped node are there; gives its items, which are all ready."""
        state = self._state
        state.results.add_items(expansion)
        state.kinds.add_items(expansion)
        items = state.scheduler.expand(index, expansion.count)
        # Last: a finalizer in the middle of this may ask how all that has grown stands.
        state.grown[index], state.grown_at[index] = expansion, when
        state.state_changes.append(index)
        return items

    def go_on(self, code: UserCode, value: Any, error: BaseException | None) -> None:
        """Code of the user's that a ready node waits for gave this, or raised that."""
        try:
            if error is not None:
                raise error
            code.then(value)
        except BaseException as raised:
            self._skips.fail(code.node, raised)

    def take_kept(self, index: int, value: Any) -> None:
        """A ready node has the result that an earlier run made."""
        state = self._state
        state.reused.add(index)
        detail = "an earlier run made its result"
        state.changes.end(Ended(index, "skipped", reason="Reused", detail=detail))
        state.scheduler.start(index)
        state.finish(index, value)

    def _continued_with(self, index: int, result: Any) -> None:
        """A node that waited for what its body returned has its result."""
        number, took = self._continuations.left(index)
        self.finish(index, result, number, took, tell=True)

    def finish(
        self, index: int, value: Any, number: int = 1, took: float = 0.0, tell: bool = False
    ) -> None:
        """A node that has no body, or whose body is long over, has its result."""
        state = self._state
        if value is ABSENT:
            self._skips.skip(index, "UpstreamSkipped", "what it stands for was skipped")
            return
        state.scheduler.start(index)
        state.changes.keep(Save(index, number, took, value, tell))

    def _advance(self, index: int) -> None:
        """A node that is not plain is ready, perhaps not for the first time."""
        state = self._state
        work = state.results.work[index]
        stage = state.stages.get(index)
        try:
            if stage is Stage.CONTINUATION:
                self._continuations.arrived(index, partial(self._continued_with, index))
            elif isinstance(work, Expansion):
                state.queue(index)
            elif stage is None:
                self._first_needs_are_there(index, work)
            elif stage is Stage.INPUTS:
                self._inputs_are_there(index, work)
            elif stage is Stage.STEPS:
                self._refuse(index, work)
            elif stage is Stage.ELSE:
                self._take_else(index, work)
            elif stage is Stage.ITEMS:
                self._items_are_over(index)
            else:
                self.finish(index, state.results.values[state.branches.pop(index)])
        except BaseException as error:
            # What is asked of values here are Python's own answers, but some of those are errors.
            self._skips.fail(index, error)

    def _first_needs_are_there(self, index: int, node: Node) -> None:
        """What it needs before anything else is over, well or badly."""
        state = self._state
        # What is asked for late, a branch for instance, may find its inputs failed long ago.
        bad = None
        if state.has_failures_or_skips:
            bad = self._skips.bad_source(index, first_needs(node))
        if bad is not None:
            state.skip_later(index, *self._skips.because_of(bad, index))
        elif node.control.condition is not None:
            self._decide(index, node, node.control.condition)
        elif not node.control.wanted:
            self._refuse(index, node)
        else:
            self._inputs_are_there(index, node)

    def _decide(self, index: int, node: Node, condition: int) -> None:
        """The condition has its value."""
        value = self._state.results.values[condition]
        if type(value) in FROZEN:
            self._decided(index, node, bool(value))
        else:
            self._state.run_user_code(
                index, partial(bool, value), partial(self._decided, index, node)
            )

    def _decided(self, index: int, node: Node, wanted: bool) -> None:
        """It is known whether the condition is true."""
        state = self._state
        if not wanted:
            if state.pending.pop(index, ABSENT) is ABSENT:
                self._refuse(index, node)
            else:  # it has not asked for what precedes it: its own result might have stood
                state.stages[index] = Stage.STEPS
                self._need(index, node.control.follows)
        elif index in state.pending:
            self.take_kept(index, state.pending.pop(index))
        else:
            state.stages[index] = Stage.INPUTS
            self._need(index, inputs_and_order(node))

    def _refuse(self, index: int, node: Node) -> None:
        """The condition of a node is false: it is skipped, unless something stands for its
        result.
        """
        state, condition = self._state, node.control.condition
        if node.options.otherwise is not NO_ELSE:
            state.stages[index] = Stage.ELSE
            self._need(index, node.control.otherwise)
            return
        which = "" if condition is None else f" {state.label(condition)}"
        self._skips.skip(index, "ConditionFalse", f"its condition{which} is false")

    def _take_else(self, index: int, node: Node) -> None:
        """What stands for the result of a node is there."""
        otherwise, reader = node.options.otherwise, self._state.results.reader
        if type(otherwise) in FROZEN or type(otherwise) in LAZIES:
            self._instead(index, reader.direct(otherwise))
        else:
            self._state.run_user_code(
                index, partial(reader.value_of, otherwise), partial(self._instead, index)
            )

    def _instead(self, index: int, value: Any) -> None:
        """This stands for the result of a node. It is not what the node's key says, so it is not
        kept under that.
        """
        state = self._state
        if value is ABSENT:
            self._skips.skip(index, "UpstreamSkipped", "what it stands for was skipped")
            return
        state.scheduler.start(index)
        state.changes.end(Ended(index, "replaced"))
        state.finish(index, value)

    def _inputs_are_there(self, index: int, node: Node) -> None:
        state = self._state
        if node.options.needs and index not in state.needs:
            state.needs[index] = self._settled_needs(node)
        if node.kind is NodeKind.TASK:
            state.queue(index)
        elif node.kind is NodeKind.MAP:
            state.stages[index] = Stage.ITEMS
            state.changes.expand.append(index)
            state.changes.more = True
        elif node.kind is NodeKind.ROUTER:
            self._choose(index, node)

    def _need(self, index: int, more: Sequence[int]) -> None:
        """Wait for more, unless some of it is over already and bad."""
        state = self._state
        bad = self._skips.bad_source(index, more)
        if bad is None:
            state.arrive(state.scheduler.need(index, more))
            return
        state.scheduler.need(index, ())  # ready again, whatever it was: only then it can be skipped
        state.skip_later(index, *self._skips.because_of(bad, index))

    def _items_are_over(self, index: int) -> None:
        state = self._state
        expansion = state.grown[index]
        states = state.scheduler.state[expansion.first : expansion.first + expansion.count]
        if all(one == DONE for one in states):
            self.finish(index, state.results.collect_items(expansion))
        elif FAILED in states:
            item = expansion.first + states.index(FAILED)
            self._skips.fail(index, MapError(f"{state.label(item)} has no result"))
        else:  # an item returned a lazy value that came to nothing
            item = expansion.first + states.index(SKIPPED)
            self._skips.skip(index, *self._skips.because_of(item))

    def _choose(self, index: int, node: Node) -> None:
        """The selector of a router has its value."""
        router = node.lazy
        assert isinstance(router, Router)
        key = self._state.results.reader.direct(router.selector)
        chosen = partial(place_chosen, router, key, node.label)
        if is_plain_choice(router, key):
            self._take_branch(index, node, chosen())
        else:
            self._state.run_user_code(index, chosen, partial(self._take_branch, index, node))

    def _take_branch(self, index: int, node: Node, place: int) -> None:
        """It is known which branch to take."""
        state, branch = self._state, node.control.routes[place]
        if branch is None:
            assert isinstance(node.lazy, Router)
            self.finish(index, list(node.lazy.routes.values())[place])
            return
        state.stages[index], state.branches[index] = Stage.BRANCH, branch
        self._need(index, (branch,))

    def _settled_needs(self, node: Node) -> Mapping[str, float]:
        """Amounts of resources, lazy ones by their results.

        Raises:
            PolicyError: an amount is no number, or more than there is.
        """
        state = self._state
        needs = {
            name: checked_amount(name, state.results.reader.direct(amount))
            for name, amount in node.options.needs.items()
        }
        check_against(state.pools, needs, node.label)
        return needs
