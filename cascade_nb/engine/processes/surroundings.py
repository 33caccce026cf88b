"""Gives the body of a task in another process what it would find around it in a thread: the current
folder, the environment, where modules are found; and what a cell said of logging and warnings.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Record = Callable[[str, Any], None]  # tells the other process something

_BY_WHAT: Final = ("message", "module")


class Place(NamedTuple):
    """Where a body runs. To read its pickle is to go there: it stands before what imports modules.

    Attributes:
        folder: the current one; None where that is gone.
        variables: of the environment.
        path: where modules are found.
    """

    folder: str | None
    variables: dict[str, str]
    path: list[str]

    def __reduce__(self) -> tuple[Any, ...]:
        return _gone_to, tuple(self)

    def go(self) -> None:
        """Make this process's what it says."""
        if _seen.variables != self.variables or _raw() != _seen.raw:
            for name in os.environ.keys() - self.variables.keys():
                del os.environ[name]
            os.environ.update(self.variables)
            _seen.note(self.variables)
        if sys.path != self.path:
            sys.path[:] = self.path
        if self.folder is not None and folder_here() != self.folder:
            os.chdir(self.folder)


class _Environment:
    """The environment as it was seen last: to ask for all of it takes as long as a tiny body."""

    def __init__(self) -> None:
        self.raw: Any = None
        self.variables: dict[str, str] = {}

    def note(self, variables: dict[str, str]) -> None:
        """It is this now."""
        self.variables = variables
        self.raw = dict(_raw())


_seen: Final = _Environment()


def _raw() -> Any:
    """What `os.environ` holds, cheaply compared."""
    return getattr(os.environ, "_data", os.environ)


def place_here() -> Place:
    """Where this process is."""
    if _raw() != _seen.raw:
        _seen.note(dict(os.environ))
    return Place(folder_here(), _seen.variables, list(sys.path))


def folder_here() -> str | None:
    """The current folder."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text, asked for each body
    except OSError:
        return None


def _gone_to(folder: str | None, variables: dict[str, str], path: list[str]) -> Place:
    place = Place(folder, variables, path)
    place.go()
    return place


class Said(NamedTuple):
    """What was said of logging and warnings where a run was started.

    Attributes:
        levels: by logger, "" for the root; only those that have one of their own.
        disabled: the level up to which nothing is logged.
        filters: of warnings.
    """

    levels: dict[str, int]
    disabled: int
    filters: list[tuple[Any, ...]]

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


def said_here() -> Said:
    """What was said here."""
    root = logging.getLogger()
    levels = {"": root.level}
    for name, logger in list(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level:
            levels[name] = logger.level
    return Said(levels, root.manager.disable, [one for one in warnings.filters if _can_go(one)])


def _can_go(one: Any) -> bool:
    try:
        pickle.dumps(one)
    except Exception:  # a category that a notebook defines, of which a module knows nothing
        return False
    return True


class Telling(logging.Handler):
    """Has what is logged and warned of in this process told to another, for one body at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._tell: Record | None = None
        self._said = b""
        self._filters: list[Any] = []

    def begin(self, said: bytes, tell: Record) -> None:
        """A body begins.

        Args:
            said: the pickle of a `Said`.
            tell: how to tell the other process.
        """
        self._tell = tell
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)
        if said != self._said or warnings.filters != self._filters:
            pickle.loads(said).apply()  # noqa: S301 - from the process that started this one
            self._said, self._filters = said, list(warnings.filters)
        warnings.showwarning = self._warn

    def end(self) -> None:
        """It is over."""
        self._tell = None

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of it, as text, since its arguments may be anything."""
        if self._tell is None:
            return
        try:
            said = dict(vars(record))
            said.update(msg=record.getMessage(), args=None, exc_info=None)
            if record.exc_info and not record.exc_text:
                said["exc_text"] = _FORMAT.formatException(record.exc_info)
            self._tell("log", said)
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
