"""A task mapped over a product, and the grid that knows its axes."""

from __future__ import annotations

import itertools
import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.errors import MapError, RunFailures, TaskCallError, TaskFailedError, UsageError
from cascade_nb.graph import from_json, to_json
from cascade_nb.graph.serialization.graph_pickle import pack_graph, unpack_graph
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import started


@cs.task
def score(a: Any, b: Any, c: Any = 0) -> Any:
    return (a, b, c)


@cs.task
def up_to(n: int) -> list[int]:
    return list(range(n))


@cs.task
def divided(a: float, b: float) -> float:
    return a / b


axes = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(0, 9), max_size=4), min_size=2, max_size=3
).filter(lambda given: {"a", "b"} <= set(given))


@given(axes)
def test_each_item_meets_each_of_the_others_the_last_fastest(given_axes: dict[str, Any]) -> None:
    names = list(given_axes)
    expected = [
        score.fn(**dict(zip(names, item, strict=True)))
        for item in itertools.product(*given_axes.values())
    ]
    mapped = score.map(how="product", **given_axes)
    assert cs.run(mapped) == expected
    grid = cs.run(cs.grid(mapped))
    assert grid.axes == given_axes
    assert list(grid.axes) == names
    assert grid.values == expected
    for labels, value in grid.items():
        whole = score.fn(**labels)
        assert value == whole
        assert grid.at(**labels) == whole
    assert [labels for labels, _ in grid.items()] == [
        dict(zip(names, item, strict=True)) for item in itertools.product(*given_axes.values())
    ]


def test_a_grid_is_found_by_label_by_position_and_as_lists_and_frames() -> None:
    grid = cs.run(cs.grid(score.map(a=["x", "y"], b=[0.1, 0.5, 2], how="product")))
    assert grid.shape == (2, 3)
    assert len(grid) == 6
    assert list(grid) == grid.values
    assert grid.at(a="y", b=0.5) == grid[1, 1] == grid[-1, -2] == ("y", 0.5, 0)
    row = grid.at(a="y")
    assert row.axes == {"b": [0.1, 0.5, 2]}
    assert row.at(b=2) == row[2] == ("y", 2, 0)
    assert grid.at(b=2).values == [("x", 2, 0), ("y", 2, 0)]
    assert grid.nested() == [grid.values[:3], grid.values[3:]]
    frame = grid.frame("score")
    assert frame.columns.tolist() == ["a", "b", "score"]
    assert frame["b"].tolist() == [0.1, 0.5, 2] * 2
    assert frame["score"].tolist() == grid.values
    assert isinstance(frame, pd.DataFrame)


def test_labels_may_be_whatever_can_be_compared() -> None:
    arrays = [np.arange(2), np.arange(3)]
    grid = cs.run(cs.grid(score.map(a=arrays, b=np.linspace(0, 1, 3), how="product")))
    assert grid.at(a=np.arange(3), b=0.5)[1] == 0.5
    with pytest.raises(UsageError, match="there is no 7 on the axis b, which has"):
        grid.at(a=np.arange(3), b=7)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda g: g.at(d=1), "has no axis 'd', only a, b"),
        (lambda g: g.at(a=3), "there is no 3 on the axis a, which has 1, 2"),
        (lambda g: g[0], "is 2 whole numbers"),
        (lambda g: g["a", 0], "is 2 whole numbers"),
        (lambda g: g.frame("a"), "'a' is an axis"),
    ],
)
def test_what_a_grid_has_not_is_said(wrong: Any, words: str) -> None:
    grid = cs.Grid({"a": [1, 2], "b": [1, 2]}, [1, 2, 3, 4])
    with pytest.raises(UsageError, match=words):
        wrong(grid)
    with pytest.raises(IndexError, match="a has 2 labels, and 2 is none"):
        grid[2, 0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: score.map(a=[1], b=[2], how="prodct"), "did you mean 'product'"),
        (lambda: score.map(a=[1], b=[2], how=[3]), "is 'zip' or 'product', not"),
        (lambda: score.map(a=[1], b=2, how="product"), "int has none"),
        (lambda: score.map(how="product"), "at least one collection"),
        (lambda: score.map(a=[1], b=[1, 2]), "how='product' has each meet each"),
        (
            lambda: score.map(a=range(9_000), b=range(9_000), how="product"),
            "9,000 x 9,000 = 81,000,000 items; at most",
        ),
        (
            lambda: cs.grid(score(1, 2)),  # type: ignore[arg-type]
            "cs.grid takes what .map",
        ),
        (lambda: cs.grid(score.map(a=[1], b=[2])), "a and b side by side"),
        (lambda: cs.run(score.map(a=up_to(9_000), b=range(9_000), how="product")), "at most"),
    ],
)
def test_what_is_no_product_is_refused_in_a_sentence(wrong: Any, words: str) -> None:
    with pytest.raises((MapError, TaskFailedError), match=words):
        wrong()


def test_a_parameter_may_be_called_how() -> None:
    @cs.task
    def join(how: str, x: int = 0) -> str:
        return f"{how}{x}"

    assert cs.run(join.map(how=["a", "b"], x=[1, 2])) == ["a1", "b2"]
    assert cs.run(join.partial(how="a").map(x=[1, 2], how="product")) == ["a1", "a2"]
    with pytest.raises(TaskCallError, match="fixed value already"):
        join.partial(how="a").map(how=["b"], x=[1])


