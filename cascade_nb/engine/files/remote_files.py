"""Notices in another process which files the body of a task opens there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cascade_nb.engine.files.audit_hook import listen, user_here
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.graph.effects.unseen import Mentions


class FilesToNote(NamedTuple):
    """What is to be noted of a task; see `OpenedFiles`."""

    tracked: bool
    named: Sequence[str]
    mentions: Mentions | None
    owner: str

    def opened(self) -> OpenedFiles:
        """Where to note it."""
        return OpenedFiles(self.tracked, self.named, self.mentions, self.owner)


class RemoteBody:
    """Stands for an attempt in the process where its body runs.

    Args:
        files: where to note what is opened.
    """

    def __init__(self, files: OpenedFiles) -> None:
        self.files: OpenedFiles | None = files
        self.index: int | None = 0

    def begin(self) -> None:
        """From here on, in this context, what is opened is the body's."""
        user_here.set(self)  # type: ignore[arg-type] # there is no run here, and nobody asks for it
        _here.bodies = [self]
        listen(_here)

    def end(self) -> None:
        """It is over."""
        _here.bodies = []


class _Here:
    """The bodies that run in this process, as those of a run are where it is."""

    def __init__(self) -> None:
        self.bodies: list[RemoteBody] = []

    def files_in_flight(self) -> list[OpenedFiles]:
        """Where to note what a thread opens that may be any body's."""
        found = [body.files for body in self.bodies]
        return [files for files in found if files is not None and not files.closed]


_here: Any = _Here()
