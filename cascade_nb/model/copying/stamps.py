"""Takes quick stamps of content, by which this process sees whether a large value was changed.

A stamp costs about a tenth of a content key, and is worth something only beside another of the same
object. Nothing of the user's runs for it, and nothing here imports NumPy or pandas: the user has.
"""

from __future__ import annotations

import marshal
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain, islice
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final

from cascade_nb.model.containers.arrays import array_kind
from cascade_nb.model.containers.containers import container_kind
from cascade_nb.model.containers.kinds import PLAIN_OBJECT, attribute_values
from cascade_nb.model.copying.immutable import FROZEN

PARTS: Final = 200_000
"""Parts of plain containers up to which all of them are looked at; of more, some thousand are."""
THINGS: Final = 10_000
"""The same for parts that have to be looked at one by one."""
BYTES: Final = 1 << 28
"""The same for the bytes of an array."""

_ATOMS: Final = frozenset({int, float, complex, bool, str, bytes, type(None)})
_BY_IDENTITY: Final = frozenset({type, BuiltinFunctionType, ModuleType})
_SEQUENCES: Final = frozenset({list, tuple, set, frozenset})
_DEPTH: Final = 100
_FEW: Final = 8
_SOME: Final = 2_000
_ROW: Final = 1_021  # words that are made one: a prime, so that no regular change cancels out
_WORD: Final = 8


def content_stamp(value: Any) -> bytes:
    """What to compare with another stamp of the same object: they differ where it was changed.

    All of it is looked at, up to `PARTS` and `BYTES`; of what is larger, samples. What nobody can
    look into counts by its identity.
    """
    return _Stamping().of(value)


