"""The examples in help texts run as they stand there."""

from __future__ import annotations

import doctest
from collections.abc import Iterator

import pytest

import cascade_nb as cs
from cascade_nb.shortcuts import default_engine


@cs.task(name="fetch")
def fetch(n: int = 3) -> list[int]:
    return list(range(n))


@cs.task(name="help_total")
def total(xs: list[int]) -> int:
    return sum(xs)


SHOWN = [
    cs.run,
    cs.start,
    cs.plan,
    cs.use_state,
    cs.pause,
    cs.resume,
    cs.limit,
    cs.rate,
    cs.status,
]


@pytest.fixture(autouse=True)
def nothing_given() -> Iterator[None]:
    default_engine().given.clear()
    yield
    default_engine().given.clear()


@pytest.mark.parametrize("shown", SHOWN, ids=lambda one: one.__name__)
def test_an_example_runs(shown: object) -> None:
    text = shown.__doc__
    assert text is not None
    report = total(fetch(cs.Param("size", default=3, type=int))).named("report")
    names = {"cs": cs, "report": report}
    example = doctest.DocTestParser().get_doctest(text, names, "example", None, 0)
    assert example.examples, "there is none"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)
