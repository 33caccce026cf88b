"""A task mapped over collections, side by side."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import MapError, TaskCallError


@cs.task
def rows() -> list[int]:
    return [1, 2, 3]


@cs.task
def scale(x: float, by: float = 1.0, *, plus: float = 0.0) -> float:
    return x * by + plus


def test_a_map_is_a_lazy_value_that_knows_its_collections() -> None:
    mapped = scale.map(x=[1, 2], by=(3, 4))
    assert isinstance(mapped, cs.MappedLazyResult)
    assert mapped.collections == {"x": [1, 2], "by": [3, 4]}
    assert mapped.label == "map(scale)"
    assert mapped.inputs == ()


def test_a_collection_may_be_lazy_or_hold_lazy_items() -> None:
    source, item = rows(), rows()
    assert scale.map(x=source).inputs == (source,)
    assert scale.map(x=[1, item]).inputs == (item,)
    assert scale.map(x=source, by=source).inputs == (source,)


@pytest.mark.parametrize(
    "items",
    [[1, 2], (1, 2), {1, 2}, range(1, 3), iter([1, 2]), {1: 0, 2: 0}.keys(), (i for i in (1, 2))],
    ids=["list", "tuple", "set", "range", "iterator", "keys", "generator"],
)
def test_whatever_has_items_is_a_collection(items: Any) -> None:
    assert scale.map(x=items).collections["x"] == [1, 2]


def test_a_collection_changed_afterwards_does_not_change_the_map() -> None:
    items = [1, 2]
    mapped = scale.map(x=items)
    items.append(3)
    assert mapped.collections["x"] == [1, 2]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (3, "int has none"),
        (None, "NoneType has none"),
        ("abc", "is text"),
        (b"ab", "is text"),
        ({"a": 1}, "mapping"),
    ],
    ids=["int", "None", "text", "bytes", "mapping"],
)
def test_what_has_no_items_is_refused_in_a_sentence_that_names_the_fix(
    items: Any, words: str
) -> None:
    with pytest.raises(MapError, match=rf"scale\.map\(x=…\).*{words}"):
        scale.map(x=items)


def test_unequal_lengths_are_refused_with_the_lengths() -> None:
    with pytest.raises(MapError, match=r"equally long: x has 2, by has 3"):
        scale.map(x=[1, 2], by=[1, 2, 3])


def test_a_map_without_a_name_or_without_collections_is_refused() -> None:
    with pytest.raises(MapError, match=r"scale\.map\(x=…\)"):
        scale.map([1, 2])
    with pytest.raises(MapError, match=r"at least one collection"):
        scale.map()


def test_the_function_must_take_what_is_mapped() -> None:
    with pytest.raises(TaskCallError, match=r"there is no parameter 'z'"):
        scale.map(x=[1], z=[1])
    with pytest.raises(TaskCallError, match=r"missing a required argument: 'x'"):
        scale.map(by=[1])


def test_a_partial_gives_what_is_the_same_for_every_item() -> None:
    base = rows()
    mapped = scale.partial(by=2, plus=base).map(x=[1, 2])
    assert mapped.fixed == {"by": 2, "plus": base}
    assert mapped.inputs == (base,)
    with pytest.raises(TaskCallError, match=r"'by' is given as fixed value already"):
        scale.partial(by=2).map(x=[1], by=[1])


def test_an_empty_collection_is_a_collection() -> None:
    assert scale.map(x=[]).collections == {"x": []}


@pytest.mark.parametrize(
    "endless", [itertools.count(), itertools.repeat(1), range(10**12), range(10**30)], ids=repr
)
def test_a_collection_that_never_ends_or_fits_in_no_memory_is_refused(endless: Any) -> None:
    @cs.task
    def give(x: int) -> int:
        return x

    with pytest.raises(MapError, match="at most 10,000,000 items, and this"):
        give.map(x=endless)
