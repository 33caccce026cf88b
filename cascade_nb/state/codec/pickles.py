"""Pickles what has no plain form, by cloudpickle: protocol 5, with large buffers beside the stream.

Where pickle would give back less than there was, what it leaves out is written beside: the causes
of an exception, the type of a view, the one NaN that is an object everybody knows.

A class of the user's notebook is written as a whole, so that a kernel without it can read its
instances; where the notebook has a class of this name, its instances are of that one, as they would
be of a class in an installed module.
"""

from __future__ import annotations

import functools
import io
import math
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from cascade_nb.model.whole_pickler import PROTOCOL, WholePickler, whole_bytes
from cascade_nb.state.codec.nans import OF_NUMPY, OF_PYTHON, known_nan, numpy_nan
from cascade_nb.state.codec.signatures import Chunk

_NOTEBOOK: Final = "__main__"


def write_pickle(value: Any) -> tuple[memoryview, list[Chunk]]:
    """The stream of a value, and the buffers that stand beside it, read where they lie.

    Raises:
        BaseException: whatever the value's own methods raise, and `pickle.PicklingError`.
    """
    file = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    kind = _pickler(numpy_nan())
    kind(file, protocol=PROTOCOL, buffer_callback=buffers.append).dump(value)
    return file.getbuffer(), [buffer.raw() for buffer in buffers]


def read_pickle(stream: bytes | memoryview, beside: Sequence[memoryview]) -> Any:
    """The value that was written. This runs what the stream says: it must be of the user's own.

    Raises:
        BaseException: whatever the classes of the value raise, and what `pickle.loads` does.
    """
    # copies, so that arrays may be written to, and lie as their types want them
    return _Unpickler(io.BytesIO(stream), buffers=map(bytearray, beside)).load()


class _Pickler(WholePickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj.__module__ == _NOTEBOOK and isinstance(_lookup(obj), type):
            whole = whole_bytes(obj)
            return _class_of_notebook, (obj.__qualname__, whole)
        if isinstance(obj, BaseException):
            return _exception(obj)
        if type(obj) is memoryview:
            told = (bytes(obj) if obj.readonly else bytearray(obj), obj.format, obj.shape)
            _view(*told)  # which not every layout can be
            return _view, told
        return super().reducer_override(obj)


@functools.lru_cache(maxsize=2)
def _pickler(of_numpy: float | None) -> Callable[..., Any]:
    """A pickler that knows this NaN; a closure, since it is asked about every object there is."""
    of_python = math.nan

    class Pickler(_Pickler):
        def persistent_id(self, obj: Any) -> int | None:
            if obj is of_python:
                return OF_PYTHON
            return OF_NUMPY if obj is of_numpy and obj is not None else None

    return Pickler


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> float:
        return known_nan(pid)


def _exception(error: BaseException) -> Any:
    """With what it came of, which Python's own way of pickling it leaves out."""
    told = error.__reduce_ex__(PROTOCOL)
    chain = (error.__cause__, error.__context__, error.__suppress_context__)
    if chain == (None, None, False) or not isinstance(told, tuple) or len(told) > 3:
        return NotImplemented
    state = told[2] if len(told) == 3 else None
    return (*told[:2], (state, *chain), None, None, _set_chain)


def _set_chain(error: BaseException, told: tuple[Any, ...]) -> None:
    state, cause, context, suppressed = told
    if state is not None:
        error.__setstate__(state)
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = suppressed


def _view(data: bytes | bytearray, layout: Any, shape: Any) -> memoryview:
    return memoryview(data).cast(layout, shape) if data else memoryview(data)


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
