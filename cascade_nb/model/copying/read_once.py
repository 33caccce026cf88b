"""Finds what cannot be a result: what can be read only once, or not at all any more later.

Nothing here imports where such things come from: the user has, where there is one.
"""

from __future__ import annotations

import io
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn

from cascade_nb.errors import ResultError

_BUFFERS: Final = (io.BytesIO, io.StringIO)
_OPEN: Final = (
    "which is gone when it is closed; open it in the task that needs it, or make it a resource"
)
_HANDLES: Final[dict[str, frozenset[str]]] = {
    _OPEN: frozenset(
        {
            "socket.socket", "_socket.socket", "sqlite3.Connection", "http.client.HTTPConnection",
            "mmap.mmap", "zipfile.ZipFile", "tarfile.TarFile", "tempfile._TemporaryFileWrapper",
            "h5py._hl.files.File", "concurrent.futures._base.Executor",
            "multiprocessing.pool.Pool", "select.epoll",
            "selectors.BaseSelector",
        }
    ),
    "which is over when it ends; wait for it in the task that starts it, and return what it gave":
    frozenset({"subprocess.Popen", "multiprocessing.process.BaseProcess"}),
    "which has no value yet; return its `.result()`":
    frozenset({"concurrent.futures._base.Future", "multiprocessing.pool.ApplyResult"}),
    "whose folder goes with it; return a path in a folder that stays":
    frozenset({"tempfile.TemporaryDirectory"}),
}  # fmt: skip
_OF_DATABASES: Final = ("cursor", "commit", "rollback", "close")


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
    if words := _of_a_handle(cls):
        return _refusal(f"{name}, {words}")
    if issubclass(cls, Awaitable):
        return _refusal(
            f"{name}, which can be awaited once and has no value yet; make the task an `async def` "
            "and return `await …`"
        )
    if issubclass(cls, (Iterator, AsyncIterator)):
        made = "list(…)" if issubclass(cls, Iterator) else "[one async for one in …]"
        return _refusal(
            f"{name}, which can be gone through only once, so that a second reader would find it "
            f"empty; return a list, for instance `return {made}`"
        )
    return None


def _of_a_handle(cls: type) -> str:
    """What is said of what stands for something outside: it is no value but the way to one.

    Locks, queues, threads and loops are none of these: everybody is handed the same one.
    """
    kinds = {f"{one.__module__}.{one.__qualname__}" for one in cls.__mro__}
    for words, known in _HANDLES.items():
        if kinds & known:
            return words
    # As the standard for databases has it (PEP 249), whatever the connection's class is called.
    return _OPEN if all(callable(getattr(cls, name, None)) for name in _OF_DATABASES) else ""


def is_read_once(cls: type) -> bool:
    """Whether a value of `cls` is gone when somebody has gone through it, as a generator is. An
    open file is not: it can be wound back, and may be there to be written to.
    """
    return issubclass(cls, (Iterator, AsyncIterator, types.CoroutineType)) and not issubclass(
        cls, io.IOBase
    )


def _refusal(words: str) -> Callable[[Any], NoReturn]:
    def refuse(value: Any) -> NoReturn:
        raise ResultError(f"what it returned is, or holds, {words}")

    return refuse
