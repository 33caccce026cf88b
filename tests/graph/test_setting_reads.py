"""Settings of the process and of libraries count for code that goes by them, and for no other."""

from __future__ import annotations

import calendar
import contextlib
import csv
import locale
import logging
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal, localcontext
from fractions import Fraction
from sqlite3 import dbapi2 as sqlite_parts
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.fingerprint.content import content_key
from tests.graph.cells import Cells


def divided() -> Decimal:
    return Decimal(1) / Decimal(3)


def divided_by_numpy(x: float) -> Any:
    return np.divide(x, 0.0)


def written_by_numpy() -> str:
    return str(np.array([1 / 3]))


def asked_of_pandas() -> Any:
    return pd.get_option("display.max_rows")


def written_by_pandas() -> str:
    return str(pd.DataFrame({"a": range(30)}).to_string())


def parquet_engine(frame: Any) -> Any:
    return pd.DataFrame(frame)


def written_by_polars() -> str:
    return repr(pl.DataFrame({"a": [1.25]}))


def scaled(frame: Any) -> Any:
    return StandardScaler().fit_transform(frame)


def line_width() -> Any:
    return mpl.rcParams["lines.linewidth"]


def hour(seconds: float) -> int:
    return time.localtime(seconds).tm_hour


def arguments() -> list[str]:
    return sys.argv[1:]


def recursion() -> int:
    return sys.getrecursionlimit()


def read_by_dialect() -> Any:
    return next(csv.reader(["a;b"], dialect="cascade"))


def adapted() -> Any:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute("SELECT ?", (Fraction(1),)).fetchone()


def weeks() -> Any:
    return calendar.monthcalendar(2026, 11)


def is_logged() -> bool:
    return logging.getLogger("cascade.test").isEnabledFor(logging.DEBUG)


def warned() -> str:
    try:
        warnings.warn("old", UserWarning, stacklevel=1)
    except UserWarning:
        return "raised"
    return "told"


def nothing_of_this(x: int) -> int:
    return len(f"{x:,}") + 1


@contextlib.contextmanager
def as_arguments(*words: str) -> Iterator[None]:
    before = sys.argv
    sys.argv = ["program", *words]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def in_tokyo() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@contextlib.contextmanager
def more_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 17)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextlib.contextmanager
def precise() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 5
        yield


@contextlib.contextmanager
def semicolons() -> Iterator[None]:
    csv.register_dialect("cascade", delimiter=";")
    try:
        yield
    finally:
        csv.unregister_dialect("cascade")


@contextlib.contextmanager
def fractions_as_text() -> Iterator[None]:
    sqlite3.register_adapter(Fraction, str)
    try:
        yield
    finally:
        sqlite_parts.adapters.pop((Fraction, sqlite3.PrepareProtocol))


@contextlib.contextmanager
def sundays_first() -> Iterator[None]:
    calendar.setfirstweekday(calendar.SUNDAY)
    try:
        yield
    finally:
        calendar.setfirstweekday(calendar.MONDAY)


@contextlib.contextmanager
def all_logged() -> Iterator[None]:
    logger = logging.getLogger("cascade.test")
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)


@contextlib.contextmanager
def warnings_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="cascade")
        yield


