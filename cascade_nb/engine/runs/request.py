"""What a run was asked for, and what of an earlier try it may take as given."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import DONE, SKIPPED
from cascade_nb.engine.storage.lookup import Sight
from cascade_nb.file_stamps import NO_FILES, Stamps
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph

if TYPE_CHECKING:
    from cascade_nb.engine.runs.flow import Flow
    from cascade_nb.engine.storage.recovery import TakenUp

# These skips were decided by results that stand; the others follow from a failure or from nobody's
# asking, and may come out otherwise.
_STANDING: Final = ("ConditionFalse", "UpstreamSkipped")


def new_run_id() -> str:
    """An identity for a run that is to come."""
    return uuid.uuid4().hex[:12]


class GivenItems(NamedTuple):
    """The items of a mapped node that need not run again.

    Attributes:
        expansion: what it grew into the first time.
        results: by position, the results that are there.
        files: by position, what they were made of.
    """

    expansion: Expansion
    results: Mapping[int, Any]
    files: Mapping[int, Stamps] = NO_FILES


@dataclasses.dataclass(frozen=True)
class Given:
    """What an earlier run of the same graph leaves to a later one.

    Attributes:
        done: indexes of what came to a result.
        values: those results that are still there.
        tainted: indexes of what stands for this run only, since its key is another today.
        keys: under which results are kept that no fingerprint finds.
        graph, sight: of that run, where its results may have to stand after an edit.
        skipped: reason and words by index.
        items: by index of mapped nodes that did not come to their end.
        files: by index, what the results were made of.
    """

    done: frozenset[int] = frozenset()
    values: Mapping[int, Any] = dataclasses.field(default_factory=dict)
    skipped: Mapping[int, tuple[str, str]] = dataclasses.field(default_factory=dict)
    items: Mapping[int, GivenItems] = dataclasses.field(default_factory=dict)
    tainted: frozenset[int] = frozenset()
    keys: Mapping[int, str] = dataclasses.field(default_factory=dict)
    graph: Graph | None = None
    sight: Sight | None = None
    files: Mapping[int, Stamps] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Orders:
    """What a run was asked for beyond its graph; see `Engine.start`.

    Attributes:
        given: what an earlier try leaves to it.
        taken_up: what it has from the kernel where it began.
    """

    params: Mapping[str, Any]
    bindings: Bindings | None = None
    on_error: str = "stop"
    fresh: bool = False
    log: str | None = None
    share: bool = False
    given: Given = Given()
    taken_up: TakenUp | None = None


def left_by(flow: Flow) -> Given:
    """What a run that is over leaves to the next try. Call under its lock."""
    ledger, state = flow.ledger, flow.scheduler.state
    if flow.code is not None:
        flow.code.catch_up()
    tainted = flow.code.tainted - flow.code.lent if flow.code is not None else ()
    done: set[int] = set()
    values: dict[int, Any] = {}
    skipped: dict[int, tuple[str, str]] = {}
    items: dict[int, GivenItems] = {}
    for index in range(len(flow.graph.nodes)):
        if state[index] == DONE:
            if index in tainted:
                continue
            done.add(index)
            if ledger.alive(index, flow.scheduler.state):
                values[index] = ledger.values[index]
        elif state[index] == SKIPPED and flow.skipped[index][0] in _STANDING:
            skipped[index] = flow.skipped[index]
        elif places := flow.unfold.items(index):
            expansion = ledger.work[places[0]]
            assert isinstance(expansion, Expansion)
            there = {
                n: ledger.values[i]
                for n, i in enumerate(places)
                if state[i] == DONE and i not in tainted
            }
            items[index] = GivenItems(expansion, there, flow.files.by_position(places))
    lent = frozenset(flow.code.lent & done) if flow.code is not None else frozenset()
    own = {i: key for i, key in flow.keys.of.items() if i in done and "/" in key}
    return Given(
        frozenset(done),
        values,
        skipped,
        items,
        lent,
        own,
        graph=flow.graph,
        sight=flow.sight,
        files={index: of for index, of in flow.files.of.items() if index in done},
    )
