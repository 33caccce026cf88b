"""Says on what a result depends that no key can hold (clock, chance, network), and which tasks
cannot run side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cascade_nb.control.explanations import one_at_a_time
from cascade_nb.control.words import ago
from cascade_nb.engine.planning.rerun_reasons import Reasons
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.graph.effects.effects import NONE, Effects, effects_of
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy.any_task import AnyTask

NO_ANSWERS: Final[Mapping[int, str]] = MappingProxyType({})


def _is_remote(node: Node) -> bool:
    task = node.task
    if task is None or task.given is None:
        return task is not None and task.executor == "processes"
    return bool(getattr(task.given.resolved, "remote", False))


def _not_stopped(node: Node) -> str:
    """What to say of a node that nothing stops once it has begun."""
    if node.task is None or node.task.given is None or not _is_remote(node):
        return ""
    executor = node.task.given.resolved
    ends = getattr(executor, "ends", True)
    return "" if ends else f"the {executor.name} can neither suspend nor end it"


class Doubts:
    """What the code of a graph's tasks does beside computing, as sentences say it.

    Args:
        graph: what runs.
        made: by index, when results that stand were made, in seconds since the epoch.
        now: seconds since the epoch.
        answers: by index, who gave the answers among these results.
    """

    def __init__(
        self,
        graph: Graph,
        made: Mapping[int, float],
        now: float,
        answers: Mapping[int, str] = NO_ANSWERS,
    ) -> None:
        self._graph = graph
        self._made = made
        self._now = now
        self._answers = answers
        self._known: dict[AnyTask, Effects] = {}

    def of_result(self, index: int) -> str:
        """What a kept result depends on that no key can tell, and how old it is: "draws random
        numbers; made 12 min ago". Empty where all of it can be told.
        """
        made = self._made.get(index)
        if index in self._answers and made is not None:
            when = ago(max(0.0, self._now - made))
            return f"answered by {self._answers[index]} {when}"
        words = self._own(index) or self._upstream(index)
        if not words or made is None:
            return words
        return f"{words}; made {ago(max(0.0, self._now - made))}"

    def of_run(self, index: int) -> str:
        """What is to be known before a node runs."""
        node = self._graph.nodes[index]
        changed = [kind for kind, changes in self._effects(node).states.items() if changes]
        shares = node.lazy.options.shares_process or _is_remote(node)
        alone = one_at_a_time(changed) if changed and not shares else ""
        return "; ".join(filter(None, [alone, self._own(index), _not_stopped(node)]))

    def _own(self, index: int) -> str:
        node = self._graph.nodes[index]
        effects, options = self._effects(node), node.lazy.options
        named = options.cache is not None and options.cache.files
        unseen = () if named or not options.track_files else effects.unseen
        return " and ".join([*effects.doubts, *unseen])

    def _upstream(self, index: int) -> str:
        nodes = self._graph.nodes
        near = next((self._near[i] for i in nodes[index].sources if i in self._near), None)
        return "" if near is None else f"made of {nodes[near].id}, which {self._own(near)}"

    @functools.cached_property
    def _near(self) -> dict[int, int]:
        """By index, the node itself or the one before it whose result is in doubt, if any."""
        near: dict[int, int] = {}
        for node in self._graph.nodes:  # what a node reads comes before it
            if self._own(node.index):
                near[node.index] = node.index
            else:
                found = next((near[i] for i in node.sources if i in near), None)
                if found is not None:
                    near[node.index] = found
        return near

    def _effects(self, node: Node) -> Effects:
        task = node.task
        if task is None:
            return NONE
        if task not in self._known:
            self._known[task] = effects_of(task)
        return self._known[task]


def why_more(graph: Graph, reuse: Reuse, node: Node, skipped: bool, now: float) -> list[str]:
    """What else is to be said of a node of a run: its doubts, and why no earlier result stood.

    Args:
        reuse: what the run found.
        skipped: whether the node was skipped.
        now: seconds since the epoch.
    """
    index, doubts = node.index, Doubts(graph, reuse.made, now, reuse.answers)
    if index in reuse.found:
        told, again = doubts.of_result(index), []
    elif index in reuse.wanted and not skipped:
        told, again = doubts.of_run(index), Reasons(graph, reuse).again(index)
    else:
        return []
    return [*([f"{node.id}: {told}"] if told else []), *again]
