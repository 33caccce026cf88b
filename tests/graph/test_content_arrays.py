"""What arrays, data frames and tables are worth."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import pickle
import subprocess
import sys
import threading
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from cascade_nb.graph.code.code_key import reference
from cascade_nb.graph.fingerprint.content import Unkeyed, content_key
from cascade_nb.graph.values import arrays
from cascade_nb.graph.values.atoms import text
from cascade_nb.graph.values.encoder import Encoder

ROOT = pathlib.Path(__file__).parents[2]


def key(value: Any) -> bytes:
    found = content_key(value)
    assert not isinstance(found, Unkeyed), str(found)
    return found


ARRAYS = stnp.arrays(
    dtype=st.one_of(
        stnp.integer_dtypes(),
        stnp.floating_dtypes(),
        stnp.boolean_dtypes(),
        stnp.unicode_string_dtypes(max_len=5),
        stnp.byte_string_dtypes(max_len=5),
        stnp.datetime64_dtypes(),
        stnp.complex_number_dtypes(),
    ),
    shape=stnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)


def strided(array: Any) -> Any:
    """The same array with gaps between its items."""
    wide = np.zeros((*array.shape, 2), array.dtype)
    wide[..., 0] = array
    return wide[..., 0]


@given(ARRAYS)
def test_only_what_can_be_seen_of_an_arrays_memory_counts(array: Any) -> None:
    for other in (array.copy("C"), array.copy("F"), strided(array), array.copy("K")):
        flags = [(one.flags.c_contiguous, one.flags.f_contiguous) for one in (array, other)]
        if flags[0] != flags[1]:
            assert key(other) != key(array)
        elif any(flags[0]) or other.strides == array.strides:
            assert key(other) == key(array)
    pickled = pickle.loads(pickle.dumps(array, 5))
    # some byte orders do not survive it: then it is an array of another dtype
    assert key(pickled) == key(array) or pickled.dtype != array.dtype
    read_only = array.copy()
    read_only.flags.writeable = False
    assert key(read_only) == key(array)


@given(ARRAYS, ARRAYS)
def test_arrays_of_other_dtype_shape_or_bytes_differ(one: Any, other: Any) -> None:
    same = one.dtype == other.dtype and one.shape == other.shape
    same = same and one.tobytes() == other.tobytes()
    assert (key(one) == key(other)) == same


@given(stnp.arrays("i4", stnp.array_shapes(max_side=5)), st.data())
def test_copying_in_pieces_is_copying(array: Any, data: st.DataObject) -> None:
    # Whatever the size of a piece, pieces give the bytes of the whole in C order.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_PIECE", data.draw(st.integers(1, 64)))
        turned = array.T
        assert b"".join(p.tobytes() for p in arrays._pieces(turned)) == turned.tobytes()
        encoder = Encoder(reference, text)  # type: ignore[arg-type]
        assert arrays._items(encoder, turned) == arrays._items(encoder, turned.copy("C"))


def test_sums_that_differ_in_their_last_digit_have_two_keys() -> None:
    # NumPy adds up in the order of memory.
    rows = np.random.default_rng(1).normal(size=(300, 70)).astype("f4")
    for other in (np.asfortranarray(rows), rows[::-1][::1], np.repeat(rows, 2, 1)[:, ::2]):
        assert (np.asarray(other) == rows).all() or other.strides[0] < 0
        assert key(other) != key(rows)
    column = rows[:, 0].copy()
    assert key(column[::-1]) != key(column[::-1].copy())


def test_arrays_that_only_look_alike_differ() -> None:
    base = np.arange(6)
    alike = [
        base,
        base.reshape(2, 3),
        base.reshape(3, 2),
        base.astype("i4"),
        base.astype("f8"),
        base.astype(">i8"),
        base.astype("M8[s]"),
        base.astype("M8[ms]"),
        base.astype(object),
        base.astype(str),
        list(range(6)),
        np.ma.masked_array(base, base == 2),
        base.view(np.recarray),
    ]
    assert len({key(value) for value in alike}) == len(alike)


def test_the_padding_of_records_does_not_count() -> None:
    dtype = np.dtype([("a", "u1"), ("b", "f8")], align=True)

    def filled(with_what: int) -> Any:
        raw = np.full(3 * dtype.itemsize, with_what, dtype="u1").view(dtype)
        raw["a"], raw["b"] = [1, 2, 3], [0.5, 1.5, 2.5]
        return raw

    assert filled(0).tobytes() != filled(255).tobytes()
    assert key(filled(0)) == key(filled(255))
    other = filled(0)
    other["b"][1] = 9
    assert key(other) != key(filled(0))


def test_objects_in_an_array_count_one_by_one() -> None:
    assert key(np.array(["a", None, 1.5], object)) == key(np.array(["a", None, 1.5], object))
    assert key(np.array([1, 2], object)) != key(np.array([1, 2.0], object))
    assert isinstance(content_key(np.array([(i for i in [1])], object)), Unkeyed)


def test_an_array_in_a_file_is_the_array(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(9.0))
    one, other = np.load(path, mmap_mode="r"), np.load(path, mmap_mode="r")
    assert key(one) == key(other)
    np.save(path, np.arange(9.0) + 1)
    assert key(np.load(path, mmap_mode="r")) != key(np.arange(9.0))


@pytest.mark.parametrize(
    "make", [np.float64, np.float32, np.int8, np.bool_, np.datetime64, np.str_]
)
def test_numpy_scalars_have_one_key_and_a_type(make: Any) -> None:
    argument = "2020-01-01" if make is np.datetime64 else "1"
    value = make(argument)
    assert key(value) == key(make(argument)) == key(pickle.loads(pickle.dumps(value)))
    assert key(value) != key(np.array(value))
    assert key(value) != key(value.item())


def peak_while_keying(value: Any) -> int:
    tracemalloc.start()
    try:
        key(value)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_contiguous_data_are_not_copied() -> None:
    # NumPy reports its memory to tracemalloc, so a copy would show.
    array = np.zeros((1000, 4000))
    assert peak_while_keying(array) < array.nbytes / 100
    assert peak_while_keying({"a": [array[10:]]}) < array.nbytes / 100
    frame = pd.DataFrame({"a": np.zeros(1_000_000), "b": np.arange(1_000_000)})
    assert peak_while_keying(frame) < 1_000_000 * 8 / 4


def test_data_of_another_layout_are_copied_piece_by_piece() -> None:
    array = np.zeros((4000, 4000))
    assert peak_while_keying(array.T) < array.nbytes / 10
    assert peak_while_keying(array[:, ::2]) < array.nbytes / 10


def test_other_threads_go_on_while_large_data_are_hashed() -> None:
    # With the GIL held, the other thread would count next to nothing before the key is there.
    array = np.zeros(40_000_000, "u1")
    counted, done, begun = 0, threading.Event(), threading.Event()

    def hashing() -> None:
        begun.set()
        for _ in range(500):  # or until the other one has had its turns
            key(array)
            if counted > 10:
                break
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # the GIL is given away where it is released, and nowhere else
    try:
        thread = threading.Thread(target=hashing)
        thread.start()
        begun.wait()
        while not done.is_set():
            counted += 1
            done.wait(0.000_1)
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counted > 10


COLUMNS = {
    "int": [1, 2, 3],
    "float": [0.5, None, 2.5],
    "text": ["a", None, "c"],
    "flag": [True, False, True],
    "mixed": pd.Series([1, "a", None], dtype=object),
    "Int64": pd.array([1, None, 3], dtype="Int64"),
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "string": pd.array(["a", None, "c"], dtype="string[python]"),
    "arrow": pd.array([1, None, 3], dtype="int64[pyarrow]"),
    "kind": pd.Categorical(["a", "b", "a"], ordered=True),
    "day": pd.date_range("2020-01-01", periods=3),
    "zone": pd.date_range("2020-01-01", periods=3, tz="UTC"),
    "month": pd.period_range("2020-01", periods=3, freq="M"),
    "span": pd.to_timedelta([1, 2, 3], unit="s"),
    "between": pd.interval_range(0, 3),
    "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.0]),
}
OTHERS: dict[str, Any] = {
    "int": [1, 2, 4],
    "float": [0.5, None, 3.5],
    "text": ["a", "b", None],
    "flag": [True, True, True],
    "mixed": pd.Series([1, "a", 0], dtype=object),
    "Int64": pd.array([1, 2, 3], dtype="Int64"),
    "boolean": pd.array([True, False, False], dtype="boolean"),
    "string": pd.array(["a", "b", "c"], dtype="string[python]"),
    "arrow": pd.array([1, 2, 3], dtype="int64[pyarrow]"),
    "kind": pd.Categorical(["a", "b", "a"], ordered=False),
    "day": pd.date_range("2020-01-02", periods=3),
    "zone": pd.date_range("2020-01-01", periods=3, tz="Europe/Paris"),
    "month": pd.period_range("2020-02", periods=3, freq="M"),
    "span": pd.to_timedelta([1, 2, 4], unit="s"),
    "between": pd.interval_range(1, 4),
    "sparse": pd.arrays.SparseArray([0.0, 1.0, 1.0]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_each_kind_counts_by_its_values(name: str) -> None:
    frame = pd.DataFrame({"a": COLUMNS[name], "b": [1, 2, 3]})
    again = pd.DataFrame({"a": COLUMNS[name], "b": [1, 2, 3]}).copy(deep=True)
    other = pd.DataFrame({"a": OTHERS[name], "b": [1, 2, 3]})
    assert key(frame) == key(again) == key(pickle.loads(pickle.dumps(frame)))
    assert key(frame) == key(pd.concat([frame[:1], frame[1:]])) or name == "kind"
    assert key(frame) != key(other)
    assert key(frame["a"]) != key(other["a"])
    assert key(frame.set_index("a")) == key(again.set_index("a"))
    assert key(frame.set_index("a")) != key(other.set_index("a"))


def test_the_labels_of_a_frame_count() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    other = [
        frame,
        frame[["b", "a"]],
        frame.rename(columns={"a": "c"}),
        frame.set_axis(["x", "y"]),
        frame.set_axis([1, 2]),
        frame.rename_axis("rows"),
        frame.rename_axis(columns="columns"),
        frame.astype("f8"),
        frame["a"].to_frame(),
        frame["a"],
        frame["a"].rename("b"),
        frame.index,
        frame.set_index(["a", "b"]),
        frame.iloc[:0],
        frame.iloc[:, :0],
    ]
    assert len({key(value) for value in other}) == len(other)


def test_what_lies_under_the_mask_of_a_column_does_not_count() -> None:
    one = pd.arrays.IntegerArray(np.array([1, 7]), np.array([False, True]))
    other = pd.arrays.IntegerArray(np.array([1, 8]), np.array([False, True]))
    assert key(pd.Series(one)) == key(pd.Series(other))


def test_how_a_frame_was_put_together_does_not_count() -> None:
    one = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    block = pd.DataFrame(np.array([[1.0, 3.0], [2.0, 4.0]]), columns=["a", "b"])
    late = pd.DataFrame({"a": [1.0, 2.0]})
    late["b"] = [3.0, 4.0]
    assert key(one) == key(block) == key(late)


LONG = "a text that is too long to be kept inside a view of it"
TABLE: dict[str, Any] = {
    "int": [1, None, 3],
    "text": [LONG, None, "z"],
    "flag": [True, None, False],
    "list": [[1, None], [], None],
    "texts": [[LONG], [None], None],
    "record": [{"x": 1, "y": LONG}, None, {"x": None, "y": ""}],
    "records": [[{"x": 1}], [], None],
    "bytes": [b"a", None, b""],
    "day": [dt.date(2020, 1, 1), None, dt.date(1970, 1, 1)],
    "time": [dt.datetime(2020, 1, 1), None, dt.datetime(1970, 1, 1)],  # noqa: DTZ001
    "span": [dt.timedelta(1), None, dt.timedelta(0)],
    "price": [decimal.Decimal("1.50"), None, decimal.Decimal(0)],
    "none": [None, None, None],
    "full": [1, 2, 3],
}


def arrow_tables(column: list[Any]) -> list[Any]:
    """The same table in other memory."""
    table = pa.table({"a": column, "b": [1, 2, 3]})
    return [
        table,
        pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        pa.concat_tables([table.slice(2), table]).combine_chunks().slice(1),
        pa.concat_tables([table, table]).combine_chunks().slice(3),
        table.take([2, 1, 0]).take([2, 1, 0]),
        pickle.loads(pickle.dumps(table)),
    ]


def polars_frames(column: list[Any]) -> list[Any]:
    """The same frame in other memory."""
    frame = pl.DataFrame({"a": column, "b": [1, 2, 3]}, strict=False)
    return [
        frame,
        pl.concat([frame[:1], frame[1:]], rechunk=False),
        pl.concat([frame[2:], frame])[1:],
        pl.concat([frame, frame], rechunk=True)[3:],
        frame[[2, 1, 0]][[2, 1, 0]],
        pickle.loads(pickle.dumps(frame)),
    ]


@pytest.mark.parametrize("tables", [arrow_tables, polars_frames])
@pytest.mark.parametrize("name", TABLE)
def test_a_table_counts_by_its_values(name: str, tables: Any) -> None:
    # Chunks, slices, what lies under a null: the memory of these six is not the same.
    made = tables(TABLE[name])
    assert len({key(table) for table in made}) == 1
    assert len({key(table["a"]) for table in made}) == 1
    for i in range(3):
        other = [*TABLE[name][:i], TABLE[name][i - 1], *TABLE[name][i + 1 :]]
        if other != TABLE[name]:
            assert key(tables(other)[0]) != key(made[0])


def test_what_lies_under_a_null_of_arrow_does_not_count() -> None:
    values = pa.array([1, 7, 3]), pa.array([1, 8, 3])
    valid = pa.array([True, False, True]).buffers()[1]
    one, other = (
        pa.Array.from_buffers(pa.int64(), 3, [valid, array.buffers()[1]]) for array in values
    )
    assert one.equals(other)
    assert key(one) == key(other)


def test_arrow_data_of_other_types_and_names_differ() -> None:
    alike = [
        pa.table({"a": [1, 2]}),
        pa.table({"b": [1, 2]}),
        pa.table({"a": pa.array([1, 2], "int32")}),
        pa.table({"a": pa.array([1, 2], "float64")}),
        pa.table({"a": [1, 2]}).replace_schema_metadata({"unit": "m"}),
        pa.table({"a": [1, 2]}).to_batches()[0],
        pa.table({"a": [[1, 2]]}),
        pa.chunked_array([[1, 2]]),
        pa.array([1, 2]),
        pa.array([1, 2]).dictionary_encode(),
        pa.array([[1, 2]]),
        pa.array([[1], [2]]),
        pa.array([[(1, 2)]], pa.map_("int8", "int8")),
        pa.array(["ab"], "string_view"),
        pa.array(["ab"]),
        pa.array([None], pa.int8()),
        pa.array([0], pa.int8()),
        pa.nulls(1),
    ]
    assert len({key(value) for value in alike}) == len(alike)


def test_polars_data_of_other_types_and_names_differ() -> None:
    alike = [
        pl.DataFrame({"a": [1, 2]}),
        pl.DataFrame({"b": [1, 2]}),
        pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int32}),
        pl.DataFrame({"a": [1.0, 2.0]}),
        pl.Series("a", [1, 2]),
        pl.Series("a", [[1, 2]]),
        pl.Series("a", [[1], [2]]),
        pl.Series("a", [[1, 2]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series("a", ["x", "y"]),
        pl.Series("a", ["x", "y"], dtype=pl.Categorical),
        pl.Series("a", ["x", "y"], dtype=pl.Enum(["x", "y"])),
        pl.Series("a", ["x", "y"], dtype=pl.Enum(["y", "x"])),
        pl.Series("a", [object, 1], dtype=pl.Object),
        pl.Series("a", [object, 2], dtype=pl.Object),
        pl.Series("a", [0, None]),
        pl.Series("a", [None, 0]),
        pl.Series("a", ["", None]),
        pl.Series("a", [None, ""]),
    ]
    assert len({key(value) for value in alike}) == len(alike)


def test_what_reads_its_data_later_has_no_key(tmp_path: pathlib.Path) -> None:
    import pyarrow.dataset
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    for lazy in (pl.DataFrame({"a": [1]}).lazy(), pyarrow.dataset.dataset(tmp_path)):
        found = content_key(lazy)
        assert isinstance(found, Unkeyed)
        assert found.why == "it reads its data only when it is computed"


def test_a_subclass_of_a_frame_is_not_taken_for_a_frame() -> None:
    class Marked(pd.DataFrame):  # type: ignore[misc]
        _metadata = ["mark"]  # noqa: RUF012 - this is how pandas wants it

    frame, other = Marked({"a": [1]}), Marked({"a": [1]})
    frame.mark, other.mark = 1, 2
    assert key(frame) != key(other)
    assert key(frame) != key(pd.DataFrame({"a": [1]}))


def test_no_library_of_arrays_is_imported_for_a_key() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from cascade_nb.graph.fingerprint.content import content_key
for value in (1, [1], {{"a": object()}}, len, ValueError):
    content_key(value)
print([name for name in ("numpy", "pandas", "polars", "pyarrow") if name in sys.modules])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_arrays_and_tables_count_with_the_settings_by_which_they_compute() -> None:
    array, table = np.array([1.0]), pd.DataFrame({"a": [1.0]})
    usual = [content_key(array), content_key(table)]
    with np.errstate(divide="raise"):
        assert content_key(array) != usual[0]
    with pd.option_context("compute.use_bottleneck", False):
        assert content_key(table) != usual[1]
        assert content_key(array) == usual[0]
    with pd.option_context("display.max_rows", 3):  # how it is shown
        assert content_key(table) == usual[1]
    assert [content_key(array), content_key(table)] == usual
