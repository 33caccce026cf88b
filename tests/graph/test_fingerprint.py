"""A node's fingerprint: code, arguments and upstream in one key."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.errors import ParamError, TaskDefinitionError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.fingerprint.content import Unkeyed
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints, fingerprints
from cascade_nb.model.params.param import Param
from cascade_nb.model.resources import inject, resource
from cascade_nb.model.routing import Router
from cascade_nb.model.tasks.decorator import task
from cascade_nb.model.tasks.task import Task
from tests.graph.cells import Cells


@task
def load(n: int = 1) -> int:
    return n


@task
def add(x: Any, y: Any = 1, *, scale: int = 1) -> Any:
    return (x + y) * scale


@task
def gather(*parts: Any, **named: Any) -> Any:
    return parts, named


@task
def total(xs: Any) -> Any:
    return sum(xs)


def keys(target: Any, **params: Any) -> Fingerprints:
    return fingerprints(build_graph(target), params)


def key(target: Any, **params: Any) -> str:
    """The fingerprint of the target's own node."""
    found = keys(target, **params)[-1]
    assert found is not None
    return str(found)


def cell_task(source: str, name: str = "f", cells: Cells | None = None, **options: Any) -> Any:
    """A task of a function defined in a cell."""
    cells = cells or Cells()
    cells.run(source)
    return task(**options)(cells.names[name])


def test_there_is_a_key_for_each_node_in_the_graphs_order() -> None:
    found = keys(add(load(1), load(2)))
    assert len(found) == len(list(found)) == 3
    assert len(set(found)) == 3
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in found if one is not None)
    assert [found.why_not(i) for i in range(3)] == [None] * 3


def test_equal_calls_have_equal_keys_and_others_have_not() -> None:
    assert key(add(load(1), 2)) == key(add(load(1), 2))
    different = [
        add(1),
        add(2, 2),
        add(1.0),
        add("1"),
        add([1]),
        add(1, 2),
        add(2),
        add(1, scale=2),
        add(1, 2, scale=2),
        add(None),
        add(load(1)),
        add(load(2)),
        add([load(1)]),
        add((load(1),)),
        add({"a": load(1)}),
        add(add(1)),
        total(1),
        gather(1, 2),
        gather((1, 2)),
        gather(1, x=2),
        gather(x=1, y=2),
        gather(x=2, y=1),
    ]
    assert len({key(lazy) for lazy in different}) == len(different)


def test_how_an_argument_was_given_does_not_count() -> None:
    assert key(add(1, 2)) == key(add(1, y=2)) == key(add(x=1, y=2)) == key(add(y=2, x=1))
    assert key(add(load(1), y=[load(2)])) == key(add(y=[load(2)], x=load(1)))
    assert key(gather(a=1, b=2)) != key(gather(b=2, a=1)), "whoever goes through them sees it"
    assert key(add(1, scale=2)) == key(add(scale=2, x=1))


def test_a_default_that_is_given_is_a_default_that_is_left_out() -> None:
    @task
    def every(
        a: Any, b: Any = (1,), /, c: Any = 2, *rest: Any, d: Any = None, e: Any, **more: Any
    ) -> Any:
        return a

    calls = [
        every(0, e=5),
        every(0, (1,), e=5),
        every(0, (1,), 2, e=5),
        every(0, (1,), c=2, e=5, d=None),
        every(0, e=5, c=2),
    ]
    assert len({key(call) for call in calls}) == 1
    others = [
        every(0, (1.0,), e=5),
        every(0, c=2.0, e=5),
        every(0, (1,), 2, 2, e=5),
        every(0, e=None),
        every(0, e=5, d=5),
        every(0, e=5, f=None),
        every(0, e=5, **{"*": (2,)}),
        every(0, e=5, a=1),
    ]
    assert len({key(call) for call in [*calls, *others]}) == len(others) + 1
    assert key(add.map(x=[1])) == key(add.partial(y=1).map(x=[1])) != key(add.map(x=[1], y=[1]))
    same = (add.map(x=[4]), add.partial(scale=1, y=1).map(x=[4]))
    items = [fingerprints(build_graph(one)).of_items(0, [{"x": 4}]) for one in same]
    assert items[0] == items[1] == [key(add(4))]


