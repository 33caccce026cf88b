"""Checks of each result whether the code that its key names is the code that made it.

A cell that is run while tasks run may change what they do, and so may they, by what they change in
place. Where nothing that they lead to is another than it was, one quick look before a result is
kept says so. Else the code is looked at anew, beside the loop, and what ends meanwhile waits for
that. Of modules under edit that bodies import the files are looked at too, in a thread. What may
have run with other code than its key says is *tainted*, and so is all that read it: it is used in
this run, and stands for nothing later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property, partial
from typing import Final

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.core.scheduler import DONE, SKIPPED
from cascade_nb.engine.core.skips import decided_by
from cascade_nb.engine.storage.cell_changes import CellChanges
from cascade_nb.engine.storage.verdict import Verdict
from cascade_nb.graph.code.snapshot import CodeSnapshot, InPlace, with_other_files
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints
from cascade_nb.graph.fingerprint.own_writes import CodeChanges
from cascade_nb.model.lazy.any_task import AnyTask

Looked = tuple[CodeChanges, set[AnyTask]]
_OVER: Final = frozenset({DONE, SKIPPED})


class CodeWatch:
    """Everything here is called under the engine's lock.

    Args:
        prints: what the driver's keys come from.
        snapshots: of its tasks, not younger than `prints`.
        lent: what is tainted from the start, since an earlier try made it.
        rewritten: what else is.

    Attributes:
        tainted: indexes of what may have been made by other code than its key says, or was skipped
            by what was: of nodes of the driver's graph, and of items.
        lent: those among them that an earlier try made, and what read no others.
        checking: whether it is not known just now what was edited.
        rewritten: those that were made by the code that their keys say, with what tasks had changed
            themselves since, and what read no others but these and those in `lent`.
    """

    def __init__(
        self,
        driver: DrivenRun,
        prints: Fingerprints,
        snapshots: Mapping[AnyTask, CodeSnapshot],
        lent: frozenset[int],
        rewritten: frozenset[int],
    ) -> None:
        self._driver = driver
        self._prints = prints
        self._snapshots = dict(snapshots)
        self._own = len(driver.core.graph.nodes)
        self._cells = CellChanges(snapshots)
        self._in_place = InPlace(snapshots.values())
        self.lent = set(lent)
        self.rewritten = set(rewritten)
        self.tainted = self.lent | self.rewritten
        self._rewritten = frozenset(prints.own.counted)  # whose code reads what tasks changed
        self._edited = self._rewritten  # whose code is not what the keys say
        self._open: set[AnyTask] = set()  # of which that is not known just now
        self._unsure: set[int] = set()  # what ran when that was so
        self._between: set[int] = set()  # what ran between two changes that nobody has looked at
        self._heirs: set[int] = set()  # what is tainted by what it reads
        self._waiting: list[Callable[[], None]] = []
        self._files = any(snapshot.files for snapshot in self._snapshots.values())
        self._for_files: list[tuple[int, Callable[[], None]]] = []  # what waits for a look at them
        self._seen: set[int] = set()  # what had ended when they were last looked at
        self._seen_to = 0  # so long was the driver's log then
        self._seeing = self._again = False
        self._mark = 0  # so much of the driver's log is seen to
        self.checking = False

    @cached_property
    def _unkeyed(self) -> set[AnyTask]:
        """The tasks of nodes whose results are kept under no key; asked for only after an edit."""
        nodes, keyed = self._driver.core.graph.nodes, self._driver.keys.of
        return {n.task for n in nodes if n.task is not None and n.index not in keyed}

    def verdict(self, index: int) -> Verdict:
        """What is to become of the result of a node that ran, or of an item."""
        moved = bool(self._in_place.glances) and self._in_place.has_changed()
        for snapshot in self._snapshots.values():
            if moved or not snapshot.holds():
                self._moved()
                break
        if self._files and index not in self._seen:
            return Verdict.WAIT
        if not (self._open or self._edited or self.tainted):
            self._mark = self._known_to()
            return Verdict.KEEP
        self.catch_up()
        unit, task = self._unit(index), self._task(index)
        if self._taint(unit, task in self._edited and task not in self._open):
            return Verdict.USE_ONLY
        if task in self._open or self._unkeyed & self._open:
            if task in self._open:
                self._unsure.add(unit)
            return Verdict.WAIT
        return Verdict.KEEP

    def taint(self, index: int) -> None:
        """A node has a result that stands for this run only, and so has what is made of it."""
        self.tainted.add(self._unit(index))

    def wait(self, index: int, again: Callable[[], None]) -> None:
        """Call `again` when more is known of the result of a node or item."""
        if not self._files or index in self._seen:
            self._waiting.append(again)
            return
        self._for_files.append((index, again))
        if not self._seeing:
            self._seeing = True
            self._driver.services.spawn(self._see_files())

    def editing(self) -> None:
        """A cell is about to run."""
        self.catch_up()
        self._cells.cell_begins(self._under_way(), len(self._driver.core.state_changes))

    def edited(self) -> None:
        """Something may have been edited: find out, where the tasks here lead to any of it."""
        self._disown(
            self._cells.changed_by_cell(self._under_way(), len(self._driver.core.state_changes))
        )
        self._moved({task for task, snapshot in self._snapshots.items() if snapshot.files})

    def _moved(self, files: Iterable[AnyTask] = ()) -> None:
        """Names lead elsewhere, or the files of these tasks may be others."""
        moved = {
            task
            for task, snapshot in self._snapshots.items()
            if not (snapshot.certain and snapshot.holds())
        }
        moved.update(files)
        if not moved:
            return
        self._see_to_log()
        # Of what was edited twice before anybody could look, nobody knows what ran in between.
        self._give_up(self._open & moved)
        if self._driver.is_over:
            return
        self._open |= moved
        self._unsure.update(i for i in self._under_way() if self._task(i) in moved)
        for task in moved:
            self._snapshots[task] = CodeSnapshot(task)
        self._files = any(snapshot.files for snapshot in self._snapshots.values())
        self._in_place.watch(self._snapshots.values())
        self._again = True
        if not self.checking:
            self.checking = True
            self._driver.services.spawn(self._check())

    def _disown(self, tasks: set[AnyTask]) -> None:
        """What these tasks made does not stand, nor what was made of it."""
        self._prints.own.reset |= tasks
        for index, state in enumerate(self._driver.core.scheduler.state if tasks else ()):
            unit = self._unit(index)
            made = state == DONE and self._task(unit) in tasks
            if made or (state in _OVER and self._tainting(unit) - self.lent - self.rewritten):
                self.tainted.add(unit)
                self.lent.discard(unit)
                self.rewritten.discard(unit)

    def is_sure(self) -> bool:
        """Whether all that was done so far was done with code that is known."""
        return not self._open and all(one.holds() for one in self._snapshots.values())

    def catch_up(self) -> None:
        """Nothing is edited just now: what was done so far was done with the code that is known."""
        self._see_to_log()
        if not self._open:
            self._mark = self._known_to()

    def over(self) -> None:
        """The run is over. A cell may be in the middle of an edit that nobody was told of."""
        self._see_to_log()
        self._give_up({task for task, one in self._snapshots.items() if not one.holds()})
        self.catch_up()

    def without_looking(self) -> None:
        """What is known now is to do: what other code may have made counts as made by it."""
        self._see_to_log()
        self._give_up(self._open)
        self.catch_up()

    def _give_up(self, tasks: Collection[AnyTask]) -> None:
        """Nobody will ever know with what code these ran since it was known last."""
        if tasks:
            maybe = (*self._unsure, *self._done_unkept())
            found = {i for i in maybe if self._task(i) in tasks}
            self.tainted |= found
            self._between |= found

    def _known_to(self) -> int:
        return self._seen_to if self._files else len(self._driver.core.state_changes)

    def _see_to_log(self) -> None:
        """Find what is tainted among what was done since the last time without being kept."""
        if self._edited or self.tainted:
            driver, keys, known = self._driver, self._driver.keys.of, self._edited - self._open
            for index in self._recent(DONE, SKIPPED):
                unit, ran = self._unit(index), driver.core.scheduler.state[index] == DONE
                self._taint(unit, ran and index not in keys and self._task(index) in known)
                if index != unit and not self.tainted.isdisjoint(
                    driver.core.results.sources(index)
                ):
                    self.tainted.add(unit)

    def _recent(self, *states: int) -> list[int]:
        state = self._driver.core.scheduler.state
        recent = self._driver.core.state_changes[self._mark :]
        return [i for i in recent if i < len(state) and state[i] in states]

    def _done_unkept(self) -> list[int]:
        return [self._unit(i) for i in self._recent(DONE) if i not in self._driver.keys.of]

    async def _see_files(self) -> None:
        """Look whether files are others, for all that waits for that, until nothing does."""
        driver, lock = self._driver, self._driver.lock
        try:
            while True:
                with lock:
                    waiting, self._for_files = self._for_files, []
                    if not waiting:
                        self._seeing = False
                        return
                    ended, snapshots = len(driver.core.state_changes), dict(self._snapshots)
                moved = await run_in_thread(partial(with_other_files, snapshots))
                with lock:
                    if moved := {t for t in moved if self._snapshots[t] is snapshots[t]}:
                        self._moved(moved)
                    self._seen_to = ended
                    self._seen = {index for index, _ in waiting}
                    for _, again in waiting:
                        again()
                    self._seen = set()
        except Exception as error:
            with lock:
                driver.break_off(error)

    async def _check(self) -> None:
        driver, lock = self._driver, self._driver.lock
        try:
            while True:
                with lock:
                    self._again = False
                    snapshots = {task: self._snapshots[task] for task in self._open}
                    ended = len(driver.core.state_changes)

                def look(snapshots: Mapping[AnyTask, CodeSnapshot] = snapshots) -> Looked:
                    for snapshot in snapshots.values():
                        snapshot.see_files()
                    return self._prints.since().changes(), with_other_files(snapshots)

                changes, moved = await run_in_thread(look)
                with lock:
                    hold = all(self._snapshots[task].holds() for task in self._open)
                    if not self._again and (moved or not hold):
                        self._moved(moved)
                    if self._again:
                        continue
                    self._seen_to = max(self._seen_to, ended)
                    return self._found(changes)
        except Exception as error:
            with lock:
                driver.break_off(error)

    def _found(self, changes: CodeChanges) -> None:
        self.checking = False
        self._rewritten = changes.rewritten
        self._edited = changes.edited | changes.rewritten
        self._open.clear()
        for index in self._unsure:
            self._taint(index, self._task(index) in self._edited)
        # Where only the tasks' own changes differ there was nothing else between two of these.
        self.rewritten.update(i for i in self._between if self._task(i) in self._rewritten)
        self._between.clear()
        for index in sorted(self._heirs):
            if self._tainting(index) <= self.lent | self.rewritten:
                self.rewritten.add(index)
        self._unsure.clear()
        self.catch_up()
        waiting, self._waiting = self._waiting, []
        for again in waiting:
            again()

    def _under_way(self) -> set[int]:
        """What runs, or has run and waits for what it returned."""
        driver = self._driver
        found = {self._unit(a.index) for a in driver.in_flight.values() if a.started is not None}
        if driver.inline is not None:
            found.add(self._unit(driver.inline))
        found.update(map(self._unit, driver.core.continuations.awaited()))
        return found

    def _taint(self, unit: int, tainted: bool) -> bool:
        """Whether a node or item is tainted, by itself or by what it reads."""
        if not tainted and unit not in self.tainted:
            found = self._tainting(unit)
            if found and found <= self.lent:
                self.lent.add(unit)
            elif found and found <= self.lent | self.rewritten:
                self.rewritten.add(unit)
            elif found:
                self._heirs.add(unit)
            tainted = bool(found)
        elif tainted and unit not in self.tainted and self._task(unit) in self._rewritten:
            self.rewritten.add(unit)
        if tainted:
            self.tainted.add(unit)
        return unit in self.tainted

    def _tainting(self, unit: int) -> set[int]:
        """What of that on which a node or item rests is tainted."""
        return self.tainted.intersection(self._rests_on(unit))

    def _rests_on(self, unit: int) -> Iterable[int]:
        """What a result was made of, or a skip decided by."""
        driver = self._driver
        if unit >= self._own:
            return driver.core.node_of(unit).sources
        if driver.core.scheduler.state[unit] == SKIPPED:
            return decided_by(driver.core, unit)
        return (*driver.core.graph.nodes[unit].sources, *driver.core.items(unit))

    def _unit(self, index: int) -> int:
        """What is tainted with a node: the item that it is, else the graph's own node."""
        if index < self._own:
            return index
        work = self._driver.core.results.work[index]
        if isinstance(work, Expansion) and work.node.index < self._own:
            return index
        return self._driver.core.root_of(index)

    def _task(self, index: int) -> AnyTask | None:
        """The task whose key covers what a node does."""
        return self._driver.core.graph.nodes[self._driver.core.root_of(index)].task
