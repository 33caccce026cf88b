"""What can be called can be a task, or is refused in a sentence that says what to do."""

from __future__ import annotations

import functools
import math
import operator
import re
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.errors import (
    MapError,
    PolicyError,
    RouteError,
    TaskCallError,
    TaskDefinitionError,
)
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.serialization.graph_pickle import pack_graph, unpack_graph


def pair(a: int, b: int = 1) -> tuple[int, int]:
    return a, b


class Scale:
    """An object that can be called, with an attribute that is called like a method of tasks."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.map = "of the object"

    def __call__(self, x: int) -> int:
        return x * self.factor

    def plus(self, x: int) -> int:
        return x + self.factor


class Later:
    async def __call__(self, x: int) -> int:
        return x


class Numbers:
    def __call__(self) -> Any:
        yield 1


@pytest.mark.parametrize(
    ("fn", "args", "name", "value"),
    [
        (max, (1, 3), "max", 3),
        (len, ("abc",), "len", 3),
        (functools.partial(pair, 2), (3,), "pair", (2, 3)),
        (functools.partial(functools.partial(pair, b=5), 1), (), "pair", (1, 5)),
        (operator.itemgetter(1), ([4, 5],), "itemgetter", 5),
        (operator.methodcaller("upper"), ("a",), "methodcaller", "A"),
        (Scale(3), (4,), "Scale", 12),
        (Scale(3).plus, (4,), "plus", 7),
        (Later(), (2,), "Later", 2),
        (functools.partial(Later(), 3), (), "Later", 3),
        ("a b".split, (), "split", ["a", "b"]),
        (functools.lru_cache(pair), (7,), "pair", (7, 1)),
    ],
)
def test_what_can_be_called_can_be_a_task(
    fn: Any, args: tuple[Any, ...], name: str, value: Any
) -> None:
    made = cs.task(fn)
    assert made.name == name
    assert cs.run(made(*args)) == value


def test_attributes_of_an_object_do_not_hide_what_a_task_can_do() -> None:
    assert cs.run(cs.task(Scale(2)).map(x=[1, 2])) == [2, 4]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (max, min),
        (operator.itemgetter(0), operator.itemgetter(1)),
        (functools.partial(pair, 1), functools.partial(pair, 2)),
        (functools.partial(pair, b=2), functools.partial(pair, b=1)),
        (Scale(1), Scale(2)),
        (Scale(1).plus, Scale(2).plus),
        (Scale(1).plus, Scale(1)),
        ("a".join, "b".join),
        ([1, 2].index, [2, 1].index),
        (operator.methodcaller("upper"), operator.methodcaller("lower")),
    ],
)
def test_what_gives_other_results_has_another_key(one: Any, other: Any) -> None:
    keys = [fingerprints(cs.build_graph(cs.task(fn)(1)))[0] for fn in (one, other)]
    assert None not in keys
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (int, r"int is a class.*def make_int\(…\): return int\(…\)"),
        (Scale, r"Scale is a class.*def make_scale"),
        (3, r"3 is none"),
        (cs.task(pair), r"is a task already"),
        (cs.task(pair).partial(a=1), r"is a task already"),
        (cs.task(pair)(1), r"<lazy pair> is none"),
        (Numbers(), r"Numbers is a generator"),
        (functools.partial(Numbers()), r"Numbers is a generator"),
    ],
)
def test_what_cannot_be_a_task_is_refused_in_a_sentence(fn: Any, words: str) -> None:
    with pytest.raises(TaskDefinitionError, match=words) as caught:
        cs.task(fn)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("retries", r"did you mean `retry=`\?"),
        ("time_out", r"did you mean `timeout=`\?"),
        ("tag", r"did you mean `tags=`\?"),
        ("zzz", r"there is name, executor, tags, retry"),
    ],
)
def test_an_option_that_is_none_is_answered_with_the_nearest(option: str, words: str) -> None:
    with pytest.raises(TaskDefinitionError, match=words):
        cs.task(**{option: 3})  # type: ignore[call-overload]


@pytest.mark.parametrize("error", [MapError, PolicyError, RouteError])
def test_errors_about_values_are_value_errors(error: type[Exception]) -> None:
    assert issubclass(error, ValueError)


def by_place(a: int, b: int = 5, /, *, c: int = 0) -> tuple[int, int, int]:
    return a, b, c


async def by_place_later(a: int, /) -> int:
    return a + 1


def keeps(self: int, args: int) -> int:
    return self - args


@pytest.mark.parametrize(
    ("fn", "collections", "value"),
    [
        (len, {"obj": [[1, 2], []]}, [2, 0]),
        (sum, {"iterable": [[1, 2], [3]], "start": [10, 20]}, [13, 23]),
        (sorted, {"iterable": [[2, 1]], "reverse": [True]}, [[2, 1]]),
        (math.sqrt, {"x": [4, 9]}, [2.0, 3.0]),
        (operator.add, {"a": [1, 2], "b": [3, 4]}, [4, 6]),
        (str.upper, {"self": ["a", "b"]}, ["A", "B"]),
        ("-".join, {"iterable": [["a", "b"]]}, ["a-b"]),
        (np.ndim, {"a": [[4.0]]}, [1]),
        (functools.partial(pair, 7), {"b": [1, 2]}, [(7, 1), (7, 2)]),
        (functools.lru_cache(pair), {"a": [1]}, [(1, 1)]),
        (Scale(3), {"x": [1, 2]}, [3, 6]),
        (Scale(3).plus, {"x": [1, 2]}, [4, 5]),
        (re.compile("a").sub, {"repl": ["b"], "string": ["aa"]}, ["bb"]),
        (by_place, {"a": [1, 2], "c": [3, 4]}, [(1, 5, 3), (2, 5, 4)]),
        (by_place, {"b": [1], "a": [2]}, [(2, 1, 0)]),
        (by_place_later, {"a": [1, 2]}, [2, 3]),
        (keeps, {"self": [3], "args": [1]}, [2]),
    ],
)
def test_what_can_be_called_can_be_mapped(fn: Any, collections: Any, value: Any) -> None:
    mapped = cs.task(fn).map(**collections)
    assert cs.run(mapped) == value
    assert cs.run(unpack_graph(pack_graph(cs.build_graph(mapped)))) == value
    later = {name: given_later(one) for name, one in collections.items()}
    assert cs.run(cs.task(fn).map(**later)) == value


@cs.task
def given_later(value: Any) -> Any:
    return value


def test_an_item_that_is_given_by_place_has_the_key_of_the_plain_call() -> None:
    body = cs.task(by_place)
    graph = cs.build_graph(body.map(a=[1, 2], c=[3, 4]))
    items = fingerprints(graph).of_items(0, [{"a": 1, "c": 3}, {"a": 2, "c": 4}])
    calls = [fingerprints(cs.build_graph(body(a, c=c)))[0] for a, c in ((1, 3), (2, 4))]
    assert list(map(str, items)) == list(map(str, calls))


@pytest.mark.parametrize(
    "fn",
    [max, functools.partial(max, 5), getattr, functools.partial(getattr, "text")],
)
def test_what_does_not_name_its_parameters_is_called_and_not_mapped(fn: Any) -> None:
    made = cs.task(fn)
    for wrong in (functools.partial(made.map, x=[1]), functools.partial(made.map, [1])):
        with pytest.raises(
            MapError, match=r"does not say what its parameters are called.*_of\(x\)"
        ):
            wrong()


@pytest.mark.parametrize(
    ("fn", "collections", "words"),
    [
        (by_place, {"b": [1]}, r"missing a required.*'a'|'b' parameter is positional only"),
        (len, {"x": [[1]]}, r"no parameter 'x'; there is 'obj'"),
        (repr, {"x": [1]}, r"no parameter 'x'"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_at_the_call(
    fn: Any, collections: Any, words: str
) -> None:
    with pytest.raises(TaskCallError, match=words):
        cs.task(fn).map(**collections)
