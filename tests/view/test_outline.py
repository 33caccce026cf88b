"""Pictures in words."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.view.picture.outline import outline, outline_of
from cascade_nb.view.picture.picture import picture_of
from cascade_nb.view.picture.states import Marks
from tests.view.graphs import chain, every_kind, layered, made, of_names, pipeline, siblings


def text(words: str) -> str:
    return textwrap.dedent(words).strip().replace("*", "\u00d7")


def test_chains_stand_in_one_line_and_what_joins_them_begins_another() -> None:
    assert outline(pipeline()) == text("""
        report: 7 nodes
        raw → tidy
        seed
        tidy, seed → parts → candidates *12 → best → report ◎
    """)


def test_order_and_condition_are_said() -> None:
    lines = outline(every_kind()).splitlines()
    assert "load, threshold, if is_fresh → clean" in lines
    assert "models, clean, after warm_up → train" in lines


def test_states_and_progress_are_said_in_signs() -> None:
    marks = Marks({"raw": "done", "tidy": "failed"}, {"candidates": (5, 12)})
    assert "raw ✓ → tidy ✕" in outline_of(picture_of(pipeline()), marks)
    assert "5/12" in outline_of(picture_of(pipeline()), marks)


def test_one_node_alone_is_one_line() -> None:
    assert outline(chain(1)) == "step: 1 node\nstep ◎"


def test_a_long_chain_goes_on_in_further_lines() -> None:
    lines = outline(chain(100)).splitlines()
    assert sum(line.count("step") for line in lines[1:]) == 100
    assert all(line.startswith("    → ") for line in lines[2:])


def test_many_sources_are_counted() -> None:
    graph = build_graph(made("gather")([made(f"part{i}")() for i in range(9)]))
    assert "part0, part1, part2, part3 and 5 more → gather ◎" in outline(graph)


@pytest.mark.parametrize(
    "graph", [layered(3000, 350), siblings(12), chain(400), of_names(["x" * 10**5] * 300)]
)
def test_an_outline_is_bounded(graph: Graph) -> None:
    lines = outline(graph).splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 200


def test_what_is_left_out_is_counted() -> None:
    lines = outline(layered(3000, 90)).splitlines()
    assert any(line.endswith("lines more …") for line in lines)
    assert any(line.endswith("gather ◎") for line in lines)


@given(st.integers(2, 35), st.integers(1, 6), st.integers(2, 9))
def test_every_box_is_told_once_whatever_goes_round(count: int, kinds: int, reach: int) -> None:
    # Tasks that are drawn as one may follow each other in a ring, where no chain has a beginning.
    picture = picture_of(layered(count, kinds, reach))
    told = outline_of(picture).replace(" ◎", "").splitlines()[1:]
    steps = [step for line in told for step in line.strip().removeprefix("→ ").split(" → ")]
    for box in picture.boxes:
        assert box.title in steps


def test_a_ring_of_tasks_is_told_too() -> None:
    a, b = made("a"), made("b")
    value = a()
    for i in range(900):
        value = (a, b)[i % 2](value)
    words = outline(build_graph(value))
    assert "a \u00d7" in words
    assert "b \u00d7" in words
