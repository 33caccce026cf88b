"""Which objects stand more than once in a value: a task can tell, so keys do."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import cascade_nb as cs
from cascade_nb.graph.code.code_key import reference
from cascade_nb.graph.fingerprint.content import content_key
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.graph.values.repeats import repeats


def key(value: Any) -> bytes:
    found = content_key(value)
    assert isinstance(found, bytes), found
    return found


class Particle:
    def __init__(self, place: Any = 0) -> None:
        self.place = place


class Slotted:
    __slots__ = ("place",)

    def __init__(self, place: Any = 0) -> None:
        self.place = place


@dataclasses.dataclass(frozen=True)
class Board:
    rows: Any


def in_array(first: Any, second: Any) -> Any:
    array = np.empty(2, dtype=object)
    array[0], array[1] = first, second
    return array


MAKERS = [
    list,
    dict,
    set,
    bytearray,
    Particle,
    Slotted,
    LinearRegression,
    lambda: np.zeros(2),
    lambda: pd.DataFrame({"a": [1]}),
    lambda: np.array([[]], dtype=object),
    lambda: {"deep": ([1],)},
    lambda: Board([1]),
]


@pytest.mark.parametrize("make", MAKERS)
def test_one_object_at_two_places_is_not_two_equal_ones(make: Any) -> None:
    one, first, second = make(), make(), make()
    wholes: list[Any] = [
        lambda a, b: [a, b],
        lambda a, b: (a, (b,)),
        lambda a, b: {"a": a, "b": [b]},
        lambda a, b: Particle([a, b]),
        lambda a, b: Board(rows=[a, b]),
        lambda a, b: [Slotted(a), Slotted(b)],
        in_array,
    ]
    for whole in wholes:
        assert key(whole(one, one)) != key(whole(first, second))
        assert key(whole(first, second)) == key(whole(make(), make()))
        assert key(whole(one, one)) == key(whole(first, first))


@pytest.mark.parametrize("make", [lambda: (1, 2), lambda: "a" * 3, lambda: Board((1,)), int])
def test_what_cannot_be_changed_counts_by_content_however_often_it_stands(make: Any) -> None:
    one = make()
    assert key([one, one]) == key([make(), make()])


def test_where_it_stands_again_counts() -> None:
    a: list[Any] = []
    one = key([a, a, []])
    assert len({one, key([a, [], a]), key([[], a, a]), key([a, a, a]), key([[], [], []])}) == 5
    row: tuple[Any, ...] = ([],)
    assert len({key([row, row]), key([([],), ([],)])}) == 2


nested = st.recursive(
    st.integers(0, 2) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.builds(Particle, inner)
        | st.lists(inner, min_size=1, max_size=1).map(lambda one: [one[0], one[0]])
    ),
    max_leaves=12,
)


@given(nested)
def test_a_copy_that_is_alike_in_all_of_it_has_the_same_key(value: Any) -> None:
    assert key(copy.deepcopy(value)) == key(value)
    assert key(pickle.loads(pickle.dumps(value))) == key(value)


@given(nested, nested)
def test_a_key_is_the_same_whatever_its_maker_has_seen_before(first: Any, second: Any) -> None:
    encoder = Encoder(reference, lambda _: b"<")
    for one in (first, [second], second):
        encoder.encode(one)
    assert encoder.encode([first, second, first]) == key([first, second, first])


def test_what_keeps_a_registry_is_not_gone_through() -> None:
    logger = logging.getLogger("test_repeats")
    before = key(logger)
    logging.getLogger("test_repeats.another")
    assert key(logger) == before


def test_a_large_flat_list_costs_little() -> None:
    numbers = list(range(1_000_000))
    began = time.thread_time()
    assert repeats([numbers, numbers]) != b""
    assert time.thread_time() - began < 1


def test_a_grid_whose_rows_were_one_runs_again_when_they_are_three() -> None:
    @cs.task
    def mark(grid: Any) -> Any:
        grid[0][0] = 1
        return grid

    assert cs.run(mark([[0]] * 2).named("one")) == [[1], [1]]
    assert cs.run(mark([[0] for _ in range(2)]).named("two")) == [[1], [0]]


def test_one_object_for_two_arguments_is_not_two_equal_ones() -> None:
    @cs.task
    def move(a: Any, b: Any, *more: Any, c: Any = None) -> Any:
        a.append(1)
        return b, more, c

    one: list[Any] = []
    assert cs.run(move(one, one).named("one")) == ([1], (), None)
    assert cs.run(move([], []).named("two")) == ([], (), None)
    assert cs.run(move(one, [], c=one).named("three")) == ([], (), [1])
    assert cs.run(move([], [], c=[]).named("four")) == ([], (), [])
    assert cs.run(move([], [], []).named("five")) == ([], ([],), None)
    assert cs.run(move(one, [], one).named("six")) == ([], ([1],), None)
