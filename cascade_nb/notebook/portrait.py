"""What the panel shows, as JSON: everything at once, or what changed since it was last asked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.control.words import ago
from cascade_nb.engine.status import KindStatus, Phase, RunStatus
from cascade_nb.notebook.output import TaskOutput
from cascade_nb.view.picture import Picture
from cascade_nb.view.states import Marks, together

if TYPE_CHECKING:
    from cascade_nb.engine.run import Run

Json = dict[str, Any]

_COUNTS: Final = (
    "total",
    "done",
    "reused",
    "failed",
    "skipped",
    "cancelled",
    "running",
    "waiting",
    "held",
)
_OVER: Final = frozenset({"done", "reused", "skipped"})


class Portrait:
    """Looks at a run and tells what is new. One thread at a time.

    Times are sent as they were at this moment, with what they do from then on, so that the browser
    counts them and no message is needed because a clock moved.

    Args:
        run: who sits for it.
        output: what its tasks wrote.
    """

    def __init__(self, run: Run, output: TaskOutput) -> None:
        self._run = run
        self._output = output
        self._version = -1
        self._states: dict[str, str] = {}
        self._boxes: dict[str, _Box] = {}
        self._homes: dict[str, _Box] = {}
        self._moved: dict[str, _Box] = {}  # what may look different from what was told
        self._told: Json = {}

    def clear(self) -> None:
        """The run goes on with another graph: forget what was seen of the one before."""
        self._version = -1
        self._states, self._boxes, self._homes, self._moved = {}, {}, {}, {}

    def place(self, picture: Picture) -> None:
        """From now on, tell about the boxes of this picture too."""
        self._boxes = {
            box.id: _Box(box.id, picture.members[box.id], box.stacked) for box in picture.boxes
        }
        self._homes = {node: box for box in self._boxes.values() for node in box.nodes}
        for node, state in self._states.items():
            if state != "waiting" and node in self._homes:
                self._homes[node].move("waiting", state)

    def everything(self) -> Json:
        """All of it. What changed before this moment is not told again."""
        status = self._run.status
        self._look()
        self._told = self._fields(status)
        self._output.take_new()
        self._moved.clear()
        boxes = {box.id: box.tell(self._run) for box in self._boxes.values()}
        return {
            **self._told,
            "time": self._time,
            "boxes": boxes,
            "output": {"anew": True, "chunks": self._output.tail()},
        }

    def changes(self) -> Json:
        """What is new, by field; nothing when nothing is."""
        status = self._run.status
        self._look()
        moved = [*self._moved.values()]
        self._moved.clear()
        boxes = {box.id: told for box in moved if (told := box.news(self._run)) is not None}
        fields = self._fields(status)
        news = {name: value for name, value in fields.items() if self._told.get(name) != value}
        self._told = fields
        if boxes:
            news["boxes"] = boxes
        anew, chunks = self._output.take_new()
        if anew or chunks:
            news["output"] = {"anew": anew, "chunks": chunks}
        if news:
            news["time"] = self._time
        return news

    def marks(self) -> Marks:
        """What is to be painted on the picture that is saved."""
        self._look()
        single = [box for box in self._boxes.values() if box.stacked and len(box.nodes) == 1]
        progress = {box.nodes[0]: self._run.progress_of(box.nodes[0]) for box in single}
        return Marks(dict(self._states), progress)

    def _look(self) -> None:
        """Take note of the nodes that moved, and of the boxes that may look different now."""
        self._version, changed = self._run.changed_since(self._version)
        self._moved |= {box.id: box for box in self._boxes.values() if box.counts_items}
        for node, state in changed.items():
            before = self._states.get(node, "waiting")
            self._states[node] = state.value
            box = self._homes.get(node)
            if box is not None:
                box.move(before, state.value)
                self._moved[box.id] = box

    def _fields(self, status: RunStatus) -> Json:
        """Everything that may change but for the graph, the clock and the output."""
        self._time = {
            "elapsed": round(status.elapsed, 2),
            "ticking": status.phase is not Phase.PAUSED and not status.phase.is_over,
            "remaining": status.remaining and round(status.remaining, 1),
            "paused": status.paused_for and round(status.paused_for, 2),
        }
        return {
            "title": status.title,
            "number": status.number,
            "phase": status.phase.value,
            "ended": status.phase.is_over,
            "counts": {name: getattr(status, name) for name in _COUNTS},
            "headline": _headline(status),
            "kinds": [_kind(kind) for kind in status.kinds],
            "failures": [
                {"task": f.task, "error": f.error, "where": f.where} for f in status.failures
            ],
        }


class _Box:
    """What a box of the picture shows: the state of its nodes together, and how many are done."""

    def __init__(self, box: str, nodes: tuple[str, ...], stacked: bool) -> None:
        self.id = box
        self.nodes = nodes
        self.stacked = stacked
        self.counts: Counter[str] = Counter(waiting=len(nodes))
        self.counts_items = False
        self._told: list[Any] = []

    def move(self, before: str, after: str) -> None:
        self.counts[before] -= 1
        self.counts[after] += 1

    def tell(self, run: Run) -> list[Any]:
        """State, done and total; without the last two where there is nothing to count."""
        present = [state for state, count in self.counts.items() if count > 0]
        # The items of a mapped node come and go without a change of its own state.
        self.counts_items = self.stacked and len(self.nodes) == 1 and "running" in present
        self._told = [together(present), *self._progress(run)]
        return self._told

    def news(self, run: Run) -> list[Any] | None:
        """The same, or None if that is what was told before."""
        before = self._told
        return None if self.tell(run) == before else self._told

    def _progress(self, run: Run) -> tuple[int, ...]:
        if not self.stacked:
            return ()
        if len(self.nodes) > 1:
            return sum(self.counts[state] for state in _OVER), len(self.nodes)
        return run.progress_of(self.nodes[0])


def _headline(status: RunStatus) -> list[str]:
    """The line in one piece, or in two with how long the pause lasts left out between them."""
    if status.paused_for is not None:
        before, found, after = status.headline.partition(ago(status.paused_for))
        if found:
            return [before, after]
    return [status.headline]


def _kind(kind: KindStatus) -> Json:
    return {
        "name": kind.name,
        "total": kind.total,
        "done": kind.done,
        "running": kind.running,
        "held": kind.held,
        "failed": kind.failed,
        "paused": kind.paused,
        "limit": kind.limit,
    }
