"""What can be called can be a task, or is refused in a sentence that says what to do."""

from __future__ import annotations

import functools
import operator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import (
    MapError,
    PolicyError,
    RouteError,
    TaskDefinitionError,
)
from cascade_nb.graph.fingerprint import fingerprints


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