def test_arguments_that_are_to_be_ignored_do_not_count() -> None:
    @task(ignore=("verbose", "n_jobs"))
    def fit(x: int, verbose: Any = True, *, n_jobs: Any = 1, **more: Any) -> int:
        return x

    same = [fit(1), fit(1, False), fit(1, verbose=load(3)), fit(1, n_jobs=[2], verbose=object)]
    assert len({key(call) for call in same}) == 1
    assert key(fit(1, socket.socket)) == key(fit(1))
    assert key(fit(1)) != key(fit(2))
    assert key(fit(1, a=1)) != key(fit(1))
    assert key(fit.partial(verbose=1).map(x=[1])) == key(fit.partial(n_jobs=1).map(x=[1]))
    loud = task(ignore="verbose")(fit.fn)
    assert key(loud(1, 3)) == key(loud(1)) != key(loud(1, n_jobs=2))
    with pytest.raises(TaskDefinitionError, match=r"ignore: load: there is no parameter 'm'"):
        task(ignore=["m"])(load.fn)


def test_another_default_of_an_ignored_argument_does_not_count() -> None:
    sources = [f"def f(x, verbose={v}): return x" for v in (True, False)]
    keys_of = [key(cell_task(source, ignore=("verbose",))(1)) for source in sources]
    assert keys_of[0] == keys_of[1] != key(cell_task(sources[0])(1))


def test_a_parameter_left_out_is_not_taken_for_the_next() -> None:
    @task
    def three(a: int = 0, b: int = 0, c: int = 0) -> int:
        return a

    different = [three(a=1), three(b=1), three(c=1), three(1, c=1), three(None, None, 1)]
    assert len({key(lazy) for lazy in different}) == len(different)


def test_an_extra_argument_named_like_one_by_place_only_is_another() -> None:
    @task
    def mixed(x: int, /, **rest: int) -> int:
        return x

    assert key(mixed(1, x=2)) != key(mixed(2, x=1))
    assert key(mixed(1)) != key(mixed(1, x=1))


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.lists(st.integers())
)


@given(st.lists(PLAIN, min_size=2, max_size=2), st.lists(PLAIN, min_size=2, max_size=2))
def test_the_short_way_and_the_long_way_give_one_key(one: list[Any], other: list[Any]) -> None:
    # Calls without keywords are keyed in line, all others through `call_bytes`.
    assert key(add(*one)) == key(add(one[0], y=one[1]))
    assert (key(add(*one)) == key(add(*other))) == (repr(one) == repr(other))


def test_the_code_and_the_version_of_a_task_count() -> None:
    one = cell_task("def f(x): return x + 1")
    assert key(one(1)) == key(cell_task("def f(x): return x + 1  # one more")(1))
    assert key(one(1)) != key(cell_task("def f(x): return x + 2")(1))
    assert key(one(1)) != key(cell_task("def f(x): return x + 1", version="2")(1))
    assert key(cell_task("def f(x): x", version="1")(1)) != key(
        cell_task("def f(x): x", version="2")(1)
    )


def test_an_edit_changes_the_keys_of_what_comes_after_it_and_no_others() -> None:
    cells = Cells()
    first = cell_task("def f(): return 1", cells=cells)
    helped = cell_task("def h(x): return x\ndef g(x): return h(x)", "g", cells)
    beside, after = load(5), helped(first())
    target = add(after, beside)
    before = keys(target)
    cells.run("def h(x): return -x")
    now = keys(target)
    changed = [a != b for a, b in zip(before, now, strict=True)]
    labels = [node.label for node in build_graph(target).nodes]
    assert dict(zip(labels, changed, strict=True)) == {
        "f": False,
        "g": True,
        "load": False,
        "add": True,
    }


def test_what_does_not_change_the_value_does_not_count() -> None:
    plain = add(load(1), 2)
    others = [
        plain.named("sum"),
        plain.tagged("t"),
        plain.with_retry(5),
        plain.with_timeout(9),
        plain.with_constraints(gpu=1),
        task(add.fn, name="other", executor="inline", timeout=3)(load(1), 2),
    ]
    assert {key(lazy) for lazy in others} == {key(plain)}


