"""A value in a few characters: quick, bounded, and without the user's own code."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cascade_nb.graph.values.short_repr import short_repr, value_snapshot


@dataclasses.dataclass
class Config:
    k: int = 1
    names: tuple[str, ...] = ("a",)


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("nobody is to ask for this")


class Trap:
    @property
    def shape(self) -> Any:
        raise ValueError("no")


SHOWN = [
    (1, "1"),
    ("a", "'a'"),
    ([1, [2, (3,)]], "[1, [2, (3,)]]"),
    ({"b": 1, "a": {2}}, "{'b': 1, 'a': {2}}"),
    ({2, 1}, "{1, 2}"),
    (b"abc", "b'abc'"),
    (bytearray(b"abc"), "bytearray(b'abc')"),
    (frozenset("a"), "frozenset({'a'})"),
    (set(), "set()"),
    ({}, "{}"),
    (Config(), "Config(k=1, names=('a',))"),
    (np.zeros((2, 3)), "<2 by 3 ndarray of float64>"),
    (np.float64(2.5), "2.5"),
    (pd.DataFrame({"a": [1, 2]}), "<2 by 1 DataFrame>"),
    (len, "len"),
    (Config, "Config"),
    (pathlib.PurePosixPath("a/b"), "PurePosixPath('a/b')"),
    (Loud(), "<Loud>"),
    ([Loud()], "[<Loud>]"),
    (object(), "<object>"),
    (functools, "functools"),
    (range(3), "range(0, 3)"),
    (Trap(), "<Trap>"),
    (ValueError("no", Trap()), "ValueError('no', <Trap>)"),
    (type("dict", (), {"__module__": "of_the_user"})(), "<dict>"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[shown for _, shown in SHOWN])
def test_a_value_is_shown_as_python_would_write_it(value: Any, shown: str) -> None:
    assert short_repr(value) == shown


@pytest.mark.parametrize(
    "make",
    [
        lambda: list(range(10**6)),
        lambda: set(range(10**6)),
        lambda: dict.fromkeys(range(10**6)),
        lambda: "x" * 10**7,
        lambda: b"\0" * 10**8,
        lambda: [[["y" * 10**6] * 100] * 100] * 100,
    ],
    ids=["list", "set", "dict", "text", "bytes", "nested"],
)
def test_a_large_value_takes_no_time_and_little_room(make: Any) -> None:
    value = make()

    def took() -> float:
        begin = time.thread_time()
        assert len(short_repr(value)) <= 300
        return time.thread_time() - begin

    assert min(took() for _ in range(3)) < 0.02  # or the collector came in between


def test_what_holds_itself_ends() -> None:
    inner: list[Any] = []
    inner.append(inner)
    assert short_repr(inner).startswith("[[[[")


def test_only_what_can_be_changed_in_place_is_known_again() -> None:
    things: Any = [1]
    assert value_snapshot(things).object == value_snapshot(things).object != 0
    assert (
        value_snapshot(1).object == value_snapshot("a").object == value_snapshot((1,)).object == 0
    )
