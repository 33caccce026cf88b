"""Turns a value into canonical bytes, from which its key is made.

Equal values of equal types have equal bytes, in every process and for every hash seed. What lies
behind a value's history does not count: the order of a set, whether two equal texts are one object.
What a task can see counts: the order of a dict, the memory order of an array, which objects that
can be changed stand more than once in it. Values of different types differ (``1``, ``1.0``,
``True``); floats count by their bits (``0.0`` and ``-0.0`` differ).
"""

from __future__ import annotations

import contextlib
import contextvars
import copyreg
import enum
import marshal
import os
import pathlib
import pickle
import random
import struct
import sys
import types
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from cascade_nb.file_stamps import real_path
from cascade_nb.graph.values.arrays import array_handler
from cascade_nb.graph.values.atoms import (
    ATOMS,
    DIGEST_SIZE,
    CannotKeyError,
    digest,
    frame,
    text,
    type_in_words,
)
from cascade_nb.graph.values.code_objects import is_code, is_of_library, put_into
from cascade_nb.graph.values.means import (
    MEANS,
    WEAK,
    means_bytes,
    variable_bytes,
    weak_bytes,
)
from cascade_nb.graph.values.repeats import repeats, repeats_across
from cascade_nb.graph.values.settings import settings_of
from cascade_nb.model.arguments.inputs import CALLS
from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Injected

_PROTOCOL: Final = 5
_REMEMBERED: Final = 1 << 16
_NUMBERS: Final = frozenset({int, float, bool, complex, type(None)})
_TEXT: Final = frozenset({str})
# What the notebook itself puts into the user's namespace: tools, not inputs.
_HOSTS: Final = frozenset({"IPython", "ipykernel"})


