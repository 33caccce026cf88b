"""Results in the memory of the process, up to a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cascade_nb.errors import UsageError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state import MemoryState, sizes
from cascade_nb.state.sizes import size_in_memory


class Sized:
    """Says of itself how large it is, as arrays do."""

    def __init__(self, nbytes: Any) -> None:
        self.nbytes = nbytes


class Nobody:
    """A keeper that is never told anything."""

    def kept(self, entries: Sequence[Entry]) -> None:
        raise AssertionError("it was safe at once")

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        raise AssertionError("it was safe at once")


def put(state: MemoryState, key: str, value: Any) -> None:
    assert state.put(Entry(key, value, 1.0), Nobody())


async def test_what_was_unused_for_the_longest_goes_first() -> None:
    state = MemoryState(limit_bytes=300)
    for name in "abc":
        put(state, name, Sized(100))
    await state.values(["a"])
    put(state, "d", Sized(100))
    assert set(await state.known("abcd")) == {"a", "c", "d"}


async def test_one_larger_than_the_limit_is_not_kept_and_turns_nothing_else_out() -> None:
    state = MemoryState(limit_bytes=300)
    put(state, "small", Sized(100))
    put(state, "huge", Sized(1000))
    assert set(await state.known(["huge", "small"])) == {"small"}
    assert await state.values(["huge"]) == {}


async def test_replacing_a_value_does_not_count_it_twice() -> None:
    state = MemoryState(limit_bytes=300)
    for _ in range(10):
        put(state, "a", Sized(200))
    put(state, "b", Sized(100))
    assert set(await state.known(["a", "b"])) == {"a", "b"}


async def test_a_limit_of_zero_keeps_nothing() -> None:
    state = MemoryState(limit_bytes=0)
    put(state, "a", 1)
    assert await state.known(["a"]) == {}


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot be below zero"):
        MemoryState(-1)


async def test_it_keeps_the_very_object_without_a_copy() -> None:
    state = MemoryState()
    value = [1, 2]
    put(state, "a", value)
    assert (await state.values(["a"]))["a"] is value


async def test_closing_forgets_everything() -> None:
    state = MemoryState()
    put(state, "a", 1)
    await state.close()
    assert await state.known(["a"]) == {}


async def test_tables_are_measured_by_their_columns() -> None:
    state = MemoryState(limit_bytes=5_000)
    put(state, "small", pd.DataFrame({"x": range(10)}))
    put(state, "large", pd.DataFrame({"x": range(10_000)}))
    put(state, "series", pd.Series(range(100)))
    assert "large" not in await state.known(["small", "large", "series"])
    assert "series" in await state.known(["series"])


@pytest.mark.parametrize("value", [Sized("much"), Sized(None), Sized(-5), object(), lambda: 1])
async def test_whatever_says_nothing_sensible_of_its_size_is_kept(value: Any) -> None:
    state = MemoryState()
    put(state, "a", value)
    assert (await state.values(["a"]))["a"] is value


TEXTS = [f"text {i}" * 10 for i in range(2000)]


class Plain:
    def __init__(self, inside: Any) -> None:
        self.inside = inside


@pytest.mark.parametrize(
    "value",
    [
        TEXTS,
        dict.fromkeys(TEXTS, 1.5),
        set(TEXTS),
        Plain(TEXTS),
        [Plain({"a": tuple(TEXTS[:1000])}), TEXTS[1000:]],
        {"frame": pd.DataFrame({"x": np.array(TEXTS, dtype=object)})},
        np.array(TEXTS, dtype=object),
        pl.DataFrame({"x": TEXTS}),
        [np.zeros(30_000)],
        [bytes(200) for _ in range(1000)],
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_is_inside_counts(value: Any) -> None:
    assert 150_000 < size_in_memory(value) < 700_000
    state = MemoryState(limit_bytes=100_000)
    put(state, "a", value)
    assert await state.known(["a"]) == {}


def test_what_is_there_many_times_counts_once() -> None:
    one = bytes(100_000)
    assert size_in_memory([one] * 10_000) < 200_000
    circle: list[Any] = [one]
    circle.append(circle)
    assert size_in_memory(circle) < 101_000


def test_a_large_value_is_measured_by_looking_at_a_thousand_objects_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[Any] = []
    look = sizes._parts

    def count(item: Any) -> Any:
        looked_at.append(item)
        return look(item)

    monkeypatch.setattr(sizes, "_parts", count)
    size_in_memory([[[n] for n in range(100)] for _ in range(100)])
    assert 900 < len(looked_at) <= 1000
