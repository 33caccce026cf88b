"""The key of a task's large input, beside what its hash function alone takes for the same bytes."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np

import cascade_nb as cs
from benchmarks.child import WrongResultError
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.values.atoms import DIGEST_SIZE

#: Pairs of both, one after the other, so that what else the machine does weighs on both.
TIMES: Final = 5


def array(megabytes: int) -> Mapping[str, float]:
    """Milliseconds that the fingerprint of a task takes which is given such an array.

    Returns:
        The medians of that, of `blake2b` over the array's memory, which is what the project hashes
        with, and of the ratios within each pair.

    Raises:
        WrongResultError: the key is not that of the array's content.
    """
    data = np.arange(megabytes * 1_000_000 // 8, dtype="f8")
    first = cs.task(_first)
    ours: list[float] = []
    alone: list[float] = []
    keys = set()
    gc.collect()
    for _ in range(TIMES):
        # an array of its own each time, since one that was hashed before is not hashed again
        graph = cs.build_graph(first(data.copy()))
        began = time.perf_counter()
        keys.add(fingerprints(graph)[0])
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        blake2b(data.data, digest_size=DIGEST_SIZE).digest()
        alone.append(time.perf_counter() - began)
    data[-1] += 1.0
    if len(keys) != 1 or None in keys or fingerprints(cs.build_graph(first(data)))[0] in keys:
        raise WrongResultError("the key does not tell arrays apart by their content")
    ratios = [mine / its for mine, its in zip(ours, alone, strict=True)]
    return {
        "cascade": 1000 * statistics.median(ours),
        "blake2b": 1000 * statistics.median(alone),
        "ratio": statistics.median(ratios),
    }


def _first(data: Any) -> float:
    return float(data[0])


PROBES: Final = {"array": array}
