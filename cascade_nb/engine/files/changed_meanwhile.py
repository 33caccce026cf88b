"""Tells who changed a file while a task that mentions it ran: the task, or somebody else."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from cascade_nb.file_stamps import ABSENT, FileStamp, stamp_of

_MOST: Final = 10_000

#: How files were left that changed meanwhile, by the name of the task and theirs.
_left: Final[OrderedDict[tuple[str, str], str]] = OrderedDict()


def changed_by(
    owner: str,
    mentioned: Mapping[str, FileStamp],
    databases: Mapping[str, FileStamp],
    may_write: bool,
    waits: bool,
) -> dict[str, FileStamp]:
    """What a task that is over counts as changed by itself, as it is now.

    Of a file that is only mentioned, since compiled code or another process opens it, nobody is
    told who changed it. Where nothing of the task writes, it was somebody else. Where the task may
    have written it, the same will happen each time: so its result is kept with the file as it was
    before, which lets it run once more, and what changes in that run too is its own. So is what was
    not there before. A task that only waits until a file comes, or goes, goes on with it as it is
    then.

    Args:
        owner: the name of the task.
        mentioned: the stamps of such files from before it ran, by place.
        databases: the same of those that it has opened to change them.
        may_write: whether anything of it writes files in a way that nobody is told of.
        waits: whether it asks of files in loops alone that wait for them.
    """
    changed: dict[str, FileStamp] = {}
    for place, before in {**mentioned, **databases}.items():
        if before.stands:
            continue
        now = FileStamp(before.path, stamp_of(before.path))
        again = _left.get((owner, place)) == _without_content(before.stamp)
        came = waits and ABSENT in (before.stamp, now.stamp)
        if place in databases or came or (may_write and (again or before.stamp == ABSENT)):
            changed[place] = now
        _note(owner, place, now.stamp)
    return changed


def _without_content(stamp: str) -> str:
    return stamp.partition(" ")[0]


def _note(owner: str, place: str, stamp: str) -> None:
    _left[owner, place] = _without_content(stamp)
    with contextlib.suppress(KeyError):  # another thread was quicker
        while len(_left) > _MOST:
            _left.popitem(last=False)
