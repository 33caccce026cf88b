"""Pickles what goes to a process and what comes back: protocol 5, large buffers beside the stream.

Functions and classes of a notebook travel whole. A class that comes back is the one that went, as
it is here: a process that got it must not change it here, and what it made is of that class.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Sequence
from typing import Any

from cascade_nb.model.whole_pickler import (
    PROTOCOL,
    WholePickler,
    class_that_travelled,
    parts_of_code,
    travelled_as,
    whole_bytes,
)


def packed(value: Any, *, back: bool = False) -> list[memoryview]:
    """A value as bytes: the stream, and then the buffers, read where they lie.

    Args:
        value: any.
        back: whether it goes back to the process that this one was started by.

    Raises:
        BaseException: whatever the value's own methods raise, and `pickle.PicklingError`.
    """
    file = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    kind = _BackPickler if back else _Pickler
    kind(file, protocol=PROTOCOL, buffer_callback=buffers.append).dump(value)
    return [file.getbuffer(), *(buffer.raw() for buffer in buffers)]


def packed_whole(value: Any) -> bytes:
    """The same as one stream, on its way back.

    Raises:
        BaseException: as `packed`.
    """
    file = io.BytesIO()
    _BackPickler(file, protocol=PROTOCOL).dump(value)
    return file.getvalue()


def unpacked(parts: Sequence[memoryview]) -> Any:
    """The value. Its arrays lie in `parts`, and may be written to where the value's could.

    Raises:
        BaseException: whatever the classes of the value raise, and what `pickle.loads` does.
    """
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - from a process of our own


class _Pickler(WholePickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.CodeType):
            # cloudpickle leaves out the file, by which the lines of a traceback are found.
            make, args = parts_of_code(obj)
            return _code_in_file, (make, args, obj.co_filename)
        return super().reducer_override(obj)


class _BackPickler(_Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type):
            known = travelled_as(obj)
            if known is not None:
                return _class_there, (known, whole_bytes(obj))
        return super().reducer_override(obj)


def _code_in_file(make: Any, args: tuple[Any, ...], file: str) -> types.CodeType:
    made: types.CodeType = make(*args)
    return made.replace(co_filename=file)


def _class_there(known: str, whole: bytes) -> type:
    found = class_that_travelled(known)
    return found if found is not None else pickle.loads(whole)  # noqa: S301 - as above
