"""Settings that are in force in this process and change what code gives: decimal's context, the
options of libraries, the locale, the time zone.

Only what somebody has set is read, so that where nobody has, nothing changes; and only of libraries
that are there.
"""

from __future__ import annotations

import contextlib
import gc
import locale
import os
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cascade_nb.concurrency.thread_settings import Settings, sklearn_config

_NUMPY_ERRORS: Final = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_NUMPY_TEXT: Final = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False,
    "linewidth": 75, "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None,
    "legacy": False, "override_repr": None,
}  # fmt: skip
_POLARS: Final = {
    "set_fmt_float": "mixed", "set_float_precision": None, "set_thousands_separator": "",
    "set_decimal_separator": ".", "set_trim_decimal_zeros": False,
}  # fmt: skip
_DECIMAL: Final = {
    "prec": 28, "rounding": "ROUND_HALF_EVEN", "Emin": -999999, "Emax": 999999, "capitals": 1,
    "clamp": 0,
}  # fmt: skip
_OF_DIALECTS: Final = (
    "delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting",
    "skipinitialspace", "strict",
)  # fmt: skip
_FIELD: Final = {"longest field": 131_072}
_XML: Final = frozenset({"xml", "html", "rdf", "wsdl", "xs", "xsi", "dc"})
_DIGITS: Final = 4_300
_COLLECTOR: Final = frozenset({(700, 10, 10), (2000, 10, 10), (2000, 10, 0), (2000, 5, 0)})
_TRAPS: Final = frozenset({"DivisionByZero", "InvalidOperation", "Overflow"})
# Where figures go, and what windows look like, is not what they are.
_NOT_LOOKS: Final = ("backend", "interactive", "toolbar", "tk.", "webagg.", "figure.max_open")
_TEXT_OPTIONS: Final = ("display.", "styler.", "plotting.")


def decimal_context() -> Settings:
    """What of decimal's context is not as Python has it."""
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return {}
    context = decimal.getcontext()
    traps = {kind.__name__ for kind, on in context.traps.items() if on}
    found = _other({name: getattr(context, name) for name in _DECIMAL}, _DECIMAL)
    return {**found, "traps": sorted(traps)} if traps != _TRAPS else found


def numpy_errors() -> Settings:
    """What NumPy does about division by zero and the like."""
    numpy = sys.modules.get("numpy")
    return {} if numpy is None else _other(numpy.geterr(), _NUMPY_ERRORS)


def numpy_text() -> Settings:
    """How NumPy writes arrays."""
    numpy = sys.modules.get("numpy")
    return {} if numpy is None else _other(numpy.get_printoptions(), _NUMPY_TEXT)


def pandas_options() -> Settings:
    """The options of pandas by which it computes."""
    found = _pandas()
    return {name: value for name, value in found.items() if not name.startswith(_TEXT_OPTIONS)}


def pandas_text() -> Settings:
    """The options of pandas by which it shows tables."""
    found = _pandas()
    return {name: value for name, value in found.items() if name.startswith(_TEXT_OPTIONS)}


def polars_text() -> Settings:
    """How Polars writes tables."""
    polars = sys.modules.get("polars")
    return {} if polars is None else _other(polars.Config.state(if_set=True), _POLARS)


def matplotlib_looks() -> Settings:
    """How Matplotlib draws."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None:
        return {}
    found, usual = (dict(dict.items(one)) for one in
                    (matplotlib.rcParams, matplotlib.rcParamsDefault))  # fmt: skip
    looks = {name: one for name, one in found.items() if not name.startswith(_NOT_LOOKS)}
    return _other(looks, usual)


def time_zone() -> Settings:
    """The time zone of the process."""
    return {"names": time.tzname, "seconds west of UTC": time.timezone}


def locale_used() -> Settings:
    """The categories of the locale that are not C's, but for how text is encoded."""
    found = {}
    for name in ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"):
        with contextlib.suppress(AttributeError, locale.Error):
            found[name] = locale.setlocale(getattr(locale, name))
    return {name: value for name, value in found.items() if value not in ("C", "POSIX")}


def arguments() -> Settings:
    """The arguments of the process; those of a kernel are not the user's."""
    return {} if "ipykernel" in sys.argv[0] else {"sys.argv": list(sys.argv)}


def limits() -> Settings:
    """Numbers that the interpreter has once, and that somebody may ask for."""
    socket = sys.modules.get("socket")
    return {
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "longest number in text": getattr(sys, "get_int_max_str_digits", int)(),
        "timeout of sockets": None if socket is None else socket.getdefaulttimeout(),
    }


