"""Remembers in a few words what became of an engine's runs, while the process lives."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.engine.core.scheduler import DONE, IDLE
from cascade_nb.engine.observing.answers import end_of
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.reuse.provenance_cache import MOST, ROOM, ProvenanceComparison
from cascade_nb.graph.fingerprint.provenance import Provenance
from cascade_nb.graph.graph import Graph, Node, NodeKind
from cascade_nb.model.lazy.lazy import Lazy

RUNS: Final = 200
_NODES: Final = 20_000  # that are remembered of all runs together, to compare them


@dataclasses.dataclass(frozen=True)
class EndedRun:
    """A run that is over.

    Attributes:
        status: how it stood in the end.
        started: when, in seconds since the epoch.
    """

    status: RunStatus
    started: float


class EndedNode(NamedTuple):
    """A node of a run that is over, as far as it is remembered.

    Attributes:
        task: the name of its task; of a parameter its own.
        named: whether it has a name of its own.
        is_param: whether it is a parameter.
        done: whether its result was there in the end, made or reused.
        made_of: what it was made of.
    """

    task: str
    named: bool
    is_param: bool
    done: bool
    made_of: Provenance


class LastSeen(NamedTuple):
    """What became of a node in a run.

    Attributes:
        number: of the run.
        words: after the node's name: "is done", "failed: KeyError: 'x'", "was not started: …".
        skipped: why it was skipped, as events say it; empty where it was not.
        tried: what its result would have been made of, where it came to none.
        unkept: why its result could not be kept, where it came to one.
    """

    number: int
    words: str
    skipped: str = ""
    tried: Provenance | None = None
    unkept: str = ""

    @property
    def no_result(self) -> str | None:
        """Why it came to no result: "failed in run 3: KeyError: 'x'"; None where it came to one, or
        was not wanted, which is another question each time.
        """
        if self.words.startswith("is ") or self.skipped not in ("", "UpstreamFailed"):
            return None
        head, colon, rest = self.words.partition(":")
        return f"{head} in run {self.number}{colon}{rest}"


class _Left(NamedTuple):
    """What one run left, by the identities of lazy values; no longer than these are there."""

    number: int
    values: dict[object, Any]
    alive: list[weakref.ref[Lazy]]
    made_of: Mapping[object, Provenance | None]


class UnkeyedResults:
    """Results that no key stands for, as the last run that made such left them: those of targets
    and of nodes with a name. Safe from any thread.

    No run can take them instead of its own work, since nobody can tell whether they would come out
    again. But whoever asks for the value of a node is shown what was made of it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._left: _Left | None = None

    def enter(self, number: int, view: RunView, grounds: ProvenanceComparison) -> None:
        """A run is over; under its lock."""
        state, results, nodes = view.core.scheduler.state, view.core.results, view.core.graph.nodes
        left = [
            node
            for name, node in ((name, nodes[index]) for name, index in grounds.place.items())
            if node.task is not None
            and (node.name is not None or node.index in view.core.graph.targets)
            and node.index in results.kept
            and state[node.index] == DONE
            and (grounds.now[name].key is None or not node.options.reuse)
        ]
        if left:
            values = {node.lazy.identity: results.values[node.index] for node in left}
            alive = [weakref.ref(node.lazy, _forgotten_with(node.lazy, values)) for node in left]
            made_of = {node.lazy.identity: grounds.now.get(node.id) for node in nodes}
            with self._lock:
                self._left = _Left(number, values, alive, made_of)

    def find(
        self, lazy: Lazy, graph: Graph, grounds: ProvenanceComparison
    ) -> tuple[int, Any] | None:
        """The number of the run and the result that it left for `lazy`, if nothing has changed of
        what it was made of.

        Args:
            lazy: whose result.
            graph: what it needs now.
            grounds: what that is made of now.
        """
        with self._lock:
            left = self._left
        if left is None or lazy.identity not in left.values:  # which is there, and so stays
            return None
        for node in graph.nodes:
            identity = node.lazy.identity
            if identity not in left.made_of or not _is_same(
                left.made_of[identity], grounds.now.get(node.id)
            ):
                return None
        return left.number, left.values[lazy.identity]


def _forgotten_with(lazy: Lazy, values: dict[object, Any]) -> Callable[[object], object]:
    """What lets go of the result of a lazy value that nobody has any more."""
    identity = lazy.identity
    return lambda _: values.pop(identity, None)


