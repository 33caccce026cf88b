"""Pickles what has no plain form, by cloudpickle: protocol 5, with large buffers beside the stream.

A class of the user's notebook is written as a whole, so that a kernel without it can read its
instances; where the notebook has a class of this name, its instances are of that one, as they would
be of a class in an installed module.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Sequence
from typing import Any, Final

import cloudpickle  # type: ignore[import-untyped]

from cascade_nb.state.codec.envelope import Chunk

_PROTOCOL: Final = 5
_NOTEBOOK: Final = "__main__"


def write_pickle(value: Any) -> tuple[memoryview, list[Chunk]]:
    """The stream of a value, and the buffers that stand beside it, read where they lie.

    Raises:
        BaseException: whatever the value's own methods raise, and `pickle.PicklingError`.
    """
    file = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    _Pickler(file, protocol=_PROTOCOL, buffer_callback=buffers.append).dump(value)
    return file.getbuffer(), [buffer.raw() for buffer in buffers]


def read_pickle(stream: bytes | memoryview, beside: Sequence[memoryview]) -> Any:
    """The value that was written. This runs what the stream says: it must be of the user's own.

    Raises:
        BaseException: whatever the classes of the value raise, and what `pickle.loads` does.
    """
    # copies, so that arrays may be written to, and lie as their types want them
    return pickle.loads(stream, buffers=map(bytearray, beside))  # noqa: S301 - signed


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc] # untyped
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj.__module__ == _NOTEBOOK and isinstance(_lookup(obj), type):
            whole = cloudpickle.dumps(obj, protocol=_PROTOCOL)
            return _class_of_notebook, (obj.__qualname__, whole)
        return super().reducer_override(obj)


def _class_of_notebook(name: str, whole: bytes) -> type:
    known = _find(name)
    return known if isinstance(known, type) else pickle.loads(whole)  # noqa: S301


def _lookup(kind: type) -> Any:
    return _find(kind.__qualname__)


def _find(name: str) -> Any:
    """What the notebook calls by this name, None where it calls nothing so."""
    found: Any = sys.modules[_NOTEBOOK]
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
