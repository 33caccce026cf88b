"""Which results of earlier runs stand for this one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cascade_nb.graph.graph import Graph
from cascade_nb.protocols import StateBackend


@dataclasses.dataclass(frozen=True)
class Reuse:
    """What a run has before it begins.

    Attributes:
        keys: fingerprint by index, for every node whose result may be kept.
        found: indexes of results that stand and that something will read.
        values: those results.
        seconds: by index, how long a node took, where known.
    """

    keys: Mapping[int, str]
    found: frozenset[int]
    values: Mapping[int, Any]
    seconds: Mapping[int, float]


async def look_up(
    graph: Graph, state: StateBackend, settled: Mapping[int, Any], fresh: bool
) -> Reuse:
    return Reuse({}, frozenset(), {}, {})
