"""Parameters are checked when they are given, and coerced where nothing is lost."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import pathlib
import pickle
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar

import pytest

import cascade_nb as cs
from cascade_nb.errors import LazyValueError, ParamError, UsageError
from cascade_nb.model.params.param import check_given


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (float, "1e-3", 0.001),
        (bool, "yes", True),
        (bool, "off", False),
        (bool, 1, True),
        (bool, True, True),
        (str, "x", "x"),
        (list, (1, 2), [1, 2]),
        (tuple, [1, 2], (1, 2)),
        (set, [1, 1], {1}),
        (complex, 2, 2 + 0j),
        (pathlib.Path, "a/b", pathlib.Path("a/b")),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (uuid.UUID, "00000000-0000-0000-0000-000000000001", uuid.UUID(int=1)),
    ],
)
def test_a_value_is_coerced_where_nothing_is_lost(kind: type, given: Any, taken: Any) -> None:
    value = cs.Param("p", type=kind).value_in({"p": given})
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, 2.5),
        (int, "2.5"),
        (int, True),
        (int, None),
        (int, [1]),
        (float, "fast"),
        (float, False),
        (bool, "maybe"),
        (bool, 2),
        (bool, 0.0),
        (str, 3),
        (list, "ab"),
        (dict, [1]),
        (pathlib.Path, 3),
    ],
)
def test_a_value_that_would_lose_something_is_refused(kind: type, given: Any) -> None:
    with pytest.raises(ParamError, match=rf"parameter 'p' takes {kind.__name__}, and .* is none"):
        cs.Param("p", type=kind).value_in({"p": given})


def test_a_default_is_used_checked_and_coerced_at_once() -> None:
    assert cs.Param("p", default=3).value_in({}) == 3
    assert cs.Param("p", default=None).value_in({}) is None
    assert cs.Param("p", default="3", type=int).value_in({}) == 3
    with pytest.raises(ParamError, match=r"takes int"):
        cs.Param("p", default="three", type=int)


def test_a_given_value_goes_before_the_default() -> None:
    assert cs.Param("p", default=3).value_in({"p": 4}) == 4


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(ParamError, match=r"parameter 'p' has no default.*params={'p': …}"):
        cs.Param("p").value_in({})


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    known = {"rate": cs.Param("rate")}
    check_given({"rate": 1}, known)
    with pytest.raises(ParamError, match=r"reads a parameter 'rte'; did you mean 'rate'"):
        check_given({"rte": 1}, known)


@pytest.mark.parametrize("name", ["", "a/b", 3, None])
def test_a_parameter_has_a_possible_name(name: Any) -> None:
    with pytest.raises(UsageError):
        cs.Param(name)


def test_a_parameter_takes_no_options() -> None:
    with pytest.raises(LazyValueError, match=r"takes no options"):
        cs.Param("p").named("q")


def test_a_parameter_is_described() -> None:
    described = cs.Param("p", 1, int, "how many")
    assert (described.label, described.default, described.type) == ("p", 1, int)
    assert described.description == "how many"


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


Count = NewType("Count", int)


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (list[int], [1, "2", 3.0], [1, 2, 3]),
        (list[int], "[1, 2]", [1, 2]),
        (list[list[float]], [[1], (2,)], [[1.0], [2.0]]),
        (tuple[int, str], ["1", "a"], (1, "a")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (set[str], ["a", "a"], {"a"}),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict[str, list[Color]], {"a": ["RED", "b"]}, {"a": [Color.RED, Color.BLUE]}),
        (Sequence[int], (1, 2), (1, 2)),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (Literal["fast", "exact"], "fast", "fast"),
        (Literal[1, "1"], "1", "1"),
        (Literal[1, 2], "2", 2),
        (Color, "RED", Color.RED),
        (Color, "1", Color.RED),
        (Color, "b", Color.BLUE),
        (Color, 1, Color.RED),
        (int | None, None, None),
        (int | None, "3", 3),
        (int | None, "none", None),
        (Optional[float], 3, 3.0),  # noqa: UP045 - people write it so
        (str | int, "3", "3"),
        (int | str, "3", "3"),
        (list[int] | int, "3", 3),
        (dt.date, "2026-11-28", dt.date(2026, 11, 28)),
        (
            dt.datetime,
            "2026-11-28T10:00:00Z",
            dt.datetime(2026, 11, 28, 10, tzinfo=dt.timezone.utc),
        ),
        (dt.timedelta, "1h30m", dt.timedelta(minutes=90)),
        (Annotated[int, "rows"], "3", 3),
        (Count, "3", 3),
        (Any, "3", "3"),
    ],
)
def test_a_value_of_a_compound_type_is_coerced_all_the_way_down(
    kind: Any, given: Any, taken: Any
) -> None:
    value = cs.Param("p", type=kind).value_in({"p": given})
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (list[int], ["a"], "list[int]"),
        (list[int], [2.5], "list[int]"),
        (list[str], "ab", "list[str]"),
        (tuple[int, str], [1], "tuple[int, str]"),
        (dict[str, int], [("a", 1)], "dict[str, int]"),
        (dict[str, int], "{", "dict[str, int]"),
        (Literal["fast", "exact"], "quick", "one of 'fast', 'exact'"),
        (Literal[1], True, "one of 1"),
        (Color, "GREEN", "one of RED, BLUE"),
        (Color, True, "one of RED, BLUE"),
        (int | None, "x", "int | None"),
        (dt.date, "tomorrow", "date"),
        (dt.timedelta, "soon", "timedelta"),
        (int, float("inf"), "int"),
        (list[int], "[" * 100_000, "list[int]"),
        (decimal.Decimal, "x", "Decimal"),
    ],
)
def test_a_value_that_a_compound_type_does_not_take_is_refused(
    kind: Any, given: Any, words: str
) -> None:
    with pytest.raises(ParamError, match=rf"takes {re.escape(words)}, and .* is none"):
        cs.Param("p", type=kind).value_in({"p": given})


@pytest.mark.parametrize("kind", ["int", [int], list["int"], TypeVar("T"), Callable[[int], int], 3])
def test_a_type_that_nothing_can_be_checked_against_is_refused_at_once(kind: Any) -> None:
    with pytest.raises(ParamError, match=r"a parameter's type is a class"):
        cs.Param("p", type=kind)


def test_a_value_that_fits_stays_the_very_object() -> None:
    rows = [1, 2]
    assert cs.Param("p", type=list[int]).value_in({"p": rows}) is rows


def test_a_parameter_with_a_compound_type_can_be_pickled() -> None:
    param = pickle.loads(pickle.dumps(cs.Param("p", [1], list[int] | None, "sizes")))
    assert (param.default, param.type, param.description) == ([1], list[int] | None, "sizes")
    assert param.value_in({"p": ["2"]}) == [2]