def _is_same(before: Provenance | None, now: Provenance | None) -> bool:
    if before is None or now is None:
        return before is now
    return _of(before) == _of(now)


def _of(made: Provenance) -> tuple[object, ...]:
    given = ((one.name, one.digest, "" if one.source else one.shown) for one in made.given)
    return (None if made.code is None else made.code.digest, *given)


class History:
    """Remembers the latest runs, and what became of each node in the last run that had it.

    It keeps texts of bounded length, never a value or a graph, but for what the last run left that
    no key stands for. Safe from any thread.

    Attributes:
        unkeyed: that.
    """

    def __init__(self) -> None:
        self.unkeyed = UnkeyedResults()
        self._lock = threading.RLock()
        self._runs: deque[EndedRun] = deque(maxlen=RUNS)
        self._last: OrderedDict[tuple[str, str], LastSeen] = OrderedDict()
        self._nodes: OrderedDict[str, Mapping[str, EndedNode]] = OrderedDict()  # by id of a run
        self._size = 0  # of all of them

    @property
    def runs(self) -> list[EndedRun]:
        """Those that are remembered, oldest first."""
        with self._lock:
            return list(self._runs)

    def enter(
        self, status: RunStatus, started: float, view: RunView | None, grounds: ProvenanceComparison
    ) -> None:
        """A run is over.

        Args:
            status: how it stood in the end.
            started: when, in seconds since the epoch.
            view: its machinery, if it came so far.
            grounds: what its nodes are made of, and by what they are known.
        """
        with self._lock:
            self._runs.append(EndedRun(status, started))
            if view is not None:
                with view.services.manager.lock:
                    self._enter(status.number, view, grounds)
                    self._enter_nodes(status.run_id, view, grounds)
                    self.unkeyed.enter(status.number, view, grounds)

    def nodes_of(self, run_id: str) -> Mapping[str, EndedNode] | None:
        """The nodes of a run that is over, by id; of a large graph those with a name. None where
        they are not remembered any more.
        """
        with self._lock:
            return self._nodes.get(run_id)

    def last_seen(self, node: Node, identity: Mapping[str, str]) -> LastSeen | None:
        """What became of a node in the last run that had it; None where none did, as far as that
        is remembered.
        """
        with self._lock:
            return self._last.get((node.task_name, identity.get(node.id, node.id)))

    def _enter_nodes(self, run_id: str, view: RunView, grounds: ProvenanceComparison) -> None:
        state, nodes = view.core.scheduler.state, view.core.graph.nodes
        found = {
            name: EndedNode(
                nodes[index].task_name,
                nodes[index].name is not None,
                nodes[index].kind is NodeKind.PARAM,
                state[index] == DONE,
                grounds.now[name],
            )
            for name, index in grounds.place.items()
            if name in grounds.now
        }
        self._nodes[run_id] = found
        self._size += len(found)
        while self._size > _NODES or len(self._nodes) > RUNS:
            self._size -= len(self._nodes.popitem(last=False)[1])

    def _enter(self, number: int, view: RunView, grounds: ProvenanceComparison) -> None:
        state, reused, graph = view.core.scheduler.state, view.core.reused, view.core.graph
        identity = grounds.identity
        for name, index in (grounds.place or _named(graph)).items():
            node = graph.nodes[index]
            if state[index] == IDLE:
                continue
            known = identity.get(name, name)
            key = node.task_name, known
            if state[index] == DONE:
                unkept = view.saver.unwritable.get(index, "")
                words = "is reused" if index in reused else "is done"
                seen = LastSeen(number, words, unkept=unkept)
            else:
                lines = end_of(view, index) or ["did not finish"]
                skipped = view.core.skipped.get(index, ("",))[0]
                tried = grounds.now.get(name)
                seen = LastSeen(number, _in_a_line(lines), skipped, tried)
            self._last[key] = seen
            self._last.move_to_end(key)
        while len(self._last) > ROOM:
            self._last.popitem(last=False)


def _in_a_line(lines: Sequence[str]) -> str:
    """How a node ended, which may be that many of its items failed."""
    if len(lines) == 1:
        return lines[0]
    more = lines[1] if len(lines) == 2 else f"and {len(lines) - 1} more of its items"
    return f"{lines[0]} ({more})"


def _named(graph: Graph) -> dict[str, int]:
    """By id, the indexes of nodes that are known without anything else."""
    named = [node for node in graph.nodes if node.name is not None][:MOST]
    return {node.id: node.index for node in named}
