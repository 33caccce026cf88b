"""Writes JSON-like values, and the data of known libraries among them, as bytes that run no code.

Exact types come back: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset and the
leaves of other libraries. A subclass of these is none of them, and neither is a value in which one
object stands twice or within itself, because what is written here comes back as a tree. A thousand
containers in one value are left to pickle as well, for the sake of time.

Each value is a letter and what belongs to it, in little-endian numbers; items of one type stand as
one block. Large data stand beside the stream, so that they need not be copied.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cascade_nb.state.codec.arrays import ARRAY_LEAVES
from cascade_nb.state.codec.frames import FRAME_LEAVES
from cascade_nb.state.codec.leaves import LARGE, Leaf, NotPlainError
from cascade_nb.state.codec.nans import OF_NUMPY, OF_PYTHON, holds_known_nan, known_nan, which_nan
from cascade_nb.state.codec.signatures import Chunk
from cascade_nb.state.codec.tables import TABLE_LEAVES

_DEEPEST: Final = 64
_FEW: Final = 8  # up to so many items are written sooner one by one
_MOST: Final = 1000  # of more containers the pickler in C is done sooner, by far
_BESIDE: Final = 0xFFFFFFFF
_NANS: Final = {OF_PYTHON: b"m", OF_NUMPY: b"u"}
_LEAVES: Final = (*ARRAY_LEAVES, *TABLE_LEAVES, *FRAME_LEAVES)
_BY_NAME: Final = {f"{leaf.library}.{leaf.name}": leaf for leaf in _LEAVES}
_LIBRARIES: Final = frozenset(leaf.library for leaf in _LEAVES)

_int64: Final = struct.Struct("<cq").pack
_double: Final = struct.Struct("<cd").pack
_sized: Final = struct.Struct("<cI").pack
_size: Final = struct.Struct("<I")
_get_sized: Final = struct.Struct("<cI").unpack_from
_get_int64: Final = struct.Struct("<q").unpack_from
_get_double: Final = struct.Struct("<d").unpack_from


def write_plain(value: Any) -> tuple[bytes, list[Chunk]]:
    """The stream of a value, and the data that stand beside it, read where they lie.

    Raises:
        NotPlainError: it has no plain form, or would not come back the same.
    """
    writer = _Writer()
    try:
        writer.write(value)
    except (NotPlainError, KeyboardInterrupt):
        raise
    except BaseException as error:
        # a block too large, a stack almost used up, a library that fails at its own data: then
        # pickle has its turn, and what that says of the value is what the user reads
        raise NotPlainError from error
    return b"".join(writer.out), writer.beside


def read_plain(stream: bytes, beside: Sequence[memoryview]) -> Any:
    """The value that was written, in memory of its own.

    Raises:
        ImportError: it needs a library that is not installed here.
    """
    return _Reader(stream, beside).read()


def leaf_of(kind: type) -> Leaf | None:
    """What writes values of this type, where it is one of another library's."""
    return _known_leaf(kind) if kind.__module__.partition(".")[0] in _LIBRARIES else None


@functools.lru_cache(maxsize=256)
def _known_leaf(kind: type) -> Leaf | None:
    return next((leaf for leaf in _LEAVES if leaf.takes(kind)), None)


class _Writer:
    __slots__ = ("_alive", "_depth", "_seen", "beside", "out")

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.beside: list[Chunk] = []
        self._seen: set[int] = set()
        self._alive: list[Any] = []  # an id is a name only while its object lives
        self._depth = 0

    def write(self, value: Any) -> None:
        method = _WRITERS.get(type(value))
        if method is not None:
            method(self, value)
        else:
            self._leaf(value)

    def _none(self, _: None) -> None:
        self.out.append(b"N")

    def _bool(self, value: bool) -> None:
        self.out.append(b"T" if value else b"F")

    def _integer(self, value: int) -> None:
        try:
            self.out.append(_int64(b"i", value))
        except struct.error:  # more than 64 bits
            self.out.append(b"I")
            self._data(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))

    def _float(self, value: float) -> None:
        which = which_nan(value)
        self.out.append(_double(b"f", value) if which is None else _NANS[which])

    def _text(self, value: str) -> None:
        if len(value) > LARGE:
            self._once(value)
        data = value.encode("utf-8", "surrogatepass")
        if len(data) <= LARGE:
            self.out.append(_sized(b"s", len(data)) + data)
        else:
            self.out.append(b"s")
            self._data(data)

    def _bytes(self, value: bytes) -> None:
        if len(value) > LARGE:
            self._once(value)
        self.out.append(b"b")
        self._data(value)

    def _list(self, value: list[Any]) -> None:
        self._items(b"l", value, tuple(value))  # a copy: another thread may change the list

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self._items(b"t", value, value)

    def _set(self, value: set[Any]) -> None:
        self._items(b"e", value, tuple(value))

    def _frozenset(self, value: frozenset[Any]) -> None:
        self._items(b"z", value, tuple(value))

    def _dict(self, value: dict[Any, Any]) -> None:
        now = value.copy()  # so that keys and values are of the same moment
        self._items(b"d", value, tuple(now), tuple(now.values()))

    def _items(self, letter: bytes, owner: Any, *blocks: tuple[Any, ...]) -> None:
        if owner != ():  # there is only one empty tuple, wherever it stands
            self._once(owner)
        if self._depth >= _DEEPEST:
            raise NotPlainError
        self.out.append(letter)
        self._depth += 1
        for items in blocks:
            self._block(items)
        self._depth -= 1

    def _block(self, items: tuple[Any, ...]) -> None:
        count = len(items)
        if count > _FEW:
            kinds = set(map(type, items))
            pack = _BLOCKS.get(kinds.pop()) if len(kinds) == 1 else None
            if pack is not None and pack(self, items):
                return
        self.out.append(_sized(b"O", count))
        for item in items:
            method = _WRITERS.get(type(item))
            if method is not None:
                method(self, item)
            else:
                self._leaf(item)

    def _integers(self, items: tuple[int, ...]) -> bool:
        try:
            self.out.append(struct.pack(f"<cI{len(items)}q", b"Q", len(items), *items))
        except struct.error:  # one of more than 64 bits
            return False
        return True

    def _floats(self, items: tuple[float, ...]) -> bool:
        if holds_known_nan(items):
            return False
        self.out.append(struct.pack(f"<cI{len(items)}d", b"D", len(items), *items))
        return True

    def _texts(self, items: tuple[str, ...]) -> bool:
        sizes = tuple(map(len, items))
        if sum(sizes) > LARGE and len(set(map(id, items))) < len(items):
            raise NotPlainError  # one long text many times, which a pickle writes once
        self.out.append(struct.pack(f"<cI{len(sizes)}I", b"S", len(sizes), *sizes))
        self._data("".join(items).encode("utf-8", "surrogatepass"))
        return True

    def _leaf(self, value: Any) -> None:
        leaf = leaf_of(type(value))
        if leaf is None:
            raise NotPlainError
        head, data = leaf.write(value)
        if data:
            self._once(value)
        self._alive.append(head)
        self.out.append(b"x")
        self._data(f"{leaf.library}.{leaf.name}".encode())
        self.out.append(_size.pack(len(data)))
        self.beside.extend(data)
        self.write(head)

    def _data(self, data: bytes) -> None:
        if len(data) > LARGE:
            self.out.append(_size.pack(_BESIDE))
            self.beside.append(data)
        else:
            self.out.append(_size.pack(len(data)) + data)

    def _once(self, value: Any) -> None:
        """What stands twice is written twice: another value than before, and perhaps a huge one."""
        seen = self._seen
        size = len(seen)
        seen.add(id(value))
        if len(seen) == size or size >= _MOST:
            raise NotPlainError


