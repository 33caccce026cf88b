"""Tells on which settings of the process a body's result depends, as far as its names show.

A body that uses a library goes by the settings of that library. Those by which a library writes
text count where a body asks for any by name: an f-string is mostly for who looks on.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.thread_settings import Settings, sklearn_config
from cascade_nb.graph.values.settings import (
    arguments,
    collector,
    csv_dialects,
    decimal_context,
    first_weekday,
    limits,
    locale_used,
    logging_levels,
    longest_number,
    matplotlib_looks,
    numpy_errors,
    numpy_text,
    pandas_options,
    pandas_text,
    polars_text,
    sqlite_adapters,
    time_zone,
    time_zone_folders,
    warnings_raised,
    xml_namespaces,
)


class _Setting(NamedTuple):
    """Settings of one place.

    Attributes:
        words: how a part of a key is called, and with it a sentence that says what changed.
        read: what is in force.
        libraries: the packages one of which a body has to use; empty for any body.
        names: those of which it has to use one; empty for any.
    """

    words: str
    read: Callable[[], Settings]
    libraries: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT: Final = _names(
    "str repr to_string to_markdown to_html to_latex array2string array_repr array_str"
    " __str__ __repr__ _repr_html_"
)
_OF_ARGUMENTS: Final = _names("argv orig_argv parse_args parse_known_args")
_SETTINGS: Final = (
    _Setting("decimal's context", decimal_context, _names("decimal _decimal _pydecimal")),
    _Setting("NumPy's handling of errors", numpy_errors, _names("numpy")),
    _Setting("NumPy's print options", numpy_text, _names("numpy"), _TEXT),
    _Setting("NumPy's print options", numpy_text, names=_names("get_printoptions")),
    _Setting("pandas' options", pandas_options, _names("pandas")),
    _Setting(
        "pandas' display options",
        pandas_text,
        _names("pandas"),
        _TEXT | _names("options get_option style Styler"),
    ),
    _Setting("Polars' settings", polars_text, _names("polars"), _TEXT),
    _Setting("scikit-learn's settings", sklearn_config, _names("sklearn")),
    _Setting("Matplotlib's settings", matplotlib_looks, _names("matplotlib pylab seaborn")),
    _Setting("the dialects of CSV", csv_dialects, _names("csv _csv")),
    _Setting("SQLite's adapters", sqlite_adapters, _names("sqlite3 _sqlite3")),
    _Setting("the prefixes of XML namespaces", xml_namespaces, _names("xml")),
    _Setting("where time zones are looked for", time_zone_folders, _names("zoneinfo pandas")),
    _Setting("how long a number may be in text", longest_number),
    _Setting("when the garbage collector runs", collector, names=_names("get_threshold isenabled")),
    _Setting("the first day of a week", first_weekday, _names("calendar")),
    _Setting(
        "the levels of logging", logging_levels, names=_names("isEnabledFor getEffectiveLevel")
    ),
    _Setting("which warnings are errors", warnings_raised, names=_names("warn catch_warnings")),
    _Setting(
        "the time zone",
        time_zone,
        names=_names(
            "fromtimestamp localtime mktime astimezone tzname tzlocal altzone timestamp"
            " ctime asctime strftime formatdate Formatter"
        ),
    ),
    _Setting(
        "the locale",
        locale_used,
        names=_names(
            "locale strftime strptime strcoll strxfrm localeconv getlocale month_name day_name"
            " month_abbr day_abbr"
        ),
    ),
    _Setting(
        "the arguments of the process",
        arguments,
        names=_OF_ARGUMENTS,
    ),
    _Setting(
        "limits of the interpreter",
        limits,
        names=_names(
            "getrecursionlimit getswitchinterval get_int_max_str_digits getdefaulttimeout"
        ),
    ),
)
_OF_NAMES: Final = frozenset().union(*(one.names for one in _SETTINGS))
_WORD: Final = re.compile(r"\w+")


class SettingReads:
    """What one look at code finds of settings."""

    def __init__(self) -> None:
        self._libraries: set[str] = set()
        self._names: set[str] = set()

    def code(self, names: Collection[str]) -> None:
        """Take note of the names that a body uses."""
        self._names.update(_OF_NAMES.intersection(names))

    def library(self, name: str) -> None:
        """Take note of a module that code uses, by its full name."""
        self._libraries.add(name.partition(".")[0])

    def value(self, value: Any) -> None:
        """Take note of what a name in a body means: a module, or something out of one."""
        is_module = issubclass(type(value), types.ModuleType)
        name = getattr(value, "__name__" if is_module else "__module__", None)
        if type(name) is not str:
            name = type(value).__module__
        self.library(name)

    def uses(self, library: str) -> bool:
        """Whether code was found to use a package."""
        return library in self._libraries

    def module(self, source: str) -> None:
        """Take note of a whole file; that it is also a program with arguments says nothing."""
        self._names.update(_names_of(source))

    def found(self) -> Iterator[tuple[str, Settings]]:
        """What counts of what is in force now, by the words for it."""
        for one in _SETTINGS:
            if one.libraries and one.libraries.isdisjoint(self._libraries):
                continue
            if one.names and one.names.isdisjoint(self._names):
                continue
            if held := one.read():
                yield one.words, held


@functools.lru_cache(maxsize=128)
def _names_of(source: str) -> frozenset[str]:
    return _OF_NAMES.intersection(_WORD.findall(source)) - _OF_ARGUMENTS
