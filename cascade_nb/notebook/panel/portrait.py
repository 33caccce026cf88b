"""Describes what the panel shows as JSON: everything, or what changed since the last time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.control.constraint import Scope
from cascade_nb.control.words import ago, seconds_text
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import KindStatus, NodeState, Phase, RunStatus
from cascade_nb.engine.reporting.report import COUNTED
from cascade_nb.graph.graph import Graph
from cascade_nb.notebook.kernel.task_output import Chunk, TaskOutput
from cascade_nb.notebook.panel.answers import questions_of
from cascade_nb.notebook.panel.failures import FailuresTold
from cascade_nb.notebook.panel.in_force import InForceFor
from cascade_nb.notebook.workspace.cell_states import NO_CELL, CellStates, cells_of
from cascade_nb.text import readable
from cascade_nb.view.picture.picture import Picture, picture_of
from cascade_nb.view.picture.states import Marks, together

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run

Json = dict[str, Any]

_COUNTS: Final = ("total", "done", *COUNTED)
_ADDED: Final = ("total", "done", "running", "waiting", "queued", "held", "asking", "failed")
_GOES_ON: Final = ("asking", "running", "held", "queued", "failed")
_NAME: Final = 100  # characters of the name of a node
_OVER: Final = (NodeState.DONE, NodeState.REUSED, NodeState.SKIPPED)
_TIMED: Final = (NodeState.DONE, NodeState.FAILED, NodeState.CANCELLED)


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
        self._failures = FailuresTold(run)
        self._in_force = InForceFor(run)
        self._told: Json = {}
        self._cells_of: tuple[Graph, Sequence[str]] = run.graph, [NO_CELL] * len(run.graph)
        self._begin(run.graph)

    def _begin(self, graph: Graph) -> None:
        """Nothing is known of this graph."""
        self._graph = graph
        self._retriable = any(node.options.retry is not None for node in graph.nodes)
        self._version = -1
        self._states = [NodeState.WAITING] * len(graph)  # by index of node
        self._boxes: list[_Box] = []
        self._path: list[str] = []
        self._cells = CellStates((), ())
        self._homes: Sequence[int] = ()  # by index of node, the place of its box
        self._moved: set[int] = set()  # places of boxes that may look different from what was told

    def drawn(self, graph: Graph) -> Picture:
        """The picture of a graph; which cells define its nodes is found beside that. For a thread:
        of a large graph either takes a while.
        """
        self._cells_of = graph, cells_of(self._run.request.bindings, graph)
        return picture_of(graph)

    def place(self, picture: Picture, graph: Graph) -> None:
        """From now on, tell about the boxes of this picture too, unless it is not of the graph that
        the run goes on with.
        """
        self._look()
        if graph is not self._graph:
            return
        known, cells = self._cells_of
        cells = cells if known is graph else [NO_CELL] * len(graph)
        self._cells = CellStates(cells, self._states)
        self._homes = picture.homes
        some = dict(zip(picture.homes, range(len(graph)), strict=True))  # one node of each box
        self._boxes = [
            _Box(box.id, box.stacked, len(picture.members[box.id]), some[place])
            for place, box in enumerate(picture.boxes)
        ]
        for (home, state), count in Counter(zip(self._homes, self._states, strict=True)).items():
            self._boxes[home].counts[state] = count

    def everything(self) -> Json:
        """All of it. What changed before this moment is not told again."""
        status = self._run.status
        self._look()
        self._told = self._fields(status)
        self._output.take_new()
        self._moved.clear()
        boxes = {box.id: box.tell(self._run) for box in self._boxes}
        return {
            **self._told,
            "times": self._times(self._boxes),
            "path": self._path,
            "time": self._time,
            "boxes": boxes,
            "cells": self._cells.everything(),
            "output": {"anew": True, "chunks": _told(self._output.tail())},
        }

    def changes(self) -> Json:
        """What is new, by field; nothing when nothing is."""
        status = self._run.status
        self._look()
        moved = [self._boxes[place] for place in self._moved]
        self._moved.clear()
        boxes = {box.id: told for box in moved if (told := box.news(self._run)) is not None}
        fields = self._fields(status)
        news = {name: value for name, value in fields.items() if self._told.get(name) != value}
        self._told = fields
        if boxes:
            news["boxes"] = boxes
            if took := self._times([box for box in moved if box.id in boxes]):
                news["took"] = took
        if cells := self._cells.news():
            news["cells"] = cells
        anew, chunks = self._output.take_new()
        if anew or chunks:
            news["output"] = {"anew": anew, "chunks": _told(chunks)}
        if news:
            news["time"] = self._time
        return news

    def mark_path(self, nodes: Sequence[int], graph: Graph) -> list[str]:
        """The end waited for these nodes of the graph; gives their boxes."""
        if graph is self._graph and self._boxes:
            self._path = list(dict.fromkeys(self._boxes[self._homes[i]].id for i in nodes))
        return self._path

    def _times(self, boxes: Sequence[_Box]) -> dict[str, str]:
        """Of those boxes of a single node each that are over, how long its last attempt took."""
        over = [box for box in boxes if not box.stacked and self._states[box.node] in _TIMED]
        graph = self._graph

        def read(view: RunView, _: object) -> dict[str, str]:
            of = view.times.of if view.core.graph is graph else {}
            return {box.id: seconds_text(of[box.node].took) for box in over if box.node in of}

        return (self._run.look(read) or {}) if over else {}

    def marker(self) -> Callable[[], Marks]:
        """What makes the marks of this moment, on the picture that is saved; in any thread."""
        self._look()
        nodes, states = self._graph.nodes, list(self._states)
        mapped = [box for box in self._boxes if box.stacked and box.size == 1]
        progress = {nodes[box.node].id: self._run.progress_of(box.node) for box in mapped}

        def made() -> Marks:
            pairs = zip(nodes, states, strict=True)
            return Marks({node.id: state.value for node, state in pairs}, progress)

        return made

    def _look(self) -> None:
        """Take note of the nodes that moved, and of the boxes that may look different now."""
        graph = None
        while graph is not self._run.graph:  # or it was edited while this asked
            graph = self._run.graph
            if graph is not self._graph:
                self._begin(graph)
            version, changed = self._run.changed_since(self._version)
        self._version = version
        self._moved.update(place for place, box in enumerate(self._boxes) if box.counts_items)
        states, homes, boxes, moved = self._states, self._homes, self._boxes, self._moved
        for index, state in changed.items():
            before = states[index]
            if state is not before:
                states[index] = state
                if boxes:
                    self._cells.move(index, before, state)
                    home = homes[index]
                    counts = boxes[home].counts
                    counts[before] -= 1
                    counts[state] += 1
                    moved.add(home)

    def _fields(self, status: RunStatus) -> Json:
        """Everything that may change but for the graph, the clock and the output."""
        known = status.remaining
        self._time = {
            "elapsed": round(status.elapsed, 2),
            "ticking": status.phase is not Phase.PAUSED and not status.phase.is_over,
            "remaining": known and round(known, 1),
            "paused": status.paused_for and round(status.paused_for, 2),
            "wall": round(self._run.engine.constraints.clock.wall(), 1),
        }
        return {
            "title": status.title,
            "number": status.number,
            "phase": status.phase.value,
            "ended": status.phase.is_over,
            "pauses_next": status.phase is Phase.STARTING and self._is_paused(status),
            "counts": {name: getattr(status, name) for name in _COUNTS},
            "headline": _headline(status),
            "dashboards": [] if status.phase.is_over else list(status.dashboards),
            "kinds": _kinds(status),
            "force": self._in_force.rows(status),
            "notes": self._notes(status),
            "questions": questions_of(status),
            "retries": [retry.short for retry in status.retries],
            "retriable": self._retriable,
            **self._failures.fields(status),
        }

    def _is_paused(self, status: RunStatus) -> bool:
        """Whether a pause is in force for all of it."""
        standing = self._run.engine.constraints.standing
        return bool(standing("global") or standing(Scope("run", status.run_id)))

    def _notes(self, status: RunStatus) -> dict[str, str]:
        """By box of a single node, what is to be said of it beside its state."""
        notes: dict[str, str] = {}
        for retry in status.retries:
            if box := self._single(retry.node):
                notes[box] = f"attempt {retry.attempt} of {retry.most}"
        for nested in status.nested:
            if box := self._single(nested.node):
                run = nested.status
                notes[box] = f"{run.done + run.reused:,} of {run.total:,} inside"
        return notes

    def _single(self, node: str) -> str | None:
        if not self._boxes:
            return None
        box = self._boxes[self._homes[self._graph.node(node).index]]
        return None if box.stacked else box.id


class _Box:
    """What a box of the picture shows: the state of its nodes together, and how many are done.

    Args:
        box: its id.
        stacked: whether it stands for several pieces of work.
        size: for how many nodes it stands.
        node: the index of one of them.
    """

    def __init__(self, box: str, stacked: bool, size: int, node: int) -> None:
        self.id = box
        self.stacked = stacked
        self.size = size
        self.node = node
        self.counts: Counter[NodeState] = Counter()
        self.counts_items = False
        self._told: list[Any] = []

    def tell(self, run: Run) -> list[Any]:
        """State, done and total; without the last two where there is nothing to count."""
        present = [state.value for state, count in self.counts.items() if count > 0]
        # The items of a mapped node come and go without a change of its own state, also when one of
        # them has failed.
        self.counts_items = (
            self.stacked and self.size == 1 and any(one in _GOES_ON for one in present)
        )
        self._told = [together(present), *self._progress(run)]
        return self._told

    def news(self, run: Run) -> list[Any] | None:
        """The same, or None if that is what was told before."""
        before = self._told
        return None if self.tell(run) == before else self._told

    def _progress(self, run: Run) -> tuple[int, ...]:
        if not self.stacked:
            return ()
        if self.size > 1:
            return sum(self.counts[state] for state in _OVER), self.size
        return run.progress_of(self.node)


def _told(chunks: Sequence[Chunk]) -> list[tuple[str, str, str]]:
    return [(chunk.stream, chunk.text, readable(chunk.node)[:_NAME]) for chunk in chunks]


def _headline(status: RunStatus) -> list[str]:
    """The line in one piece, or in two with how long the pause lasts left out between them."""
    if status.paused_for is not None:
        before, found, after = status.headline.partition(ago(status.paused_for))
        if found:
            return [before, after]
    return [status.headline]


def _kinds(status: RunStatus) -> list[Json]:
    """A row for each task, and below it for those of the runs that it has started."""
    nodes: dict[str, list[RunStatus]] = {}
    for nested in status.nested:
        nodes.setdefault(nested.task_name, []).append(nested.status)
    rows = []
    for kind in status.kinds:
        rows.append({**_kind(kind), "key": kind.name, "depth": 0})
        for inner in _together(nodes.get(kind.name, [])):
            key = f"{kind.name}/{inner['key']}"
            rows.append({**inner, "key": key, "depth": inner["depth"] + 1})
    return rows


def _together(runs: Sequence[RunStatus]) -> list[Json]:
    """The rows of several runs, those of one kind as one."""
    rows: dict[str, Json] = {}
    for run in runs:
        for row in _kinds(run):
            known = rows.setdefault(row["key"], row)
            if known is not row:
                known.update({name: known[name] + row[name] for name in _ADDED})
    return list(rows.values())


def _kind(kind: KindStatus) -> Json:
    return {
        "name": kind.name,
        "total": kind.total,
        "done": kind.done,
        "running": kind.running,
        "waiting": kind.waiting,
        "queued": kind.queued,
        "held": kind.held,
        "asking": kind.asking,
        "failed": kind.failed,
        "paused": kind.paused,
        "limit": kind.limit,
        "by": kind.by,
        "others": list(kind.others),
    }
