"""Writes NumPy arrays and scalars as their dtype, shape, order and bytes."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from typing import Any, Final

from cascade_nb.state.codec.leaves import Leaf, NotPlainError, library
from cascade_nb.state.codec.signatures import Chunk

_KINDS: Final = frozenset("biufcmMSUV")  # those whose bytes are the whole of their data


def _write_array(value: Any) -> tuple[Any, Sequence[Chunk]]:
    """An array; where it is contiguous its memory is handed on as it lies, else a C-ordered copy.

    That it may not be written is not kept: it protects memory that somebody else uses, and what
    is read here is nobody else's.
    """
    flags = value.flags
    order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    head = (_described(value.dtype), value.shape, order)
    if not value.nbytes:
        return head, ()
    if not flags.forc:
        value = value.copy(order="C")
    flat = value.reshape(-1, order=order)
    return head, (memoryview(flat.view("u1")),)


def _read_array(head: Any, data: Sequence[memoryview]) -> Any:
    numpy = library("numpy")
    described, shape, order = head
    value = numpy.empty(shape, _dtype(numpy, described), order=order)
    if data:
        value.reshape(-1, order=order).view("u1")[:] = numpy.frombuffer(data[0], "u1")
    return value


def _write_scalar(value: Any) -> tuple[Any, Sequence[Chunk]]:
    if value.dtype.type is not type(value):  # a user's subclass, or a twin: longlong and int64
        raise NotPlainError
    return (_described(value.dtype), value.tobytes()), ()


def _read_scalar(head: Any, data: Sequence[memoryview]) -> Any:
    numpy = library("numpy")
    described, content = head
    dtype = _dtype(numpy, described)
    if not dtype.itemsize:
        return numpy.zeros((), dtype)[()]
    # indexed in a writable array, since a record shows the array's memory
    return numpy.frombuffer(bytearray(content), dtype)[0]


def _described(dtype: Any) -> str | bytes:
    """A dtype as its short name, or as a pickle where a name does not say everything: records."""
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise NotPlainError
    name = str(dtype.str)
    if dtype.names is None and dtype.metadata is None and sys.modules["numpy"].dtype(name) == dtype:
        return name
    return pickle.dumps(dtype, protocol=5)


def _dtype(numpy: Any, described: str | bytes) -> Any:
    return numpy.dtype(described) if isinstance(described, str) else pickle.loads(described)  # noqa: S301 - signed


ARRAY_LEAVES: Final = (
    Leaf("numpy", "ndarray", _write_array, _read_array),
    Leaf("numpy", "generic", _write_scalar, _read_scalar, subtypes=True),
)
