"""Holds which files one attempt has opened, and their stamps: what it found, what it left, what its
result points to.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cascade_nb.engine.files.changed_meanwhile import changed_by
from cascade_nb.engine.files.links import as_left, links_at
from cascade_nb.engine.files.mentioned_files import (
    files_below,
    paths_at,
    variables_in,
    words_of,
)
from cascade_nb.engine.files.places import is_of_system
from cascade_nb.engine.files.result_paths import paths_in
from cascade_nb.file_stamps import (
    ABSENT,
    DEVICE,
    EVERY,
    FOLDER,
    PATTERN,
    VARIABLE,
    FileStamp,
    absolute,
    files_at,
    is_of_session,
    stamp_of,
)
from cascade_nb.graph.effects.unseen import Mentions, is_like_a_path, texts_and_paths_in

# Hot: asked at each open, where a Path would cost more than the look at the disk.
_join, _exists = os.path.join, os.path.exists

_ACCESS: Final = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


class OpenedFiles:
    """Gathers what one attempt does with files, from any of its threads.

    Args:
        tracked: whether to note what is opened, and what the result points to.
        named: paths and globs that count in any case.
        mentions: what the task's code mentions that may be files, where it reads some in a way that
            is not seen.
        owner: the name of the task.

    Attributes:
        closed: whether nothing more is noted.
        met: all that counts, once the result is there.
    """

    __slots__ = (
        "__weakref__",
        "_added_to",
        "_databases",
        "_found",
        "_globbed",
        "_listed",
        "_made",
        "_may_write",
        "_mentioned",
        "_mentions",
        "_nested",
        "_owner",
        "_patterns",
        "_settled",
        "_tracked",
        "_went",
        "_written",
        "closed",
        "met",
    )

    def __init__(
        self,
        tracked: bool = True,
        named: Sequence[str] = (),
        mentions: Mentions | None = None,
        owner: str = "",
    ) -> None:
        self._mentions, self._owner = mentions, owner
        self._globbed: set[str] = set()
        self._mentioned: set[str] = set()  # of those found, by the way of what was mentioned
        self._databases: set[str] = set()  # of those found, what counts as it is left
        self._may_write = mentions is not None and mentions.writes
        self._went = False
        self._tracked = tracked
        self._patterns = named
        self.closed = not tracked
        # Each by its absolute path.
        self._found: dict[str, FileStamp] = {}
        self._listed: dict[str, str] = {}
        self._written: dict[str, tuple[str, bool]] = {}
        self._added_to: dict[str, FileStamp] = {}  # as they were before
        self._made: tuple[str, ...] = ()
        self._nested: list[frozenset[FileStamp]] = []
        self._settled = False
        self.met: frozenset[FileStamp] = frozenset()

    @classmethod
    def of(cls, met: frozenset[FileStamp]) -> OpenedFiles:
        """What was noted in another process: nothing more is."""
        files = cls()
        files._settled = files.closed = True
        files.met = met
        return files

    def begin(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
        """The task is about to begin with these arguments: look at what was named."""
        self.closed = True  # what is opened for this is not the task's
        for pattern in self._patterns:
            for file in files_at(pattern):
                name, place = self._named(file)
                self._found[place] = FileStamp(name, stamp_of(name))
        if self._mentions is not None:
            given = [t for value in (*args, *kwargs.values()) for t in texts_and_paths_in(value)]
            if self._mentions.links:
                links = links_at((*self._mentions.texts, *given))
                self._found.update((one.path, one) for one in links)
            texts = [(text, False) for text in self._mentions.texts]
            texts += ((text, self._mentions.absent) for text in given)
            for text, missing in texts if self._mentions.content else ():
                self._mention(text, missing, self._mentions.below)
        self.closed = not self._tracked

    def started(self, command: Iterable[str], folder: Any, own_environment: bool = True) -> None:
        """Another process is about to be started: it may read, or write, what it is told of.

        Args:
            command: its words.
            folder: where it begins; None for the current one.
            own_environment: whether it has the variables of this process.
        """
        self._may_write = True
        for word in words_of(command):
            path = word if folder is None else _join(os.fsdecode(folder), word)
            self._mention(path, absent=False, below=False)
            for name in variables_in(word) if own_environment else ():
                self.asked(name)

    def _mention(self, text: str, absent: bool, below: bool) -> None:
        """Note the files that a text leads to, if it is a path or a glob.

        Args:
            text: any.
            absent: whether it counts also where it leads to nothing and is not like a path.
            below: see `paths_at`.
        """
        absent = absent or is_like_a_path(text)
        for path in paths_at(text, below):
            if path.startswith(PATTERN):
                self._found.setdefault(path, FileStamp(path, stamp_of(path)))
                continue
            if path.endswith(os.sep):
                self.listed(path)
                continue
            name, place = self._named(path)
            if place in self._found or self._is_own(place) or is_of_system(place):
                continue
            stamp = stamp_of(name)
            if stamp != DEVICE and (stamp != ABSENT or absent):
                self._found[place] = FileStamp(name, stamp)
                self._mentioned.add(place)

    def opened(self, path: Any, flags: int) -> None:
        """A file is about to be opened."""
        access = flags & _ACCESS
        if access != os.O_WRONLY and not flags & (os.O_TRUNC | os.O_EXCL):
            self._read(*self._named(path))
        if access != os.O_RDONLY:
            self.wrote(path, whole=not flags & os.O_APPEND)

    def connected(self, database: str, changes: bool) -> None:
        """A database is about to be opened, be it to read or to write.

        One that is not there is made, so that its content is the task's own. Of one that is there,
        a log beside it may have what was written last.

        Args:
            changes: whether the task may change it: then it counts as the task leaves it.
        """
        name, place = self._named(database)
        if self._is_own(place):
            return
        if stamp_of(place) == ABSENT:
            self.wrote(database)
            return
        found = {place: name}
        if changes or stamp_of(f"{place}-wal").partition(",")[0] not in (ABSENT, "0"):
            found[f"{place}-wal"] = f"{name}-wal"
        for where, said in found.items():
            self._read(said, where)
            if changes and where in self._found:
                self._databases.add(where)

    def listed(self, folder: Any) -> None:
        """The names in a folder are about to be read."""
        name, place = self._named("." if folder is None else folder)
        inner = _join(place, "")
        if inner not in self._listed and not self._is_own(inner) and not is_of_system(inner):
            self._listed[inner] = stored = _join(name, "")
            self._found[inner] = FileStamp(stored, stamp_of(stored))

    def globbed(self, pattern: str) -> None:
        """What a glob leads to is about to be looked for.

        Where all of it but its last part is plain, the names in that folder say it. In any other
        case it is looked up, too, whether something of a certain name is there.
        """
        head = os.path.dirname(pattern)  # noqa: PTH120 - hot, as above
        if not glob.has_magic(pattern):
            self._mention(pattern, absent=True, below=False)
        elif glob.has_magic(head):
            self._globbed.add(PATTERN + pattern)
            self._found.setdefault(
                PATTERN + pattern, FileStamp(PATTERN + pattern, stamp_of(PATTERN + pattern))
            )

    def asked(self, variable: str) -> None:
        """An environment variable was read."""
        name = VARIABLE + variable
        if name not in self._found and name not in self._written:
            self._found[name] = FileStamp(name, stamp_of(name))

    def set_variable(self, variable: str) -> None:
        """An environment variable is the task's own from now on."""
        self._written[VARIABLE + variable] = "", False

    def went(self) -> None:
        """The current folder is about to be another. Until then a relative path is kept as such, to
        be looked for from wherever a later run is.
        """
        self._went = True

    def made(self, folder: Any) -> None:
        """A folder is about to be made."""
        _, place = self._named(folder)
        if not _exists(place):
            self._made = (*self._made, _join(place, ""))

    def wrote(self, path: Any, whole: bool = True) -> None:
        """A file is the task's own from now on.

        Args:
            whole: whether all of its content is.
        """
        name, place = self._named(path)
        if not whole and place not in self._written and not is_of_system(place):
            self._added_to[place] = FileStamp(name, stamp_of(name))
        self._written[place] = name, whole and self._written.get(place, ("", True))[1]

    def own(self) -> dict[str, str]:
        """By place, the files of which it wrote all that is in them, as they are called."""
        written = list(self._written.items())
        return {at: name for at, (name, whole) in written if whole and not is_of_system(at)}

    def add(self, stamps: frozenset[FileStamp]) -> None:
        """A run that the task has started met these."""
        if not self.closed:
            self._nested.append(stamps)

    def finish(self, result: Any) -> None:
        """The result is there: nothing more is noted."""
        if self._settled:
            return
        self._settled = self.closed = True
        found = self._found | changed_by(
            self._owner,
            {place: self._found[place] for place in self._mentioned},
            {place: self._found[place] for place in self._databases},
            self._may_write,
            self._mentions is not None and self._mentions.waits,
        )
        for place in self._mentioned | self._databases:
            if self._is_own(place):
                one = found.pop(place)
                if one.stamp != ABSENT and not _exists(place):  # it took it away
                    found[place] = FileStamp(one.path, ABSENT)
        found.update((one.path, one) for one in as_left(found.values(), self._is_own))
        if VARIABLE + EVERY in found:
            found = {name: one for name, one in found.items() if not is_of_session(name)}
        pointed_to = set(self._pointed_to(result)) if self._tracked else set()
        for pattern in self._patterns:
            found.update(self._left_of(pattern, {one.path for one in pointed_to}))
        for pattern in self._globbed if self._written or self._made else ():
            found[pattern] = FileStamp(pattern, stamp_of(pattern))  # as below
        for folder, name in self._listed.items():
            if any(place.startswith(folder) for place in self._written):
                found[folder] = FileStamp(name, stamp_of(name))  # with what it put there itself
        stamps = {*found.values(), *pointed_to}
        for name in self.own().values():
            stamp = stamp_of(name)
            if stamp not in (ABSENT, FOLDER, DEVICE):
                stamps.add(FileStamp(name, stamp, wrote=True))
        self.met = frozenset(stamps.union(*self._nested))

    def _left_of(self, pattern: str, pointed_to: Collection[str]) -> dict[str, FileStamp]:
        """What lies where a pattern leads to when the task is over.

        What the task has made there, or its result points to, counts as it left it, everything
        else as it was before.
        """
        left: dict[str, FileStamp] = {}
        for file in files_at(pattern):
            name, place = self._named(file)
            before = self._found.get(place)
            is_own = self._is_own(place) or name in pointed_to
            if before is None or before.stamp == ABSENT or is_own:
                left[place] = FileStamp(name, stamp_of(name))
        whole = PATTERN + pattern
        left[whole] = FileStamp(whole, stamp_of(whole))
        return left

    def _read(self, name: str, place: str) -> None:
        if place in self._databases:
            return
        if place in self._mentioned:  # what counts is how it is just before it is opened
            self._mentioned.remove(place)
            del self._found[place]
        if place in self._found or is_of_system(place):
            return
        if place in self._added_to:  # its own is not all of it
            self._found[place] = self._added_to[place]
        elif not self._is_own(place) and (stamp := stamp_of(name)) not in (FOLDER, DEVICE):
            self._found[place] = FileStamp(name, stamp)

    def _is_own(self, place: str) -> bool:
        return place in self._written or any(map(place.startswith, self._made))

    def _named(self, path: Any) -> tuple[str, str]:
        """How to keep a path, and where it leads."""
        name = os.path.normpath(os.fsdecode(path))
        place = absolute(name)
        return (place if self._went else name), place

    def _pointed_to(self, result: Any) -> Iterator[FileStamp]:
        for path in paths_in(result):
            name, place = self._named(path)
            stamp = stamp_of(name)
            yield FileStamp(name, stamp)
            if stamp == FOLDER:
                for inner in files_below(place):
                    yield FileStamp(_join(name, inner), stamp_of(_join(name, inner)))