class _Reader:
    __slots__ = ("_at", "_beside", "_stream")

    def __init__(self, stream: bytes, beside: Sequence[memoryview]) -> None:
        self._stream = stream
        self._at = 0
        self._beside: Iterator[memoryview] = iter(beside)

    def read(self) -> Any:
        letter = self._stream[self._at]
        self._at += 1
        return _READERS[letter](self)

    def _integer(self) -> int:
        (value,) = _get_int64(self._stream, self._at)
        self._at += 8
        return value  # type: ignore[no-any-return]

    def _float(self) -> float:
        (value,) = _get_double(self._stream, self._at)
        self._at += 8
        return value  # type: ignore[no-any-return]

    def _long(self) -> int:
        return int.from_bytes(self._data(), "little", signed=True)

    def _text(self) -> str:
        return str(self._data(), "utf-8", "surrogatepass")

    def _bytes(self) -> bytes:
        return bytes(self._data())

    def _dict(self) -> dict[Any, Any]:
        keys = self._block()
        return dict(zip(keys, self._block(), strict=True))

    def _block(self) -> list[Any]:
        letter, count = _get_sized(self._stream, self._at)
        self._at += 5
        if letter == b"O":
            return [self.read() for _ in range(count)]
        if letter == b"S":
            sizes = self._numbers(f"<{count}I")
            text, start, texts = str(self._data(), "utf-8", "surrogatepass"), 0, []
            for size in sizes:
                texts.append(text[start : start + size])
                start += size
            return texts
        return list(self._numbers(f"<{count}{'d' if letter == b'D' else 'q'}"))

    def _numbers(self, layout: str) -> tuple[Any, ...]:
        numbers = struct.unpack_from(layout, self._stream, self._at)
        self._at += struct.calcsize(layout)
        return numbers

    def _leaf(self) -> Any:
        leaf = _BY_NAME[str(self._data(), "utf-8")]
        data = [next(self._beside) for _ in range(self._count())]
        return leaf.read(self.read(), data)

    def _data(self) -> bytes | memoryview:
        size = self._count()
        if size == _BESIDE:
            return next(self._beside)
        self._at += size
        return self._stream[self._at - size : self._at]

    def _count(self) -> int:
        (count,) = _size.unpack_from(self._stream, self._at)
        self._at += 4
        return int(count)


_WRITERS: Final[dict[type, Callable[[_Writer, Any], None]]] = {
    type(None): _Writer._none,
    bool: _Writer._bool,
    int: _Writer._integer,
    float: _Writer._float,
    str: _Writer._text,
    bytes: _Writer._bytes,
    list: _Writer._list,
    tuple: _Writer._tuple,
    dict: _Writer._dict,
    set: _Writer._set,
    frozenset: _Writer._frozenset,
}
_BLOCKS: Final[dict[type, Callable[[_Writer, Any], bool]]] = {
    int: _Writer._integers,
    float: _Writer._floats,
    str: _Writer._texts,
}
_READERS: Final[dict[int, Callable[[_Reader], Any]]] = {
    ord("N"): lambda _: None,
    ord("T"): lambda _: True,
    ord("F"): lambda _: False,
    ord("i"): _Reader._integer,
    ord("I"): _Reader._long,
    ord("f"): _Reader._float,
    ord("m"): lambda _: known_nan(OF_PYTHON),
    ord("u"): lambda _: known_nan(OF_NUMPY),
    ord("s"): _Reader._text,
    ord("b"): _Reader._bytes,
    ord("l"): _Reader._block,
    ord("t"): lambda reader: tuple(reader._block()),
    ord("e"): lambda reader: set(reader._block()),
    ord("z"): lambda reader: frozenset(reader._block()),
    ord("d"): _Reader._dict,
    ord("x"): _Reader._leaf,
}
