"""Gives the body of a task in another process what it would find around it in a thread: the current
folder, the environment, where modules are found; and what a cell said of logging and warnings.
"""

from __future__ import annotations

import contextlib
import decimal
import importlib
import logging
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.thread_settings import sklearn_config
from cascade_nb.engine.processes.displays import put_up

Record = Callable[[str, Any], None]  # tells the other process something

_SKLEARN: Final = "sklearn"  # there only where something of it is set
_BY_WHAT: Final = ("message", "module")


class Place(NamedTuple):
    """Where a body runs. To read its pickle is to go there: it stands before what imports modules.

    Attributes:
        folder: the current one; None where that is gone.
        variables: of the environment.
        path: where modules are found.
        keeps: whether the process is somebody else's, and what was set there for it stays.
    """

    folder: str | None
    variables: dict[str, str]
    path: list[str]
    keeps: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        sent, pickled = _seen.sent
        if self != sent:  # pickled once for all bodies that run there: an environment is long
            pickled = pickle.dumps(tuple(self))
            _seen.sent = self, pickled
        return _gone_to, (pickled,)

    def go(self) -> None:
        """Make this process's what it says."""
        if _seen.first is None:
            _seen.first = frozenset(os.environ)
        stays = _seen.first if self.keeps else frozenset()
        if _seen.variables != self.variables or _raw() != _seen.raw:
            for name in os.environ.keys() - self.variables.keys() - stays:
                del os.environ[name]
            os.environ.update(self.variables)
            _seen.note(self.variables)
        if self.keeps:
            sys.path += [entry for entry in self.path if entry not in sys.path]
        elif sys.path != self.path:
            sys.path[:] = self.path
        if self.folder is not None and folder_here() != self.folder:
            # Another machine may have none of this name.
            with contextlib.suppress(*[FileNotFoundError] * self.keeps):
                os.chdir(self.folder)


class _Environment:
    """The environment as it was seen last: to ask for all of it takes as long as a tiny body.

    Attributes:
        sent, arrived: the last place that went to another process or came from one, and its pickle.
    """

    def __init__(self) -> None:
        self.raw: Any = None
        self.variables: dict[str, str] = {}
        self.first: frozenset[str] | None = None  # what there was before any body
        self.sent: tuple[Place | None, bytes] = None, b""
        self.arrived: tuple[Place | None, bytes] = None, b""

    def note(self, variables: dict[str, str]) -> None:
        """It is this now."""
        self.variables = variables
        self.raw = dict(_raw())


_seen: Final = _Environment()


def _raw() -> Any:
    """What `os.environ` holds, cheaply compared."""
    return getattr(os.environ, "_data", os.environ)


def place_here(keeps: bool = False) -> Place:
    """Where this process is.

    Args:
        keeps: whether the process that is to be there keeps what was set there for it.
    """
    if _raw() != _seen.raw:
        _seen.note(dict(os.environ))
    return Place(folder_here(), _seen.variables, list(sys.path), keeps)


def folder_here() -> str | None:
    """The current folder."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text, asked for each body
    except OSError:
        return None


def _gone_to(pickled: bytes) -> Place:
    place, known = _seen.arrived
    if place is None or pickled != known:
        place = Place(*pickle.loads(pickled))  # noqa: S301 - from what started this process
        _seen.arrived = place, pickled
    place.go()
    put_up()
    return place


class Said(NamedTuple):
    """What was said of logging and warnings where a run was started.

    Attributes:
        levels: by logger, "" for the root; only those that have one of their own.
        disabled: the level up to which nothing is logged.
        filters: of warnings.
        variables: pickles of context variables and their values.
        settings: of scikit-learn.
        precision: of `decimal`.
    """

    levels: dict[str, int]
    disabled: int
    filters: list[tuple[Any, ...]]
    variables: list[bytes]
    settings: dict[str, Any]
    precision: decimal.Context

    def enter(self) -> AbstractContextManager[Any] | None:
        """Have what each context has for itself in this one; gives what else is to be entered."""
        decimal.setcontext(self.precision.copy())
        for pickled in self.variables:
            variable, value = pickle.loads(pickled)  # noqa: S301 - as below
            variable.set(value)
        if not self.settings:
            return None
        entered: AbstractContextManager[Any] = importlib.import_module(_SKLEARN).config_context(
            **self.settings
        )
        return entered

    def apply(self) -> None:
        """Make it hold in this process."""
        for name, level in self.levels.items():
            logging.getLogger(name or None).setLevel(level)
        logging.disable(self.disabled)
        warnings.resetwarnings()
        for action, message, category, module, line in self.filters:
            said = {"message": message, "module": module}
            words = {name: getattr(said[name], "pattern", said[name]) or "" for name in _BY_WHAT}
            warnings.filterwarnings(action, category=category, lineno=line, append=True, **words)


def said_in(context: Context, variables: list[bytes]) -> Said:
    """What was said here, and in a context.

    Args:
        context: of whoever started the run.
        variables: those of it that pickle.
    """
    root = logging.getLogger()
    levels = {"": root.level}
    for name, logger in list(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level:
            levels[name] = logger.level
    filters = [one for one in warnings.filters if _can_go(one)]
    settings = dict(context.run(sklearn_config))
    precision = context.run(decimal.getcontext)
    return Said(levels, root.manager.disable, filters, variables, settings, precision)


def _can_go(one: Any) -> bool:
    try:
        pickle.dumps(one)
    except Exception:  # a category that a notebook defines, of which a module knows nothing
        return False
    return True


def record_as_text(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a log record, of which all can be pickled: its arguments may be anything."""
    said = dict(vars(record))
    said.update(msg=record.getMessage(), args=None, exc_info=None)
    if record.exc_info and not record.exc_text:
        said["exc_text"] = _FORMAT.formatException(record.exc_info)
    return said


class Telling(logging.Handler):
    """Has what is logged and warned of in this process told to another, for one body at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._tell: Record | None = None
        self._pickled = b""
        self._said: Any = None
        self._filters: list[Any] = []

    def begin(self, pickled: bytes, tell: Record) -> Said:
        """A body begins; gives what was said.

        Args:
            pickled: a `Said`.
            tell: how to tell the other process.
        """
        self._tell = tell
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)
        if pickled != self._pickled:
            self._said = pickle.loads(pickled)  # noqa: S301 - from what started this process
        if pickled != self._pickled or warnings.filters != self._filters:
            self._said.apply()
            self._pickled, self._filters = pickled, list(warnings.filters)
        warnings.showwarning = self._warn
        return self._said  # type: ignore[no-any-return]

    def end(self) -> None:
        """It is over."""
        self._tell = None

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it, as text, since its arguments may be anything."""
        if self._tell is None:
            return
        try:
            self._tell("log", record_as_text(record))
        except Exception:
            self.handleError(record)

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        if self._tell is not None:
            self._tell("warning", (message, category, filename, lineno))


_FORMAT: Final = logging.Formatter()
