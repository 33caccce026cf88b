"""Finds who gave the answers that are kept, and has one forgotten, so that it is asked for anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.tasks.asking import Asking
from cascade_nb.protocols.state_backend import Entry, Known, StateBackend

#: Behind the key of an answer, where it is kept who gave it.
GIVEN_BY: Final = "#answered"
#: The time at which a result was made that does not count any more; no clock shows it.
FORGOTTEN: Final = 2.0**-20


def asks(node: Node) -> bool:
    """Whether the result of a node is somebody's answer."""
    return node.task.__class__ is Asking


def is_known(known: Known) -> bool:
    """Whether a kept result counts."""
    return known.made != FORGOTTEN


async def answers_of(
    graph: Graph, state: StateBackend, keys: Mapping[int, str], found: Collection[int]
) -> dict[int, str]:
    """By index, who gave those of the results `found` that are answers, as far as that is kept.

    Raises:
        StateError: the place cannot be read.
    """
    nodes = graph.nodes
    where = {index: keys[index] + GIVEN_BY for index in found if asks(nodes[index])}
    if not where:
        return {}
    values = await state.values(list(where.values()))
    given = {index: values[key] for index, key in where.items() if key in values}
    return {i: str(one["by"]) for i, one in given.items() if isinstance(one, dict) and "by" in one}


def record_of(entry: Entry, by: str) -> Entry:
    """The entry that says who gave the answer of another."""
    said = {"by": by, "at": entry.made}
    return entry._replace(key=entry.key + GIVEN_BY, value=said, seconds=0.0, token=None)


def forgotten(key: str, task: str) -> Entry:
    """The entry in the place of an answer that is to be asked for anew."""
    return Entry(key, None, 0.0, made=FORGOTTEN, task=task, expires=FORGOTTEN)


class Unheard:
    """Hears what became of an entry for which nobody waits."""

    def kept(self, entries: Sequence[Entry]) -> None:
        """They are safe."""

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """They are not: what they would say is not said."""


class _Awaited(Unheard):
    """Hears what became of an entry for which a thread waits."""

    def __init__(self) -> None:
        self.over: Future[None] = Future()

    def kept(self, entries: Sequence[Entry]) -> None:
        """They are safe."""
        self.over.set_result(None)

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """They are not."""
        self.over.set_exception(error)


def put_and_wait(state: StateBackend, entry: Entry) -> None:
    """Keep an entry, and wait until it is safe; not for the loop.

    Raises:
        StateError: it cannot be kept now.
    """
    heard = _Awaited()
    if not state.put(entry, heard):
        heard.over.result()