Change = Callable[[], AbstractContextManager[Any]]
CHANGES: dict[str, tuple[Callable[..., Any], Change]] = {
    "decimal's context": (divided, precise),
    "NumPy's handling of errors": (divided_by_numpy, lambda: np.errstate(all="raise")),
    "NumPy's print options": (written_by_numpy, lambda: np.printoptions(precision=3)),
    "pandas' display options": (
        written_by_pandas,
        lambda: pd.option_context("display.precision", 2),
    ),
    "pandas' options": (parquet_engine, lambda: pd.option_context("io.parquet.engine", "pyarrow")),
    "Polars' settings": (written_by_polars, lambda: pl.Config(float_precision=1)),
    "scikit-learn's settings": (scaled, lambda: sklearn.config_context(transform_output="pandas")),
    "Matplotlib's settings": (line_width, lambda: mpl.rc_context({"lines.linewidth": 9})),
    "the dialects of CSV": (read_by_dialect, semicolons),
    "SQLite's adapters": (adapted, fractions_as_text),
    "the first day of a week": (weeks, sundays_first),
    "the levels of logging": (is_logged, all_logged),
    "which warnings are errors": (warned, warnings_as_errors),
    "the time zone": (hour, in_tokyo),
    "the arguments of the process": (arguments, lambda: as_arguments("--n", "2")),
    "limits of the interpreter": (recursion, more_recursion),
}
every_change = pytest.mark.parametrize("words", CHANGES)


@every_change
def test_a_setting_counts_while_it_is_in_force_and_is_named(words: str) -> None:
    function, change = CHANGES[words]
    with as_arguments():
        before = code_key(function)
        with change():
            meanwhile = code_key(function)
        assert code_key(function).digest == before.digest
    assert meanwhile.digest != before.digest
    named = {name for name in meanwhile.parts if meanwhile.parts[name] != before.parts.get(name)}
    assert named == {words}


@given(st.sets(st.sampled_from(sorted(CHANGES)), max_size=4))
def test_what_is_set_counts_for_nobody_who_does_not_go_by_it(chosen: set[str]) -> None:
    key = code_key(nothing_of_this).digest
    others = [words for words in CHANGES if words not in chosen]
    before = {words: code_key(CHANGES[words][0]).digest for words in others}
    with contextlib.ExitStack() as stack:
        for words in chosen - {"the arguments of the process"}:
            stack.enter_context(CHANGES[words][1]())
        assert code_key(nothing_of_this).digest == key
        related = {words for words in others if not _shares_a_library(words, chosen)}
        assert {words: code_key(CHANGES[words][0]).digest for words in related} == {
            words: before[words] for words in related
        }


def _shares_a_library(words: str, chosen: set[str]) -> bool:
    owner = words.partition(" ")[0].strip("'s")
    return any(one.partition(" ")[0].strip("'s") == owner for one in chosen)


def test_where_nobody_has_set_anything_no_setting_is_a_part() -> None:
    usual = {
        "the time zone",
        "the arguments of the process",
        "limits of the interpreter",
        "which warnings are errors",
        "the levels of logging",
    }
    for words, (function, _) in CHANGES.items():
        if words not in usual:
            assert not CHANGES.keys() & code_key(function).parts.keys(), words


def test_the_locale_counts_where_one_is_set() -> None:
    def month(when: Any) -> str:
        return str(when.strftime("%B"))

    before = locale.setlocale(locale.LC_TIME)
    key = code_key(month).digest
    try:
        locale.setlocale(locale.LC_TIME, "C.UTF-8")
    except locale.Error:
        pytest.fail("this machine has no locale C.UTF-8")
    try:
        assert code_key(month).digest != key
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_a_decimal_and_an_estimator_go_by_settings_wherever_they_are_used() -> None:
    for value, change in (
        (Decimal("1.5"), precise),
        (StandardScaler(), lambda: sklearn.config_context(transform_output="pandas")),
    ):
        before = content_key(value)
        with change():
            assert content_key(value) != before
        assert content_key(value) == before


def test_the_arguments_of_a_kernel_are_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("kernel-1.json", "kernel-2.json"):
        monkeypatch.setattr(sys, "argv", ["/lib/ipykernel_launcher.py", "-f", file])
        assert "the arguments of the process" not in code_key(arguments).parts


def test_a_filter_before_the_one_that_makes_warnings_errors_counts() -> None:
    f = Cells().run("import warnings\ndef f(): warnings.warn('x')").names["f"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raised = code_key(f).digest
        warnings.simplefilter("ignore")
        assert code_key(f).digest != raised
