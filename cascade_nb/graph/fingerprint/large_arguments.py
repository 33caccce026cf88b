"""Hashes the large arguments of a graph's calls once, and watches them for changes."""

from __future__ import annotations

from typing import Any

from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.values.atoms import CannotKeyError
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.arguments.watched import (
    WATCHED,
    Places,
    WatchedArgument,
    changed_words,
    name_at,
    records_of,
)
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult


class LargeArguments:
    """The large arguments of a graph's calls, as one look found them.

    Attributes:
        seen: those whose bytes an earlier look has made, with these.
        changed: by index of nodes, what to say of one that is not as it was at the call.
    """

    def __init__(self, graph: Graph) -> None:
        self.seen: list[tuple[Any, bytes]] = []
        self.changed: dict[int, str] = {}
        self._new: list[WatchedArgument] = []
        self._held: dict[WatchedArgument, bool] = {}
        if WATCHED:  # nearly never
            for node in graph.nodes:
                self._look_at(node)

    def check(self, index: int) -> None:
        """Refuse a node of which one was changed.

        Raises:
            CannotKeyError: it was.
        """
        if index in self.changed:
            raise CannotKeyError("an argument", self.changed[index])

    def keep(self, encoder: Encoder) -> None:
        """Keep the bytes that were made of them for later looks, too."""
        for record in self._new:
            made = encoder.of_data(record.own)
            if made is not None and record.holds():  # as it did before
                record.key = made

    def _look_at(self, node: Node) -> None:
        for where, record in _records_of(node):
            if record not in self._held:
                record.let_go()
                self._held[record] = record.holds()
                if record.key is None:
                    self._new.append(record)
                elif self._held[record]:
                    self.seen.append((record.own, record.key))
            if not self._held[record]:
                assert node.task is not None
                name = f"argument {name_at(node.task.signature, where)}"
                self.changed[node.index] = changed_words(name, record.own)


def _records_of(node: Node) -> Places:
    lazy = node.lazy
    if isinstance(lazy, LazyResult):
        return records_of(lazy.args)
    return records_of(lazy.fixed) if isinstance(lazy, MappedLazyResult) else ()
