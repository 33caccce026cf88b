"""Finds which results of earlier runs stand for this one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.threads import beside, run_in_thread
from cascade_nb.engine.files.kept_files import KeptFiles
from cascade_nb.engine.reuse.answers_kept import answers_of, is_known
from cascade_nb.engine.reuse.expiry import ExpiryBound, floors, not_ahead
from cascade_nb.engine.reuse.frontier import Frontier, comes_after, frontier_of
from cascade_nb.engine.reuse.provenance_cache import (
    NO_GROUNDS,
    ProvenanceCache,
    ProvenanceComparison,
)
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.code.snapshot import CodeSnapshot
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints, fingerprints
from cascade_nb.graph.fingerprint.unkeyed import UnkeyedNodes
from cascade_nb.graph.graph import Graph, Node, NodeKind
from cascade_nb.model.arguments.inputs import ATOMS, CALLS
from cascade_nb.model.copying.isolation import come_again, each_its_own
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.tasks.asking import Asking
from cascade_nb.protocols.state_backend import StateBackend

_A_FEW: Final = 8  # nodes that are looked at where the loop is, which a thread's start takes longer
_SHORT: Final = 1_024  # characters of a text that is hashed in a moment


@dataclasses.dataclass(frozen=True)
class Reuse:
    """What a run has before it begins.

    Attributes:
        keys: fingerprint by index, for every node whose result is worth keeping.
        found: indexes of results that stand and that something will read.
        pending: indexes of results that stand if the conditions of their nodes turn out true, which
            has to be seen first; none of them is in `found`.
        values: the results of both; empty where they were only looked for.
        wanted: indexes of what has to run, as far as the graph tells before it unfolds.
        fresh: whether nothing was to be reused.
        lasting: whether results of other kernels are among what was looked for.
        grounds: what nodes are made of, now and before.
        gaps: why nodes have no fingerprint.
        floors: by index, before which moment results are too old.
        too_old: indexes of results that are kept and too old.
        standing: indexes of all results that stand, whether something will read them or not.
        made: by index, when the results in `found` were made, in seconds since the epoch.
        files: by index, what the results in `found` were made of, where that was any file.
        answers: by index, of the questions in `found` and `pending`, who gave the answer.
        outdated: by index, what became of a file that a kept result depends on: "file in.txt
            changed 3 min ago".
    """

    keys: Mapping[int, str]
    found: frozenset[int]
    values: Mapping[int, Any]
    wanted: frozenset[int]
    fresh: bool = False
    lasting: bool = False
    grounds: ProvenanceComparison = NO_GROUNDS
    gaps: UnkeyedNodes | None = None
    floors: Mapping[int, ExpiryBound] = dataclasses.field(default_factory=dict)
    too_old: frozenset[int] = frozenset()
    standing: frozenset[int] = frozenset()
    pending: frozenset[int] = frozenset()
    made: Mapping[int, float] = dataclasses.field(default_factory=dict)
    files: Mapping[int, Stamps] = dataclasses.field(default_factory=dict)
    outdated: Mapping[int, str] = dataclasses.field(default_factory=dict)
    answers: Mapping[int, str] = dataclasses.field(default_factory=dict)


class GraphSnapshot(NamedTuple):
    """What can be seen of a graph without asking a state backend.

    Attributes:
        prints: the fingerprints of its nodes.
        keys: by index, those whose results are worth keeping.
        grounds: what nodes are made of, now and before.
        code: of each task, what its code led to when its key was made, or just before.
    """

    prints: Fingerprints
    keys: Mapping[int, str]
    grounds: ProvenanceComparison
    code: Mapping[AnyTask, CodeSnapshot]


async def fingerprint_graph(
    graph: Graph,
    params: Mapping[str, Any],
    keeps_all: bool,
    provenance: ProvenanceCache,
    before: Fingerprints | None = None,
) -> GraphSnapshot:
    """Look at the code and data of `graph`, in a thread, unless it is a matter of microseconds: it
    may read source files and hash large arguments.

    Args:
        graph: what will run.
        params: the values that the run is given.
        keeps_all: as the state backend says.
        provenance: what results were made of before.
        before: the fingerprints of the run that goes on.
    """

    def look(code: Mapping[AnyTask, CodeSnapshot]) -> GraphSnapshot:
        for snapshot in code.values():
            snapshot.see_files()
        prints = fingerprints(graph, params, before)
        keys = worth_keeping(graph, prints, keeps_all)
        grounds = provenance.look(graph, prints, keys)
        prints.forget_values()
        return GraphSnapshot(prints, keys, grounds, code)

    if len(graph) <= _A_FEW and not params and all(map(_is_light, graph.nodes)):
        code = _code_of(graph)
        if all(snapshot.is_quick for snapshot in code.values()):
            return look(code)
    return await run_in_thread(lambda: look(_code_of(graph)))


def _code_of(graph: Graph) -> dict[AnyTask, CodeSnapshot]:
    tasks = dict.fromkeys(map(attrgetter("task"), graph.nodes))
    tasks.pop(None, None)
    return {task: CodeSnapshot(task) for task in tasks}


def _is_light(node: Node) -> bool:
    """Whether it calls known code with nothing but numbers, short texts and results."""
    lazy = node.lazy
    if lazy.__class__ is not LazyResult or not lazy.options.plain or lazy.options.cache is not None:
        return False
    if node.task is None or not CodeSnapshot.may_be_quick(node.task):
        return False
    return all(
        value.__class__ in CALLS
        or (value.__class__ in ATOMS and not (hasattr(value, "__len__") and len(value) > _SHORT))
        for value in (*lazy.args, *lazy.kwargs.values())
    )


async def find_reusable(
    graph: Graph,
    state: StateBackend,
    keys: Mapping[int, str],
    *,
    sight: GraphSnapshot | None = None,
    settled: frozenset[int] = frozenset(),
    now: float,
    since: float = 0.0,
    fetch: bool = True,
) -> Reuse:
    """What of `graph` is there already.

    Args:
        graph: what will run.
        state: where results are kept.
        keys: by index, of what may be there.
        sight: what was seen of it; None where its results count whatever the code says today, and
            however old they are, as long as the files that they were made of are as they were.
        settled: nodes whose values are known without running, parameters for instance.
        now: seconds since the epoch; a result that is dated ahead counts as made now.
        since: what was made before this moment, in seconds since the epoch, does not count;
            infinity when nothing is to be reused.
        fetch: whether to get the values, or only to see that they are there.

    Raises:
        StateError: the place cannot be read.
    """
    found_there = {} if since == math.inf else await state.known(list(keys.values()))
    known = {key: not_ahead(what, now) for key, what in found_there.items() if is_known(what)}

    def weigh() -> tuple[dict[int, ExpiryBound], set[str], set[int]]:
        floor = floors(graph, keys, known, now) if sight is not None else {}
        standing = {key for key, what in known.items() if what.made >= since}
        old = (i for i, one in floor.items() if keys.get(i) in standing
               and known[keys[i]].made < one.moment)  # fmt: skip
        return floor, standing, set(old)

    floor, standing, too_old = await beside(len(graph), weigh)
    values: dict[int, Any] = {}
    lost = set(too_old)
    files = KeptFiles(known, keys)
    lost.update(await files.outdated())

    def look() -> tuple[set[int], Frontier]:
        there = {i for i, key in keys.items() if key in standing and i not in lost}
        seen = frontier_of(graph, there, settled)
        while sight is not None and (again := comes_after(graph, seen)):
            floor.update(again)
            there.difference_update(again)
            lost.update(again)
            seen = frontier_of(graph, there, settled)
        return there, seen

    while True:
        there, seen = await beside(len(graph), look)
        found = seen.found | seen.pending
        if unmade := await files.unmade(graph, found, seen.wanted):
            lost.update(unmade)
            continue
        missing = [index for index in found if index not in values]
        if not fetch or not missing:
            break
        had = await state.values([keys[index] for index in missing])
        for index in missing:
            if keys[index] in had:
                values[index] = had[keys[index]]
            else:  # it had to go since it was looked for, or may not be read
                lost.add(index)
    if again := come_again(values, keys):
        values.update(await run_in_thread(lambda: each_its_own(values, again)))
    values = {index: value for index, value in values.items() if index in found}
    return Reuse(
        keys,
        frozenset(seen.found),
        values,
        frozenset(seen.wanted),
        fresh=since == math.inf,
        lasting=state.keeps_all,
        grounds=NO_GROUNDS if sight is None else sight.grounds,
        gaps=None if sight is None else sight.prints.gaps,
        floors=floor,
        too_old=frozenset(too_old.union(i for i in floor if floor[i].moment == math.inf)),
        standing=frozenset(there),
        pending=frozenset(seen.pending),
        made={i: known[keys[i]].made for i in found},
        files={i: known[keys[i]].files for i in found if known[keys[i]].files},
        outdated=files.words,
        answers=await answers_of(graph, state, keys, found),
    )


def worth_keeping(graph: Graph, found: Fingerprints, keeps_all: bool) -> dict[int, str]:
    """The keys of those nodes whose results are worth keeping.

    Args:
        graph: what will run.
        found: its fingerprints.
        keeps_all: as the state backend says.
    """
    targets = set(graph.targets)
    return {
        node.index: key
        for node in graph.nodes
        if (
            keeps_all
            or node.name is not None
            or node.index in targets
            or node.task.__class__ is Asking
        )
        and node.options.reuse
        and node.kind is not NodeKind.PARAM
        and (key := found[node.index]) is not None
    }
