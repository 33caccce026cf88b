"""Knows which files the results of a run were made of, their own and those of all upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

from cascade_nb.advice import advised
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.core.scheduler import SKIPPED
from cascade_nb.engine.core.skips import decided_by
from cascade_nb.engine.files.audit_hook import FileUser, InlineFiles, files_here, files_of, listen
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.result_paths import paths_in
from cascade_nb.events.thread_warnings import warn
from cascade_nb.file_stamps import NO_STAMPS, Stamps
from cascade_nb.text import readable


class SharedFileWarning(UserWarning):
    """Two tasks that ran at the same time wrote one file."""


class RunFiles:
    """The files of one run's results. A result that was made of none has no entry.

    What is not kept itself, as an unnamed node in between, hands on what it was made of: a kept
    result has the files of everything before it.

    Args:
        there: by index, those of results that were there before the run.
        context: of whoever started the run: a task in whose body that was is made of them too.
        running: gives the attempts that have begun and are not over.

    Attributes:
        of: by index, what each result was made of.
    """

    def __init__(
        self,
        driver: DrivenRun,
        there: Mapping[int, Stamps],
        context: Context,
        running: Callable[[], Sequence[FileUser]],
    ) -> None:
        self._driver = driver
        self._running = running
        self._outer: OpenedFiles | None = context.run(files_here)
        self._told: set[str] = set()
        self.of: dict[int, Stamps] = dict(there)
        if self._outer is not None:
            for stamps in self.of.values():
                self._outer.add(stamps)
        listen(self)

    def met(self, index: int, stamps: Stamps) -> None:
        """An attempt that came to a result met these files."""
        if stamps:
            self.of[index] = _together(self.of.get(index, NO_STAMPS), stamps)
            if self._outer is not None:
                self._outer.add(stamps)

    def note(self, attempt: FileUser, result: Any) -> None:
        """An attempt has its result: look at what it opened, and what the result points to."""
        if attempt.files is None:
            assert attempt.index is not None
            if next(paths_in(result), None) is None or not self.tracks(attempt.index):
                return
            attempt.files = OpenedFiles()
        attempt.files.finish(result)
        if wrote := attempt.files.own():
            self._tell_of_others(attempt, wrote)

    def _tell_of_others(self, attempt: FileUser, wrote: Mapping[str, str]) -> None:
        """Warn of those that run still and have written a file that this one wrote."""
        for one in self._running():
            if one is attempt or one.files is None:
                continue
            for place in wrote.keys() & one.files.own().keys() - self._told:
                self._told.add(place)
                warn(self._both_wrote(wrote[place], attempt, one), SharedFileWarning)

    def _both_wrote(self, name: str, first: FileUser, second: FileUser) -> str:
        assert first.index is not None
        assert second.index is not None
        label, kind = self._driver.core.label, self.owner(first.index)
        limit = advised(f"cs.limit('task:{kind}', 1)", f"limit {kind} 1")
        return (
            f"{label(first.index)} and {label(second.index)} wrote {readable(name)} at the same "
            "time, so that either may have read what the other wrote; give each a file of its own, "
            f"or let one run at a time: {limit}"
        )

    def noted_inline(self, here: InlineFiles, index: int, result: Any) -> Stamps:
        """The same for a function that ran inline: what it met."""
        files, here.files = here.files, None
        if files is None:
            if next(paths_in(result), None) is None or not self.tracks(index):
                return NO_STAMPS
            files = OpenedFiles()
        files.finish(result)
        return files.met

    def files_in_flight(self) -> list[OpenedFiles]:
        """Where to note what cannot be told to be of one task: all that run just now."""
        return [files for one in self._running() if not (files := files_of(one)).closed]

    def tracks(self, index: int) -> bool:
        """Whether the files of a node count."""
        return self._driver.core.kinds.of[index].options.track_files

    def owner(self, index: int) -> str:
        """The name of a node's task."""
        return self._driver.core.kinds.of[index].name

    def collect(self, index: int) -> Stamps:
        """A node has its result, or was skipped: all that it was made of, or decided by."""
        if not self.of:
            return NO_STAMPS
        driver, of = self._driver, self.of
        work = driver.core.results.work[index]
        sources: Sequence[int]
        if driver.core.scheduler.state[index] == SKIPPED:
            sources = decided_by(driver.core, index)
        elif isinstance(work, Expansion):
            sources = driver.core.results.sources(work.node.index)
        else:
            sources = (*driver.core.results.sources(index), *driver.core.items(index))
        found = dict.fromkeys(of[source] for source in sources if source in of)
        own = of.get(index, NO_STAMPS)
        if not found:
            return own
        inputs, *others = found  # nearly always one: it is shared, not copied
        if others:
            inputs = inputs.union(*others)
        of[index] = stamps = _together(inputs, own)
        return stamps

    def by_position(self, items: range) -> dict[int, Stamps]:
        """What those items of a mapped node that have a result were made of."""
        return {n: self.of[i] for n, i in enumerate(items) if i in self.of} if self.of else {}

    def hand_on(self, index: int, heir: int) -> None:
        """What `index` was made of, `heir` is made of too."""
        self.met(heir, self.collect(index))

    def forget(self, index: int) -> None:
        """A place is used for another node."""
        self.of.pop(index, None)


def _together(before: Stamps, own: Stamps) -> Stamps:
    """What was written again counts as it was left last."""
    if own <= before:
        return before
    again = {one.path for one in own if one.wrote}
    if again:
        before = frozenset(one for one in before if not (one.wrote and one.path in again))
    return before | own
