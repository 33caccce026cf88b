"""Holds what a run would do, for whoever asks before anything runs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Final

from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.observing.answers import item_of, node_named
from cascade_nb.engine.planning.call_text import call_text
from cascade_nb.errors import UnknownNameError
from cascade_nb.graph.graph import Graph

ACTIONS: Final = ("run", "reuse", "skip", "hold", "queue")
_SHOWN: Final = 40
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
    """

    node: str
    task: str
    action: str
    reason: str
    seconds: float | None = None
    difference: tuple[str, ...] = ()
    seen: str = ""

    @property
    def time(self) -> str:
        """How long it is expected to take, in words; empty where that is unknown or next to
        nothing.
        """
        return time_text(self.seconds)


def time_text(seconds: float | None) -> str:
    """An expected time in words; empty where it is unknown or next to nothing."""
    return "" if seconds is None or seconds < _NOTHING else f"about {seconds_text(seconds)}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would do, node by node, in an order in which it could.

    Attributes:
        graph: what would run.
        steps: one for each node but parameters.
        path: ids of the nodes on the critical path: of all chains of nodes that need each other,
            the one that takes longest. Empty where no time is known.
        path_seconds: how long that takes; no number of workers makes the run shorter.
    """

    graph: Graph
    steps: tuple[Step, ...]
    path: tuple[str, ...] = ()
    path_seconds: float = 0.0

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

    def __str__(self) -> str:
        lines = [self.summary, *filter(None, [self.timing])]
        shown = self.steps[:_SHOWN]
        names = [self.called(step) for step in shown]
        width = min(_WIDTH, max(map(len, names), default=0))
        for name, step in zip(names, shown, strict=True):
            time = f", {step.time}" if step.time else ""
            lines.append(f"  {step.action:<6} {name:<{width}}  {step.reason}{time}")
        if len(self.steps) > _SHOWN:
            lines.append(f"  … and {count_text(len(self.steps) - _SHOWN, 'more node')}")
        return "\n".join(lines)

    __repr__ = __str__

    def _work(self) -> list[Step]:
        return [step for step in self.steps if step.action in ("run", "hold", "queue")]

    def _told_path(self) -> list[str]:
        named = [name for name in self.path if self.graph.node(name).name is not None]
        told = named or [*self.path[:1], *self.path[1:][-1:]]
        return told if len(told) <= 6 else [*told[:3], "…", *told[-2:]]
