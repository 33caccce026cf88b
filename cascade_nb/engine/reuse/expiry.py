"""Says how old a kept result may be: by its own `ttl`, and by those of all that it was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from cascade_nb.control.words import ago, seconds_text
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.tasks.asking import Asking
from cascade_nb.protocols.state_backend import Known


class ExpiryBound(NamedTuple):
    """What is too old to stand.

    Attributes:
        moment: results made before it do not count, in seconds since the epoch.
        words: why one did not, after "its" or "whose": "result was made 26 h ago and stands for
            1 d".
        source: index of the node whose limit it is.
    """

    moment: float
    words: str
    source: int


_NONE: Final = ExpiryBound(-math.inf, "", -1)


def not_ahead(known: Known, now: float) -> Known:
    """What is known of a result, which counts as made now where some clock dated it ahead."""
    return known._replace(made=now) if known.made > now else known


def floors(
    graph: Graph, keys: Mapping[int, str], known: Mapping[str, Known], now: float
) -> dict[int, ExpiryBound]:
    """What is too old to stand, by index, for the nodes that have a limit or come after one.

    A result whose time is over takes with it what was made of it, though the keys of that are the
    same. What was made of an earlier result than the one that stands now does not count either. An
    input with a limit whose own result is not kept cannot have been younger than what was made of
    it, so that this must not be older than the input might be.

    What was made of an answer is not older than the answer either, which may have been given anew.

    Args:
        graph: what will run.
        keys: by index, the keys of results that may be kept.
        known: by key, what is kept.
        now: seconds since the epoch.
    """
    found: dict[int, ExpiryBound] = {}
    limited = (
        n.index
        for n in graph.nodes
        if n.lazy.options.cache is not None or n.task.__class__ is Asking
    )
    first = next(limited, None)
    if first is None:
        return found
    # What the results of others must not be older than if they are made of this one.
    passed_on: dict[int, ExpiryBound] = {}
    for node in graph.nodes[first:]:
        index, cache = node.index, node.lazy.options.cache
        limit = None if cache is None else cache.ttl
        answers = node.task.__class__ is Asking and node.options.reuse
        if limit is None and not passed_on and not answers:
            continue
        floor = max((passed_on.get(source, _NONE) for source in node.sources), default=_NONE)
        own = _NONE if limit is None else _own(node, limit, keys, known, now)
        if floor.moment > -math.inf or limit is not None:
            found[index] = max(floor, own)
        after = floor
        if limit is not None:
            after = _after(node, found[index], keys, known, now)
        elif answers:
            after = _after_answer(node, floor, keys, known, now)
        if after.moment > -math.inf:
            passed_on[index] = after
    return found


def _own(
    node: Node, limit: float, keys: Mapping[int, str], known: Mapping[str, Known], now: float
) -> ExpiryBound:
    was = known.get(keys.get(node.index, ""))
    words = f"stands for {seconds_text(limit)}"
    if was is not None:
        words = f"was made {ago(max(0.0, now - was.made))} and {words}"
    return ExpiryBound(now - limit, f"result {words}", node.index)


def _after_answer(
    node: Node, floor: ExpiryBound, keys: Mapping[int, str], known: Mapping[str, Known], now: float
) -> ExpiryBound:
    """What a question asks of those that read its answer: another answer has the same key."""
    was = known.get(keys.get(node.index, ""))
    if was is None or was.made < floor.moment:
        return ExpiryBound(now, "question is asked anew", node.index)
    return max(floor, ExpiryBound(was.made, f"answer was given {ago(now - was.made)}", node.index))


def _after(
    node: Node, floor: ExpiryBound, keys: Mapping[int, str], known: Mapping[str, Known], now: float
) -> ExpiryBound:
    """What a node with a limit asks of those that read it."""
    was = known.get(keys.get(node.index, ""))
    if was is None:
        return floor
    if was.made < floor.moment:  # it will be made anew
        return floor._replace(moment=now)
    return max(
        floor, ExpiryBound(was.made, f"result was made anew {ago(now - was.made)}", node.index)
    )
