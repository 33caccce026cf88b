"""Stamps of files and environment variables, by which a later look tells whether they are as they
were.
"""

from __future__ import annotations

import glob
import json
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

ABSENT: Final = ""
FOLDER: Final = "folder"
DEVICE: Final = "device"
PATTERN: Final = "\0"  # before a path or glob, where the names of all that it leads to are meant
LINK: Final = "\0@"  # before a path, where it is meant where that leads to and who may use it
VARIABLE: Final = "\0$"  # before the name of an environment variable, which is meant then
EVERY: Final = "*"  # instead of that name: the names of all
# What a kernel, a shell or a terminal sets anew for each session.
_OF_SESSION: Final = re.compile(
    re.escape(VARIABLE)
    + r"(?:_|PWD|OLDPWD|SHLVL|LINES|COLUMNS|WINDOWID|TMUX\w*|MPLBACKEND|PYDEVD_\w+|PYTEST_\w+"
    r"|(?:JPY|JUPYTER|KERNEL|SSH|XDG_SESSION|XDG_RUNTIME|DBUS|TERM|VSCODE|GIO|GPG|DESKTOP)\w*)"
)

# A file system tells times in ticks: what was written within one of them cannot be told from what
# was written later in it. Of a file so young, a small one, the content counts too, as in Git's
# "racy" index entries.
_TICK: Final = 20_000_000  # nanoseconds
_SMALL: Final = 1 << 20  # bytes
# Of a file this small the content is known in any case, for where only the time of its last change
# of any kind differs, as after `chmod`.
_TINY: Final = 1 << 16  # bytes


class FileStamp(NamedTuple):
    """A file as a task found it or left it.

    Attributes:
        path: where it is; a relative one counts from the current folder of whoever looks. With a
            separator at its end it means the names of all that is in a folder, and behind `PATTERN`
            those of all that a path or glob leads to. Behind `LINK` it is meant where it leads to,
            and behind `VARIABLE` it is no path.
        stamp: see `stamp_of`.
        wrote: whether the task wrote it: then it counts only for what still has to read it.
    """

    path: str
    stamp: str
    wrote: bool = False

    @property
    def stands(self) -> bool:
        """Whether it is still so.

        Who writes a file can set the time back to which it says it was written, not the one when
        anything about it was changed last. Where only that one differs, the content tells.
        """
        said, _, content = self.stamp.partition(" ")
        now = _known_by(self.path)
        if now == said:
            return not content.startswith(_YOUNG) or _content(self.path) == content[1:]
        written, _, changed = said.rpartition(",")
        same = changed and written == now.rpartition(",")[0]
        return bool(same and content) and _content(self.path) == content[1:]


_NAMES: Final = "names"  # where the size of a file would stand
_YOUNG: Final = "!"  # before a digest that counts even where the times are the same


Stamps: TypeAlias = frozenset[FileStamp]
NO_STAMPS: Final[Stamps] = frozenset()
NO_FILES: Final[Mapping[int, Stamps]] = MappingProxyType({})


def paths_in(stamps: Iterable[FileStamp]) -> set[str]:
    """The paths of the files and folders among `stamps`."""
    return {one.path for one in stamps if not one.path.startswith((LINK, PATTERN, VARIABLE))}


def stamp_of(path: str, *, young: bool = True) -> str:
    """Size and times of the file at `path`, as text, with a digest of a small one; `ABSENT` where
    there is none, `FOLDER` for a folder, `DEVICE` for a pipe or a device, and a digest of all names
    where the content of a folder is meant.

    Args:
        young: whether to mark what was written this very moment, so that its content counts.
    """
    said = _known_by(path)
    size, _, times = said.partition(",")
    if not times or size == _NAMES or int(size) > _SMALL:
        return said
    if young and time.time_ns() - max(map(int, times.split(","))) < _TICK:
        return f"{said} {_YOUNG}{_content(path)}"
    return f"{said} ={_content(path)}" if int(size) <= _TINY else said


