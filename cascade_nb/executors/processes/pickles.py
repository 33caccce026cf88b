"""Pickles what goes to a process and what comes back: protocol 5, large buffers beside the stream.

Functions and classes of a notebook travel whole. A class that comes back is the one that went, as
it is here: a process that got it must not change it here, and what it made is of that class.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import types
import uuid
from collections.abc import Sequence
from contextvars import Context, ContextVar
from typing import Any, Final

from cascade_nb.model.found_by_name import (
    MAIN,
    can_be_imported,
    inside_of,
    is_inside_of_its_name,
)
from cascade_nb.model.whole_pickler import (
    PROTOCOL,
    WholePickler,
    class_by_value,
    class_that_travelled,
    parts_of_code,
    travelled_as,
    whole_bytes,
)

_ATOMS: Final = frozenset({bool, bytes, float, int, str, type(None)})
_DEEPEST: Final = 3  # tuples in tuples
_FEW: Final = 32  # in one
_NAMED: Final = frozenset({type, types.FunctionType})
_OURS: Final = "cascade_nb."
#: What has context variables for itself, which are of no use in another process.
_MACHINERY: Final = frozenset(
    {
        "_contextvars", "anyio", "asyncio", "cascade_nb", "comm", "ipykernel", "IPython", "sniffio",
        "tornado", "traitlets", "zmq",
    }
)  # fmt: skip


def packed(value: Any, *, back: bool = False) -> list[memoryview]:
    """A value as bytes: the stream, and then the buffers, read where they lie.

    Args:
        value: any.
        back: whether it goes back to the process that this one was started by.

    Raises:
        BaseException: whatever the value's own methods raise, and `pickle.PicklingError`.
    """
    if _is_plain(value):
        return [memoryview(pickle.dumps(value, PROTOCOL))]
    file = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    kind = BackPickler if back else Pickler
    kind(file, protocol=PROTOCOL, buffer_callback=buffers.append).dump(value)
    # Not `getbuffer()`: a view may outlive the file in a cycle, which Python 3.12 takes amiss.
    return [memoryview(file.getvalue()), *(buffer.raw() for buffer in buffers)]


def _is_plain(value: Any, depth: int = _DEEPEST) -> bool:
    """Whether anybody's pickler writes it as ours does, and in a tenth of the time."""
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is frozenset or kind is dict:
        return not value
    if kind is not tuple or not depth or len(value) > _FEW:
        return False
    for one in value:  # noqa: SIM110 - asked for each call
        if type(one) not in _ATOMS and not _is_plain(one, depth - 1):
            return False
    return True


def packed_whole(value: Any) -> bytes:
    """The same as one stream, on its way back.

    Raises:
        BaseException: as `packed`.
    """
    file = io.BytesIO()
    BackPickler(file, protocol=PROTOCOL).dump(value)
    return file.getvalue()


def unpacked(parts: Sequence[memoryview]) -> Any:
    """The value. Its arrays lie in `parts`, and may be written to where the value's could.

    Raises:
        BaseException: whatever the classes of the value raise, and what `pickle.loads` does.
    """
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - from a process of our own


class Pickler(WholePickler):
    """Writes what goes to another process."""

    def reducer_override(self, obj: Any) -> Any:
        """How it is written; `NotImplemented` for as usual."""
        if obj.__class__ in _NAMED and (obj.__module__ or "").startswith(_OURS):
            return NotImplemented  # found by its name, which takes cloudpickle longer to see
        if obj.__class__ in _NAMED and (reduced := self._by_name(obj)) is not None:
            return reduced
        if isinstance(obj, types.CodeType):
            # cloudpickle leaves out the file, by which the lines of a traceback are found.
            make, args = parts_of_code(obj)
            return _code_in_file, (make, args, obj.co_filename)
        if isinstance(obj, ContextVar):
            return _variable, _place_of(obj)
        return super().reducer_override(obj)

    def _by_name(self, obj: Any) -> Any:
        """How a function or class goes otherwise than cloudpickle would have it go; None for none.

        A task's function is not what its name means, the task is, and would go whole, with all that
        its module holds. And what no process can import would be looked for in vain.
        """
        if obj.__module__ is None or obj.__module__ in MAIN:
            return None
        if not can_be_imported(obj.__module__):
            is_class = isinstance(obj, type)
            return class_by_value(obj) if is_class else self.function_by_value(obj)
        if not isinstance(obj, type) and is_inside_of_its_name(obj):
            return inside_of, (obj.__module__, obj.__qualname__, obj.__code__.co_name)
        return None


class BackPickler(Pickler):
    """Writes what comes back."""

    def reducer_override(self, obj: Any) -> Any:
        """How it is written; `NotImplemented` for as usual."""
        if isinstance(obj, type):
            known = travelled_as(obj)
            if known is not None:
                return _class_there, (known, whole_bytes(obj))
        return super().reducer_override(obj)


def packed_variables(context: Context) -> list[bytes]:
    """The context variables that are set in a context, each with its value, as far as they pickle;
    those of machinery that a process has for itself are left out.
    """
    found = []
    for variable, value in context.items():
        module = _place_of(variable)[0].partition(".")[0]
        if module in _MACHINERY or variable.name.startswith("cascade_"):
            continue
        pickled = _whole_or_none((variable, value))
        if pickled is not None:
            found.append(pickled)
    return found


def _whole_or_none(value: Any) -> bytes | None:
    try:
        return packed_whole(value)
    except Exception:  # whatever its class does: it does not travel
        return None


#: By itself, where a variable is found; by that, the variable.
_places: Final[dict[ContextVar[Any], tuple[str, str, str]]] = {}
_variables: Final[dict[tuple[str, str, str], ContextVar[Any]]] = {}


def _place_of(variable: ContextVar[Any]) -> tuple[str, str, str]:
    """The module and the name there, or else a name of its own; and what it is called."""
    known = _places.get(variable)
    if known is None:
        known = "", uuid.uuid4().hex, variable.name
        for module_name, module in list(sys.modules.items()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is variable and module_name not in MAIN:
                    known = module_name, name, variable.name
        _places[variable] = known
        _variables[known] = variable
    return known


def _variable(module: str, name: str, called: str) -> ContextVar[Any]:
    place = module, name, called
    if place not in _variables:
        made = getattr(importlib.import_module(module), name) if module else ContextVar(called)
        _variables[place] = made
        _places[made] = place
    return _variables[place]


def _code_in_file(make: Any, args: tuple[Any, ...], file: str) -> types.CodeType:
    made: types.CodeType = make(*args)
    return made.replace(co_filename=file)


def _class_there(known: str, whole: bytes) -> type:
    found = class_that_travelled(known)
    return found if found is not None else pickle.loads(whole)  # noqa: S301 - as above
