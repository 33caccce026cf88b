"""What is no value is refused as a result, by what it is; what only looks like it is not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import http.client
import io
import logging
import mmap
import multiprocessing
import multiprocessing.pool
import queue
import random
import selectors
import socket
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.errors import ResultError, TaskFailedError
from cascade_nb.model.copying.isolation import kept_copy, reader_copy


class Connection:
    """Of a database of somebody's."""

    def cursor(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


@contextmanager
def _process() -> Iterator[Any]:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        yield process


@contextmanager
def _held(value: Any) -> Iterator[Any]:
    try:
        yield value
    finally:
        getattr(value, "cleanup", lambda: None)()


OPEN: dict[str, Callable[[], Any]] = {
    "a Connection, which is gone": lambda: closing(sqlite3.connect(":memory:")),
    "a Connection, .* or make it a resource": lambda: closing(Connection()),
    "a socket, which is gone": socket.socket,
    "a HTTPConnection": lambda: closing(http.client.HTTPConnection("localhost")),
    "a ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor(1),
    "a mmap": lambda: closing(mmap.mmap(-1, 10)),
    "a ZipFile": lambda: zipfile.ZipFile(io.BytesIO(), "w"),
    "a TarFile": lambda: tarfile.TarFile(fileobj=io.BytesIO(), mode="w"),
    "a _TemporaryFileWrapper": tempfile.NamedTemporaryFile,
    "an EpollSelector": selectors.DefaultSelector,
    "a Popen, which is over when it ends; wait for it": _process,
    "a TemporaryDirectory, whose folder goes with it": lambda: _held(tempfile.TemporaryDirectory()),
    "a Process, which is over": lambda: _held(multiprocessing.Process()),
    r"a Future, which has no value yet; return its `.result\(\)`": (
        lambda: _held(concurrent.futures.Future())
    ),
}


@pytest.mark.parametrize(("words", "make"), OPEN.items(), ids=list(OPEN))
def test_what_stands_for_something_outside_is_refused_wherever_it_is(
    words: str, make: Callable[[], Any]
) -> None:
    with make() as handle:
        for result in (handle, [handle], {"a": (handle,)}, Holder(handle)):
            with pytest.raises(ResultError, match=f"what it returned is, or holds, {words}"):
                kept_copy(result)
        assert reader_copy(handle) is handle  # as an argument it is handed on


@pytest.mark.parametrize(
    "value",
    [
        threading.Lock(),
        threading.RLock(),
        threading.Event(),
        threading.local(),
        threading.current_thread(),
        queue.Queue(),
        asyncio.Lock(),
        logging.getLogger("a logger"),
        contextvars.ContextVar("a variable"),
        ssl.create_default_context(),
        print,
        sys,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_everybody_shares_is_handed_on_as_it_is(value: Any) -> None:
    assert kept_copy(value) is value
    assert kept_copy([value])[0] is value
    assert reader_copy(kept_copy(Holder(value))).held is value


def test_what_is_data_is_copied() -> None:
    assert reader_copy(kept_copy(io.StringIO("a"))).read() == "a"
    assert reader_copy(kept_copy(random.Random(3))).random() == random.Random(3).random()


def test_the_task_is_named_that_gave_it() -> None:
    @cs.task(executor="inline")
    def connect() -> Any:
        return Connection()

    with pytest.raises(TaskFailedError, match=r"connect failed: ResultError: .* a Connection, "):
        cs.run(connect())
