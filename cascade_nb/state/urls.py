"""Makes a state backend of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from cascade_nb.errors import UsageError, nearest
from cascade_nb.protocols.state_backend import StateBackend
from cascade_nb.state.memory import LIMIT, MemoryState
from cascade_nb.state.room import bytes_of
from cascade_nb.text import quoted

SCHEMES: Final = ("memory", "sqlite", "redis", "rediss")
_MEANT: Final = "memory:, sqlite:///results.db, redis://localhost:6379/0 or rediss://…"
_REDIS: Final = ("prefix", "ttl", "limit", "insecure")


def state_from(url: str) -> StateBackend:
    """The state backend of a URL.

    Args:
        url: `memory:`; `sqlite:///` and a path, relative to the current folder, or absolute with a
            fourth '/'; `redis://` or `rediss://` as redis-py takes it, with `?prefix=…` and
            `?ttl=…` in seconds; one on another machine without TLS or without a password needs
            `?insecure=true`. Each takes `?limit=20GB`, above which results go that were not
            used for the longest.

    Raises:
        UsageError: nobody can read it, or what it takes is not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may have the password
        raise UsageError(f"this cannot be read as the URL of a place; it is {_MEANT}") from None
    if parts.scheme not in SCHEMES:
        hint = nearest(parts.scheme, SCHEMES) if parts.scheme else ""
        raise UsageError(f"{quoted(_safe(url), 120)} is no place for results{hint}; it is {_MEANT}")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    limit = bytes_of(asked["limit"]) if "limit" in asked else None
    if parts.scheme == "memory":
        _only(asked, ("limit",), "memory")
        return MemoryState(LIMIT if limit is None else limit)
    if parts.scheme == "sqlite":
        _only(asked, ("limit",), "sqlite")
        path = unquote(parts.path)[1:]
        if parts.netloc or not Path(path).name or "\0" in path:
            raise UsageError(
                f"{quoted(_safe(url), 120)} names no file; write sqlite:///results.db for one in "
                "this folder, sqlite:////data/results.db for one elsewhere"
            )
        from cascade_nb.state.sqlite.backend import SqliteState  # noqa: PLC0415 - only who asks pays for it

        return SqliteState(path, limit_bytes=limit)
    return _redis(urlunsplit(parts._replace(query="")), asked, limit)


def _redis(url: str, asked: Mapping[str, str], limit: int | None) -> StateBackend:
    _only(asked, _REDIS, "redis")
    try:
        from cascade_nb.state.redis.backend import RedisState  # noqa: PLC0415 - it needs an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "redis":
            raise
        raise UsageError(
            'redis:// needs the redis package; install it with pip install "cascade-nb[redis]"'
        ) from None
    ttl = asked.get("ttl")
    try:
        seconds = None if ttl is None else float(ttl)
    except ValueError:
        raise UsageError(f"ttl is a number of seconds, not {quoted(ttl)}") from None
    insecure = asked.get("insecure", "false")
    if insecure not in ("true", "false"):
        raise UsageError(f"insecure is true or false, not {quoted(insecure, 40)}")
    return RedisState(
        url,
        prefix=asked.get("prefix", "cascade"),
        ttl=seconds,
        limit_bytes=limit,
        insecure=insecure == "true",
    )


def _only(asked: Mapping[str, str], known: tuple[str, ...], scheme: str) -> None:
    for name in asked:
        if name not in known:
            takes = f"takes {' and '.join(known)}" if known else "takes nothing"
            raise UsageError(f"a {scheme} URL {takes} behind the '?', not {quoted(name)}")


def _safe(url: str) -> str:
    """The URL without a password, for a message."""
    before, at, after = url.rpartition("@")
    return f"…@{after}" if at and before else url
