"""A graph that was packed and unpacked is the same graph, however large its arguments are."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.serialization.graph_pickle import pack_graph, unpack_graph


@dataclasses.dataclass
class Box:
    inside: Any


@cs.task
def piece(x: Any) -> Any:
    return x


@cs.task
def total(xs: Any, *more: Any, **named: Any) -> Any:
    return xs


# small ones are copied at the call, some share a copy, large ones are watched: three ways
@pytest.mark.parametrize("size", [3, 60, 1_500])
@pytest.mark.parametrize(
    "target",
    [
        total,
        lambda many: total(*many),
        lambda many: total(tuple(many)),
        lambda many: total({f"k{n}": one for n, one in enumerate(many)}),
        lambda many: total(Box(many)),
        lambda many: total(1, xs=2) if not many else total(0, all=many),
        lambda many: total(many, list(range(len(many)))),
        lambda many: piece.map(x=many),
        lambda many: total.partial(one=many).map(xs=[1, 2]),
        lambda many: total(piece(1), list(range(len(many)))),
    ],
    ids=[
        "list",
        "arguments",
        "tuple",
        "dict",
        "dataclass",
        "named",
        "two",
        "map",
        "partial",
        "plain",
    ],
)
def test_it_has_the_same_nodes_inputs_and_keys(target: Any, size: int) -> None:
    graph = cs.build_graph(target([piece(n) for n in range(size)]))
    again = unpack_graph(pickle.loads(pickle.dumps(pack_graph(graph))))
    assert [node.inputs for node in again.nodes] == [node.inputs for node in graph.nodes]
    assert list(fingerprints(again)) == list(fingerprints(graph))