def _known_by(path: str) -> str:
    """A stamp without the content of a file."""
    if path.startswith(VARIABLE):
        return _variable(path.removeprefix(VARIABLE))
    if path.startswith(LINK):
        return _leads(path.removeprefix(LINK))
    if path.startswith(PATTERN):
        return _names("\0".join(files_at(path.removeprefix(PATTERN))))
    if path.endswith(os.sep):
        return _listed(path)
    try:
        found = os.stat(path)  # noqa: PTH116 - it is asked at each open, and a Path costs more
    except (OSError, ValueError):  # it is not there, or nothing can be
        return ABSENT
    if not stat.S_ISREG(found.st_mode):
        return FOLDER if stat.S_ISDIR(found.st_mode) else DEVICE
    return f"{found.st_size},{found.st_mtime_ns},{found.st_ctime_ns}"


def files_at(pattern: str) -> list[str]:
    """The files that a path or glob leads to now, in order; a path to none is its own.

    A folder leads to every file below it, ``**`` through any number of folders, ``~`` home.
    """
    place = os.path.expanduser(pattern)  # noqa: PTH111 - a relative one stays as it is written
    found = sorted(glob.glob(place, recursive=True)) if glob.has_magic(place) else [place]  # noqa: PTH207 - a glob may be absolute
    return [name for path in found for name in _below(path)]


def _below(path: str) -> Iterator[str]:
    if not os.path.isdir(path):  # noqa: PTH112 - as above
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))  # noqa: PTH118 - as above


def in_json(stamps: Collection[FileStamp]) -> str:
    """As text for a state backend; empty for none."""
    return json.dumps(sorted(stamps)) if stamps else ""


def from_json(said: object) -> frozenset[FileStamp]:
    """The opposite of `in_json`.

    Raises:
        ValueError: this was never written by it.
    """
    if said == "":
        return frozenset()
    try:
        found = json.loads(said) if isinstance(said, str) else None
    except RecursionError:
        raise ValueError("these are no stamps of files") from None
    if not isinstance(found, list) or not all(map(_is_stamp, found)):
        raise ValueError("these are no stamps of files")
    return frozenset(FileStamp(*one) for one in found)


def standing(stamps: Iterable[FileStamp]) -> dict[FileStamp, bool]:
    """Whether each of `stamps` still stands. It looks at the disk: not for a loop."""
    return {one: one.stands for one in dict.fromkeys(stamps)}


def _is_stamp(said: object) -> bool:
    return isinstance(said, list) and [type(one) for one in said] == [str, str, bool]


def _listed(path: str) -> str:
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208 - names alone are wanted
    except (OSError, ValueError):
        return ABSENT
    return _names("\0".join(names))


def is_of_session(path: str) -> bool:
    """Whether it means a variable that another session has otherwise anyway: that one counts only
    where it was asked for, not where all variables were.
    """
    return _OF_SESSION.fullmatch(path) is not None


def absolute(path: str) -> str:
    """A normal path from the root. Where the current folder was removed it stays what it is: there
    is nothing in there.
    """
    if os.path.isabs(path):  # noqa: PTH117 - hot, as above
        return path
    try:
        return os.path.normpath(os.path.join(os.getcwd(), path))  # noqa: PTH109, PTH118 - as above
    except OSError:
        return path


def real_path(path: str) -> str:
    """Where a path leads, links followed; likewise."""
    try:
        return os.path.realpath(path)
    except OSError:
        return path


def _variable(name: str) -> str:
    if name == EVERY:
        names = sorted(one for one in os.environ if not is_of_session(VARIABLE + one))
        return _names("\0".join(names))
    value = os.environ.get(name)
    return ABSENT if value is None else _names(value)


def _leads(path: str) -> str:
    """Where a path leads to, from the current folder, and what this process may do there."""
    try:
        kind = stat.S_IFMT(os.lstat(path).st_mode)
    except (OSError, ValueError):
        kind = 0
    may = "".join(str(int(os.access(path, way))) for way in (os.R_OK, os.W_OK, os.X_OK))
    place = real_path(path)
    if os.path.isabs(place) and not os.path.isabs(path):  # noqa: PTH117 - as above
        place = os.path.relpath(place, os.path.realpath(os.curdir))
    return _names(f"{place}\0{kind}\0{may}")


def _names(names: str) -> str:
    said = names.encode(errors="surrogateescape")
    return f"{_NAMES},{blake2b(said, digest_size=16).hexdigest()}"


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return blake2b(file.read(), digest_size=16).hexdigest()
    except OSError:
        return "unreadable"