def longest_number() -> Settings:
    """How long a number may be in text."""
    most = getattr(sys, "get_int_max_str_digits", lambda: _DIGITS)()
    return {} if most == _DIGITS else {"digits": most}


def collector() -> Settings:
    """When the garbage collector runs."""
    found: dict[str, Any] = {}
    if gc.get_threshold() not in _COLLECTOR:
        found["threshold"] = gc.get_threshold()
    return found if gc.isenabled() else {**found, "enabled": False}


def time_zone_folders() -> Settings:
    """Where time zones are looked for."""
    known = sys.modules.get("zoneinfo")
    usual = str(sysconfig.get_config_var("TZPATH") or "").split(os.pathsep)
    return {} if known is None or [*known.TZPATH] == usual else {"folders": [*known.TZPATH]}


def xml_namespaces() -> Settings:
    """The prefixes of namespaces that somebody has registered."""
    known = sys.modules.get("xml.etree.ElementTree")
    held = {} if known is None else known._namespace_map
    return {uri: prefix for uri, prefix in held.items() if prefix not in _XML}


def csv_dialects() -> Settings:
    """The dialects of CSV that somebody has registered, and how long a field may be."""
    csv = sys.modules.get("csv")
    if csv is None:
        return {}
    own = [name for name in csv.list_dialects() if name not in ("excel", "excel-tab", "unix")]
    kinds = {name: csv.get_dialect(name) for name in own}
    found: dict[str, Any] = {
        name: {part: getattr(kind, part) for part in _OF_DIALECTS} for name, kind in kinds.items()
    }
    return {**found, **_other({"longest field": csv.field_size_limit()}, _FIELD)}


def sqlite_adapters() -> Settings:
    """What somebody has registered to turn values into those of SQLite, and back."""
    sqlite = sys.modules.get("sqlite3.dbapi2")
    if sqlite is None:
        return {}
    found = {
        **{f"{kind.__module__}.{kind.__qualname__}": one
           for (kind, _), one in sqlite.adapters.items()},
        **{str(name): one for name, one in sqlite.converters.items()},
    }  # fmt: skip
    return {
        name: one
        for name, one in found.items()
        if str(getattr(one, "__module__", "")).partition(".")[0] not in ("sqlite3", "pandas")
    }


def first_weekday() -> Settings:
    """With which day the weeks of a calendar begin."""
    calendar = sys.modules.get("calendar")
    return {} if calendar is None else _other({"first": calendar.firstweekday()}, {"first": 0})


def logging_levels() -> Settings:
    """From which level on something is logged."""
    logging = sys.modules.get("logging")
    if logging is None:
        return {}
    loggers = logging.root.manager.loggerDict.items()
    levels = {name: one.level for name, one in loggers if getattr(one, "level", 0)}
    own = {"": logging.root.level, "below": logging.root.manager.disable}
    return {**levels, **_other(own, {"": logging.WARNING, "below": 0})}


def warnings_raised() -> Settings:
    """Which warnings are errors: the filters up to the last that makes any an error."""
    places = [place for place, one in enumerate(warnings.filters) if one[0] == "error"]
    last = places[-1] + 1 if places else 0
    return {str(place): repr(one) for place, one in enumerate(warnings.filters[:last])}


def settings_of(kind: type) -> Settings:
    """Those in force by which values of a class go, whoever computes with them."""
    read = _OF_VALUES.get(str(kind.__module__).partition(".")[0])
    return {} if read is None else read()


_OF_VALUES: Final[Mapping[str, Callable[[], Settings]]] = {
    "decimal": decimal_context,
    "numpy": numpy_errors,
    "pandas": pandas_options,
    "sklearn": sklearn_config,
}


def _pandas() -> Settings:
    pandas = sys.modules.get("pandas")
    config = sys.modules.get("pandas._config.config")
    if pandas is None or config is None:
        return {}
    try:
        known, held = config._registered_options, config._global_config
        usual = {name: one.defval for name, one in known.items()}
    except AttributeError:  # a pandas that keeps them elsewhere
        return {}
    return _other(dict(_leaves(held, "")), usual)


def _leaves(tree: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def _other(found: Settings, usual: Settings) -> Settings:
    """What is not as it is where nobody has set anything."""
    others = [name for name, value in found.items() if value is not usual.get(name, _NONE)]
    return {
        name: found[name]
        for name in others
        if name not in usual or repr(found[name]) != repr(usual[name])
    }


_NONE: Final = object()
