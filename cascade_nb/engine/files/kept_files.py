"""Checks whether the files that kept results were made of are as they were."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import ago
from cascade_nb.file_stamps import (
    ABSENT,
    EVERY,
    LINK,
    PATTERN,
    VARIABLE,
    FileStamp,
    Stamps,
    standing,
)
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols.state_backend import Known
from cascade_nb.text import readable

_SHOWN: Final = 60  # characters of a path


class KeptFiles:
    """What became of the files of some kept results; each is looked at once, in a thread.

    Args:
        known: by key, what is kept.
        keys: by index, the keys of the nodes of a graph.

    Attributes:
        words: by index, what became of a file that a result depends on.
    """

    def __init__(self, known: Mapping[str, Known], keys: Mapping[int, str]) -> None:
        self._of = {
            index: known[key].files
            for index, key in keys.items()
            if key in known and known[key].files
        }
        self._stands: dict[FileStamp, bool] = {}
        self.words: dict[int, str] = {}

    async def outdated(self) -> set[int]:
        """The results of which a file that was read, or that they point to, is not as it was.

        What was made of such a result has its files too, and is among them.
        """
        return await self._fallen(self._of, wrote=False)

    async def unmade(
        self, graph: Graph, found: Collection[int], wanted: Collection[int]
    ) -> set[int]:
        """Of the results that would stand for a node, those that something that runs comes after,
        and whose task wrote a file that is not as it left it: whoever runs may need that file.
        """
        if not self._of:
            return set()
        read = {source for index in wanted for source in graph.nodes[index].sources}
        return await self._fallen(read.intersection(found, self._of), wrote=True)

    async def _fallen(self, indexes: Iterable[int], wrote: bool) -> set[int]:
        asked = [(i, one) for i in indexes for one in self._of[i] if one.wrote is wrote]
        new = {one for _, one in asked if one not in self._stands}
        if new:
            self._stands.update(await run_in_thread(lambda: standing(new)))
        # Of several that of a certain file is told rather than that of all in a place.
        fallen = {i: one for i, one in sorted(asked) if not self._stands[one]}
        if fallen:
            self.words.update(await run_in_thread(lambda: _in_words(fallen)))
        return set(fallen)


async def outdated_in(files: Mapping[int, Stamps]) -> set[int]:
    """Those of some results, by index or position, of which a file is not as it was."""
    asked = {one for stamps in files.values() for one in stamps if not one.wrote}
    if not asked:
        return set()
    stands = await run_in_thread(lambda: standing(asked))
    fallen = {one for one, still in stands.items() if not still}
    return {index for index, stamps in files.items() if not fallen.isdisjoint(stamps)}


def _in_words(fallen: Mapping[int, FileStamp]) -> dict[int, str]:
    known = {one: what_became_of(one) for one in set(fallen.values())}
    return {index: known[one] for index, one in fallen.items()}


def what_became_of(one: FileStamp) -> str:
    """What is to be said of a file that is not as it was: "file in.txt changed 3 min ago"."""
    path = one.path
    if path == VARIABLE + EVERY:
        return "environment variables are others now"
    if path.startswith(VARIABLE):
        return f"environment variable {readable(path.removeprefix(VARIABLE))} changed"
    if path.startswith(LINK):
        return f"{readable(path.removeprefix(LINK))} leads elsewhere, or may be used otherwise, now"
    if path.startswith(PATTERN):
        return f"files at {readable(path.removeprefix(PATTERN))} are others now"
    if not os.path.isabs(path):  # noqa: PTH117 - it is text, from whatever kernel kept it
        name = path
    else:
        near = os.path.relpath(path)
        name = path if near.startswith(os.pardir) else near
    name = readable(name)
    if len(name) > _SHOWN:
        name = f"…{name[-_SHOWN:]}"
    kind = "folder" if path.endswith(os.sep) else "file"
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return f"{kind} {name} is gone"
    if one.stamp == ABSENT:
        return f"{kind} {name} is there now"
    return f"{kind} {name} changed {ago(max(0.0, time.time() - found.st_mtime))}"
