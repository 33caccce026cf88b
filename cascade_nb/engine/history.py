"""What became of the runs of one engine: remembered in a few words while the process lives."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from cascade_nb.engine.answers import end_of
from cascade_nb.engine.past import MOST, ROOM, WHOLE
from cascade_nb.engine.scheduler import DONE
from cascade_nb.engine.status import Phase, RunStatus
from cascade_nb.graph.graph import Graph, Node

if TYPE_CHECKING:
    from cascade_nb.engine.flow import Flow

RUNS: Final = 200


@dataclasses.dataclass(frozen=True)
class EndedRun:
    """A run that is over.

    Attributes:
        status: how it stood in the end.
        started: when, in seconds since the epoch.
    """

    status: RunStatus
    started: float


class History:
    """Remembers the latest runs, and of nodes that came to no result in their last run why.

    It keeps texts of bounded length, never a value or a graph. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: deque[EndedRun] = deque(maxlen=RUNS)
        self._ends: OrderedDict[tuple[str, str], str] = OrderedDict()

    @property
    def runs(self) -> list[EndedRun]:
        """Those that are remembered, oldest first."""
        with self._lock:
            return list(self._runs)

    def enter(self, status: RunStatus, started: float, flow: Flow | None) -> None:
        """A run is over."""
        with self._lock:
            self._runs.append(EndedRun(status, started))
            if flow is not None and (self._ends or status.phase is not Phase.SUCCEEDED):
                with flow.lock:
                    self._enter(status.number, flow)

    def why_no_result(self, node: Node) -> str | None:
        """Why a node came to no result in the last run that had it: "failed in run 3: KeyError:
        'x'"; None where it came to one, or was in none.
        """
        with self._lock:
            return self._ends.get((node.task_name, node.id))

    def _enter(self, number: int, flow: Flow) -> None:
        for index in _chosen(flow.graph):
            node = flow.graph.nodes[index]
            key = node.task_name, node.id
            self._ends.pop(key, None)
            lines = None if flow.scheduler.state[index] == DONE else end_of(flow, index)
            if lines and flow.skipped.get(index, ("",))[0] in ("", "UpstreamFailed"):
                head, colon, rest = lines[0].partition(":")
                more = f" ({lines[1]})" if len(lines) == 2 else ""
                more = f" (and {len(lines) - 1} more of its items)" if len(lines) > 2 else more
                self._ends[key] = f"{head} in run {number}{colon}{rest}{more}"
        while len(self._ends) > ROOM:
            self._ends.popitem(last=False)


def _chosen(graph: Graph) -> list[int] | range:
    """What to remember of a graph, as `Past` does."""
    if len(graph.nodes) <= WHOLE:
        return range(len(graph.nodes))
    named = [node.index for node in graph.nodes if node.name is not None][:MOST]
    return list(dict.fromkeys([*graph.targets, *named]))
