"""Values for the codec's tests: how to draw them, and what "the same" means."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import strategies as st

from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.codec.plain import write_plain

KEY = b"a key of thirty-two bytes, not less"
PLACE = "lab/result/0123456789abcdef"

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**300), max_value=2**300),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(st.characters(exclude_categories=())),  # lone surrogates too
    st.binary(),
)
HASHABLE = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=6,
)
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=12),
        st.lists(inner, max_size=12).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=12),
        st.sets(HASHABLE, max_size=5),
    ),
    max_leaves=25,
)


def blob_of(value: Any, place: str = PLACE, key: bytes = KEY) -> bytes:
    """The bytes of a value."""
    return b"".join(Codec(key).encode(value, place))


def there_and_back(value: Any) -> Any:
    """What becomes of a value."""
    return Codec(KEY).decode(blob_of(value), PLACE)


def plainly(value: Any) -> Any:
    """What becomes of a value that must not be pickled: most would come back that way too.

    Raises:
        NotPlainError: it would be pickled.
    """
    write_plain(value)
    return there_and_back(value)


def same(a: Any, b: Any) -> bool:
    """Equal, with the same types all through; a NaN is the same as one of the same bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and same(in_order(a), in_order(b))
    return bool(a == b)


def in_order(values: Any) -> list[Any]:
    """The items of a set, in an order that does not depend on their hashes."""
    return sorted(values, key=_rank)


def _rank(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"frozenset{[_rank(item) for item in in_order(value)]}"
    if isinstance(value, tuple):
        return f"tuple{[_rank(item) for item in value]}"
    if isinstance(value, float) and math.isnan(value):
        return struct.pack("<d", value).hex()
    return f"{type(value).__name__}{value!r}"
