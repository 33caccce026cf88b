"""The rules of caching: how long a kept result stands, and which files it depends on."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from typing import Any, Final

from cascade_nb.errors import PolicyError, UsageError
from cascade_nb.model.options.checks import checked_version, is_finite
from cascade_nb.text import quoted

_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_PART: Final = re.compile(_NUMBER + r"\s*(d|h|min|m|s)\s*", re.ASCII)
_SPAN: Final = re.compile(rf"\s*(?:{_NUMBER}|(?:{_PART.pattern})+)\s*", re.ASCII)
_NONE: Final = re.compile(r"\s*0+(?:\.0+)?\s*(?:d|h|min|m|s)?\s*", re.ASCII)
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0}


@dataclasses.dataclass(frozen=True)
class Cache:
    """When a kept result of a node stands for a new one, beyond its code and its inputs.

    Attributes:
        ttl: seconds after which it counts as absent, and so does all that was made of it; None for
            ever.
        files: paths and globs. What is there counts by name, size and time as it was when the task
            began, or as the task left it where it made it itself; a folder stands for every file
            below it.
        version: counts like an argument.
    """

    ttl: float | None = None
    files: tuple[str, ...] = ()
    version: str | None = None


def checked_cache(before: Cache | None, ttl: Any, files: Any, version: Any) -> Cache | None:
    """`before` with what is given here; None if nothing is left of it.

    Args:
        before: the rules that held.
        ttl, files, version: as `with_cache` takes them; None for what stays as it was.

    Raises:
        PolicyError: a length of time, a path or a version that makes no sense.
    """
    made = before or Cache()
    if ttl is not None:
        made = dataclasses.replace(made, ttl=_checked_ttl(ttl))
    if files is not None:
        made = dataclasses.replace(made, files=_checked_files(files))
    if version is not None:
        made = dataclasses.replace(made, version=checked_version(version))
    return None if made == Cache() else made


def seconds_of(text: str) -> float:
    """A length of time out of ``90``, ``90s``, ``10m``, ``1h30m`` or ``2d``, in seconds.

    Raises:
        UsageError: nobody can read it, or it is zero.
    """
    if not _SPAN.fullmatch(text):
        raise UsageError(f"{quoted(text)} is no length of time; write 90s, 10m, 1h30m or 2d")
    parts = _PART.findall(text)
    seconds = sum(float(n) * _SECONDS[unit] for n, unit in parts) if parts else float(text)
    if not seconds > 0:
        raise UsageError(f"a length of time is above zero, and {quoted(text)} is not")
    return seconds


def checked_older(older: object) -> float | None:
    """For how long results were unused that are to go, in seconds; 0 is all, None those alone that
    have expired.

    Raises:
        UsageError: nobody can read it, or it is below zero.
    """
    if older is None:
        return None
    if isinstance(older, str):
        return 0.0 if _NONE.fullmatch(older) else seconds_of(older)
    if isinstance(older, bool) or not isinstance(older, (int, float)) or not older >= 0:
        raise UsageError(f"a length of time is text such as '30d', or seconds, not {quoted(older)}")
    if not is_finite(older):
        raise UsageError(f"a length of time is finite, and {quoted(older)} is not")
    return float(older)


def _checked_ttl(ttl: Any) -> float:
    if isinstance(ttl, str):
        try:
            return seconds_of(ttl)
        except UsageError as error:
            raise PolicyError(f"ttl: {error}") from None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise PolicyError(f"ttl is a number of seconds or a text like '1d', not {quoted(ttl)}")
    if not (ttl > 0 and is_finite(ttl)):
        raise PolicyError(f"ttl must be above zero and finite, not {quoted(ttl)}")
    return float(ttl)


def _checked_files(files: Any) -> tuple[str, ...]:
    if isinstance(files, (str, os.PathLike)):
        files = (files,)
    if not isinstance(files, Iterable):
        raise PolicyError(f"files takes paths and globs, not {quoted(files)}")
    found = tuple(map(_path, files))
    return tuple(dict.fromkeys(found))


def _path(file: Any) -> str:
    path = os.fspath(file) if isinstance(file, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise PolicyError(f"files takes paths and globs, not {quoted(file)}")
    return path
