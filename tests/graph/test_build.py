"""Every lazy value that a target needs becomes one node, in an order that can be run."""

from __future__ import annotations

import dataclasses
import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import CycleError, DroppedNameError, TargetError, TaskCallError
from cascade_nb.graph import EdgeType, NodeKind, build_graph
from cascade_nb.model import Lazy
from cascade_nb.model.lazy.any_task import AnyTask


@cs.task
def one() -> int:
    return 1


@cs.task
def add(*values: Any, **named: Any) -> int:
    return sum(values)


@cs.task
def double(x: int) -> int:
    return 2 * x


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any


class Names:
    """Bindings as a workspace has them: what stands today for what was written."""

    version = 0

    def __init__(self, *today: tuple[Lazy, Lazy], dropped: tuple[Any, ...] = ()) -> None:
        self.today = {before.identity: now for before, now in today}
        self.dropped = dropped
        self.names: dict[object, str] = {}
        self.tasks: dict[AnyTask, AnyTask] = {}

    def current(self, lazy: Lazy) -> Lazy:
        if lazy in self.dropped:
            raise DroppedNameError("it was dropped")
        return self.today.get(lazy.identity, lazy)

    def current_task(self, task: AnyTask) -> AnyTask:
        return self.tasks.get(task, task)

    def is_lost(self, lazy: Lazy) -> bool:
        return False

    def name_of(self, lazy: Lazy) -> str | None:
        return self.names.get(lazy.identity)


def edges_of(target: Any) -> set[tuple[str, str, EdgeType]]:
    graph = build_graph(target)
    return {(graph.nodes[e.source].id, graph.nodes[e.target].id, e.type) for e in graph.edges}


def test_one_lazy_value_is_one_node_however_often_it_is_read() -> None:
    a = one()
    graph = build_graph(add(a, [a, {"k": a}], key=add(a, a)))
    assert [node.id for node in graph.nodes] == ["one#1", "add#1", "add#2"]
    assert graph.nodes[2].inputs == (0, 1)


def test_equal_calls_are_nodes_of_their_own() -> None:
    assert len(build_graph(add(one(), one()))) == 3


def test_the_same_target_gives_the_same_ids() -> None:
    a, b = one(), one().named("b")
    target = add(double(a), double(b), double.map(x=[a, b])).named("sum")
    ids = [[node.id for node in build_graph(target).nodes] for _ in range(2)]
    assert ids[0] == ids[1] == ["one#1", "double#1", "b", "double#2", "double#3", "sum"]


@given(st.data())
def test_everything_comes_after_what_it_needs(data: st.DataObject) -> None:
    made: list[Any] = [one()]
    for _ in range(data.draw(st.integers(1, 25))):
        inputs = data.draw(st.lists(st.sampled_from(made), max_size=4))
        lazy = add(*inputs)
        if data.draw(st.booleans()):
            lazy = lazy.after(data.draw(st.sampled_from(made)))
        if data.draw(st.booleans()):
            lazy = lazy.run_if(data.draw(st.sampled_from(made)))
        made.append(lazy)
    graph = build_graph(made[-1])
    assert [node.index for node in graph.nodes] == list(range(len(graph)))
    assert all(edge.source < edge.target for edge in graph.edges)
    assert graph.nodes[graph.targets[0]].lazy is made[-1]


def test_edges_say_why_one_comes_before_another() -> None:
    a, b, c = one().named("a"), one().named("b"), one().named("c")
    target = double(a).named("t").after(b).run_if(c)
    assert edges_of(target) == {
        ("a", "t", EdgeType.DATA),
        ("b", "t", EdgeType.ORDER),
        ("c", "t", EdgeType.CONDITION),
    }


def test_a_lazy_need_is_an_input() -> None:
    amount = one().named("amount")
    assert edges_of(double(1).named("t").with_constraints(gpu=amount)) == {
        ("amount", "t", EdgeType.DATA)
    }


