"""Bounds of parameters hold, and what a form shows of a value is read as that value again."""

from __future__ import annotations

import datetime as dt
import enum
import pathlib
from typing import Annotated, Any, Literal

import annotated_types as at
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

import cascade_nb as cs
from cascade_nb.errors import ParamError
from cascade_nb.model.params.field import field_of, text_of
from cascade_nb.view.visual import Visual


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False)),
    (bool, st.booleans()),
    (str, st.text(min_size=1)),
    (dt.date, st.dates()),
    (dt.datetime, st.datetimes(timezones=st.none() | st.just(dt.timezone.utc))),
    (dt.timedelta, st.integers(0, 10**7).map(lambda n: dt.timedelta(seconds=n))),
    (Colour, st.sampled_from(Colour)),
    (Literal["fast", 3, "3x"], st.sampled_from(["fast", 3, "3x"])),
    (int | None, st.none() | st.integers()),
    (pathlib.Path, st.sampled_from(["a", "a/b c.csv", "/x"]).map(pathlib.Path)),
    (list[int], st.lists(st.integers())),
    (dict[str, float], st.dictionaries(st.text(), st.floats(allow_nan=False, width=16))),
    (tuple[int, str], st.tuples(st.integers(), st.text())),
    (set[int], st.sets(st.integers())),
    (list[dt.date], st.lists(st.dates())),
    (range(-5, 50, 5), st.sampled_from(range(-5, 50, 5))),
]


@given(st.data(), st.sampled_from(TYPES))
def test_a_value_as_a_form_shows_it_is_read_as_that_value(data: st.DataObject, kind: Any) -> None:
    annotation, values = kind
    value = data.draw(values)
    param = cs.Param("p", type=annotation)
    again = param.checked(text_of(value))
    assert again == value
    assert type(again) is type(value)


@given(st.integers(-50, 50), st.integers(-50, 50), st.sampled_from([-7, -3, -1, 1, 2, 5]))
def test_of_a_range_each_number_is_taken_and_no_other(start: int, stop: int, step: int) -> None:
    numbers = range(start, stop, step)
    if not numbers:
        with pytest.raises(ParamError, match="no number is in range"):
            cs.Param("p", type=numbers)
        return
    param = cs.Param("p", type=numbers)
    for number in range(-60, 61):
        if number in numbers:
            assert param.checked(str(number)) == number
        else:
            with pytest.raises(ParamError, match="takes int from "):
                param.checked(number)


@pytest.mark.parametrize(
    ("annotation", "taken", "refused"),
    [
        (Annotated[float, at.Interval(ge=0, le=1)], [0, 1, "0.5"], [-0.1, "1.01", float("nan")]),
        (Annotated[int, at.Gt(0)], [1, "7"], [0, -3]),
        (Annotated[int, at.Ge(1), at.Lt(4)], [1, 3], [0, 4]),
        (Annotated[int, Field(gt=1, le=3)], [2, 3], [1, 4]),
        (Annotated[int, range(0, 9, 3)], [0, 6], [1, 9]),
        (Annotated[dt.date, at.Ge(dt.date(2026, 1, 1))], ["2026-03-01"], ["2025-12-31"]),
        (Annotated[int, "a remark", object()], [-1], []),
    ],
)
def test_bounds_behind_a_type_hold(annotation: Any, taken: list[Any], refused: list[Any]) -> None:
    param = cs.Param("p", type=annotation)
    for value in taken:
        param.checked(value)
    for value in refused:
        with pytest.raises(ParamError, match="parameter 'p' takes"):
            param.checked(value)


def test_bounds_between_which_nothing_lies_and_a_default_outside_are_refused_at_once() -> None:
    with pytest.raises(ParamError, match="no value is from 3 to 1"):
        cs.Param("p", type=Annotated[int, at.Ge(3), at.Le(1)])
    with pytest.raises(ParamError, match="takes int from 1 to 9, and 10"):
        cs.Param("p", default=10, type=range(1, 10))


@pytest.mark.parametrize(
    ("annotation", "kind", "more"),
    [
        (bool, "bool", {}),
        (Literal["a", 2], "choice", {"choices": ["a", "2"]}),
        (Colour, "choice", {"choices": ["RED", "BLUE"]}),
        (Literal["a"] | None, "choice", {"choices": ["a", "None"]}),
        (range(1, 11), "slider", {"low": 1, "high": 10, "step": 1}),
        (Annotated[float, at.Interval(ge=0, le=1)], "slider", {"low": 0, "high": 1}),
        (range(10**6), "number", {"low": 0, "high": 10**6 - 1}),
        (Annotated[int, at.Gt(0)], "number", {"step": 1}),
        (int, "number", {"step": 1}),
        (dt.date, "date", {}),
        (dt.datetime, "time", {}),
        (list[int], "text", {}),
        (None, "text", {}),
    ],
)
def test_each_type_has_the_control_that_fits(
    annotation: Any, kind: str, more: dict[str, Any]
) -> None:
    field = field_of("p", cs.Param("p", type=annotation).kind)
    assert field["name"] == "p"
    assert field["kind"] == kind
    assert {key: field[key] for key in more} == more


@pytest.mark.parametrize("annotation", [int | None, Literal["a", "b"], range(3), list[int]])
def test_a_picture_names_any_type(annotation: Any) -> None:
    task = cs.task(lambda x: x, name="reads")
    graph = cs.plan(task(cs.Param("p", type=annotation))).graph
    assert "p" in Visual(graph).text
