"""The graphs that are measured, built by whoever is measured: every contender brings its own kit.

A kit makes nodes that call what `Bodies` has; with the bodies themselves as the kit a shape is just
computed, which gives the value that every contender must arrive at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

WIDTH: Final = 100


class Kit(Protocol):
    """Makes the nodes of a graph in one contender's way."""

    def leaf(self, number: int, /) -> Any:
        """A node that reads nothing."""

    def step(self, before: Any, /) -> Any:
        """A node that reads one other."""

    def add(self, left: Any, right: Any, /) -> Any:
        """A node that reads two."""

    def join(self, left: Any, middle: Any, right: Any, /) -> Any:
        """A node that reads three."""

    def total(self, values: list[Any], /) -> Any:
        """A node that reads a list of others."""


class Bodies:
    """What the nodes compute: next to nothing, and enough to see that all of it was computed."""

    @staticmethod
    def leaf(number: int) -> int:
        """A number."""
        return number

    @staticmethod
    def step(before: int) -> int:
        """The next number."""
        return before + 1

    @staticmethod
    def add(left: int, right: int) -> int:
        """Two numbers in one."""
        return left + right

    @staticmethod
    def join(left: int, middle: int, right: int) -> int:
        """Three numbers in one that stays small."""
        return (left + middle + right) & 1023

    @staticmethod
    def total(values: list[int]) -> int:
        """All numbers in one."""
        return sum(values)

    @staticmethod
    def items(count: int) -> list[int]:
        """What is mapped over."""
        return list(range(count))


class AsyncBodies:
    """The same as coroutines."""

    @staticmethod
    async def leaf(number: int) -> int:
        """A number."""
        return number

    @staticmethod
    async def step(before: int) -> int:
        """The next number."""
        return before + 1

    @staticmethod
    async def add(left: int, right: int) -> int:
        """Two numbers in one."""
        return left + right

    @staticmethod
    async def join(left: int, middle: int, right: int) -> int:
        """Three numbers in one that stays small."""
        return (left + middle + right) & 1023

    @staticmethod
    async def total(values: list[int]) -> int:
        """All numbers in one."""
        return sum(values)

    @staticmethod
    async def items(count: int) -> list[int]:
        """What is mapped over."""
        return list(range(count))


def wide(nodes: int, kit: Kit) -> Any:
    """Nodes that know nothing of each other, and one that reads them all."""
    return kit.total([kit.leaf(number) for number in range(nodes - 1)])


def chain(nodes: int, kit: Kit) -> Any:
    """Each node reads the one before."""
    node = kit.leaf(0)
    for _ in range(nodes - 1):
        node = kit.step(node)
    return node


def layered(nodes: int, kit: Kit) -> Any:
    """Layers of a hundred; each node reads three of the layer before."""
    layer = [kit.leaf(number) for number in range(WIDTH)]
    for _ in range(nodes // WIDTH - 1):
        layer = [
            kit.join(layer[i], layer[(i + 1) % WIDTH], layer[(i + 2) % WIDTH]) for i in range(WIDTH)
        ]
    return kit.total(layer)


def tree(nodes: int, kit: Kit) -> Any:
    """Leaves, added up in pairs until one is left."""
    level = [kit.leaf(number) for number in range((nodes + 1) // 2)]
    while len(level) > 1:
        pairs = [kit.add(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


SHAPES: Final[Mapping[str, Callable[[int, Kit], Any]]] = {
    "wide": wide,
    "chain": chain,
    "layered": layered,
    "tree": tree,
}


def nodes_of(shape: str, size: int) -> int:
    """How many nodes a shape of this size really has."""
    if shape == "layered":
        return size // WIDTH * WIDTH + 1
    return (size + 1) // 2 * 2 - 1 if shape == "tree" else size


#: Arrays go down a chain, and what is looked at is one of their numbers.
ARRAYS: Final = ("handed on", "made anew")


def expected(workload: str, size: int) -> int:
    """What must come out: of a shape, of a map over so many items, of so many sleeps."""
    if workload in ARRAYS:
        return 0 if workload == "handed on" else size - 1
    if workload == "naps":
        return size
    if workload == "map":
        return sum(range(1, size + 1))
    value: int = SHAPES[workload](size, Bodies())
    return value
