"""Holds how every node of one run stands, and makes the moves that all of control flow shares.

Nothing here knows of a lock, a clock, a loop or a bus. What is to be done about a move stands in
`changes`. What has to be looked at next stands on `agenda` instead of on Python's stack: a chain of
any length may be skipped, or be over, in one go.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from cascade_nb.control.gate_kinds.resource_pools import PoolGate
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.changes import Changes, Ended, UserCode
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.priorities import at_level, level_of, node_level
from cascade_nb.engine.core.scheduler import IDLE
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.lazy.lazy import Options
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.params.question import Question

#: Why a node is skipped whose readers are all there already.
UNREAD: Final = ("Reused", "nothing that runs needs it")

NO_NODES: Final[Mapping[int, Any]] = MappingProxyType({})


class Request(Protocol):
    """What a run was asked for beyond its graph."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The values of parameters, by name."""

    @property
    def bindings(self) -> Bindings | None:
        """What names mean."""

    @property
    def on_error(self) -> str:
        """Whether a failure stops the run: "stop" or "continue"."""


class Stage(enum.Enum):
    """What a node that is not plain is waiting for."""

    STEPS = enum.auto()
    INPUTS = enum.auto()
    ITEMS = enum.auto()
    BRANCH = enum.auto()
    ELSE = enum.auto()
    CONTINUATION = enum.auto()


class OpenQuestion:
    """A question whose answer a node waits for, holding nothing.

    Attributes:
        question: what is asked.
        number, took: the attempt that came to it, and its seconds.
        since: when it was asked, on the engine's clock.
        timer: cancels the call at the end of its time.
    """

    __slots__ = ("number", "question", "since", "timer", "took")

    def __init__(self, question: Question, number: int, took: float, since: float) -> None:
        self.question = question
        self.number, self.took, self.since = number, took, since
        self.timer: Callable[[], object] | None = None