def test_axes_may_be_lazy_hold_lazy_items_or_be_maps() -> None:
    inner = (
        divided.map(a=[2.0, 4.0], b=[2.0]) if False else divided.partial(b=2.0).map(a=[2.0, 4.0])
    )
    mapped = score.map(a=inner, b=up_to(2), c=[7, up_to(1)], how="product")
    grid = cs.run(cs.grid(mapped))
    assert grid.axes == {"a": [1.0, 2.0], "b": [0, 1], "c": [7, [0]]}
    assert grid.at(a=2.0, b=1, c=[0]) == (2.0, 1, [0])
    doubled = score.partial(b=0).map(a=mapped)
    assert len(cs.run(doubled)) == 8
    assert cs.run(score.map(a=up_to(0), b=[1, 2], how="product")) == []
    assert cs.run(cs.grid(score.map(a=[], b=[1], how="product"))).shape == (0, 1)


def test_a_set_that_comes_later_is_no_axis() -> None:
    some = cs.task(lambda: {1, 2}, name="some")
    with pytest.raises(TaskFailedError, match="the set a has no order to be an axis; sort it"):
        cs.run(score.map(a=some(), b=[1], how="product"))


def test_an_item_is_called_by_its_place_on_the_axes() -> None:
    mapped = divided.map(a=[1.5, 2.0], b=[1.0, 0.0], how="product").named("quotients")
    run = cs.start(mapped, on_error="continue")
    with pytest.raises(RunFailures) as told:
        run.result()
    failed = {re.findall(r"\[.*?\]", str(error))[0] for error in told.value.exceptions}
    assert failed == {"[a=1.5, b=0.0]", "[a=2.0, b=0.0]"}
    for name in ("quotients[1, 0]", "quotients[2]", "quotients[a=2.0, b=1.0]"):
        assert run.why(name)[0] == f"{name} is done"
    assert "failed: ZeroDivisionError" in run.why("quotients[0, 1]")[0]
    for name in ("quotients[0, 2]", "quotients[4]", "quotients[a=7.0, b=1.0]", "quotients[0,0,0]"):
        with pytest.raises(UsageError, match="quotients has 4, from 0"):
            run.why(name)
    missing = [one for one in run.partial() if isinstance(one, cs.Missing)]
    assert "a=1.5, b=0.0" in str(missing[0])


def test_labels_that_are_no_numbers_or_texts_are_told_by_position() -> None:
    @cs.task
    def fails(a: Any, b: Any) -> Any:
        raise ValueError("no")

    class Evil:
        def __repr__(self) -> str:
            raise AssertionError("nobody's repr is asked for under the lock")

    with pytest.raises(TaskFailedError, match=r"\[a\[0\], b=1\] failed"):
        cs.run(fails.map(a=[Evil()], b=[1], how="product"))


def test_an_item_is_reused_whatever_product_it_is_of(tmp_path: Any) -> None:
    engine = cs.Engine(state_backend=f"sqlite:///{tmp_path / 'r.db'}")
    spy = SpySubscriber(engine.bus)
    maps = [
        score.map(a=[1, 2], b=[3, 4]),
        score.map(a=[1, 2], b=[3, 4], how="product"),
        score.map(a=[1, 2], b=[3, 4, 5], how="product"),
        score.map(b=[3, 4, 5], a=[1, 2], how="product"),
    ]
    counts = []
    for mapped in maps:
        engine.start(mapped).result()
        counts.append(len(started(spy, "score")))
    engine.close()
    assert counts == [2, 4, 6, 6]


def test_the_order_of_the_axes_and_how_are_in_the_key(fresh_default_engine: None) -> None:
    ways = [
        score.map(a=[1, 2], b=[1, 2]),
        score.map(a=[1, 2], b=[1, 2], how="product"),
        score.map(b=[1, 2], a=[1, 2], how="product"),
    ]
    first = [cs.run(way) for way in ways]
    assert len({str(value) for value in first}) == 3
    assert [cs.run(way) for way in reversed(ways)] == first[::-1]


def test_it_is_written_as_json_and_as_a_pickle() -> None:
    mapped = score.map(a=[1, 2], b=[3, 4], how="product")
    expected = cs.run(mapped)
    graph = cs.build_graph(cs.grid(mapped))
    assert cs.run(from_json(to_json(graph))).values == expected
    assert cs.run(unpack_graph(pack_graph(graph))).values == expected
    assert cs.run(pickle.loads(pickle.dumps(mapped))) == expected


def test_plan_and_picture_tell_how_many_there_will_be() -> None:
    mapped = score.map(a=[1, 2], b=[3, 4, 5], how="product")
    assert "how='product'" in str(cs.plan(score(mapped, 0)))
    svg = cs.visualize(mapped).svg
    assert "6" in svg
    assert "for each a" in svg


def test_a_grid_is_kept_where_results_last(tmp_path: Any) -> None:
    with_engine = cs.Engine(state_backend=f"sqlite:///{tmp_path / 'r.db'}")
    mapped = score.map(a=[1, 2], b=[3], how="product")
    first = with_engine.start(cs.grid(mapped).named("g")).result()
    with_engine.close()
    again = cs.Engine(state_backend=f"sqlite:///{tmp_path / 'r.db'}")
    spy = SpySubscriber(again.bus)
    assert again.start(cs.grid(mapped).named("g")).result() == first
    assert started(spy) == []
    again.close()
