"""Frames, series and tables come back exactly: by Arrow where that says all, else by pickle."""

from __future__ import annotations

import datetime as dt
import decimal
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from cascade_nb.errors import CodecError
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.codec.leaves import NotPlainError
from cascade_nb.state.codec.plain import write_plain
from tests.state.values import KEY, PLACE, plainly, there_and_back

TODAY = dt.date(2020, 1, 2)


def assert_same(back: Any, value: Any) -> None:
    """Equal in everything that pandas says of them."""
    assert type(back) is type(value)
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(
            back, value, check_exact=True, check_freq=True, check_flags=True, check_column_type=True
        )
        assert list(map(repr, back.dtypes)) == list(map(repr, value.dtypes))
        assert_same(back.columns, value.columns)
    elif isinstance(value, pd.Series):
        pd.testing.assert_series_equal(back, value, check_exact=True, check_freq=True)
        assert repr(back.dtype) == repr(value.dtype)
        assert type(back.name) is type(value.name)
    else:
        pd.testing.assert_index_equal(back, value, exact=True, check_exact=True)
        assert back.names == value.names
        return
    assert_same(back.index, value.index)
    assert back.attrs == value.attrs


COLUMNS = {
    "ints": np.array([1, -2, 3], "i2"),
    "unsigned": np.array([1, 2, 2**64 - 1], "u8"),
    "floats": np.array([1.5, np.nan, -0.0]),
    "halves": np.array([1.5, np.nan, np.inf], "f2"),
    "truths": np.array([True, False, True]),
    "seconds": np.array(["2020-01-01", "NaT", "1900-01-01"], "M8[s]"),
    "nanos": np.array(["2020-01-01T00:00:00.000000001", "NaT", "1900-01-01"], "M8[ns]"),
    "spans": np.array([1, "NaT", -3], "m8[ms]"),
    "missing": pd.array([1, None, 3], dtype="Int16"),
    "maybe": pd.array([True, None, False], dtype="boolean"),
    "string": pd.array(["a", None, "é"], dtype="string"),
    "arrow": pd.array([1, None, 3], dtype="int32[pyarrow]"),
    "fractions": pd.array([1.5, None, np.nan], dtype="double[pyarrow]"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_arrow_says_exactly_need_no_pickle(name: str) -> None:
    frame = pd.DataFrame({name: COLUMNS[name], "n": [1, 2, 3]})
    assert_same(plainly(frame), frame)
    assert_same(plainly(frame[name]), frame[name])


def text_frame(**options: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, 2.0]}, **options)


def with_attrs(frame: pd.DataFrame, **attrs: Any) -> pd.DataFrame:
    frame.attrs.update(attrs)
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(COLUMNS),
        text_frame(),
        text_frame().iloc[:0],
        text_frame(index=[5, 3, 5]),
        text_frame(index=pd.Index([0.5, np.nan, 1.0], name="x")),
        text_frame(index=pd.RangeIndex(2, 8, 2, name="rows")),
        text_frame()[["b", "a", "b"]],
        text_frame().rename_axis(columns="what"),
        text_frame().iloc[::2],
        text_frame(index=pd.RangeIndex(3, name=("a", 1))),
        with_attrs(text_frame(), unit="m", of=[1, {"x": (2,)}]),
        pd.DataFrame({"x": np.arange(12.0).reshape(3, 4)[:, 1]}),
    ],
)
def test_ordinary_frames_need_no_pickle(frame: pd.DataFrame) -> None:
    back = plainly(frame)
    assert_same(back, frame)
    for name in set(back.columns):
        back[name] = 0  # so that a block which may not be written is found
    assert back.empty or (back == 0).all().all()


