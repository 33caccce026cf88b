"""Refers to a result that is in the memory of a Dask cluster."""

from __future__ import annotations

import pickle
import threading
from typing import Any, Protocol

from cascade_nb.errors import ClusterError, TransferError
from cascade_nb.executors.processes.obstacles import unsendable_result
from cascade_nb.executors.processes.pickles import packed, unpacked
from cascade_nb.model.copying.elsewhere import Elsewhere

_NOT_YET: Any = object()
_WITH_BUFFERS = 5  # the protocol of pickles from which on buffers go beside the stream


class Gathers(Protocol):
    """Has values brought here."""

    def gather(self, future: Any) -> Any:
        """The value of a future."""
        ...


class ClusterValue(Elsewhere):
    """A result on a cluster; it stays there until somebody reads it here.

    Args:
        cluster: which.
        future: Dask's own reference, which keeps it alive.
        name: whose result it is, for people.
        worker: where it was made.
        size: bytes, more or less.
    """

    __slots__ = ("_here", "_lock", "cluster", "future", "name", "size", "worker")

    def __init__(self, cluster: Gathers, future: Any, name: str, worker: str, size: int) -> None:
        self.cluster = cluster
        self.future = future
        self.name = name
        self.worker = worker
        self.size = size
        self._here: Any = _NOT_YET
        self._lock = threading.Lock()

    @property
    def is_lost(self) -> bool:
        """Whether the cluster has it no longer, and nobody has fetched it."""
        future = self.future
        return self._here is _NOT_YET and (future is None or future.status != "finished")

    def lose(self) -> None:
        """The cluster has it no longer; where Dask would make it again, it need not."""
        if self._here is _NOT_YET:
            self.future = None

    def become(self, value: Any) -> None:
        """It was made again."""
        if isinstance(value, ClusterValue):
            self.future, self.worker, self._here = value.future, value.worker, value._here
        else:
            self._here = value

    def fetch(self) -> Any:
        """The value, brought here when it is first asked for."""
        with self._lock:
            if self._here is _NOT_YET:
                try:
                    if self.future is None:
                        raise ClusterError("its worker ended")
                    self._here = self.cluster.gather(self.future).value
                except ClusterError as error:
                    raise ClusterError(
                        f"the result of {self.name} was lost with worker {self.worker} ({error}): "
                        "run it again"
                    ) from error
            return self._here

    def __sizeof__(self) -> int:
        return 200 if self._here is _NOT_YET else 200 + self.size

    def __repr__(self) -> str:
        return f"<the result of {self.name}, {self.size / 1e6:,.1f} MB on {self.worker}>"


class Kept:
    """A result as it lies in a worker: it travels as results of processes do.

    Args:
        value: the result.
        size: bytes, more or less.
        why: why it could not travel to where this is; None where it did.
    """

    __slots__ = ("_value", "size", "why")

    def __init__(self, value: Any, size: int, why: str | None = None) -> None:
        self._value = value
        self.size = size
        self.why = why

    @property
    def value(self) -> Any:
        """The result.

        Raises:
            TransferError: it could not travel.
        """
        if self.why is not None:
            raise TransferError(self.why)
        return self._value

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """What raises here would have Dask ask again and again."""
        try:
            stream, *buffers = packed(self._value, back=True)
        except BaseException as wrong:  # whatever its classes do
            return Kept, (None, self.size, str(unsendable_result(self._value, wrong)))
        kind = pickle.PickleBuffer if protocol >= _WITH_BUFFERS else bytes
        return _kept, (self.size, bytes(stream), *map(kind, buffers))

    def __sizeof__(self) -> int:
        return self.size


def _kept(size: int, stream: bytes, *buffers: Any) -> Kept:
    return Kept(unpacked([memoryview(stream), *(memoryview(one) for one in buffers)]), size)
