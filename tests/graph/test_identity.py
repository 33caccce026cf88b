"""By what nodes are known from one graph to the next."""

from __future__ import annotations

from typing import Any

import cascade_nb as cs
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache, ProvenanceComparison
from cascade_nb.graph import build_graph
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.fingerprint.identity import places_of


@cs.task
def load(n: Any) -> Any:
    return n


@cs.task
def clean(x: Any, k: int = 0) -> Any:
    return x, k


def looked(target: Any) -> ProvenanceComparison:
    graph = build_graph(target)
    return ProvenanceCache().look(graph, fingerprints(graph), ())


def identity(target: Any) -> str:
    """Of the target, which is the last node."""
    return list(looked(target).identity.values())[-1]


def test_the_same_call_is_the_same_node_wherever_it_stands() -> None:
    alone = identity(clean(load(3)))
    inside = looked([clean(load(i)) for i in range(5)]).identity
    assert inside["clean#4"] == alone
    assert len(set(inside.values())) == 10


def test_other_arguments_make_another_node_and_a_name_is_enough_for_one() -> None:
    calls = [clean(load(3)), clean(load(4)), clean(load(3), k=1), clean(3), load(3)]
    assert len(set(map(identity, calls))) == len(calls)
    assert identity(clean(load(1)).named("rows")) == identity(load(2).named("rows")) == "rows"
    through_a_name = [identity(clean(load(n).named("raw"))) for n in (1, 2)]
    assert through_a_name[0] == through_a_name[1], "what is read has a name"


def test_a_place_is_known_only_where_it_is_one_nodes_alone() -> None:
    graph = build_graph(clean(clean(load(1)), 2).named("rows"))
    assert len(places_of(graph)) == 2
    graph = build_graph(clean([load(1), load(2)]).named("rows"))
    assert not places_of(graph), "which of the two it was, nobody can tell"
    assert not places_of(build_graph([load(1), clean(2)])), "there is no name to go by"