def test_texts_of_a_frame_that_pandas_itself_chose_come_back() -> None:
    frame = pd.DataFrame({"t": ["a", None, "é"]}, index=["x", "y", "x"])
    assert_same(there_and_back(frame), frame)


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame({"o": [1, "a", None]}),
        pd.DataFrame({"o": pd.Series(["a", None, np.nan], dtype=object)}),
        pd.DataFrame({"c": pd.Categorical(["b", "a"], ["a", "b", "c"], ordered=True)}),
        pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None], utc=True)}),
        pd.DataFrame({"t": pd.date_range("2020-01-01", periods=2, tz="Europe/Berlin")}),
        pd.DataFrame({"p": pd.period_range("2020-01", periods=2, freq="M")}),
        pd.DataFrame(
            {"f": pd.arrays.FloatingArray(np.array([1.0, np.nan]), np.array([True, False]))}
        ),
        pd.DataFrame({"z": [1 + 2j]}),
        pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}),
        pd.DataFrame({"s": pd.array(["a"], dtype=pd.StringDtype("python"))}),
        pd.DataFrame(
            {"d": pd.array([decimal.Decimal("1.5")], dtype=pd.ArrowDtype(pa.decimal128(9, 2)))}
        ),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame([[1, 2]], columns=["a", 1]),
        pd.DataFrame(
            [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["x", None])
        ),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "a"), (1, "b")])),
        pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020-01-01", periods=2, freq="D")),
        pd.DataFrame({"a": [1, 2]}, index=pd.CategoricalIndex(["a", "b"])),
        pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
        with_attrs(text_frame(), at=TODAY),
        pd.Series([1, 2], name=("a", 1)),
        pd.Series([1, 2], name=TODAY),
        pd.Index([1, 2], name="x"),
        pd.DatetimeIndex(["2020-01-01"]),
        {"frame": pd.DataFrame({"a": [1]}), "when": TODAY},
    ],
)
def test_what_arrow_does_not_say_exactly_comes_back_too(value: Any) -> None:
    back = there_and_back(value)
    if isinstance(value, dict):
        back, value = back["frame"], value["frame"]
    assert_same(back, value)


class MyFrame(pd.DataFrame):  # type: ignore[misc]
    pass


def test_a_subclass_is_not_taken_for_a_frame() -> None:
    assert type(there_and_back(MyFrame({"a": [1]}))) is MyFrame


def test_missing_and_nan_are_not_mixed_up() -> None:
    # Arrow's form of pandas' own masked fractions knows only one of the two
    masked = pd.arrays.FloatingArray(np.array([1.0, np.nan, 3.0]), np.array([False, False, True]))
    back = there_and_back(pd.Series(masked)).array
    assert back._data[:2].tobytes() == masked._data[:2].tobytes()
    assert back._mask.tolist() == [False, False, True]


@given(
    st.lists(
        stnp.arrays(
            st.one_of(
                stnp.integer_dtypes(endianness="<"),
                stnp.floating_dtypes(endianness="<", sizes=(32, 64)),
                stnp.boolean_dtypes(),
            ),
            5,
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=5, max_size=5),
)
def test_every_frame_of_numbers_comes_back(columns: list[Any], index: list[int]) -> None:
    frame = pd.DataFrame({f"c{i}": column for i, column in enumerate(columns)}, index=index)
    assert_same(plainly(frame), frame)


def test_frames_and_tables_stand_in_plain_values() -> None:
    value = {"train": text_frame(), "n": 3, "table": pa.table({"a": [1]}), "p": pl.Series([1])}
    back = plainly(value)
    assert_same(back["train"], value["train"])
    assert back["table"].equals(value["table"])
    assert back["p"].equals(value["p"])


DICTIONARY = pa.array(["a", "b", "a"]).dictionary_encode()
TABLES = [
    pa.table({"i": [1, None], "t": ["a", None], "l": [[1], None], "s": [{"x": 1}, None]}),
    pa.table({"i": pa.chunked_array([[1], [2, 3], []], pa.int64())}),
    pa.table({"d": pa.chunked_array([DICTIONARY, pa.array(["z"]).dictionary_encode()])}),
    pa.table({"d": pa.array([decimal.Decimal("1.50")]), "n": pa.nulls(1), "b": pa.array([b"\0"])}),
    pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}),
    pa.table({"i": pa.array([], pa.int8())}),
    pa.table({"i": [1, 2, 3, 4]}).slice(1, 2),
    pa.table({"i": [1, 2]}).select([]),
    pa.table({"a": [1], "b": [2]}).rename_columns(["x", "x"]),
    pa.table(
        pa.table({"a": [1]}), schema=pa.schema([pa.field("a", pa.int64(), False)], {"k": "v"})
    ),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.schema.types))