class RunState:
    """How the nodes of one run stand.

    Args:
        graph: what runs.
        request: what was asked for.
        initial: what follows from the graph and from the results that are there already.
        reused: the results among them that an earlier run made.
        pending: by index, results that an earlier run made and that stand if the conditions of
            their nodes turn out true.
        carried: indexes of what was done before an edit, and stands.
        pools: what the engine has of what tasks may need.

    Attributes:
        own: how many nodes the graph has; what is added has higher indexes.
        grown, grown_at: by index of mapped nodes, what they grew into, and when, in seconds since
            the epoch.
        branches: by index of routers, the node of the branch that was chosen.
        stages: what the nodes wait for that are past their first stage.
        user_code: by index, what ready nodes wait for that runs without the lock.
        needs: by index, the amounts of resources that are known only when inputs are.
        roots: by index of what was added, the node of the graph that it belongs to.
        parked: the tickets that wait at a gate, by index.
        tries: the number of the attempt to come, where it is not the first.
        retry_at: when it comes, on the engine's clock.
        last_errors: what the attempt before it raised, in words.
        questions: by index, those whose answers are waited for.
        skipped: reason and words, by index.
        state_changes: every index whose state changed, in order, for who watches.
        has_failures_or_skips: whether anything failed or was skipped so far.
        stopping: None, "failed", "edited" or "cancelled": then nothing new starts.
        changes: what is to be done about the last moves.
        agenda: nodes to look at, with reason and words where they are to be skipped.
    """

    def __init__(
        self,
        graph: Graph,
        request: Request,
        initial: InitialState,
        *,
        reused: Collection[int] = (),
        pending: Mapping[int, Any] = NO_NODES,
        carried: frozenset[int] = frozenset(),
        pools: Mapping[str, PoolGate] = NOTHING,
    ) -> None:
        self.graph = graph
        self.request = request
        self.own = len(graph.nodes)
        self.scheduler, self.results = initial.scheduler, initial.results
        self.kinds, self.ranks = initial.kinds, initial.ranks
        self.reused = set(reused)
        self.pending = dict(pending)
        self.carried = carried
        self.pools = pools
        self.grown: dict[int, Expansion] = {}
        self.grown_at: dict[int, float] = {}
        self.branches: dict[int, int] = {}
        self.stages: dict[int, Stage] = {}
        self.user_code: dict[int, UserCode] = {}
        self.needs: dict[int, Mapping[str, float]] = {}
        self.roots: dict[int, int] = {}
        self.parked: dict[int, Ticket] = {}
        self.tries: dict[int, int] = {}
        self.retry_at: dict[int, float] = {}
        self.last_errors: dict[int, str] = {}
        self.questions: dict[int, OpenQuestion] = {}
        self.skipped: dict[int, tuple[str, str]] = dict.fromkeys(self.results.pruned, UNREAD)
        self.state_changes: list[int] = list(self.results.pruned)
        self.has_failures_or_skips = False
        self.stopping: str | None = None
        self.changes = Changes()
        self.agenda: deque[tuple[int, str, str]] = deque()

    # Moves.

    def finish(self, index: int, result: Any) -> None:
        """A node that runs has its result, and it is safe where it must be."""
        scheduler = self.scheduler
        ready = scheduler.finish(index)
        self.state_changes.append(index)
        pruned = self.results.finished(index, result, scheduler.state)
        if pruned:
            self.prune(pruned)
        if ready:
            self.arrive(ready)

    def arrive(self, ready: Sequence[int]) -> None:
        """Nodes have become ready: a plain one goes to its queue, the others are looked at."""
        if self.stopping is not None:
            return
        if self.has_failures_or_skips:
            self.agenda.extend([(index, "", "") for index in ready])
            return
        plain, own = self.kinds.plain, self.own
        straight, moved = self.changes.ready, self.state_changes
        for index in ready:
            if index < own and plain[index]:
                straight.append(index)
                moved.append(index)
            else:
                self.agenda.append((index, "", ""))

    def queue(self, index: int) -> None:
        """A ready node goes to its queue."""
        self.changes.ready.append(index)
        self.state_changes.append(index)

    def run_user_code(
        self, index: int, call: Callable[[], Any], then: Callable[[Any], None]
    ) -> None:
        """A ready node goes on, with `then`, when it is known what `call` gives."""
        self.user_code[index] = code = UserCode(index, call, then)
        self.changes.user_code.append(code)
        self.changes.more = True

    def skip_later(self, index: int, reason: str, detail: str) -> None:
        """A node is to be skipped, when what led to it is done."""
        self.agenda.append((index, reason, detail))

    def prune(self, idle: Sequence[int]) -> None:
        """Nobody will ever ask for these, nor for what only they would have read."""
        scheduler, stack = self.scheduler, list(idle)
        while stack:
            index = stack.pop()
            if scheduler.state[index] != IDLE:
                continue
            scheduler.skip(index)
            self.skipped[index] = reason, detail = "Pruned", "nothing that runs needs it"
            self.state_changes.append(index)
            if index not in self.carried:
                self.changes.end(Ended(index, "skipped", reason=reason, detail=detail))
            stack += self.results.over(index, scheduler.state)

    def unpark(self, index: int) -> Ticket | None:
        """A node waits at no gate any more; gives the ticket with which it did."""
        return self.parked.pop(index, None)

    # What a node is.

    def root_of(self, index: int) -> int:
        """The node of the graph that this one belongs to, by which scopes and ranks go."""
        if index < self.own:
            return index
        place = self.node_of(index).index
        return self.roots.get(place, place)

    def rank_of(self, index: int) -> int:
        """The lower starts first; what a task's body gave has its node's, unless that said one."""
        rank = self.ranks[self.root_of(index)]
        priority = self.kinds.of[index].options.priority if index >= self.own else None
        if priority is None:
            return rank
        return at_level(rank, node_level(priority, level_of(rank)))

    def needs_of(self, index: int) -> Mapping[str, float] | None:
        """What it needs of the engine's resources."""
        return self.needs.get(self.node_of(index).index)

    def is_expanded(self, index: int) -> bool:
        """Whether it is a mapped node whose items are there."""
        return index in self.grown

    def items(self, index: int) -> range:
        """The items of a mapped node, none before it has expanded."""
        expansion = self.grown.get(index)
        return range(expansion.first, expansion.first + expansion.count) if expansion else range(0)

    def label(self, index: int) -> str:
        """How messages call a node: `cleaned`, `cleaned[3]`; without a name of its own `clean`,
        `map(clean)`, `map(clean)[3]`.
        """
        work = self.results.work[index]
        if isinstance(work, Expansion):
            return f"{work.node.label}[{work.place_of(index - work.first)}]"
        return work.label

    def names_of(self, index: int) -> tuple[str, str]:
        """What a person may call it: as messages do, and an item of a map also by what that calls,
        whatever its name.
        """
        work, label = self.results.work[index], self.label(index)
        if not isinstance(work, Expansion):
            return label, label
        return label, f"{work.node.called}{label.removeprefix(work.node.label)}"

    def id_of(self, index: int) -> str:
        """The identity of a node in events."""
        work = self.results.work[index]
        return work.id_of(index) if isinstance(work, Expansion) else work.id

    def shown_id(self, index: int) -> str:
        """By which id people see it: an item has its own, what continues a node has the node's."""
        work = self.results.work[index]
        node = work.node if isinstance(work, Expansion) else work
        return (
            self.id_of(index) if node.index < self.own else self.graph.nodes[self.root_of(index)].id
        )

    def node_of(self, index: int) -> Node:
        """The node at an index, the mapped one for an item."""
        work = self.results.work[index]
        return work.node if isinstance(work, Expansion) else work

    def options_of(self, index: int) -> Options:
        """What was asked for it."""
        return self.kinds.of[index].options

    def call_of(self, index: int) -> Call:
        """What it calls.

        Raises:
            UsageError: its arguments cannot be put together.
        """
        work = self.results.work[index]
        if isinstance(work, Expansion):
            return work.call_of(index)
        return self.results.reader.call_of(work)
