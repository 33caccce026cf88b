"""What is no value: what can be read only once, or not at all any more when somebody reads it."""

from __future__ import annotations

import io
import socket
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn

from cascade_nb.errors import ResultError

_BUFFERS: Final = (io.BytesIO, io.StringIO)


def check_readable(cls: type) -> Callable[[Any], NoReturn] | None:
    """What refuses a value of `cls` as a result; None where nothing is in the way."""
    name = f"{'an' if cls.__name__[:1].lower() in 'aeiou' else 'a'} {cls.__name__}"
    if issubclass(cls, _BUFFERS):
        return None
    if issubclass(cls, io.IOBase):
        return _refusal(
            f"an open file ({cls.__name__}), which only one reader can read, and none later; "
            "return what is in it, or its path"
        )
    if issubclass(cls, socket.socket):
        return _refusal(
            f"{name}, which is gone when it is closed; open it in the task that needs it, or make "
            "it a resource"
        )
    if issubclass(cls, Awaitable):
        return _refusal(
            f"{name}, which can be awaited once and has no value yet; make the task an `async def` "
            "and return `await …`"
        )
    if issubclass(cls, Iterator):
        return _refusal(
            f"{name}, which can be gone through only once, so that a second reader would find it "
            "empty; return a list, for instance `return list(…)`"
        )
    return None


def is_read_once(cls: type) -> bool:
    """Whether a value of `cls` is gone when somebody has gone through it, as a generator is. An
    open file is not: it can be wound back, and may be there to be written to.
    """
    return issubclass(cls, (Iterator, types.CoroutineType)) and not issubclass(cls, io.IOBase)


def _refusal(words: str) -> Callable[[Any], NoReturn]:
    def refuse(value: Any) -> NoReturn:
        raise ResultError(f"what it returned is, or holds, {words}")

    return refuse
