"""What the user puts on the classes of tables counts for code that uses it by its name."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import polars as pl
import pytest

from cascade_nb.graph.code.code_key import code_key
from tests.graph.cells import Cells

USE = "def use(table): return table.twice_it()\ndef other(table): return table.head()"
ACCESSOR = """
class T:
    def __init__(self, table): pass
    def __call__(self): return {n}
"""
HELPED = "def _h(): return {n}\n"

WAYS: dict[str, str] = {
    "a method of a series": "pd.Series.twice_it = lambda self: {n}",
    "a method of a frame": "def _m(self): return {n}\npd.DataFrame.twice_it = _m",
    "a class method": "pd.Series.twice_it = classmethod(lambda cls: {n})",
    "an accessor of pandas": "@pd.api.extensions.register_dataframe_accessor('twice_it')"
    + ACCESSOR,
    "a helper of one": HELPED
    + f"@pd.api.extensions.register_series_accessor('twice_it'){ACCESSOR}".replace("{n}", "_h()"),
    "a name space of Polars": f"@pl.api.register_dataframe_namespace('twice_it'){ACCESSOR}",
}


@pytest.fixture(autouse=True)
def taken_off_again() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an accessor that takes another's place is told of
        yield
    for kind in (pd.Series, pd.DataFrame, pl.DataFrame):
        if "twice_it" in vars(kind):
            delattr(kind, "twice_it")
        getattr(kind, "_accessors", set()).discard("twice_it")


def keys_of(cells: Cells) -> tuple[str, str]:
    return code_key(cells.names["use"]).digest, code_key(cells.names["other"]).digest


@pytest.mark.parametrize("way", WAYS)
def test_what_was_put_on_a_table_counts_where_its_name_is_used(way: str) -> None:
    put = WAYS[way]
    cells = Cells().run("import pandas as pd, polars as pl", USE)
    before, other = keys_of(cells)
    cells.run(put.format(n=1))
    first, same = keys_of(cells)
    cells.run(put.format(n=2))
    second, same_again = keys_of(cells)
    cells.run(put.format(n=1))
    assert len({before, first, second}) == 3
    assert keys_of(cells) == (first, other)
    assert same == same_again == other


def test_what_libraries_have_on_their_tables_is_no_part() -> None:
    def reads(table: Any) -> Any:
        return table.str.upper().dt.year

    function: Callable[..., Any] = reads
    assert not any("Accessor" in part or "str" in part for part in code_key(function).parts)


@pytest.mark.parametrize(
    "use",
    [
        "import pathlib\ndef use(): return pathlib.Path('a').shown()",
        "from pathlib import Path\ndef use(): return Path('a').shown()",
        "from pathlib import Path\ndef h(): return Path('a').shown()\ndef use(): return h()",
    ],
)
def test_what_was_put_on_a_class_of_a_library_counts_where_the_class_is_named(
    use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = Cells().run(use, "def other(): return len('a')")
    keys = [keys_of(cells)]
    for given in (1, 2, 1):
        cells.run(f"def shown(self): return {given}")
        monkeypatch.setattr(pathlib.PurePath, "shown", cells.names["shown"], raising=False)
        keys.append(keys_of(cells))
        assert cells.names["use"]() == given
    monkeypatch.undo()
    keys.append(keys_of(cells))
    told = [key for key, _ in keys]
    assert told == [told[0], told[1], told[2], told[1], told[0]]
    assert len({*told}) == 3
    assert len({other for _, other in keys}) == 1
