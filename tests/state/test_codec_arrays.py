"""NumPy arrays and scalars come back as they were, and are not copied on the way."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from cascade_nb.state.codec.codec import Codec
from tests.state.values import KEY, PLACE, blob_of, plainly, there_and_back

DTYPES = st.one_of(
    stnp.scalar_dtypes(),
    stnp.unicode_string_dtypes(max_len=3),
    stnp.byte_string_dtypes(max_len=3),
    stnp.array_dtypes(max_size=3, allow_subarrays=True),
)
ARRAYS = stnp.arrays(dtype=DTYPES, shape=stnp.array_shapes(min_dims=0, min_side=0, max_side=4))


def check(value: Any) -> Any:
    """Send an array there and back, and look at all of it."""
    back = plainly(value)
    assert type(back) is np.ndarray
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()
    if value.flags.forc:
        assert back.flags.c_contiguous == value.flags.c_contiguous
        assert back.flags.f_contiguous == value.flags.f_contiguous
    assert back.flags.writeable
    assert back.flags.aligned
    return back


@given(ARRAYS)
def test_every_array_comes_back(array: Any) -> None:
    check(array)
    check(np.asfortranarray(array) if array.ndim else array)
    check(array.T)
    check(np.stack([array, array], axis=-1)[..., 0])  # with gaps between its items
    check(array[..., ::-1] if array.ndim else array)


@given(ARRAYS)
def test_every_scalar_comes_back(array: Any) -> None:
    for value in list(array.reshape(-1))[:3]:
        back = plainly(value)
        assert type(back) is type(value)
        assert back.dtype == value.dtype
        assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(()),
        np.zeros((3, 0, 2)),
        np.zeros(3, "S0"),
        np.zeros((2, 2), "V0"),
        np.array(["2020-01-01", "NaT"], "datetime64[25us]"),
        np.array([1, 2], ">i4"),
        np.array([1, 2], "g"),
        np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros(3, np.dtype({"names": ["b", "a"], "formats": ["i4", "i4"], "offsets": [4, 0]})),
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        np.array([np.nan, -0.0]).view("u8"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_odd_arrays_come_back(array: Any) -> None:
    check(array)


def test_what_a_dtype_says_beside_its_data_comes_back() -> None:
    aligned = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    assert plainly(np.zeros(2, aligned)).dtype.isalignedstruct
    told = np.dtype("f8", metadata={"unit": "m"})
    assert plainly(np.zeros(2, told)).dtype.metadata == {"unit": "m"}


def test_an_array_that_may_not_be_written_comes_back_as_one_that_may() -> None:
    array = np.arange(3)
    array.flags.writeable = False
    check(array)[0] = 7


def test_a_record_may_be_written() -> None:
    record = np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])[0]
    back = plainly(record)
    back["a"] = 5
    assert back["a"] == 5


def test_arrays_and_scalars_inside_plain_values_need_no_pickle() -> None:
    value = {"acc": np.float64(0.5), "runs": [(np.arange(3), np.str_("é")), (np.arange(4.0), None)]}
    back = plainly(value)
    assert type(back["acc"]) is np.float64
    assert back["acc"] == 0.5
    assert back["runs"][0][0].tolist() == [0, 1, 2]
    assert type(back["runs"][0][1]) is np.str_
    assert back["runs"][1][0].dtype == float


def test_one_scalar_in_many_places_needs_no_pickle() -> None:
    score = np.float64(0.5)
    assert plainly([score] * 20) == [0.5] * 20


class MyArray(np.ndarray[Any, Any]):
    pass


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a", None, [2]], object),
        np.array([(1, {})], [("a", "i4"), ("b", "O")]),
        np.ma.masked_array([1, 2], mask=[True, False]),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.arange(3).view(MyArray),
        np.dtype("f8"),
        *([np.array(["a", "b" * 100], "T")] if hasattr(np.dtypes, "StringDType") else []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_of_numpy_is_not_taken_for_less(value: Any) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert np.all(back == value)
    assert getattr(back, "dtype", None) == getattr(value, "dtype", None)


def test_an_array_in_two_places_comes_back_as_one() -> None:
    array = np.arange(100_000)
    back = there_and_back({"a": array, "b": array})
    assert back["a"] is back["b"]
    assert back["a"].flags.writeable
    assert len(blob_of([array, array])) < 2 * array.nbytes


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: {"x": [array, 1]}])
def test_the_memory_of_a_large_array_is_handed_on_where_it_lies(order: Any, wrap: Any) -> None:
    array = np.ones((1000, 500), order=order)
    value = wrap(array)
    Codec(KEY).encode(value, PLACE)  # what is loaded on first use does not count
    tracemalloc.start()
    try:
        chunks = Codec(KEY).encode(value, PLACE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    assert any(np.shares_memory(np.frombuffer(chunk, "u1"), array) for chunk in chunks)


def test_the_memory_of_a_pickled_array_is_handed_on_too() -> None:
    array = np.ones((1000, 500))
    chunks = Codec(KEY).encode([{1j}, array], PLACE)
    assert any(np.shares_memory(np.frombuffer(chunk, "u1"), array) for chunk in chunks)


def test_what_is_read_does_not_depend_on_the_blob_s_memory() -> None:
    memory = bytearray(blob_of(np.ones(1000)))
    back = Codec(KEY).decode(memoryview(memory), PLACE)
    memory[:] = bytes(len(memory))
    assert back.sum() == 1000


def test_numpy_is_loaded_for_a_value_that_needs_it_and_no_other() -> None:
    script = f"""
        import sys
        from cascade_nb.state.codec.codec import Codec
        codec = Codec({KEY!r})
        blob = b"".join(codec.encode({{"a": [1, "x"]}}, "p"))
        codec.decode(blob, "p")
        assert not {{"numpy", "pandas", "pyarrow", "polars"}} & set(sys.modules)
        back = codec.decode(sys.stdin.buffer.read(), {PLACE!r})
        assert type(back).__module__ == "numpy" and back.tolist() == [0, 1, 2]
        """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    subprocess.run(command, input=blob_of(np.arange(3)), check=True)
