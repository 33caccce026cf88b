"""Finds what the end of a run waited for: the chain of nodes each of which had to wait for the one
before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def longest_wait(
    ends: Mapping[int, float], sources: Callable[[int], Sequence[int]]
) -> tuple[int, ...]:
    """The nodes from the one that ended last back to one that waited for none, the last one first.

    Before each comes the one of its sources that ended last: without that one it could have begun
    earlier. Sources of which no end is known are gone through, since they took no time.

    Args:
        ends: when nodes ended, as far as that is known.
        sources: what a node waits for; all of them have lower numbers than it.

    Example:
        >>> reads = {0: (), 1: (), 2: (0, 1), 3: (2,)}
        >>> longest_wait({0: 5.0, 1: 2.0, 2: 6.0, 3: 9.0}, reads.__getitem__)
        (3, 2, 0)
    """
    if not ends:
        return ()
    way = [max(ends, key=lambda node: (ends[node], node))]
    while True:
        known = _known(way[-1], ends, sources)
        if not known:
            return tuple(way)
        way.append(max(known, key=lambda node: (ends[node], node)))


def _known(
    node: int, ends: Mapping[int, float], sources: Callable[[int], Sequence[int]]
) -> set[int]:
    """What a node waited for of which the end is known, through what took no time."""
    found: set[int] = set()
    seen: set[int] = set()
    stack = list(sources(node))
    while stack:
        source = stack.pop()
        if source in seen:
            continue
        seen.add(source)
        if source in ends:
            found.add(source)
        else:
            stack.extend(sources(source))
    return found
