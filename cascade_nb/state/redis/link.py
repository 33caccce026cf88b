"""Connects to a Redis server; the only place that knows its client."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from hashlib import sha1
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.control.remote.exposure import refuse_exposed
from cascade_nb.errors import StateError, UsageError
from cascade_nb.forking import forget_after_fork
from cascade_nb.state.redis.advice import SILENT, STRANGE, UNREACHABLE, code_in, trouble
from cascade_nb.state.redis.replies import Shape, maybe_bytes
from cascade_nb.text import quoted

try:
    from redis import DriverInfo, __version__, exceptions
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError as error:
    raise ImportError(
        "results can be kept in Redis once its client is there: pip install 'cascade-nb[redis]'"
    ) from error

T = TypeVar("T")
Word: TypeAlias = str | bytes | int

CONNECT: Final = 2.5  # seconds that a connection may take to be made
ANSWER: Final = 5.0  # seconds that a command, or the answer to it, may take

# The client takes these words off the text of an error and makes them its type.
_CODES: Final = (
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.MasterDownError, "MASTERDOWN"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.MovedError, "MOVED"),
    (exceptions.InvalidResponse, STRANGE),
    (exceptions.TimeoutError, SILENT),
)


class Script:
    """A script that the server runs at one go, and remembers by its digest.

    Args:
        text: its Lua.
        reply: the shape of what it gives.
    """

    def __init__(self, text: str, reply: Shape = maybe_bytes) -> None:
        self.text = text
        self.reply = reply
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisServer:
    """A server, as seen from one loop. What it raises is always a `StateError`.

    Whatever is asked may be asked twice, when a connection was lost before there was an answer.

    Attributes:
        turn: held by those whose order counts.
    """

    def __init__(self, url: str, where: str) -> None:
        self._where = where
        self._client: Any = _client(url)
        self.turn = asyncio.Lock()

    async def command(self, reply: Shape, *words: Word) -> Any:
        """The answer to one command, which has the shape `reply`."""
        answer = await self._answer(lambda: self._client.execute_command(*words))
        return self._checked(answer, reply(answer))

    async def script(self, script: Script, keys: Sequence[str], words: Sequence[Word]) -> Any:
        """What a script gives for these keys and arguments, in its shape."""

        async def ask() -> Any:
            execute = self._client.execute_command
            try:
                return await execute("EVALSHA", script.digest, len(keys), *keys, *words)
            except exceptions.NoScriptError:  # a server that started anew has forgotten it
                return await execute("EVAL", script.text, len(keys), *keys, *words)

        answer = await self._answer(ask)
        return self._checked(answer, script.reply(answer))

    async def close(self) -> None:
        """Leave. A server that does not answer is left all the same."""
        with contextlib.suppress(exceptions.RedisError):
            await self._client.aclose()

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            try:
                return await ask()
            except exceptions.ConnectionError as error:
                if self._code(error) != UNREACHABLE:
                    raise
                # The server may have been started anew since it was asked last.
                return await ask()
        except exceptions.RedisError as error:
            raise self._trouble(error) from error

    def _checked(self, answer: Any, sound: bool) -> Any:
        if not sound:
            raise trouble(self._where, STRANGE, quoted(answer))
        return answer

    def _trouble(self, error: exceptions.RedisError) -> StateError:
        return trouble(self._where, self._code(error), str(error))

    @staticmethod
    def _code(error: exceptions.RedisError) -> str:
        for kind, code in _CODES:
            if isinstance(error, kind):
                return code
        if isinstance(error, exceptions.AuthenticationError):
            return "NOAUTH" if "required" in str(error).lower() else "WRONGPASS"
        lost = isinstance(error, exceptions.ConnectionError)
        return code_in(str(error)) or (UNREACHABLE if lost else "")


class RedisLink:
    """A server that can be asked from any loop and any thread.

    All that is asked is done on a loop of the link's own, in a thread that is there from `open` to
    `close`.

    Args:
        url: `redis://` or, over TLS, `rediss://`, then `user:password@host:port/database`.
        name: of the thread.

    Attributes:
        where: the server in words, without a password.

    Raises:
        UsageError: this is no URL of a Redis server.
    """

    def __init__(self, url: str, name: str) -> None:
        self.where = address(url)
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._running: tuple[LoopThread, RedisServer] | None = None
        forget_after_fork(self)

    def open(self) -> None:
        """Allow questions; nothing happens when they are allowed already."""
        with self._lock:
            if self._running is None:
                server = RedisServer(self._url, self.where)
                self._running = LoopThread(self._name, server.close), server

    def forget(self) -> None:
        """In a child process: the thread is the parent's, and what it is connected with."""
        if self._running is not None:
            _parents.append(self._running)  # it must not be closed here
        self._lock, self._running = threading.Lock(), None

    async def ask(self, work: Callable[[RedisServer], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives on the link's loop.

        Raises:
            StateError: the link is closed.
        """
        return await asyncio.wrap_future(self._submit(work))

    def call(self, callback: Callable[[RedisServer], object]) -> None:
        """Call `callback` on the link's loop soon.

        Raises:
            StateError: the link is closed.
        """
        with self._lock:
            thread, server = self._ready()
            thread.call(lambda: callback(server))

    async def close(self) -> None:
        """End when everything that was asked has its answer; nothing more can be asked."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            await running[0].end()

    def _submit(self, work: Callable[[RedisServer], Coroutine[Any, Any, T]]) -> Future[T]:
        # With the lock held, so that nothing comes onto the loop after the word to end.
        with self._lock:
            thread, server = self._ready()
            return thread.submit(work(server))

    def _ready(self) -> tuple[LoopThread, RedisServer]:
        if self._running is None:
            raise StateError(f"the results in Redis at {self.where} are closed; open them first")
        return self._running


_parents: Final[list[tuple[LoopThread, RedisServer]]] = []


def address(url: str) -> str:
    """Where the server of a URL is, in words without a password.

    Raises:
        UsageError: this is no URL of a Redis server. The message does not repeat it, since it may
            have a password.
    """
    wrong = _wrong(url)
    if wrong:
        raise UsageError(f"{wrong}; it looks like redis://user:password@host:6379/0")
    options = _client(url).connection_pool.connection_kwargs
    host = str(options.get("host", "localhost"))
    host = f"[{host}]" if ":" in host else host
    database = options.get("db", 0)
    return f"{host}:{options.get('port', 6379)}" + (f", database {database}" if database else "")


def refuse_exposed_server(url: str) -> None:
    """See that a server on another machine is spoken to over TLS, and told who speaks.

    Raises:
        UsageError: it is not.
    """
    options = _client(url).connection_pool.connection_kwargs
    refuse_exposed(
        "Redis",
        str(options.get("host", "localhost")),
        tls=url.partition(":")[0] == "rediss" and options.get("ssl_cert_reqs") != "none",
        credentials=bool(options.get("password") or options.get("ssl_certfile")),
        advice="rediss:// with a password",
    )


def _wrong(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"redis", "rediss"}:
            return "the URL of a Redis server begins with redis:// or rediss://"
        if "@" in parts.path + parts.query + parts.fragment:
            return "a '/', '?' or '#' in the password of a URL is written %2F, %3F or %23"
        _client(url)
    except ValueError:
        return "this cannot be read as the URL of a Redis server"
    return ""


def _client(url: str) -> Redis:
    return Redis.from_url(
        url,
        protocol=2,
        decode_responses=False,
        socket_connect_timeout=CONNECT,
        socket_timeout=ANSWER,
        socket_keepalive=True,
        # told the version, it does not read a file to find it out each time it connects
        driver_info=DriverInfo(lib_version=__version__),
        retry=Retry(NoBackoff(), 0),
    )