def test_a_parameter_counts_by_its_value_in_this_run() -> None:
    target = add(Param("n", default=1, type=int))
    assert key(target) == key(target, n=1) == key(target, n="1") != key(target, n=2)
    assert key(target, n=2) == key(add(Param("other", default=2)))
    with pytest.raises(ParamError):
        key(target, n="many")


def test_a_parameter_without_a_value_is_said() -> None:
    found = keys(add(Param("n")))
    assert list(found) == [None, None]
    assert found.why_not(1) == ("it reads n, and n's value is known only once a run is given one")
    assert None not in keys(add(Param("n")), n=3)


def test_a_router_counts_by_its_selector_and_its_routes() -> None:
    def routed(selector: Any, **routes: Any) -> str:
        return key(add(Router(selector, routes)))

    base = routed(load(1), a=load(2), b=3)
    assert base == routed(load(1), b=3, a=load(2))
    others = [
        routed(load(9), a=load(2), b=3),
        routed(load(1), a=load(9), b=3),
        routed(load(1), a=load(2), b=9),
        routed(load(1), a=load(2)),
        routed("a", a=load(2), b=3),
    ]
    assert len({base, *others}) == 6


def test_a_condition_counts_for_what_reads_the_node_and_not_for_the_node() -> None:
    # Skipped or not decides whether the reader sees the value or its own default.
    def parts(condition: Any) -> tuple[Any, Any]:
        target = add(load(2).run_if(condition))
        graph = build_graph(target)
        found = fingerprints(graph)
        own = next(node.index for node in graph.nodes if node.options.condition is not True)
        return found[own], found[-1]

    plain = keys(add(load(2)))
    results = [parts(load(1)), parts(load(0)), parts(False)]
    assert {own for own, _ in results} == {plain[0]}
    assert len({plain[1], *(reader for _, reader in results)}) == 4


def test_nothing_is_built_on_a_task_whose_results_are_new_each_time() -> None:
    fetch = task(reuse=False)(load.fn)
    found = keys(add(total([fetch(1)])))
    assert found[0] is not None
    assert found[1] is None
    assert found[2] is None
    assert found.why_not(2) == (
        "it reads total, total reads load, and load's results are new each time (reuse=False)"
    )


def test_the_way_to_what_cannot_be_keyed_is_told() -> None:
    with socket.socket() as one:
        found = keys(add(total(load(one))))
        assert list(found) == [None] * 3
        cause = "argument n (a socket) cannot be keyed: cannot pickle 'socket' object"
        assert found.why_not(0) == f"its {cause}"
        assert found.why_not(1) == f"it reads load, and load's {cause}"
        assert found.why_not(2) == f"it reads total, total reads load, and load's {cause}"
        nested = keys(gather(1, a={"deep": [one]}))
        assert nested.why_not(0) == (
            "its argument a (a dict with a socket in it) cannot be keyed: "
            "cannot pickle 'socket' object"
        )
        cells = Cells()
        cells.names["conn"] = one
        reads = cell_task("def f(x): return conn", cells=cells)
        assert keys(reads(1)).why_not(0) == (
            "its constant conn (a socket) cannot be keyed: cannot pickle 'socket' object"
        )
        assert keys(reads.map(x=[1])).why_not(0) == keys(reads(1)).why_not(0)


def test_a_long_way_is_told_by_its_ends() -> None:
    lazy: Any = load(sys._getframe())
    for _ in range(50):
        lazy = add(lazy)
    told = keys(lazy).why_not(50)
    assert told is not None
    assert told.count("reads") == 6
    assert ", …, " in told
    assert told.endswith(
        "load's argument n (a frame) cannot be keyed: cannot pickle 'frame' object"
    )


def test_what_cannot_be_keyed_does_not_hide_its_neighbours() -> None:
    found = keys(gather(load(1), load(sys._getframe()), load(3)))
    assert [one is None for one in found] == [False, True, False, True]


def test_a_graph_may_be_deeper_than_the_stack() -> None:
    lazy: Any = load(1)
    for _ in range(sys.getrecursionlimit() * 3):
        lazy = add(lazy)
    assert None not in keys(lazy)