class Encoder:
    """Makes canonical bytes, and remembers what it has seen.

    It is good for as long as nothing that it is given changes: for one look at one graph, say.

    Args:
        refer: the bytes that stand for a function, a class or a module.
        lazy: the bytes that stand for a lazy value.
        seen: values whose bytes are known already, with these.
    """

    def __init__(
        self,
        refer: Callable[[Any], bytes],
        lazy: Callable[[Lazy], bytes],
        seen: Sequence[tuple[Any, bytes]] = (),
    ) -> None:
        self.refer = refer
        self._lazy = lazy
        self._seen = seen
        self._known: dict[int, bytes] = {id(value): encoded for value, encoded in seen}
        self._mixed: set[int] = set()
        self._kinds: dict[type, bytes] = {}
        self._said_of_others = 0
        self._alive: list[Any] = []
        self._open: dict[int, int] = {}

    def encode(self, value: Any) -> bytes:
        """The canonical bytes of `value`.

        Raises:
            CannotKeyError: it, or something inside it, has no content: a socket, a generator.
        """
        atom = ATOMS.get(type(value))
        if atom is not None:
            return atom(value)
        if type(value) in CALLS:
            self._said_of_others += 1
            return self._lazy(value)
        key = id(value)
        known = self._known.get(key)
        if known is not None:
            self._said_of_others += key in self._mixed
            return known if self._open else known + self._found_twice(repeats, value)
        if (
            depth := self._open.get(key)
        ) is not None:  # a value inside itself, named by how far up it stands
            return b"^%d;" % (len(self._open) - depth)
        self._open[key] = len(self._open)
        before = self._said_of_others
        try:
            encoded = self._compound(value)
        except RecursionError:
            raise CannotKeyError(type_in_words(value), "it is nested too deeply") from None
        except RuntimeError as error:  # a dict or set that grew while it was gone through
            raise CannotKeyError(type_in_words(value), f"it changed meanwhile ({error})") from error
        finally:
            del self._open[key]
        if len(encoded) > DIGEST_SIZE:  # what is shorter took less time than remembering it
            if len(self._known) >= _REMEMBERED:
                self._known = {id(value): encoded for value, encoded in self._seen}
                self._mixed.clear()
                self._alive.clear()
            self._known[key] = encoded
            if self._said_of_others != before:
                self._mixed.add(key)
            self._alive.append(value)  # an id is a name only while its object lives
        return encoded if self._open else encoded + self._found_twice(repeats, value)

    def across(self, values: Iterable[Any]) -> bytes:
        """What there is to say of several values together: which objects stand in more of them."""
        return self._found_twice(repeats_across, values)

    def _found_twice(self, look: Callable[[Any], bytes], value: Any) -> bytes:
        try:
            return look(value)
        except RuntimeError as error:  # a dict that grew while it was gone through
            raise CannotKeyError(type_in_words(value), f"it changed meanwhile ({error})") from error

    def of_data(self, value: Any) -> bytes | None:
        """The bytes that were made of `value`, where they tell of nothing but data, so that they
        are good for as long as it is as it was: of no code, no lazy value, no file.
        """
        place = id(value)
        return None if place in self._mixed else self._known.get(place)

    def items(self, values: list[Any]) -> bytes:
        """The bytes of `values` in their order; numbers and texts take a short cut."""
        kinds = set(map(type, values))
        if kinds <= _NUMBERS:
            # version 2 knows no references, so the bytes depend on the values alone
            return b"n" + marshal.dumps(values, 2)
        if kinds == _TEXT:
            sizes = marshal.dumps(list(map(len, values)), 2)
            return b"t" + sizes + "".join(values).encode("utf-8", "surrogatepass")
        if kinds <= CALLS:  # a fan-in: what `encode` does, without a call for each
            self._said_of_others += 1
            return b"*%d;" % len(values) + b"".join(map(self._lazy, values))
        return b"*%d;" % len(values) + b"".join(map(self.encode, values))

    def _compound(self, value: Any) -> bytes:
        kind = type(value)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            self._said_of_others += kind not in _OF_DATA
            return handler(self, value)
        if isinstance(value, Lazy) or is_code(value):
            self._said_of_others += 1
            return self._lazy(value) if isinstance(value, Lazy) else self.refer(value)
        array = array_handler(kind)
        if array is not None:
            try:
                return frame(b"A", text(kind.__qualname__) + array(self, value) + self._by(kind))
            except (CannotKeyError, RecursionError):
                raise
            except Exception as error:  # what the library itself cannot do with its data
                raise CannotKeyError(type_in_words(value), str(error)) from error
        self._said_of_others += 1
        return self._reduced(value)

    def _dict(self, value: dict[Any, Any]) -> bytes:
        # in its order, which whoever goes through it sees
        return frame(b"d", self.items(list(value)) + self.items(list(value.values())))

    def _set(self, value: set[Any] | frozenset[Any]) -> bytes:
        return b"".join(sorted(map(self.encode, value)))

    def _weak(self, value: Any) -> bytes:
        return weak_bytes(value, self.encode, alone=len(self._open) == 1)

    def _range(self, value: range) -> bytes:
        return self.items([value.start, value.stop, value.step])

    def _path(self, value: pathlib.Path) -> bytes:
        # As it is written, which a body can see, and where it leads.
        said, place = text(str(value)), real_path(str(value))
        try:
            found = os.stat(place)  # noqa: PTH116 - the text is what counts, and it is at hand
        except OSError:
            return frame(b"p", said + text(place) + self._by(type(value)))
        said += self._by(type(value))
        return frame(b"p", said + text(place) + b"%d;%d;" % (found.st_size, found.st_mtime_ns))

    def _builtin(self, value: types.BuiltinFunctionType) -> bytes:
        owner = value.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return self.refer(value)
        return self._reduced(value)

    def _method(self, value: types.MethodType) -> bytes:
        return frame(b"w", self.encode(value.__func__) + self.encode(value.__self__))

    def _buffer(self, value: memoryview) -> bytes:
        flat = value.cast("B") if value.c_contiguous and value.nbytes else value.tobytes()
        head = self.encode((value.format, value.shape, value.readonly))
        return frame(b"m", head + digest(flat))

    def _reduced(self, value: Any) -> bytes:
        """Any other value, by what pickle (protocol 5) would make it again from.

        What pickle is told is walked, not written, so the usual reasons for two pickles of one
        value leave no trace: interned strings, the order of sets. Nothing is tried out beyond
        that: a reducer that answers differently each time costs a run that was not needed, never a
        wrong reuse.
        """
        kind = type(value)
        if str(kind.__module__).partition(".")[0] in _HOSTS:
            return frame(b"h", text(kind.__qualname__))
        if kind.__name__ in _GENERATORS and any(value is one for one in _global_generators()):
            # Whoever draws from it changes it; that random numbers are drawn is said elsewhere.
            return frame(b"R", text(kind.__qualname__))
        if hasattr(kind, "__dask_graph__"):
            raise CannotKeyError(type_in_words(value), "it reads its data only when it is computed")
        reducer = copyreg.dispatch_table.get(kind)
        attributes(value)  # some tell of a `__dict__` only once somebody has asked for it
        try:
            told: Any = value.__reduce_ex__(_PROTOCOL) if reducer is None else reducer(value)
        except RecursionError:
            raise
        except Exception as error:
            raise CannotKeyError(
                type_in_words(value), str(error) or type(error).__name__
            ) from error
        if isinstance(told, str):
            return self._named(value, told)
        parts: list[Any] = [*told]
        maker, arguments, state, items, pairs, setter = parts + [None] * (6 - len(parts))
        encoded = self.items([maker, arguments, state, setter])
        if isinstance(value, BaseException) and value.__cause__ is not None:
            encoded += b"!" + self.encode(value.__cause__)
        if isinstance(value, BaseException) and value.__context__ is not None:
            encoded += b"?" + self.encode(value.__context__)
        if items is not None:
            encoded += b"+" + self.items(list(items))
        if pairs is not None:
            encoded += b":" + self._dict(dict(pairs))
        encoded += self._by(kind)
        if not issubclass(kind, enum.Enum) and not is_of_library(kind):
            encoded += self._left_out(value, state)
        if hasattr(kind, "__array_finalize__") and getattr(value, "__dict__", None):
            encoded += b"." + self.encode(vars(value))  # which an array's own reducer leaves out
        return frame(b"o", encoded)

    def _by(self, kind: type) -> bytes:
        """By what values of a class go beside what they hold."""
        said = self._kinds.get(kind)
        if said is None:
            held = {**settings_of(kind), **dict(put_into(kind))}
            said = self._kinds[kind] = b"~" + self.encode(held) if held else b""
        return said

    def _left_out(self, value: Any, state: Any) -> bytes:
        """What a pickle of an object of the user's would not have, as far as it is content: a task
        can see it all the same.
        """
        encoded, kept = b"", dict[str, Any]()
        for one in state if isinstance(state, tuple) else (state,):
            kept.update(one if isinstance(one, dict) else {})
        for name, held in attributes(value).items():
            if name not in kept or kept[name] is not held:
                with contextlib.suppress(CannotKeyError):  # a lock, a connection
                    encoded += b"-" + text(name) + self.encode(held)
        return encoded

    def _named(self, value: Any, name: str) -> bytes:
        """What its module knows by name: a ufunc, a sentinel.

        Raises:
            CannotKeyError: nobody could call it by that name, as one that is made of a function.
        """
        if not name.replace(".", "").isidentifier():
            raise CannotKeyError(type_in_words(value), "what it is made of cannot be seen")
        place = str(getattr(value, "__module__", None))
        module = sys.modules.get(place)
        return frame(b"g", text(name) + (text(place) if module is None else self.refer(module)))