def test_a_router_has_an_edge_from_each_route() -> None:
    key, left, right = one().named("key"), one().named("left"), one().named("right")
    router = cs.Router(key, {1: left, 2: right, 3: "plain"}).named("choice")
    assert edges_of(router) == {(n, "choice", EdgeType.DATA) for n in ("key", "left", "right")}
    node = build_graph(router).node("choice")
    assert node.kind is NodeKind.ROUTER
    assert node.control.routes[2] is None


@pytest.mark.parametrize(
    "make",
    [
        lambda a: [a, 1],
        lambda a: (a,),
        lambda a: {"k": a},
        lambda a: {a},
        lambda a: Pair([a], 2),
    ],
    ids=["list", "tuple", "dict", "set", "dataclass"],
)
def test_a_target_may_be_a_container(make: Any) -> None:
    a = one()
    graph = build_graph(make(a))
    assert graph.targets == (0,)


def test_several_targets_share_what_they_need() -> None:
    a = one()
    graph = build_graph([double(a), double(a), a])
    assert len(graph) == 3
    assert len(graph.targets) == 3


@pytest.mark.parametrize("wrong", [3, None, "name", [], {"k": 1}, one, one.fn, cs.Router])
def test_a_target_without_a_lazy_value_is_refused(wrong: Any) -> None:
    with pytest.raises(TargetError, match=r"is no lazy value, so there is nothing to run"):
        build_graph(wrong)


def test_a_chain_of_100_000_is_built_without_a_deep_stack() -> None:
    lazy = one()
    for _ in range(99_999):
        lazy = double(lazy)
    graph = build_graph(lazy)
    assert len(graph) == 100_000
    assert graph.targets == (99_999,)
    del lazy, graph
    gc.collect()  # taking it apart again must not need a deep stack either


def test_a_chain_of_conditions_and_order_is_built_without_a_deep_stack() -> None:
    lazy = one()
    for _ in range(20_000):
        lazy = one().after(lazy).run_if(lazy)
    assert len(build_graph(lazy)) == 20_001


def test_a_cycle_is_named_by_its_path() -> None:
    a = double(1)
    b = double(a)
    c = double(b)
    names = Names((a, c))
    names.names = {c.identity: "c", b.identity: "b"}
    with pytest.raises(CycleError, match=r"c needs itself: c → b → c; give one of them") as caught:
        build_graph(c, names)
    assert caught.value.path == ("c", "b", "c")


def test_a_node_that_reads_itself_is_a_cycle_of_one() -> None:
    a = double(1)
    b = double(a)
    names = Names((a, b))
    with pytest.raises(CycleError, match=r"double needs itself: double → double"):
        build_graph(b, names)


def test_names_lead_to_what_they_mean_today() -> None:
    old, new = one(), one()
    names = Names((old, new))
    names.names = {new.identity: "x"}
    graph = build_graph(add(old, new), names)
    assert [node.id for node in graph.nodes] == ["x", "add#1"]
    assert graph.place[old.identity] == graph.place[new.identity] == 0


def test_a_dropped_name_is_said_to_be_dropped() -> None:
    a = one()
    with pytest.raises(DroppedNameError, match=r"it was dropped"):
        build_graph(double(a), Names(dropped=(a,)))


def test_a_task_is_what_its_name_means_today() -> None:
    @cs.task(name="double")
    def redefined(x: int) -> int:
        return 2 * x + 1

    names = Names()
    names.tasks = {double: redefined}
    assert build_graph(double(1), names).nodes[0].task is redefined
    assert build_graph(double.map(x=[1]), names).nodes[0].task is redefined


def test_a_call_that_does_not_fit_the_redefined_task_is_refused() -> None:
    @cs.task(name="double")
    def redefined(y: int) -> int:
        return y

    names = Names()
    names.tasks = {double: redefined}
    with pytest.raises(TaskCallError, match=r"cannot be called so"):
        build_graph(double(x=1), names)
    with pytest.raises(TaskCallError, match=r"^map\(double\) calls double as it was before"):
        build_graph(double.map(x=[1]), names)
    with pytest.raises(TaskCallError, match=r"^report calls double as it was before"):
        build_graph(double(x=1).named("report"), names)
