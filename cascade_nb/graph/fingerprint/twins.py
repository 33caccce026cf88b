"""Tells calls that read one result twice from those that read two equal results.

A body sees which it is given: `a is b`, or what becomes of `b` when it changes `a`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cascade_nb.graph.values.atoms import digest, frame
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.lazy.lazy import Lazy


class Twins:
    """Nodes of one graph that have one key.

    Args:
        place: the index of a node by its identity.
        read: by index, the bytes that stand for a node in the keys of its readers.
        refer, lazy_bytes: as an `Encoder` has them.
    """

    def __init__(
        self,
        place: Mapping[object, int],
        read: Sequence[bytes | None],
        refer: Callable[[Any], bytes],
        lazy_bytes: Callable[[Lazy], bytes],
    ) -> None:
        self._place, self._read = place, read
        self._refer, self._lazy_bytes = refer, lazy_bytes

    def among(self, inputs: Sequence[Lazy]) -> bool:
        """Whether there are some among what a call reads, each once."""
        read, place = self._read, self._place
        return len({read[place[one.identity]] for one in inputs}) < len(inputs)

    def told_apart(self, call: Callable[[Encoder], bytes]) -> bytes:
        """Bytes that say which of the results that a call reads are of one node; none where no two
        that count are equal.

        Args:
            call: makes the bytes of the call.
        """
        numbers: dict[object, int] = {}
        nodes_of: dict[bytes, set[object]] = {}

        def number(lazy: Lazy) -> bytes:
            nodes_of.setdefault(self._lazy_bytes(lazy), set()).add(lazy.identity)
            return b"%d;" % numbers.setdefault(lazy.identity, len(numbers))

        said = call(Encoder(self._refer, number))
        twins = any(len(nodes) > 1 for nodes in nodes_of.values())
        return frame(b"=", digest(said)) if twins else b""