def _global_generators() -> Iterator[object]:
    """The generators of random numbers that belong to the whole process."""
    yield getattr(random, "_inst", None)
    mtrand = sys.modules.get("numpy.random.mtrand")
    ours = getattr(mtrand, "_rand", None)
    yield ours
    yield getattr(ours, "_bit_generator", None)


_GENERATORS: Final = frozenset({"Random", "RandomState", "MT19937"})
_OF_DATA: Final = frozenset(
    {list, tuple, dict, types.MappingProxyType, OrderedDict, set, frozenset, range, slice,
     memoryview}
)  # fmt: skip


_HANDLERS: Final[dict[type, Callable[[Encoder, Any], bytes]]] = {
    list: lambda encoder, value: frame(b"l", encoder.items(value)),
    tuple: lambda encoder, value: frame(b"t", encoder.items(list(value))),
    dict: Encoder._dict,
    types.MappingProxyType: lambda encoder, value: frame(b"M", encoder._dict(dict(value))),
    OrderedDict: lambda encoder, value: frame(b"O", encoder.items(list(value.items()))),
    set: lambda encoder, value: frame(b"S", encoder._set(value)),
    frozenset: lambda encoder, value: frame(b"Z", encoder._set(value)),
    range: lambda encoder, value: frame(b"r", encoder._range(value)),
    slice: lambda encoder, value: frame(b"/", encoder.items([value.start, value.stop, value.step])),
    pathlib.PosixPath: Encoder._path,
    pathlib.WindowsPath: Encoder._path,
    memoryview: Encoder._buffer,
    pickle.PickleBuffer: lambda encoder, value: frame(b"B", digest(value.raw())),
    types.BuiltinFunctionType: Encoder._builtin,
    types.MethodType: Encoder._method,
    Injected: lambda encoder, value: frame(b"j", encoder.refer(value.resource)),
    **dict.fromkeys(MEANS, lambda encoder, value: means_bytes(value)),
    **dict.fromkeys(WEAK, Encoder._weak),
    typing.TypeVar: lambda encoder, value: frame(
        b"V",
        encoder.items([value.__name__, value.__bound__, value.__constraints__, repr(value)]),
    ),
    typing.NewType: lambda encoder, value: frame(
        b"W", encoder.items([value.__qualname__, value.__supertype__])
    ),
    contextvars.ContextVar: lambda encoder, value: variable_bytes(value, encoder.encode),
    struct.Struct: lambda encoder, value: frame(b"x", text(value.format)),
}
