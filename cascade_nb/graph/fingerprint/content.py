"""Makes the key of a value by its content, or says why it has none."""

from __future__ import annotations

import dataclasses
from typing import Any, NewType

from cascade_nb.graph.code.code_key import reference
from cascade_nb.graph.values.atoms import ATOMS, CannotKeyError, not_computed, type_in_words
from cascade_nb.graph.values.encoder import Encoder

# Canonical bytes where those are short, else a digest under a tag: at most about 70 bytes.
ContentKey = NewType("ContentKey", bytes)


@dataclasses.dataclass(frozen=True)
class Unkeyed:
    """A value that has no content which could be compared with another's.

    Attributes:
        what: the value with its article, and what inside it is in the way: "a list with a
            socket in it".
        why: the reason in words.
    """

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} cannot be keyed: {self.why}"


def content_key(value: Any) -> ContentKey | Unkeyed:
    """The key of what `value` says, the same in every process; or why there is none.

    Equal values of equal types have equal keys, with these decisions:

    - types count: ``1``, ``1.0`` and ``True`` differ, so do ``"a"`` and ``b"a"``, ``[1]`` and
      ``(1,)``;
    - floats and arrays count by their bits: ``0.0`` and ``-0.0`` differ, a NaN is like itself;
    - the order of a dict counts, since whoever goes through it sees it; that of a set does not,
      since it may be another in the next process;
    - a path counts by its resolved text and, if it exists, the size and `mtime_ns` of what is there
      (a folder's change when entries come and go, not when a file in it is written); a path given
      as text is text;
    - arrays count by dtype, shape, items, and the order in which they lie in memory, which decides
      what ``ravel("K")`` gives and in which order sums are made; whether they may be written to
      does not count, since a task's results are handed on read-only anyhow;
    - data frames count by labels, dtypes and items: how they lie in memory is the library's affair;
    - functions and classes count by `code_key`, and by what they are called and where they stand;
    - an object counts by its class and by what pickle would keep;
    - locks, context variables and caches of weak references count by their kind.

    Sockets, open files, generators, lazy data frames and lazy values have no key.
    """
    atom = ATOMS.get(type(value))
    if atom is not None:
        return ContentKey(atom(value))
    return key_with(Encoder(reference, not_computed), value)


def key_with(encoder: Encoder, value: Any) -> ContentKey | Unkeyed:
    """`content_key` by an encoder that may have seen parts of `value` before."""
    try:
        return ContentKey(encoder.encode(value))
    except CannotKeyError as error:
        return Unkeyed(whole(value, error), error.why)


def whole(value: Any, error: CannotKeyError) -> str:
    """`value` with what in it is in the way: "a socket", "a list with a socket in it"."""
    kind = type_in_words(value)
    return kind if error.what == kind else f"{kind} with {error.what} in it"