def test_data_given_to_many_nodes_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    class Counted:
        def __reduce_ex__(self, protocol: Any) -> Any:
            reads.append(1)
            return (Counted, ("a text that is long enough that its digest is remembered " * 2,))

    data = Counted()
    assert len(set(keys(gather(*[add(data, i) for i in range(50)])))) == 51
    assert len(reads) == 1


def test_a_function_given_to_many_nodes_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from cascade_nb.graph.fingerprint import fingerprint

    asked = []
    real = fingerprint.reference  # type: ignore[attr-defined]

    def counting(thing: Any) -> bytes:
        asked.append(thing)
        return real(thing)

    monkeypatch.setattr(fingerprint, "reference", counting)
    assert None not in keys(gather(*[add(abs, [len, i]) for i in range(50)]))
    assert asked == [abs, len]


def test_an_item_of_a_map_has_the_key_of_a_plain_call() -> None:
    graph = build_graph(add.map(x=[1, 2], y=[load(3), 4]))
    found = fingerprints(graph)
    items = found.of_items(1, [{"x": 1, "y": 7}, {"x": 2, "y": 4}])
    assert items == [key(add(1, 7)), key(add(2, 4))]
    assert found[1] is not None
    assert found[1] not in items


def test_what_is_fixed_for_a_map_counts_as_the_graph_knows_it() -> None:
    graph = build_graph(add.partial(y=load(3)).map(x=[1, 2]))
    found = fingerprints(graph)
    first, second = found.of_items(1, [{"x": 1}, {"x": 2}])
    assert first == key(add(1, load(3)))
    assert second == key(add(2, y=load(3)))


def test_maps_differ_by_collections_and_by_what_is_fixed() -> None:
    different = [
        add.map(x=[1, 2]),
        add.map(x=[2, 1]),
        add.map(x=[1]),
        add.map(x=[load(1), 2]),
        add.map(x=load([1, 2])),
        add.map(x=[1, 2], y=[1, 2]),
        add.partial(y=2).map(x=[1, 2]),
        add.partial(y=[1, 2]).map(x=[1, 2]),
        add([1, 2]),
        total.map(xs=[1, 2]),
    ]
    assert len({key(lazy) for lazy in different}) == len(different)


def test_items_that_cannot_be_keyed_are_said_and_the_others_are_keyed() -> None:
    found = keys(add.map(x=load(3)))
    good, bad = found.of_items(1, [{"x": 1}, {"x": (i for i in [1])}])
    assert good == key(add(1))
    assert isinstance(bad, Unkeyed)
    assert str(bad) == (
        "this call cannot be keyed: its argument x (a generator) cannot be keyed: "
        "cannot pickle 'generator' object"
    )


def test_an_injected_resource_counts_by_its_code() -> None:
    cells = Cells()
    cells.names.update(resource=resource, inject=inject)
    define = "@resource\ndef db():\n    yield {}\n\ndef f(x, conn=inject(db)): return x"
    one = cell_task(define.format(1), cells=cells)
    same = cell_task(define.format(1), cells=cells)
    other = cell_task(define.format(2), cells=cells)
    assert key(one(1)) == key(same(1)) != key(other(1))


def test_the_code_of_a_node_is_at_hand_with_its_sources() -> None:
    graph = build_graph(add(load(1), Param("n", default=1)))
    found = fingerprints(graph)
    codes = {node.label: found.code(node.index) for node in graph.nodes}
    assert codes["n"] is None
    shown = codes["load"]
    assert shown is not None
    assert "return n" in next(iter(shown.sources.values()))


def test_a_task_is_walked_once_for_all_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    from cascade_nb.graph.fingerprint import task_calls as calls

    asked: list[Task[..., Any]] = []
    real = calls.code_key  # type: ignore[attr-defined]

    def counting(thing: Any) -> Any:
        asked.append(thing)
        return real(thing)

    monkeypatch.setattr(calls, "code_key", counting)
    keys(total([add(load(i), i) for i in range(20)]))
    assert sorted(one.name for one in asked) == ["add", "load", "total"]
