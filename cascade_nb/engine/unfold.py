"""How the graph unfolds while it runs: conditions, routes, items of a map, continuations, retries,
skips.

A plain task goes from ready straight to its lane. Every other node is ready more than once: first
when its condition is known, then when its inputs are, then when its items or its branch are. Each
time it comes here, and either needs more (`Scheduler.need`) or is over.

Called under the engine's lock, as everything of a flow.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cascade_nb.engine.arguments import ABSENT, Expansion, optional_inputs
from cascade_nb.engine.scheduler import CANCELLED, DONE, FAILED, IDLE, SKIPPED
from cascade_nb.errors import CascadeError, MapError, RouteError, nearest
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import FREE, Graph, Node, NodeKind
from cascade_nb.model.lazy import Lazy, LazyResult, MappedLazyResult
from cascade_nb.model.policy import Retry, checked_amount
from cascade_nb.model.resources import Injected
from cascade_nb.model.routing import Router

if TYPE_CHECKING:
    from cascade_nb.engine.flow import Flow

_BAD = (FAILED, SKIPPED, CANCELLED)


class Stage(enum.Enum):
    """What a node that is not plain is waiting for."""

    CONDITION = enum.auto()
    INPUTS = enum.auto()
    ITEMS = enum.auto()
    BRANCH = enum.auto()
    CONTINUATION = enum.auto()


def first_needs(node: Node) -> tuple[int, ...]:
    """What a node needs before anything else: its condition where it has one, for nothing else is
    to run for a node that will be skipped.
    """
    control = node.control
    if control is FREE:
        return node.inputs
    if control.condition is not None:
        return (control.condition,)
    return _inputs_and_order(node) if control.wanted else ()


class Unfolding:
    """What becomes of ready nodes.

    Attributes:
        lane: by index, where its body runs; None for what has no body of its own.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.lane: list[str | None] = [_lane(node) for node in flow.graph.nodes]
        self._plain = [_is_plain(node) for node in flow.graph.nodes]
        self._stage: dict[int, Stage] = {}
        self._expansions: dict[int, Expansion] = {}
        self._continued: dict[int, int] = {}  # node -> the node whose result will be its own
        self._continues: dict[int, int] = {}  # the same the other way, where nothing else reads it
        self._before: dict[int, tuple[int, float]] = {}  # attempt and seconds of what is continued
        self._roots: dict[int, int] = {}
        self._needs: dict[int, Mapping[str, float]] = {}
        self._own = len(flow.graph.nodes)

    # ---- looking
    # ------------------------------------------------------------------------------------

    def root_of(self, index: int) -> int:
        """The node of the original graph that this one belongs to, which scopes and ranks go by."""
        if index < self._own:
            return index
        work = self.flow.ledger.work[index]
        if isinstance(work, Expansion):
            return self._roots.get(work.node.index, work.node.index)
        return self._roots[index]

    def needs_of(self, index: int) -> Mapping[str, float] | None:
        """What it needs of the engine's resources."""
        node = self.flow.node_of(index)
        return self._needs.get(node.index) if node.options.needs else None

    def is_expanded(self, index: int) -> bool:
        """Whether it is a mapped node whose items are there."""
        return index in self._expansions

    def is_continued(self, index: int) -> bool:
        """Whether its result will be that of a lazy value it returned."""
        return index in self._continued

    def items(self, index: int) -> range:
        """The items of a mapped node, none before it has expanded."""
        expansion = self._expansions.get(index)
        return range(expansion.first, expansion.first + expansion.count) if expansion else range(0)

    # ---- ready
    # --------------------------------------------------------------------------------------

    def arrive(self, ready: Iterable[int]) -> None:
        """Nodes have become ready."""
        flow, lanes, lane = self.flow, self.flow.lanes, self.lane
        ranks, own = flow.ranks, self._own
        if flow.stopping is not None:
            return
        for index in ready:
            if index < own and self._plain[index]:
                lanes.push(index, lane[index], ranks[index])  # type: ignore[arg-type]
            elif flow.scheduler.state[index] < DONE:
                self._advance(index)
        lanes.pump_soon()

    def _advance(self, index: int) -> None:
        """A node that is not plain is ready, perhaps not for the first time."""
        flow = self.flow
        work = flow.ledger.work[index]
        if isinstance(work, Expansion):
            flow.push(index)
            return
        stage = self._stage.get(index)
        if stage is None:
            stage = Stage.INPUTS if work.control.condition is None else Stage.CONDITION
        try:
            if stage is Stage.CONDITION or not work.control.wanted:
                self._decide(index, work)
            elif stage is Stage.INPUTS:
                self._inputs_are_there(index, work)
            elif stage is Stage.ITEMS:
                self._items_are_over(index)
            elif stage is Stage.BRANCH:
                self._take_over(index, work.control.routes[self._chosen(work)])
            else:
                source = self._continued.pop(index)
                self._continues.pop(source, None)
                self._take_over(index, source)
        except (
            Exception
        ) as error:  # the truth of a condition, or the items of a map, are the user's code
            flow.tell.finished(index, "failed", 0.0, 1, error)
            flow.fail(index, error)

    def _decide(self, index: int, node: Node) -> None:
        """The condition is known, or was plainly false."""
        flow = self.flow
        condition = node.control.condition
        if condition is None:
            flow.skip(index, "ConditionFalse", "its condition is false")
            return
        value = flow.ledger.values[condition]
        if value is ABSENT or not value:
            flow.skip(index, "ConditionFalse", f"its condition {flow.label(condition)} is false")
            return
        self._stage[index] = Stage.INPUTS
        self._need(index, _inputs_and_order(node))

    def _inputs_are_there(self, index: int, node: Node) -> None:
        flow = self.flow
        if node.options.needs and index not in self._needs:
            self._needs[index] = self._settled_needs(node)
        if node.kind is NodeKind.TASK:
            flow.push(index)
        elif node.kind is NodeKind.MAP:
            self._expand(index, node)
        elif node.kind is NodeKind.ROUTER:
            branch = node.control.routes[self._chosen(node)]
            if branch is None:
                assert isinstance(node.lazy, Router)
                self._finish(index, node.lazy.routes[self._chosen(node)])
                return
            self._stage[index] = Stage.BRANCH
            self._need(index, (branch,))

    def _need(self, index: int, more: Sequence[int]) -> None:
        """Wait for more, unless some of it is over already and bad."""
        flow = self.flow
        for source in more:
            if flow.scheduler.state[source] in _BAD and self._dooms(index, source):
                self._doom(index, source)
                return
        self.arrive(flow.scheduler.need(index, more))

    # ---- maps
    # ---------------------------------------------------------------------------------------

    def _expand(self, index: int, node: Node) -> None:
        flow = self.flow
        columns, fixed = flow.ledger.reader.columns_of(node)
        first = len(flow.ledger.work)
        expansion = Expansion(node, first, columns, fixed)
        self._expansions[index] = expansion
        self._stage[index] = Stage.ITEMS
        assert node.task is not None
        flow.ledger.add_items(expansion)
        lane = (
            "thread" if expansion.injects and node.task.executor == "inline" else node.task.executor
        )
        self.lane.extend([lane] * expansion.count)
        items = flow.scheduler.expand(index, expansion.count)
        flow.log.append(index)
        if not items:
            self._finish(index, [])
            return
        rank = flow.ranks[self.root_of(index)]
        if flow.stopping is None:
            for item in items:
                flow.lanes.push(item, lane, rank)

    def _items_are_over(self, index: int) -> None:
        flow = self.flow
        expansion = self._expansions[index]
        states = flow.scheduler.state[expansion.first : expansion.first + expansion.count]
        bad = [position for position, state in enumerate(states) if state != DONE]
        if bad:
            label = flow.label(expansion.first + bad[0])
            flow.fail(index, MapError(f"{label} has no result"))
            return
        self._finish(index, flow.ledger.collect_items(expansion))

    # ---- routes and continuations
    # -------------------------------------------------------------------

    def _chosen(self, node: Node) -> Any:
        """The key of the branch to take.

        Raises:
            RouteError: there is no such route.
        """
        lazy = node.lazy
        assert isinstance(lazy, Router)
        key = self.flow.ledger.reader.value_of(lazy.selector)
        try:
            known = key in lazy.routes
        except TypeError:
            known = False
        if not known:
            near = nearest(str(key), map(str, lazy.routes))
            raise RouteError(f"{node.label} has no route {key!r:.60}{near}")
        return key

    def continue_with(self, index: int, lazy: Lazy, number: int, took: float) -> None:
        """A task returned a lazy value: its result will be that value's.

        A task that only continues another is left out of the chain at once, so that a loop of any
        length is no deeper than one step and holds no more than its last one.
        """
        flow = self.flow
        ledger, scheduler = flow.ledger, flow.scheduler
        waiting = self._continues.pop(index, None)
        if waiting is None:
            self._before[index] = (number, took)
        else:
            flow.tell.finished(index, "completed", took, number, None)
            scheduler.finish(index)
            ledger.over(index, scheduler)
            ledger.no_longer_reads(waiting, index, scheduler)
            index = waiting
        try:
            target = self._graft(lazy, self.root_of(index))
        except CascadeError as error:
            flow.fail(index, error)
            return
        self._continued[index] = target
        self._stage[index] = Stage.CONTINUATION
        if index < self._own:
            self._plain[index] = False
        if target >= self._own and target not in ledger.kept and ledger.unread(target):
            self._continues[target] = index
        ledger.also_reads(index, target)
        flow.log.append(index)
        self._need(index, (target,))

    def _graft(self, lazy: Lazy, root: int) -> int:
        """Add what `lazy` needs to the run; what is there already and alive is shared."""
        flow, ledger = self.flow, self.flow.ledger
        graph = build_graph(lazy, flow.bindings)
        index_of: dict[int, int] = {}
        for node in graph.nodes:
            known = ledger.place.get(node.lazy)
            if known is not None and ledger.alive(known, flow.scheduler):
                index_of[node.index] = known
                continue
            index_of[node.index] = self._adopt(graph, node, index_of, root)
        for other, place in graph.place.items():
            ledger.place[other] = index_of[place]
        return index_of[graph.targets[0]]

    def _adopt(self, graph: Graph, node: Node, index_of: Mapping[int, int], root: int) -> int:
        flow, ledger = self.flow, self.flow.ledger
        control = node.control
        if control is not FREE:
            control = control._replace(
                after=tuple(index_of[i] for i in control.after),
                condition=None if control.condition is None else index_of[control.condition],
                routes={k: None if r is None else index_of[r] for k, r in control.routes.items()},
            )
        spare = ledger.spare()
        index = len(ledger.work) if spare is None else spare
        inputs = tuple(dict.fromkeys(index_of[i] for i in node.inputs))
        adopted = Node(index, node.lazy, node.task, inputs, node.name, index + 1, control)
        flow.scheduler.grow(first_needs(adopted), spare)
        ledger.add_node(adopted, index)
        lane = _lane(adopted)
        if spare is None:
            self.lane.append(lane)
        else:
            self.lane[index] = lane
            self._stage.pop(index, None)
        self._roots[index] = root
        if adopted.kind is NodeKind.PARAM:
            flow.ledger.values[index] = adopted.lazy.settled(flow.params)  # type: ignore[attr-defined]
            flow.scheduler.state[index] = DONE
        return index

    def _take_over(self, index: int, source: int | None) -> None:
        """The result of another node is this one's."""
        value = None if source is None else self.flow.ledger.values[source]
        self._finish(index, value)

    def _finish(self, index: int, value: Any) -> None:
        flow = self.flow
        flow.scheduler.start(index)
        if value is ABSENT:
            flow.scheduler.again(index)
            flow.skip(index, "UpstreamSkipped", "what it stands for was skipped")
            return
        number, took = self._before.pop(index, (1, 0.0))
        told = self._stage.get(index) is Stage.CONTINUATION
        flow.keep(index, number, took, value, tell=told)

    # ---- retries
    # ------------------------------------------------------------------------------------

    def retry(self, index: int, number: int, error: BaseException, policy: Retry) -> None:
        """Another attempt is due after `number` failed; until then it holds nothing."""
        flow = self.flow
        wait = policy.wait_after(number, flow.parts.rng)
        flow.tries[index] = number + 1
        flow.scheduler.again(index)
        flow.log.append(index)
        flow.tell.retrying(index, number + 1, policy.max_attempts, wait, error)
        if wait <= 0:
            flow.push(index)
            flow.lanes.pump_soon()
            return
        flow.retry_at[index] = flow.parts.clock.now() + wait
        flow.parts.timer(wait, partial(self._retry_now, index))

    def _retry_now(self, index: int) -> None:
        """On the loop, without the lock: the wait is over."""
        flow = self.flow
        with flow.lock:
            if flow.retry_at.pop(index, None) is not None and flow.stopping is None:
                flow.push(index)
                flow.lanes.pump_soon()

    # ---- ends
    # ---------------------------------------------------------------------------------------

    def after_end(
        self, index: int, ready: list[int], others: Sequence[int], reason: str, detail: str
    ) -> None:
        """A node was skipped or failed: tell what needed it, and let go of what it read."""
        flow = self.flow
        if flow.scheduler.state[index] == SKIPPED:
            flow.ledger.values[index] = ABSENT
            flow.ledger.reader.absent = True
        self.prune(flow.ledger.over(index, flow.scheduler))
        for other in others:
            state = flow.scheduler.state[other]
            if state < DONE and self._dooms(other, index):
                flow.skip(other, reason, detail)
        self.arrive([i for i in ready if flow.scheduler.state[i] < DONE])

    def prune(self, idle: list[int], reason: str = "Pruned") -> None:
        """Nobody will ever ask for these, nor for what only they would have read."""
        flow = self.flow
        stack = list(idle)
        while stack:
            index = stack.pop()
            if flow.scheduler.state[index] != IDLE:
                continue
            flow.skipped[index] = (reason, "nothing that runs needs it")
            if reason == "Reused":
                flow.reused.add(index)
            flow.scheduler.skip(index)
            flow.log.append(index)
            flow.tell.skipped(index, *flow.skipped[index])
            stack.extend(flow.ledger.over(index, flow.scheduler))

    def _dooms(self, index: int, source: int) -> bool:
        """Whether a node cannot run because `source` was skipped or failed."""
        flow = self.flow
        if index in self._expansions:
            return False  # it waits until all its items are over, so that none is lost unheard
        node = flow.ledger.work[index]
        assert isinstance(node, Node)
        failed = flow.scheduler.state[source] != SKIPPED
        if failed:
            return True
        if source in node.control.after and source not in node.inputs:
            return False
        optional = {flow.ledger.place[lazy] for lazy in optional_inputs(node)}
        return not (source in optional and _only_optional(node, source, flow.ledger.place))

    def _doom(self, index: int, source: int) -> None:
        """A node needs something that is over and bad."""
        flow = self.flow
        if flow.scheduler.state[source] == SKIPPED:
            flow.skip(index, "UpstreamSkipped", f"{flow.label(source)} was skipped")
        else:
            flow.skip(index, "UpstreamFailed", f"{flow.label(source)} failed")

    def _settled_needs(self, node: Node) -> Mapping[str, float]:
        """Amounts of resources, lazy ones by their results.

        Raises:
            PolicyError: an amount is no number, or more than there is.
        """
        flow = self.flow
        needs = {
            name: checked_amount(name, flow.ledger.reader.value_of(amount))
            for name, amount in node.options.needs.items()
        }
        flow.parts.manager.check_needs(needs, node.label)
        return needs


def _inputs_and_order(node: Node) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*node.inputs, *node.control.after)))


def _lane(node: Node) -> str | None:
    lazy, task = node.lazy, node.task
    if task is None or lazy.__class__ is not LazyResult:
        return None
    assert isinstance(lazy, LazyResult)
    if task.executor == "inline" and lazy.nested:
        values = (*lazy.args, *lazy.kwargs.values())
        if any(value.__class__ is Injected for value in values):
            return "thread"  # opening a resource may take long, and a slice cannot wait
    return task.executor


def _is_plain(node: Node) -> bool:
    return node.control is FREE and node.lazy.__class__ is LazyResult


def _only_optional(node: Node, source: int, place: Mapping[Lazy, int]) -> bool:
    """Whether every place where a node reads `source` is a parameter with a default."""
    lazy = node.lazy
    assert isinstance(lazy, (LazyResult, MappedLazyResult))
    optional = optional_inputs(node)
    return all(other in optional for other in lazy.inputs if place.get(other) == source)
