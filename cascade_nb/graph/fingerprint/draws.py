"""Tells equal calls apart where each gives a result of its own: draws a number, reads the clock.

In one run each of them is made. Were they all kept under one key, one of the results would stand
for all of them in the next: five draws would be five times the same number.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cascade_nb.graph.effects.doubts import DRAWS
from cascade_nb.graph.effects.effects import effects_of
from cascade_nb.graph.graph import Node
from cascade_nb.graph.values.atoms import digest, text
from cascade_nb.model.lazy.any_task import AnyTask


def draws(task: AnyTask) -> bool:
    """Whether a task draws random numbers that nothing fixes."""
    return DRAWS in effects_of(task).doubts


class Draws:
    """The equal calls of one graph.

    Those that draw random numbers count by their name, where they have one, so that a run of `a`
    leaves nothing that stands for `b`. Others with a name keep their result when that is changed.
    """

    def __init__(self) -> None:
        self._count: Counter[bytes] = Counter()
        self._by_chance: dict[AnyTask, bool] = {}

    def apart(self, node: Node, said: bytes) -> bytes:
        """What tells a node from the others whose bytes are `said`; nothing for the first."""
        named = self._named(node)
        number = self._count[said + named]
        self._count[said + named] += 1
        return named + (b"again%d;" % number if number else b"")

    def items_apart(self, node: Node, keys: list[Any]) -> list[Any]:
        """The keys of a mapped node's items, each its own.

        Args:
            node: it.
            keys: those of equal calls, where there are any.
        """
        named, count, made = self._named(node), Counter[str](), []
        for key in keys:
            if isinstance(key, str):
                apart = named + (b"again%d;" % count[key] if count[key] else b"")
                count[key] += 1
                made.append(digest(text(key) + apart).hex() if apart else key)
            else:
                made.append(key)
        return made

    def _named(self, node: Node) -> bytes:
        assert node.task is not None, "only a task's code does anything"
        by_chance = self._by_chance.get(node.task)
        if by_chance is None:
            by_chance = self._by_chance[node.task] = draws(node.task)
        return b"named" + text(node.name) if by_chance and node.name is not None else b""
