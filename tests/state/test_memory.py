"""Results in the memory of the process, up to a limit."""

from __future__ import annotations

from typing import Any

import pytest

from cascade_nb.errors import UsageError
from cascade_nb.state import MemoryState


class Sized:
    """Says of itself how large it is, as arrays do."""

    def __init__(self, nbytes: Any) -> None:
        self.nbytes = nbytes


async def test_what_was_unused_for_the_longest_goes_first() -> None:
    state = MemoryState(limit_bytes=300)
    for name in "abc":
        state.put(name, Sized(100), 1.0)
    await state.get("a")
    state.put("d", Sized(100), 1.0)
    assert set(await state.known("abcd")) == {"a", "c", "d"}


async def test_one_larger_than_the_limit_is_not_kept_and_turns_nothing_else_out() -> None:
    state = MemoryState(limit_bytes=300)
    state.put("small", Sized(100), 1.0)
    state.put("huge", Sized(1000), 1.0)
    assert set(await state.known(["huge", "small"])) == {"small"}
    with pytest.raises(KeyError):
        await state.get("huge")


async def test_replacing_a_value_does_not_count_it_twice() -> None:
    state = MemoryState(limit_bytes=300)
    for _ in range(10):
        state.put("a", Sized(200), 1.0)
    state.put("b", Sized(100), 1.0)
    assert set(await state.known(["a", "b"])) == {"a", "b"}


async def test_a_limit_of_zero_keeps_nothing() -> None:
    state = MemoryState(limit_bytes=0)
    state.put("a", 1, 1.0)
    assert await state.known(["a"]) == {}


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot be below zero"):
        MemoryState(-1)


async def test_it_keeps_the_very_object_without_a_copy() -> None:
    state = MemoryState()
    value = [1, 2]
    state.put("a", value, 1.0)
    assert await state.get("a") is value


async def test_closing_forgets_everything() -> None:
    state = MemoryState()
    state.put("a", 1, 1.0)
    await state.close()
    assert await state.known(["a"]) == {}


async def test_tables_are_measured_by_their_columns() -> None:
    pandas = pytest.importorskip("pandas")
    state = MemoryState(limit_bytes=5_000)
    state.put("small", pandas.DataFrame({"x": range(10)}), 1.0)
    state.put("large", pandas.DataFrame({"x": range(10_000)}), 1.0)
    state.put("series", pandas.Series(range(100)), 1.0)
    assert "large" not in await state.known(["small", "large", "series"])
    assert "series" in await state.known(["series"])


@pytest.mark.parametrize("value", [Sized("much"), Sized(None), Sized(-5), object(), lambda: 1])
async def test_whatever_says_nothing_sensible_of_its_size_is_kept(value: Any) -> None:
    state = MemoryState()
    state.put("a", value, 1.0)
    assert await state.get("a") is value
