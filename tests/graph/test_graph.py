"""A graph answers for its nodes."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import UnknownNameError
from cascade_nb.graph import NodeKind, build_graph


@cs.task
def load() -> int:
    return 1


@cs.task
def clean(x: int) -> int:
    return x


def test_a_node_is_found_by_name_by_id_and_by_its_task() -> None:
    graph = build_graph([clean(load()).named("tidy"), clean(1), clean(2)])
    assert graph.node("tidy").task is clean
    assert graph.node("load").id == "load#1"
    assert graph.node("clean#2").lazy.args == (2,)
    with pytest.raises(UnknownNameError, match="'clean#2' or 'clean#1'"):
        graph.node("clean")  # which of its two calls, nobody can tell


def test_an_unknown_node_is_refused_with_the_nearest_names() -> None:
    graph = build_graph(clean(load()).named("tidy"))
    with pytest.raises(UnknownNameError, match=r"there is no node 'tdy'; did you mean 'tidy'\?"):
        graph.node("tdy")
    with pytest.raises(UnknownNameError, match=r"no node 'zzz'; there is 'load#1', 'tidy'"):
        graph.node("zzz")
    with pytest.raises(UnknownNameError, match=r"no node 'dit'; there is 'tidy', 'load#1'"):
        graph.node("dit")  # none is near, and one is nearer


def test_two_nodes_of_one_name_have_ids_of_their_own() -> None:
    graph = build_graph([load().named("x"), load().named("x")])
    assert [node.id for node in graph.nodes] == ["x", "x#2"]


@pytest.mark.parametrize(
    ("target", "kind", "label", "task_name"),
    [
        (load(), NodeKind.TASK, "load", "load"),
        (load().named("n"), NodeKind.TASK, "n", "load"),
        (clean.map(x=[1]), NodeKind.MAP, "map(clean)", "clean"),
        (clean.map(x=[1]).named("n"), NodeKind.MAP, "n", "clean"),
        (cs.Param("p"), NodeKind.PARAM, "p", "param"),
        (cs.Router(1, {1: 2}), NodeKind.ROUTER, "router", "router"),
    ],
)
def test_nodes_are_called_as_messages_call_them(
    target: cs.LazyResult[Any], kind: NodeKind, label: str, task_name: str
) -> None:
    (node,) = build_graph(target).nodes
    assert (node.kind, node.label, node.task_name) == (kind, label, task_name)


def test_descendants_are_everything_that_comes_after_by_any_edge() -> None:
    a, other = load().named("a"), load().named("other")
    b = clean(a).named("b")
    c = load().named("c").after(b)
    d = load().named("d").run_if(c)
    graph = build_graph([d, clean(other).named("e")])
    found = graph.descendants([graph.node("b").index])
    assert {graph.nodes[i].id for i in found} == {"b", "c", "d"}


def test_parameters_are_known_by_name() -> None:
    rate = cs.Param("rate", 0.5)
    graph = build_graph(clean(rate))
    assert graph.params() == {"rate": rate}


def test_a_graph_is_called_like_its_targets() -> None:
    assert build_graph(clean(1).named("report")).title == "report"
    assert build_graph(clean.map(x=[1])).title == "map(clean)"
    assert build_graph([clean(1), load()]).title == "clean, load"
    many = build_graph([clean(i).named(f"n{i}") for i in range(5)])
    assert many.title == "n0, n1, n2 …"
    assert repr(many) == "<graph of n0, n1, n2 …: 5 nodes>"
