"""What is remembered of results: little, bounded, and never a value or a graph."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.core.scheduler import DONE, FAILED
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache
from cascade_nb.graph import Graph
from cascade_nb.graph.fingerprint import fingerprint as fingerprint_module
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from tests.engine.tools import until


@cs.task(executor="inline")
def load(n: Any = 1) -> Any:
    return n


def pass_through(past: ProvenanceCache, graph: Graph, state: int = DONE) -> Any:
    """One run of `graph`, as an engine tells of it."""
    prints = fingerprints(graph)
    kept = [node.index for node in graph.nodes if node.name is not None]
    grounds = past.look(graph, prints, kept)
    past.enter(grounds, [state] * len(graph.nodes), ["load"])
    return grounds


def test_what_came_to_a_result_is_before_the_next_time() -> None:
    past = ProvenanceCache()
    first = pass_through(past, cs.build_graph(load(1).named("raw")))
    assert first.before == {}
    assert first.code_before == {}
    second = pass_through(past, cs.build_graph(load(2).named("raw")))
    assert second.before["raw"] is first.now["raw"]
    assert second.code_before["load"].digest == second.code["load"].digest


def test_what_failed_leaves_the_result_before_it() -> None:
    past = ProvenanceCache()
    first = pass_through(past, cs.build_graph(load(1).named("raw")))
    pass_through(past, cs.build_graph(load(2).named("raw")), FAILED)
    third = pass_through(past, cs.build_graph(load(3).named("raw")))
    assert third.before["raw"] is first.now["raw"]


def test_the_same_fingerprint_costs_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    past = ProvenanceCache()
    graph = cs.build_graph([load(i).named(f"n{i}") for i in range(10)])
    pass_through(past, graph)
    asked: list[Any] = []
    real = fingerprint_module.Fingerprints.given

    def given(self: Any, index: int) -> Any:
        asked.append(index)
        return real(self, index)

    monkeypatch.setattr(fingerprint_module.Fingerprints, "given", given)
    pass_through(past, graph)
    assert asked == []
    pass_through(past, cs.build_graph([load(99).named("n0"), load(1).named("n1")]))
    assert asked == [0]


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    past = ProvenanceCache(room=20)
    for i in range(5):
        pass_through(past, cs.build_graph([load(j).named(f"n{i}-{j}") for j in range(10)]))
    graph = cs.build_graph([load(j).named(f"n{i}-{j}") for i in range(5) for j in range(10)])
    found = pass_through(past, graph)
    assert sorted({name.split("-")[0] for name in found.before}) == ["n3", "n4"]


def test_of_a_large_graph_only_what_is_kept_is_remembered() -> None:
    past = ProvenanceCache()
    lazies = [load(load(i)).named(f"n{i}") for i in range(300)]
    found = pass_through(past, cs.build_graph(lazies))
    assert set(found.now) == {f"n{i}" for i in range(300)}
    assert len(pass_through(past, cs.build_graph(lazies[:100])).now) == 200


async def test_neither_values_nor_graphs_live_on_in_it(engine: Engine) -> None:
    class Big:
        def __reduce__(self) -> Any:
            return Big, ()

    gone: list[weakref.ref[Any]] = []

    async def some_runs() -> None:
        for _ in range(3):
            big = Big()
            graph = cs.build_graph(load(big).named("raw"))
            await engine.run(graph, fresh=True)
            gone.extend([weakref.ref(big), weakref.ref(graph.nodes[0].lazy)])

    await some_runs()
    await engine.run(load(Big()).named("raw"), fresh=True)

    def only_the_kept_result_is_left() -> bool:
        gc.collect()
        return all(ref() is None for ref in gone)

    await engine.state.close()
    await until(only_the_kept_result_is_left)