class _Stamping:
    def __init__(self) -> None:
        self._hasher = blake2b(digest_size=16)
        self._left, self._plain_left = THINGS, PARTS
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []
        self._deep = 0  # so many containers are taken apart before one is looked at whole again

    def of(self, value: Any) -> bytes:
        stack: list[Any] = [value]
        while stack:
            stack += self._parts(stack.pop())
        return self._hasher.digest()

    def _parts(self, value: Any) -> list[Any]:
        """Note what stands in `value`, and give what has still to be looked at."""
        cls = type(value)
        if cls in FROZEN:
            self._note(value)
            return []
        number = self._seen.setdefault(id(value), len(self._seen))
        self._alive.append(value)  # an id is a name only while its object lives
        self._hasher.update(b"%d.%d;" % (id(cls), number))
        if number != len(self._seen) - 1:
            return []  # it stands elsewhere too
        if cls in _SEQUENCES or cls is dict:
            whole = self._whole(value, cls)
            if whole is not None:
                self._plain_left -= whole[1]
                self._hasher.update(whole[0])
                return []
        return self._taken_apart(value, cls)

    def _whole(self, value: Any, cls: type) -> tuple[bytes, int] | None:
        if self._deep:
            self._deep -= 1
            return None
        try:
            whole = _plainly(value, self._plain_left)
            if whole is None and cls is list and (held := _attributes_of(value)):
                whole = _plainly(held, self._plain_left)
        except ValueError:  # nested too deeply: what is in it may be too, and each look costs
            self._deep = _DEPTH
            return None
        return whole

    def _taken_apart(self, value: Any, cls: type) -> list[Any]:
        if array_kind(cls) == "array":
            return self._array(value)
        if array_kind(cls) == "frame" or hasattr(cls, "_concat_same_type"):
            return list(_columns(value))
        if isinstance(value, (bytearray, memoryview)) or cls.__module__ == "array":
            self._bytes(value)
            return []
        if hasattr(cls, "_version") and hasattr(cls, "data_ptr"):  # a tensor counts its changes
            self._hasher.update(repr((value._version, value.data_ptr(), value.shape)).encode())
            return []
        kind = container_kind(cls)
        if kind is None or not kind.within_reach:
            self._hasher.update(b"@%d;" % id(value))
            return attribute_values(value) if kind is None and cls.__dictoffset__ else []
        many = _length(value)
        self._hasher.update(b"#%d;" % many)
        most = self._most
        parts = _some(value, many, most) if many > most else kind.parts(value)
        self._left -= len(parts)
        if _ATOMS.issuperset(map(type, parts)):
            self._hasher.update(marshal.dumps(parts, 2))
            return []
        return parts

    @property
    def _most(self) -> int:
        """How many parts of one thing may be looked at now."""
        return self._left if self._left > 0 else _FEW

    def _note(self, value: Any) -> None:
        if type(value) in _ATOMS:
            self._hasher.update(marshal.dumps(value, 2))
        else:
            told = b"@%d;" % id(value) if type(value) in _BY_IDENTITY else repr(value).encode()
            self._hasher.update(told)

    def _array(self, array: Any) -> list[Any]:
        hidden = getattr(array, "mask", None)
        plain = array.view(sys.modules["numpy"].ndarray)
        self._hasher.update(repr((plain.dtype, plain.shape, plain.strides)).encode())
        if plain.dtype.hasobject or plain.dtype.kind == "T":
            many = plain.size
            step = max(1, many // self._most)
            parts: list[Any] = plain.ravel()[::step].tolist()
            self._left -= len(parts)
            return parts
        whole = plain.nbytes <= BYTES and type(array).__name__ != "memmap"
        if not (plain.flags.c_contiguous or plain.flags.f_contiguous):
            pieces: Iterable[Any] = iter(plain) if plain.ndim > 1 else (plain,)
            if not whole and plain.ndim > 1:
                pieces = plain[:: max(1, len(plain) // _SOME)]
            for piece in pieces:
                self._hasher.update(piece.tobytes() if whole else piece.ravel()[:_SOME].tobytes())
        else:
            flat = plain.reshape(-1, order="C" if plain.flags.c_contiguous else "F")
            self._bytes(flat.view("u1") if whole else flat[:: max(1, plain.size // _SOME)])
        return [] if hidden is None else [hidden]

    def _bytes(self, buffer: Any) -> None:
        """A long piece of memory: each row of words is made one, quicker than any digest is."""
        numpy = sys.modules.get("numpy")
        view = memoryview(buffer)
        if numpy is None or not view.c_contiguous or view.nbytes < 8 * _ROW * _WORD:
            self._hasher.update(view if view.c_contiguous else view.tobytes())
            return
        data = numpy.frombuffer(view.cast("B"), dtype="u1")
        rows = data.size // (_ROW * _WORD)
        words = data[: rows * _ROW * _WORD].view("u8").reshape(rows, _ROW)
        self._hasher.update(numpy.dot(words, _weights(numpy)).tobytes())
        self._hasher.update(data[rows * _ROW * _WORD :].tobytes())


_made: Final[list[Any]] = []


def _weights(numpy: Any) -> Any:
    """Odd numbers, so that a change of one word is always seen."""
    if not _made:
        step = 0x9E3779B97F4A7C15
        _made.append(
            numpy.array([(n * step | 1) & (1 << 64) - 1 for n in range(1, _ROW + 1)], dtype="u8")
        )
    return _made[0]


def _plainly(value: Any, most: int) -> tuple[bytes, int] | None:
    """The bytes of a container of plain containers and atoms, and how many parts it has; None for
    any other, and where there are more than `most`.

    Raises:
        ValueError: it is nested too deeply, or stands inside itself.
    """
    level: list[Any] = [value]
    count = things = 0
    for _ in range(_DEPTH):
        if not level:
            break
        below: list[Iterable[Any]] = []
        kinds = set(map(type, level))
        for cls in kinds - _ATOMS:
            group = level
            if len(kinds) > 1:
                group = [one for one in level if type(one) is cls]
            if cls is dict:
                below.append(chain.from_iterable(group))
                below.append(chain.from_iterable(map(dict.values, group)))
            elif cls in _SEQUENCES:
                below.append(chain.from_iterable(group))
            else:
                return None
            things += len(set(map(id, group)))  # what stands twice may become two things
            count += sum(map(len, group)) * (2 if cls is dict else 1)
            if count > most:
                return None
        level = list(chain.from_iterable(below))
    if level:
        raise ValueError("nested too deeply")
    return b"%d;" % things + marshal.dumps(value, 2), count


def _attributes_of(objects: list[Any]) -> list[Any]:
    """The attributes of each of many objects of one class that is made of nothing else."""
    kinds = set(map(type, objects))
    cls = kinds.pop() if len(kinds) == 1 else int
    if container_kind(cls) is not PLAIN_OBJECT or any(
        "__slots__" in vars(one) for one in cls.__mro__
    ):
        return []
    return [*map(vars, objects), id(cls)]


def _columns(value: Any) -> Iterator[Any]:
    """What a frame, a series or an array of pandas is made of."""
    if hasattr(value, "columns"):
        yield from (value.columns, value.index)
        for place in range(value.shape[1]):
            yield from _columns(value.iloc[:, place].array)
    elif hasattr(value, "array") and hasattr(value, "index"):
        yield from (value.index, value.name)
        yield from _columns(value.array)
    else:
        yield value.to_numpy()


def _length(value: Any) -> int:
    """How many parts there are, without making a list of them."""
    for base, times in _LENGTHS.items():
        if isinstance(value, base):
            return int(base.__len__(value)) * times
    return 0


def _some(value: Any, many: int, most: int) -> list[Any]:
    """Some of very many parts, the first and last among them."""
    step = max(1, many // min(most, _SOME))
    if isinstance(value, (list, tuple)):
        return [*value[::step], value[-1]]
    items = value.items() if isinstance(value, dict) else value
    return list(islice(items, 0, None, step))


_LENGTHS: Final[dict[Any, int]] = dict.fromkeys((list, tuple, set, frozenset, deque), 1) | {dict: 2}
