"""Decides what a ready node needs next: its condition, its branch, its items, or what it returned.

A plain task goes from ready straight to its queue. Every other node is ready more than once: first
when its condition is known, then when its inputs are, then when its items or its branch are. Each
time it comes here, and either needs more (`Scheduler.need`) or is over.

What follows from what is kept on an agenda instead of Python's stack: a chain of any length may be
skipped, or be over, in one go.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cascade_nb.control.resource_pools import check_against
from cascade_nb.engine.core.arguments import ABSENT, Expansion
from cascade_nb.engine.core.continuation import Continuations
from cascade_nb.engine.core.initial_state import first_needs, inputs_and_order
from cascade_nb.engine.core.run_protocols import Expands
from cascade_nb.engine.core.run_state import RunState
from cascade_nb.engine.core.scheduler import DONE, FAILED, SKIPPED
from cascade_nb.errors import MapError, RouteError
from cascade_nb.graph.graph import Node, NodeKind
from cascade_nb.model.options.checks import checked_amount
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.routing import DEFAULT, Router

MANY: Final = 100  # ready nodes from which on they are pushed all at once


class Stage(enum.Enum):
    """What a node that is not plain is waiting for."""

    STEPS = enum.auto()
    INPUTS = enum.auto()
    ITEMS = enum.auto()
    BRANCH = enum.auto()
    ELSE = enum.auto()
    CONTINUATION = enum.auto()


class ControlFlow:
    """What becomes of ready nodes.

    Attributes:
        stages: what the nodes wait for that are past their first stage.
        continuations: the nodes whose result will be another's.
        expander: grows the items of mapped nodes.
    """

    def __init__(self, flow: RunState, expander: Expands) -> None:
        self._flow = flow
        self._own = len(flow.graph.nodes)
        self.stages: dict[int, Stage] = {}
        self.continuations = Continuations(flow)
        self.expander = expander
        self._needs: dict[int, Mapping[str, float]] = {}
        self._agenda: deque[tuple[int, str, str]] = deque()
        self._working = False

    def root_of(self, index: int) -> int:
        """The node of the original graph that this one belongs to, by which scopes and ranks go."""
        if index < self._own:
            return index
        return self.continuations.root_of(self._flow.node_of(index).index)

    def needs_of(self, index: int) -> Mapping[str, float] | None:
        """What it needs of the engine's resources."""
        return self._needs.get(self._flow.node_of(index).index)

    def is_expanded(self, index: int) -> bool:
        """Whether it is a mapped node whose items are there."""
        return index in self.expander.grown

    def items(self, index: int) -> range:
        """The items of a mapped node, none before it has expanded."""
        expansion = self.expander.grown.get(index)
        return range(expansion.first, expansion.first + expansion.count) if expansion else range(0)

    def arrive(self, ready: Sequence[int]) -> None:
        """Nodes have become ready."""
        flow = self._flow
        if flow.stopping is not None:
            return
        if len(ready) > MANY and not flow.has_failures_or_skips:
            self._many_arrive(ready)
            return
        queues, kinds, ranks = flow.queues, flow.kinds, flow.ranks
        plain, of, own = kinds.plain, kinds.of, self._own
        has_failures_or_skips = flow.has_failures_or_skips
        for index in ready:
            if index < own and plain[index] and not has_failures_or_skips:
                queues.push(index, of[index].queue, ranks[index])  # type: ignore[arg-type]
            else:
                self._agenda.append((index, "", ""))
        if self._agenda:
            self._work_off()
        queues.pump_soon()

    def _many_arrive(self, ready: Sequence[int]) -> None:
        plain, own = self._flow.kinds.plain, self._own
        straight = [index for index in ready if index < own and plain[index]]
        self._flow.push_all(straight)
        if len(straight) < len(ready):
            there = set(straight)
            self._agenda.extend((index, "", "") for index in ready if index not in there)
            self._work_off()
        self._flow.queues.pump_soon()

    def skip_later(self, index: int, reason: str, detail: str) -> None:
        """A node is to be skipped, when what led to it is done."""
        self._agenda.append((index, reason, detail))

    def begin_anew(self, index: int) -> None:
        """A place is used for another node."""
        self.stages.pop(index, None)
        self.expander.grown.pop(index, None)
        self._needs.pop(index, None)
        self._flow.files.forget(index)
        self._flow.tries.pop(index, None)
        self._flow.tell.forget_names()

    def continued(self, index: int, targets: Sequence[int]) -> None:
        """The result of a node will be made of those of `targets`."""
        self.stages[index] = Stage.CONTINUATION
        self._need(index, targets)
        self._work_off()
        self._flow.queues.pump_soon()  # where the target is over, others may be ready by now

    def _work_off(self) -> None:
        if self._working:
            return  # whoever works it off is below on the stack and will come to it
        flow, agenda = self._flow, self._agenda
        self._working = True
        try:
            while agenda:
                index, reason, detail = agenda.popleft()
                if flow.scheduler.state[index] >= DONE:
                    continue
                if reason:
                    flow.skips.skip(index, reason, detail)
                elif flow.stopping is None:
                    self._advance(index)
        finally:
            self._working = False

    def _advance(self, index: int) -> None:
        """A node that is not plain is ready, perhaps not for the first time."""
        flow = self._flow
        work = flow.results.work[index]
        stage = self.stages.get(index)
        try:
            if stage is Stage.CONTINUATION:
                result, number, took = self.continuations.arrived(index)
                self.finish(index, result, number, took, tell=True)
            elif isinstance(work, Expansion):
                flow.push(index)
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
                branch = work.control.routes[self._chosen(work)]
                assert branch is not None
                self.finish(index, flow.results.values[branch])
        except BaseException as error:
            # The truth of a condition, the items of a map: the user's code.
            flow.tell.finished(index, "failed", 0.0, 1, error)
            flow.outcomes.fail(index, error)

    def _first_needs_are_there(self, index: int, node: Node) -> None:
        """What it needs before anything else is over, well or badly."""
        flow = self._flow
        # What is asked for late, a branch for instance, may find its inputs failed long ago.
        bad = None
        if flow.has_failures_or_skips:
            bad = flow.skips.bad_source(index, first_needs(node))
        if bad is not None:
            self.skip_later(index, *flow.skips.because_of(bad, index))
        elif node.control.condition is not None:
            self._decide(index, node, node.control.condition)
        elif not node.control.wanted:
            self._refuse(index, node)
        else:
            self._inputs_are_there(index, node)

    def _decide(self, index: int, node: Node, condition: int) -> None:
        """The condition is known."""
        flow = self._flow
        if not flow.results.values[condition]:
            if flow.pending.pop(index, ABSENT) is ABSENT:
                self._refuse(index, node)
            else:  # it has not asked for what precedes it: its own result might have stood
                self.stages[index] = Stage.STEPS
                self._need(index, node.control.follows)
        elif index in flow.pending:
            self.take_kept(index, flow.pending.pop(index))
        else:
            self.stages[index] = Stage.INPUTS
            self._need(index, inputs_and_order(node))

    def take_kept(self, index: int, value: Any) -> None:
        """A ready node has the result that an earlier run made."""
        flow = self._flow
        flow.reused.add(index)
        flow.tell.skipped(index, "Reused", "an earlier run made its result")
        flow.scheduler.start(index)
        flow.outcomes.finish(index, value)

    def _refuse(self, index: int, node: Node) -> None:
        """The condition of a node is false: it is skipped, unless something stands for its
        result.
        """
        flow, condition = self._flow, node.control.condition
        if node.options.otherwise is not NO_ELSE:
            self.stages[index] = Stage.ELSE
            self._need(index, node.control.otherwise)
            return
        which = "" if condition is None else f" {flow.label(condition)}"
        flow.skips.skip(index, "ConditionFalse", f"its condition{which} is false")

    def _take_else(self, index: int, node: Node) -> None:
        """What stands for the result of a node is there. It is not what the node's key says, so it
        is not kept under that.
        """
        flow = self._flow
        value = flow.results.reader.value_of(node.options.otherwise)
        if value is ABSENT:
            flow.skips.skip(index, "UpstreamSkipped", "what it stands for was skipped")
            return
        flow.scheduler.start(index)
        flow.files.collect(index)
        flow.outcomes.finish(index, value)

    def _inputs_are_there(self, index: int, node: Node) -> None:
        flow = self._flow
        if node.options.needs and index not in self._needs:
            self._needs[index] = self._settled_needs(node)
        if node.kind is NodeKind.TASK:
            flow.push(index)
        elif node.kind is NodeKind.MAP:
            self.stages[index] = Stage.ITEMS
            self.expander.expand(index, node)
        elif node.kind is NodeKind.ROUTER:
            key = self._chosen(node)
            branch = node.control.routes[key]
            if branch is None:
                assert isinstance(node.lazy, Router)
                self.finish(index, node.lazy.routes[key])
                return
            self.stages[index] = Stage.BRANCH
            self._need(index, (branch,))

    def _need(self, index: int, more: Sequence[int]) -> None:
        """Wait for more, unless some of it is over already and bad."""
        flow = self._flow
        bad = flow.skips.bad_source(index, more)
        if bad is None:
            self.arrive(flow.scheduler.need(index, more))
            return
        flow.scheduler.need(index, ())  # ready again, whatever it was: only then it can be skipped
        self.skip_later(index, *flow.skips.because_of(bad, index))

    def _items_are_over(self, index: int) -> None:
        flow = self._flow
        expansion = self.expander.grown[index]
        states = flow.scheduler.state[expansion.first : expansion.first + expansion.count]
        if all(state == DONE for state in states):
            self.finish(index, flow.results.collect_items(expansion))
        elif FAILED in states:
            item = expansion.first + states.index(FAILED)
            flow.outcomes.fail(index, MapError(f"{flow.label(item)} has no result"))
        else:  # an item returned a lazy value that came to nothing
            item = expansion.first + states.index(SKIPPED)
            flow.skips.skip(index, *flow.skips.because_of(item))

    def _chosen(self, node: Node) -> Any:
        """The key of the branch to take.

        Raises:
            RouteError: there is no such route.
        """
        lazy = node.lazy
        assert isinstance(lazy, Router)
        key = self._flow.results.reader.value_of(lazy.selector)
        try:
            known = key in lazy.routes
        except TypeError:  # a list, say, which can be no key
            known = False
        if not known and DEFAULT in lazy.routes:
            return DEFAULT
        if not known:
            known_ones = ", ".join(f"{route!r:.60}" for route in list(lazy.routes)[:20])
            raise RouteError(f"{node.label} has no route {key!r:.60}; it has {known_ones}")
        return key

    def finish(
        self, index: int, value: Any, number: int = 1, took: float = 0.0, tell: bool = False
    ) -> None:
        """A node that has no body, or whose body is long over, has its result."""
        flow = self._flow
        if value is ABSENT:
            flow.skips.skip(index, "UpstreamSkipped", "what it stands for was skipped")
            return
        flow.scheduler.start(index)
        flow.saver.keep(index, number, took, value, tell=tell)

    def _settled_needs(self, node: Node) -> Mapping[str, float]:
        """Amounts of resources, lazy ones by their results.

        Raises:
            PolicyError: an amount is no number, or more than there is.
        """
        flow = self._flow
        needs = {
            name: checked_amount(name, flow.results.reader.value_of(amount))
            for name, amount in node.options.needs.items()
        }
        check_against(flow.services.manager.pools, needs, node.label)
        return needs
