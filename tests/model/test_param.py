"""Parameters are checked when they are given, and coerced where nothing is lost."""

from __future__ import annotations

import decimal
import pathlib
import uuid
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import LazyValueError, ParamError, UsageError
from cascade_nb.model.param import check_given


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
    value = cs.Param("p", type=kind).settled({"p": given})
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
        cs.Param("p", type=kind).settled({"p": given})


def test_a_default_is_used_checked_and_coerced_at_once() -> None:
    assert cs.Param("p", default=3).settled({}) == 3
    assert cs.Param("p", default=None).settled({}) is None
    assert cs.Param("p", default="3", type=int).settled({}) == 3
    with pytest.raises(ParamError, match=r"takes int"):
        cs.Param("p", default="three", type=int)


def test_a_given_value_goes_before_the_default() -> None:
    assert cs.Param("p", default=3).settled({"p": 4}) == 4


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(ParamError, match=r"parameter 'p' has no default.*params={'p': …}"):
        cs.Param("p").settled({})


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
