"""Runs one body in a Dask worker, once, and tells who asked for it how it ended.

A result that is small goes along with that word, a large one stays in the worker. Dask itself would
run again what was lost with a worker, whatever is held meanwhile; so each call is for one worker
process alone, and no second time.
"""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.cluster_protocols import TakenBackError
from cascade_nb.errors import TransferError
from cascade_nb.executors.dask.cluster import Here, size_of
from cascade_nb.executors.dask.values import Kept
from cascade_nb.executors.processes.carried_errors import CarriedError, carried
from cascade_nb.executors.processes.obstacles import unsendable_result
from cascade_nb.executors.processes.pickles import packed_whole

SMALL: Final = 16 * 1024  # bytes of a result that goes along with the word of its end
_OFTEN: Final = 0.05
_OWN_FRAMES: Final = 1


class Header(NamedTuple):
    """What a worker has to know before it reads a call.

    Attributes:
        key: by which the cluster knows the result.
        ident: of the one worker that may run it.
        topic: of what it tells.
    """

    key: str
    ident: str
    topic: str


class Packed(NamedTuple):
    """A call on its way.

    Attributes:
        header: who may run it.
        function: the pickle of what runs, and of what it calls: the same for many calls.
        call: the pickle of the rest.
    """

    header: tuple[str, str, str]
    function: bytes
    call: bytes


class End(NamedTuple):
    """How a body ended.

    Attributes:
        stays: whether its result is in the worker, and how large it is.
        value: the result that does not.
        error: what it raised.
        made_of: the files that it met.
        seconds: how long it took.
        worker: where it ran.
    """

    stays: int | None
    value: Any
    error: CarriedError | None
    made_of: Any
    seconds: float
    worker: str


def serve(packed_call: tuple[Any, ...], inputs: Sequence[Any]) -> Kept | None:
    """Run a call; called by Dask in a thread of a worker.

    One that is not for this worker, or that it has run or given back, is not run: Dask runs again
    what was lost, and that is not Dask's to decide.

    Args:
        packed_call: a `Packed`, as a plain tuple.
        inputs: what it reads of what is on the cluster.
    """
    one = Packed(*packed_call)
    header, here = Header(*one.header), Here()
    if header.ident != here.ident or header.key in _once:
        return None
    channel = _Channel(header, here)
    began = time.perf_counter()
    try:
        result, error, made_of = _run(channel, one, inputs)
    except TakenBackError:
        return None
    end, kept = _end_of(result, error, made_of, time.perf_counter() - began, here.address)
    here.tell(header.topic, packed_whole((header.key, "end", end)))
    return kept


def give_back(keys: Sequence[str]) -> list[str]:
    """Those of some calls that this worker has not begun; it never will. Dask calls it on its loop.

    Args:
        keys: of the calls.
    """
    return [key for key in keys if _once.take(key)]


class _Once:
    """The calls that this worker process has run or given back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._seen

    def take(self, key: str) -> bool:
        """Whether it was neither so far; from now on it is."""
        with self._lock:
            if key in self._seen:
                return False
            self._seen.add(key)
            return True


_once: Final = _Once()


class _Channel:
    """How a body tells who asked for it something."""

    def __init__(self, header: Header, here: Here) -> None:
        self._header = header
        self._here = here

    def begin(self) -> None:
        if not _once.take(self._header.key):
            raise TakenBackError

    def tell(self, kind: str, what: Any) -> None:
        self._here.tell(self._header.topic, packed_whole((self._header.key, kind, what)))

    def is_unwanted(self) -> bool:
        return not self._here.is_wanted(self._header.key)


class _Unpickler(pickle.Unpickler):
    """Reads a call, with what is on the cluster in the places where it was referred to."""

    def __init__(self, stream: bytes, inputs: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(stream))
        self._inputs = inputs

    def persistent_load(self, place: Any) -> Any:
        return self._inputs[place].value


@functools.lru_cache(maxsize=64)
def _function(_digest: bytes, stream: _Bytes) -> tuple[Callable[..., Any], ...]:
    made: tuple[Callable[..., Any], ...] = pickle.loads(stream.value)  # noqa: S301 - from who asked
    return made


class _Bytes:
    """Bytes that do not count in a comparison: their digest, beside them, does."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes)

    def __hash__(self) -> int:
        return 0


def _run(
    channel: _Channel, one: Packed, inputs: Sequence[Any]
) -> tuple[Any, CarriedError | None, Any]:
    try:
        digest = hashlib.blake2b(one.function, digest_size=16).digest()
        run, fn = _function(digest, _Bytes(one.function))
        said, noted, args, kwargs = _Unpickler(one.call, inputs).load()
    except BaseException as error:  # whatever its classes do
        words = f"it cannot be unpickled on its worker: {type(error).__name__}: {error}"
        unreadable = TransferError(words)
        unreadable.__cause__ = error
        return None, carried(unreadable), None
    try:
        result, made_of = run(channel, said, noted, fn, args, kwargs)
    except TakenBackError:
        raise
    except BaseException as error:  # also what would end this process: it is the task's
        return None, carried(error, skip=_OWN_FRAMES), None
    return result, None, made_of


def _end_of(
    result: Any, error: CarriedError | None, made_of: Any, seconds: float, where: str
) -> tuple[End, Kept | None]:
    size = size_of(result)
    if size > 4 * SMALL and not _is_ours(result):
        return End(size, None, error, made_of, seconds, where), Kept(result, size)
    end = End(None, result, error, made_of, seconds, where)
    try:
        stream = packed_whole(end)
    except BaseException as wrong:  # whatever the result's classes do
        unsent = carried(unsendable_result(result, wrong))
        return End(None, None, unsent, made_of, seconds, where), None
    if len(stream) > 2 * SMALL and not _is_ours(result) and error is None:
        return End(len(stream), None, None, made_of, seconds, where), Kept(result, len(stream))
    return end, None


def _is_ours(result: Any) -> bool:
    """Whether a result is no value: what goes on from lazy values goes on here."""
    return type(result).__module__.startswith("cascade_nb.")
