"""Keeps the finished items of maps whose run came to no value, where states do not last.

In memory the items of mapped nodes are not keyed while all goes well: that would cost each of them
a hash. Only when a run has failed or was cancelled are the items that are there keyed, in a thread,
as `Fingerprints.of_items` does for states that last, and kept: a later run does what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.begun_tasks import ended_within
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import count_text
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.reuse.lookup import GraphSnapshot
from cascade_nb.engine.storage.carry_over import PriorResults, left_by
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.engine.storage.result_saver import UnkeptResultWarning
from cascade_nb.events.thread_warnings import warn
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints, fingerprints
from cascade_nb.graph.graph import Node
from cascade_nb.model.lazy.calls import MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.protocols.state_backend import Entry

_NONE: Final[Mapping[int, str]] = {}


class _Part(NamedTuple):
    """What is there of one map.

    Attributes:
        columns: what it goes through.
        size: how many items it has.
        results: by position, those that are there.
        kept: positions of those among them that were kept when they were there.
        files: by position, what the others were made of.
        made: before which moment none of them was made, in seconds since the epoch.
    """

    node: Node
    columns: Mapping[str, list[Any]]
    size: int
    results: Mapping[int, Any]
    kept: frozenset[int]
    files: Mapping[int, Stamps]
    made: float


class Seen(NamedTuple):
    """What is known of a run's keys.

    Attributes:
        sight: what they come from; None where nothing is ever kept by them.
        code: whether code is what they say.
        given: what an earlier try left to the run.
    """

    sight: GraphSnapshot | None
    code: CodeWatch | None
    given: PriorResults


async def keep_items(
    driver: DrivenRun, seen: Seen, partial: set[str], within: float | None
) -> Mapping[int, str]:
    """Keep the items that are there of maps which did not come to their end.

    Args:
        driver: what is over.
        seen: what is known of its keys.
        partial: gets the names of the tasks of whose maps some items are kept.
        within: seconds to wait at most; what is under way then goes on to its end, and is kept.

    Returns:
        By index of mapped nodes, in words, what is kept of them.
    """
    if driver.state.keeps_all or seen.sight is None:
        return _NONE  # each was kept when it was there, or nothing ever is
    with driver.lock:
        parts = _parts_of(driver, seen)
    if not parts:
        return _NONE
    try:
        keys = await ended_within(
            within, run_in_thread(lambda: _keep(driver, seen, parts, partial))
        )
        known = await driver.state.known([key for of_one in keys.values() for key in of_one])
    except asyncio.TimeoutError:
        return _NONE
    except Exception as error:  # the run has an end of its own to tell
        words = f"the items of maps in {driver.core.graph.title} are not kept: {error}"
        warn(words, UnkeptResultWarning, error)
        return _NONE
    said = {}
    for part in parts:
        index = part.node.index
        if kept := sum(key in known for key in keys.get(index, ())):
            said[index] = kept_in_words(part.node.label, kept, part.size)
    return said


def _parts_of(driver: DrivenRun, seen: Seen) -> list[_Part]:
    """Under the lock: what could be kept."""
    code = seen.code
    if code is None or not any(i < len(driver.core.graph.nodes) for i in driver.core.grown):
        return []
    left = left_by(driver, code, seen.sight)
    if not code.is_sure():
        return []  # some of them may have been made by other code than their keys would say
    # Of what stands from before an edit nobody knows when it was made, which matters where results
    # have a limit; what an earlier try left is kept by that.
    limits = any(node.options.cache is not None for node in driver.core.graph.nodes)
    dated = seen.given.graph is None and not limits
    parts = []
    for index, of_one in left.items.items():
        node, items = driver.core.graph.nodes[index], driver.core.items(index)
        if not node.options.reuse or not of_one.results:
            continue
        lent, had = code.lent, seen.given.items
        before = had[index].results if index in had and not dated else ()
        ours = {n: v for n, v in of_one.results.items() if items[n] not in lent}
        kept = frozenset(n for n in ours if items[n] in driver.keys.of or n in before)
        files = {n: driver.files.collect(items[n]) for n in ours if n not in kept}
        parts.append(
            _Part(
                node,
                of_one.expansion.goes_through[0],
                of_one.expansion.count,
                ours,
                kept,
                files,
                driver.core.grown_at[index],
            )
        )
    return parts


def _keep(
    driver: DrivenRun, seen: Seen, parts: Sequence[_Part], partial: set[str]
) -> Mapping[int, list[str]]:
    """In a thread, as it hashes arguments and weighs results: by index of the mapped nodes, the
    keys of what is there.
    """
    assert seen.sight is not None
    was, now = seen.sight.prints, fingerprints(driver.core.graph, driver.request.params)
    same = [part for part in parts if _same(was, now, part.node)]
    partial.update(part.node.task_name for part in same)
    return {part.node.index: _keep_part(driver, part, now) for part in same}


def _same(was: Fingerprints, now: Fingerprints, node: Node) -> bool:
    """Whether code and arguments of a map are still what they were when the run began."""
    lazy, code, today = node.lazy, was.code(node.index), now.code(node.index)
    assert isinstance(lazy, MappedLazyResult), "only a mapped node has items"
    if code is None or today is None or code.parts != today.parts:
        return False
    if was[node.index] is None:  # of plain arguments nobody could tell; results never change
        given = (*lazy.collections.values(), *lazy.fixed.values())
        return now[node.index] is None and all(isinstance(value, Lazy) for value in given)
    return bool(was[node.index] == now[node.index])


def _keep_part(driver: DrivenRun, part: _Part, prints: Fingerprints) -> list[str]:
    items = [{name: column[n] for name, column in part.columns.items()} for n in part.results]
    keys = prints.of_items(part.node.index, items)
    kind, cache = driver.core.kinds.of[part.node.index], part.node.options.cache
    expires = None if cache is None or cache.ttl is None else part.made + cache.ttl
    mean, task = kind.seconds / max(1, kind.times), part.node.task_name
    for (n, value), key in zip(part.results.items(), keys, strict=True):
        if isinstance(key, str) and n not in part.kept:
            entry = Entry(key, value, mean, None, n, part.made, part.files[n], task, expires)
            driver.state.put(entry, _Unheard())
    return [key for key in keys if isinstance(key, str)]


class _Unheard:
    """Who puts what no node waits for."""

    def kept(self, entries: Sequence[Entry]) -> None:
        """As it should be."""

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """A later run computes them."""
        warn(f"items are not kept: {error}", UnkeptResultWarning, error)


def kept_in_words(label: str, kept: int, count: int) -> str:
    """What is kept of a map: "19 of 20 items of t are kept; a new run runs the 1 that is missing"
    and so on.
    """
    verb, left = "is" if kept == 1 else "are", count - kept
    if not left:
        return f"all {count_text(count, 'item')} of {label} {verb} kept"
    missing = "the 1 that is" if left == 1 else f"the {left:,} that are"
    said = f"{kept:,} of {count_text(count, 'item')} of {label} {verb} kept"
    return f"{said}; a new run runs {missing} missing"
