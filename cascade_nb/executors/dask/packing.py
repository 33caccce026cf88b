"""Pickles a call for a cluster: it refers to what is there; what is large goes once."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.executors.dask.values import ClusterValue
from cascade_nb.executors.processes.pickles import Pickler

LARGE: Final = 256 * 1024  # bytes of an argument that goes to the cluster by itself, once


class CallPickler(Pickler):
    """Writes a call.

    Args:
        file: where to.
        refer: gives what refers to a large value or one of the cluster; None for one that goes
            along.

    Attributes:
        inputs: what it refers to, in the order of the numbers in the stream.
    """

    def __init__(self, file: io.BytesIO, refer: Callable[[Any], ClusterValue | None]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._refer = refer
        self.inputs: list[ClusterValue] = []

    def persistent_id(self, obj: Any) -> int | None:
        """The number of what is referred to."""
        if obj.__class__ is not ClusterValue and not hasattr(obj.__class__, "nbytes"):
            return None
        found = self._refer(obj)
        if found is None:
            return None
        for place, known in enumerate(self.inputs):
            if known is found:
                return place
        self.inputs.append(found)
        return len(self.inputs) - 1


def packed_call(
    call: Any, refer: Callable[[Any], ClusterValue | None]
) -> tuple[bytes, list[ClusterValue]]:
    """A call as bytes, and what it reads of the cluster.

    Raises:
        BaseException: whatever the values' own methods raise, and `pickle.PicklingError`.
    """
    file = io.BytesIO()
    pickler = CallPickler(file, refer)
    pickler.dump(call)
    return file.getvalue(), pickler.inputs
