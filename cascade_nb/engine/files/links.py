"""Notes where paths lead to that a task's code mentions, where it follows links or asks what may be
done with a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from cascade_nb.engine.files.mentioned_files import paths_at
from cascade_nb.engine.files.places import is_of_system
from cascade_nb.file_stamps import LINK, FileStamp, absolute, stamp_of
from cascade_nb.graph.effects.unseen import is_like_a_path


def links_at(texts: Iterable[str]) -> Iterator[FileStamp]:
    """The stamps of those of the texts that may be paths."""
    for text in texts:
        for path in paths_at(text, below=False):
            place = absolute(os.path.normpath(path))
            if is_of_system(place):
                continue
            if os.path.lexists(place) or is_like_a_path(text):
                name = LINK + os.path.normpath(path)
                yield FileStamp(name, stamp_of(name))


def as_left(found: Iterable[FileStamp], is_own: Callable[[str], bool]) -> Iterator[FileStamp]:
    """The same when the task is over: where it has changed a place itself, as it left that."""
    for one in found:
        if one.path.startswith(LINK):
            place = absolute(os.path.normpath(one.path.removeprefix(LINK)))
            if is_own(place):
                yield FileStamp(one.path, stamp_of(one.path))