def test_tables_come_back(table: pa.Table) -> None:
    back = plainly(table)
    assert type(back) is pa.Table
    assert back.equals(table, check_metadata=True)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert back.num_rows == table.num_rows
    back.validate(full=True)
    for batch in table.to_batches():
        again = plainly(batch)
        assert type(again) is pa.RecordBatch
        assert again.equals(batch, check_metadata=True)
        assert again.num_rows == batch.num_rows


class Celsius(pa.ExtensionType):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(pa.float64(), "celsius")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: Any, serialized: bytes) -> Celsius:
        return cls()


@pytest.mark.parametrize(
    "value",
    [
        pa.array([1, None]),
        pa.chunked_array([[1], [2]]),
        pa.table({"t": pa.ExtensionArray.from_storage(Celsius(), pa.array([1.5]))}),
        pa.scalar(3),
        pa.schema([("a", pa.int8())]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_of_arrow_comes_back_too(value: Any) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert back.equals(value)


def test_a_type_that_others_may_not_know_is_not_written_as_arrow() -> None:
    # where it is not registered, Arrow would give back what it is stored as, without a word
    for kind in (Celsius(), pa.list_(Celsius()), pa.struct([("x", Celsius())])):
        with pytest.raises(NotPlainError):
            write_plain(pa.table({"t": pa.nulls(1, kind)}))


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("i", [1, None, 3], dtype=pl.Int8),
        pl.Series("f", [0.5, None, float("nan")]),
        pl.Series("t", ["a", None, ""]),
        pl.Series("c", ["a", "b", "a"], dtype=pl.Categorical),
        pl.Series("e", ["b", "a", None], dtype=pl.Enum(["b", "a", "z"])),
        pl.Series("l", [[1], [], None]),
        pl.Series("a", [[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2)),
        pl.Series("s", [{"x": 1, "y": ["z"]}, None]),
        pl.Series("d", [TODAY, None]),
        pl.Series("w", [dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)]).dt.convert_time_zone(
            "Asia/Tokyo"
        ),
        pl.Series("u", [dt.timedelta(seconds=1)], dtype=pl.Duration("ms")),
        pl.Series("m", [dt.time(1, 2)]),
        pl.Series("z", [decimal.Decimal("1.50")], dtype=pl.Decimal(9, 3)),
        pl.Series("n", [None, None]),
        pl.Series("b", [b"\0", None]),
        pl.Series("", [True, None]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_polars_comes_back(series: pl.Series) -> None:
    back = plainly(series)
    assert type(back) is pl.Series
    assert back.name == series.name
    assert back.dtype == series.dtype
    assert back.equals(series, null_equal=True)
    frame = pl.DataFrame([series, series.alias("other")])
    for part in (frame, frame.clear(), frame.slice(1)):
        again = plainly(part)
        assert again.schema == part.schema
        assert again.equals(part, null_equal=True)


@pytest.mark.parametrize("value", [pl.DataFrame(), pl.Int8, pl.col("a") + 1], ids=str)
def test_everything_else_of_polars_comes_back_too(value: Any) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert str(back) == str(value)


def test_where_objects_lie_in_memory_is_not_written_down() -> None:
    # Polars' own Arrow stream of them holds pointers, and reads them as bytes later
    objects = pl.Series("o", [object()], dtype=pl.Object)
    for value in (objects, objects.to_frame(), [objects]):
        with pytest.raises(CodecError, match="Object"):
            there_and_back(value)


def large_table() -> pa.Table:
    return pa.table({"x": np.arange(1_000_000), "y": np.ones(1_000_000)})


@pytest.mark.parametrize(
    "value", [large_table(), large_table().to_batches()[0], large_table().to_pandas()]
)
def test_the_columns_of_a_large_table_are_handed_on_where_they_lie(value: Any) -> None:
    column = value["x"]
    memory = column.to_numpy()
    chunks = Codec(KEY).encode(value, PLACE)
    assert any(np.shares_memory(np.frombuffer(chunk, "u1"), memory) for chunk in chunks)


def test_without_arrow_a_series_is_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # what an import that failed leaves there
    series = pd.Series([1, 2, 3])
    with pytest.raises(NotPlainError):
        write_plain(series)
    assert_same(there_and_back(series), series)
