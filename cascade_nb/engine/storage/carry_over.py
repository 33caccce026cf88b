"""Finds what of a run stands for the next try, and after an edit made while it is held.

What has not begun takes the new code, what stands stays.

When a pause is lifted and a cell was run meanwhile, the run is held for another moment, and its
graph is built and keyed anew beside the loop. If nothing differs it goes on. Otherwise nothing more
starts, what is under way finishes, and the run goes on with the new graph and with every result
whose fingerprint stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.control.holders import Holder
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.core.scheduler import DONE, SKIPPED
from cascade_nb.engine.core.skips import was_decided
from cascade_nb.engine.reuse.lookup import GraphSnapshot
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.file_stamps import NO_FILES, NO_STAMPS, Stamps
from cascade_nb.graph.fingerprint.value_classes import holds_superseded
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy.lazy import Options
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.options.pause_condition import same_condition

#: Who pauses a run that an edit does not fit.
AN_EDIT: Final = Holder("program", "an edit", shown="an edit")


class PriorItems(NamedTuple):
    """The items of a mapped node that need not run again.

    Attributes:
        expansion: what it grew into the first time.
        results: by position, the results that are there.
        files: by position, what they were made of.
        made_of: the files that what it goes through was made of.
    """

    expansion: Expansion
    results: Mapping[int, Any]
    files: Mapping[int, Stamps] = NO_FILES
    made_of: Stamps = NO_STAMPS


@dataclasses.dataclass(frozen=True)
class PriorResults:
    """What an earlier run of the same graph leaves to a later one.

    Attributes:
        done: indexes of what came to a result.
        values: those results that are still there.
        tainted: indexes of what stands for this run only, since its key is another today; skips
            among it.
        keys: under which results are kept that no fingerprint finds.
        graph, sight: of that run, where its results may have to stand after an edit.
        skipped: reason and words by index.
        items: by index of mapped nodes that did not come to their end.
        files: by index, what the results were made of.
        rewritten: those in `done` that stand for this run only, since tasks of the run changed
            themselves what they read.
    """

    done: frozenset[int] = frozenset()
    values: Mapping[int, Any] = dataclasses.field(default_factory=dict)
    skipped: Mapping[int, tuple[str, str]] = dataclasses.field(default_factory=dict)
    items: Mapping[int, PriorItems] = dataclasses.field(default_factory=dict)
    tainted: frozenset[int] = frozenset()
    keys: Mapping[int, str] = dataclasses.field(default_factory=dict)
    graph: Graph | None = None
    sight: GraphSnapshot | None = None
    files: Mapping[int, Stamps] = dataclasses.field(default_factory=dict)
    rewritten: frozenset[int] = frozenset()


class Revision(NamedTuple):
    """What a run goes on with after an edit.

    Attributes:
        graph: as it is now.
        sight: its fingerprints and keys.
        edited: what changed, for people: names of tasks whose code did, and of nodes.
    """

    graph: Graph
    sight: GraphSnapshot
    edited: tuple[str, ...]


class Carried(NamedTuple):
    """What stands of the part of a run that is done, by index in the new graph.

    Attributes:
        done: everything that came to its result and need not run again.
        values: those results that are still there.
        items: of mapped nodes that were in the middle.
        pending: results that stand if the conditions of their nodes turn out true, now that
            something about these was edited.
        files: what the results were made of.
        keys: under which results are kept that no fingerprint finds.
        rewritten: as of `PriorResults`.
    """

    done: frozenset[int]
    values: Mapping[int, Any]
    items: Mapping[int, PriorItems]
    pending: Mapping[int, Any]
    files: Mapping[int, Stamps]
    keys: Mapping[int, str]
    rewritten: frozenset[int] = frozenset()


NOTHING_CARRIED: Final = Carried(frozenset(), {}, {}, {}, {}, {})


def edited(
    was_graph: Graph, before: GraphSnapshot, graph: Graph, after: GraphSnapshot
) -> tuple[str, ...]:
    """What differs between two looks at a run, for people; empty when nothing does. Beside what
    keys say that is where it stops by itself.
    """
    old, new = before.prints.codes(), after.prints.codes()
    names = [n for n in new if n not in old or old[n].parts != new[n].parts]
    was, now = before.prints, after.prints
    if not names and (list(was), was.read) != (list(now), now.read):
        known = set(zip(was, was.read, strict=True))
        changed = {n.index for n in graph.nodes if (now[n.index], now.read[n.index]) not in known}
        first = (graph.nodes[i] for i in changed if changed.isdisjoint(graph.nodes[i].sources))
        names = list(dict.fromkeys(node.label for node in first)) or [graph.title]
    if not names:
        pairs = zip(was_graph.nodes, graph.nodes, strict=True)
        moved = (b for a, b in pairs if not _stop_alike(a.options, b.options))
        names = list(dict.fromkeys(node.label for node in moved))
    return tuple(names)


def _stop_alike(one: Options, other: Options) -> bool:
    """Whether runs stop before two nodes for the same reason, or do not."""
    alike = one.pause_before == other.pause_before
    return alike and same_condition(one.pause_if, other.pause_if)


def same_graph(one: Graph, other: Graph) -> bool:
    """Whether two graphs of one target are made of the same calls of the same tasks."""
    return len(one.nodes) == len(other.nodes) and all(
        a.lazy is b.lazy
        and a.task is b.task
        and a.name == b.name
        and a.inputs == b.inputs
        and a.control == b.control
        for a, b in zip(one.nodes, other.nodes, strict=True)
    )


def named_anew(before: Graph, graph: Graph) -> tuple[str, ...]:
    """What another graph has that was not there before, for people."""
    fresh = (node for node in graph.nodes if node.lazy.identity not in before.place)
    return tuple(dict.fromkeys(node.label for node in fresh))


def with_classes_of_today(given: PriorResults) -> PriorResults:
    """Without results that hold instances of classes which were defined anew since, and without
    maps that go through such. It looks through all of the values: not for the loop.
    """
    old = {i for i, value in given.values.items() if holds_superseded(value)}
    items = {
        index: one._replace(
            results={n: v for n, v in one.results.items() if not holds_superseded(v)}
        )
        for index, one in given.items.items()
        if not holds_superseded(one.expansion.goes_through)
    }
    values = {i: value for i, value in given.values.items() if i not in old}
    return dataclasses.replace(given, done=given.done - old, values=values, items=items)


def carried_over(given: PriorResults, revision: Revision) -> Carried:
    """What of an earlier try stands after an edit, whether it was this run's or another's."""
    if given.sight is None or given.graph is None:
        return NOTHING_CARRIED  # nobody knows of what code it was made
    stands = _standing(given.graph, given.sight, revision.graph, revision.sight)
    whole = given.done - given.tainted
    done: set[int] = set()
    values: dict[int, Any] = {}
    items: dict[int, PriorItems] = {}
    files: dict[int, Stamps] = {}
    for index, old in stands.items():
        if old in whole:
            done.add(index)
            if old in given.files:
                files[index] = given.files[old]
            if old in given.values:
                values[index] = given.values[old]
        elif old in given.items and given.tainted.isdisjoint(given.graph.nodes[old].sources):
            items[index] = given.items[old]
    by_key = _by_key(given.graph, given.sight)
    pending: dict[int, Any] = {}
    for node in revision.graph.nodes:
        if node.control.condition is not None and node.index not in stands:
            same = by_key.get(revision.sight.prints[node.index] or "")
            if same in whole and same in given.values:
                pending[node.index] = given.values[same]
                if same in given.files:
                    files[node.index] = given.files[same]
    keys = {index: given.keys[old] for index, old in stands.items() if old in given.keys}
    rewritten = frozenset(i for i, old in stands.items() if old in given.rewritten)
    return Carried(frozenset(done), values, items, pending, files, keys, rewritten)


def _standing(
    before: Graph, old: GraphSnapshot, graph: Graph, new: GraphSnapshot
) -> dict[int, int]:
    """By index in the graph of now, the node of before whose result would stand for its."""
    by_key, by_read = _by_key(before, old), _by_read(old)
    stands: dict[int, int] = {}
    for node in graph.nodes:  # what one reads comes before it
        key, read = new.prints[node.index], new.prints.read[node.index]
        same: int | None
        if read is not None and read in by_read:
            same = by_read[read]
        elif key is not None and node.control.condition is None and node.control.wanted:
            same = by_key.get(key)
        else:
            same = before.place.get(node.lazy.identity)
            if same is not None and not (
                _same_code(old, same, new, node) and all(i in stands for i in node.sources)
            ):
                same = None
        if same is not None:
            stands[node.index] = same
    return stands


def _by_key(graph: Graph, sight: GraphSnapshot) -> dict[str, int]:
    """Indexes by key; of two with one key either will do. What stands for a skipped result has
    another value than its key says.
    """
    return {
        key: index
        for index, key in enumerate(sight.prints)
        if key is not None and graph.nodes[index].options.otherwise is NO_ELSE
    }


def _by_read(sight: GraphSnapshot) -> dict[bytes, int]:
    """Indexes by what readers build on, conditions and all."""
    return {key: index for index, key in enumerate(sight.prints.read) if key is not None}


def _same_code(old: GraphSnapshot, place: int, new: GraphSnapshot, node: Node) -> bool:
    """Whether a node without a key is the same call of the same code as one of before."""
    if old.prints[place] != new.prints[node.index]:
        return False
    code, now = old.prints.code(place), new.prints.code(node.index)
    if code is None or now is None:
        return code is now
    snapshot = old.code.get(node.task) if node.task is not None else None
    if code.unkeyed and not (snapshot is not None and snapshot.holds()):
        return False  # what stands for "cannot be told" looks the same whatever it is
    return code.parts == now.parts


def left_by(driver: DrivenRun, code: CodeWatch | None, sight: GraphSnapshot | None) -> PriorResults:
    """What a run that is over leaves to the next try. Call under its lock.

    Args:
        driver: the run.
        code: what knows whether its code is what its keys say, where anything does.
        sight: what its keys come from.
    """
    results, state = driver.core.results, driver.core.scheduler.state
    if code is not None:
        code.without_looking()
    none = frozenset[int]()
    tainted = none if code is None else code.tainted - code.lent - code.rewritten
    done: set[int] = set()
    values: dict[int, Any] = {}
    skipped: dict[int, tuple[str, str]] = {}
    items: dict[int, PriorItems] = {}
    for index in range(len(driver.core.graph.nodes)):
        if state[index] == DONE:
            if index in tainted:
                continue
            done.add(index)
            if results.alive(index, driver.core.scheduler.state):
                values[index] = results.values[index]
        elif state[index] == SKIPPED and was_decided(driver.core, index) and index not in tainted:
            skipped[index] = driver.core.skipped[index]
        elif places := driver.core.items(index):
            sources = driver.core.graph.nodes[index].sources
            if not tainted.isdisjoint(sources):
                continue  # it is to go through what comes instead of these
            expansion = results.work[places[0]]
            assert isinstance(expansion, Expansion)
            there = {
                n: results.values[i]
                for n, i in enumerate(places)
                if state[i] == DONE and i not in tainted
            }
            made_of = NO_STAMPS.union(*(driver.files.of.get(i, NO_STAMPS) for i in sources))
            items[index] = PriorItems(expansion, there, driver.files.by_position(places), made_of)
    lent = frozenset(code.lent & (done | skipped.keys())) if code is not None else frozenset()
    own = {i: key for i, key in driver.keys.of.items() if i in done and "/" in key}
    return PriorResults(
        frozenset(done),
        values,
        skipped,
        items,
        lent,
        own,
        graph=driver.core.graph,
        sight=sight,
        files={index: of for index, of in driver.files.of.items() if index in done},
        rewritten=none if code is None else frozenset(code.rewritten & done),
    )
