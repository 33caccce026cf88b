"""What lies at the paths and globs that a cache rule names: which files, how large, of when."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cascade_nb.graph.atoms import digest, frame, text

_NAMED: Final = 100  # files of one rule that are remembered one by one


def files_bytes(patterns: Sequence[str]) -> bytes:
    """The bytes of all that `patterns` lead to now, for a key.

    Each file counts by its resolved path, its size and the time when it was written, as a `Path`
    among the arguments does. A folder leads to every file below it, ``**`` through any number of
    folders, ``~`` home. What cannot be found does not count, so that it does when it comes.
    """
    return b"".join(said for pattern in patterns for _, said in _stamps(pattern))


def files_told(patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and digest of each file; one for all that a rule leads to where there are very many."""
    for pattern in patterns:
        stamps = _stamps(pattern)
        if len(stamps) <= _NAMED:
            yield from ((name, digest(said).hex()) for name, said in stamps)
        else:
            yield f"one of {pattern}", digest(b"".join(said for _, said in stamps)).hex()


def _stamps(pattern: str) -> list[tuple[str, bytes]]:
    """Name and bytes of each file that a path or a glob leads to, in order."""
    place = str(Path(pattern).expanduser())
    found = sorted(glob.glob(place, recursive=True)) if glob.has_magic(place) else [place]  # noqa: PTH207 - a glob may be absolute
    return [(name, said) for path in found for name in _below(path) if (said := _stamp(name))]


def _below(path: str) -> Iterator[str]:
    if not Path(path).is_dir():
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        yield from (str(Path(folder, name)) for name in sorted(names))


def _stamp(name: str) -> bytes:
    place = Path(name).resolve()
    try:
        found = place.stat()
    except OSError:  # it is not there, or went since it was listed
        return b""
    return frame(b"p", text(str(place)) + b"%d;%d;" % (found.st_size, found.st_mtime_ns))
