"""Holds what a run would do, for whoever asks before anything runs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from cascade_nb.control.words import count_text, seconds_text, some_of
from cascade_nb.engine.observing.answers import item_of, node_named
from cascade_nb.engine.planning.call_text import call_text
from cascade_nb.errors import UnknownNameError
from cascade_nb.graph.graph import Graph

ACTIONS: Final = ("run", "reuse", "skip", "hold", "queue")
WORK: Final = ("run", "hold", "queue")  # what runs, now or when it may
_SHOWN: Final = 40  # lines of nodes
_NAMES: Final = 8
_WIDTH: Final = 48
_NOTHING: Final = 0.0005  # seconds


@dataclasses.dataclass(frozen=True)
class Step:
    """What would become of one node.

    Attributes:
        node: its id.
        task: the name of its task.
        action: "run", "reuse", "skip", "hold" or, for what a limit of 0 stops, "queue".
        reason: why, in words.
        seconds: how long it is expected to work, all items of a map together, where earlier runs
            tell.
        difference: what changed, line by line, where the reason is an edit.
        seen: what became of it in the last run that had it: "run 3: rows failed: KeyError: 'x'";
            empty where no run had it, as far as that is remembered.
        cause: the reason without what is of this node alone, for the heading of all that have it in
            common: "`clean` changed, line 3".
        own: what such a heading leaves out: "reads clean; only if asked is true".
    """

    node: str
    task: str
    action: str
    reason: str
    seconds: float | None = None
    difference: tuple[str, ...] = ()
    seen: str = ""
    cause: str = ""
    own: str = ""

    @property
    def time(self) -> str:
        """How long it is expected to take, in words; empty where that is unknown or next to
        nothing.
        """
        return time_text(self.seconds)


def time_text(seconds: float | None) -> str:
    """An expected time in words; empty where it is unknown or next to nothing."""
    return "" if seconds is None or seconds < _NOTHING else f"about {seconds_text(seconds)}"


_DOES: Final = {
    "run": ("runs", "run"),
    "hold": ("is held", "are held"),
    "queue": ("is queued", "are queued"),
    "skip": ("is skipped", "are skipped"),
    "reuse": ("stands", "stand"),
}


@dataclasses.dataclass(frozen=True)
class StepGroup:
    """Nodes of which the same will become, for the same reason.

    Attributes:
        action: as each `Step` has it.
        cause: the reason that they have in common; empty where there is nothing to say.
        steps: one for each, in the order of the plan.
    """

    action: str
    cause: str
    steps: tuple[Step, ...]

    @property
    def heading(self) -> str:
        """How many, what becomes of them and why: "2 run: `clean` changed, line 3"."""
        does = _DOES[self.action][len(self.steps) > 1]
        return f"{len(self.steps):,} {does}" + (f": {self.cause}" if self.cause else "")

    @property
    def time(self) -> str:
        """How long they are expected to take together, in words; empty where that is unknown."""
        return time_text(sum(step.seconds or 0.0 for step in self.steps))

    @property
    def difference(self) -> tuple[str, ...]:
        """What changed, line by line, where the cause is an edit."""
        return next((step.difference for step in self.steps if step.difference), ())


class StepLine(NamedTuple):
    """A line below the heading of a group.

    Attributes:
        names: of a node, or of several of which nothing else is to be said: "raw, rows".
        own: what the heading leaves out.
        time: how long they are expected to take, in words.
        nodes: how many they are.
    """

    names: str
    own: str
    time: str
    nodes: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would do, node by node, in an order in which it could.

    Attributes:
        graph: what would run.
        steps: one for each node but parameters.
        path: ids of the nodes on the critical path: of all chains of nodes that need each other,
            the one that takes longest. Empty where no time is known.
        path_seconds: how long that takes; no number of workers makes the run shorter.
        reads: ids of the nodes whose kept results it will read.
        files: paths of what the nodes that run have read before.
        params: by name, the values of the parameters that they read, as a person can read them.
        where: sentences of where it runs, what travels and what cannot; none for threads alone.
    """

    graph: Graph
    steps: tuple[Step, ...]
    path: tuple[str, ...] = ()
    path_seconds: float = 0.0
    reads: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    where: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What a person calls the whole."""
        return self.graph.title

    @property
    def counts(self) -> Counter[str]:
        """How many nodes there are of each action."""
        return Counter(step.action for step in self.steps)

    @property
    def seconds(self) -> float | None:
        """How long all that is to run, held or queued takes on one worker; None where no
        time is known.
        """
        known = [step.seconds for step in self._work() if step.seconds is not None]
        return sum(known) if known else None

    @property
    def groups(self) -> tuple[StepGroup, ...]:
        """The steps by what becomes of them and why: what runs first, what stands last."""
        found: dict[tuple[str, str], list[Step]] = {}
        for step in self.steps:
            found.setdefault((step.action, step.cause), []).append(step)
        order = [*_DOES]
        made = [StepGroup(*key, tuple(steps)) for key, steps in found.items()]
        return tuple(sorted(made, key=lambda one: order.index(one.action)))

    @property
    def reading(self) -> str:
        """What a run of now will read, in a sentence; empty where that is nothing."""
        told = []
        if self.reads:
            results = "result" if len(self.reads) == 1 else "results"
            told.append(f"the kept {results} of {some_of(self.reads)}")
        if self.files:
            told.append(f"{'file' if len(self.files) == 1 else 'files'} {some_of(self.files)}")
        if self.params:
            told.append(some_of([f"{name} = {value}" for name, value in self.params.items()]))
        return f"It reads {'; '.join(told)}." if told else ""

    @property
    def notes(self) -> list[str]:
        """What is to be said of the whole: how long it takes, what it reads, where it runs."""
        return [note for note in (self.timing, self.reading, *self.where) if note]

    @property
    def summary(self) -> str:
        """The plan in one line."""
        counts = self.counts
        words = [f"{counts[one]:,} to {one}" for one in ACTIONS if counts[one]]
        return f"{self.title}: " + (", ".join(words) or "nothing to do")

    @property
    def timing(self) -> str:
        """How long it takes, as far as earlier runs tell, in a sentence; empty where they do not.

        Only named nodes of the critical path are told, or its ends where none has a name.
        """
        if not time_text(self.seconds) or self.seconds is None:
            return ""
        new = sum(step.seconds is None for step in self._work())
        beside = f", beside {count_text(new, 'node')} of unknown length" if new else ""
        about = f"About {seconds_text(self.seconds)} of work{beside}"
        told = " → ".join(self._told_path())
        return f"{about}; the longest way is {told}, about {seconds_text(self.path_seconds)}."

    def step(self, name: str) -> Step:
        """What would become of the node of this name or id, or of that of an item: ``t[17]``.

        Raises:
            UnknownNameError: there is no such node, or it is a parameter.
        """
        item = item_of(self.graph, name)
        node = item[0] if item is not None else node_named(self.graph, name)
        for step in self.steps:
            if step.node == node.id:
                return step
        raise UnknownNameError("node", name, (step.node for step in self.steps))

    def called(self, step: Step) -> str:
        """How the node of a step is called in a list: its name, or its id and its call."""
        return call_text(self.graph, self.graph.node(step.node))

    def lines_of(self, group: StepGroup) -> list[StepLine]:
        """What stands below the heading of a group: one line for all named nodes of which no more
        is to be said, one for each of the others; where those without a name are many, they share.
        """
        alike: dict[tuple[str, str, str], list[Step]] = {}
        for step in group.steps:
            alike.setdefault((self._name(step), step.task, step.own), []).append(step)
        lines: list[StepLine] = []
        plain: list[str] = []
        count = 0
        for (name, task, own), steps in alike.items():
            if not name and len(steps) <= _NAMES:  # few enough to be told apart
                lines += [StepLine(self.called(step), own, step.time, 1) for step in steps]
                continue
            shown = name or f"{task} \u00d7{len(steps):,}"
            time = time_text(sum(step.seconds or 0.0 for step in steps))
            if own or time:
                lines.append(StepLine(shown, own, time, len(steps)))
            else:
                plain.append(shown)
                count += len(steps)
        return [*([StepLine(some_of(plain), "", "", count)] if plain else []), *lines]

    def _name(self, step: Step) -> str:
        return self.graph.node(step.node).name or ""

    def __str__(self) -> str:
        lines = [self.summary, *self.notes]
        room = _SHOWN
        for group in self.groups:
            lines += ["", ", ".join(filter(None, [group.heading, group.time]))]
            lines += [f"    {line}" for line in group.difference]
            all_below = self.lines_of(group)
            below, room = all_below[:room], max(1, room - len(all_below))
            width = min(_WIDTH, max(len(line.names) for line in below))
            for line in below:
                more = ", ".join(filter(None, [line.own, line.time]))
                lines.append(f"  {line.names:<{width}}  {more}".rstrip())
            left = sum(line.nodes for line in all_below[len(below) :])
            if left:
                lines.append(f"  … and {count_text(left, 'more node')}")
        return "\n".join(lines)

    __repr__ = __str__

    def _work(self) -> list[Step]:
        return [step for step in self.steps if step.action in WORK]

    def _told_path(self) -> list[str]:
        named = [name for name in self.path if self.graph.node(name).name is not None]
        told = named or [*self.path[:1], *self.path[1:][-1:]]
        return told if len(told) <= 6 else [*told[:3], "…", *told[-2:]]
