"""Takes results to the state backend: a node is completed only when its result is safe there.

When the backend cannot keep anything now, because its disk is full or its server gone, nothing is
lost: the results stay here, their nodes count as under way, and the run pauses itself with the
backend's advice. Now and then one of them is put again; when that is kept, or somebody resumes, so
are the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from cascade_nb.control.holders import Holder
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.loops.resume_waiter import waits_between_looks
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.engine.storage.verdict import Verdict
from cascade_nb.errors import CodecError, LeaseLostError
from cascade_nb.events.thread_warnings import warn
from cascade_nb.protocols.state_backend import Entry

THE_STATE: Final = Holder("program", "the state backend", shown="the state backend")
"""Who pauses a run whose results cannot be kept."""


def then_goes_on(error: Exception) -> str:
    """The backend's advice to whoever looks at a run that it has paused."""
    return f"{error}, and the run goes on"


class UnkeptResultWarning(UserWarning):
    """A result cannot be written down: the run has it, but no later one will."""


class ResultSaver:
    """The results of one run on their way into the state backend (`protocols.SaveCallback`).

    Args:
        driver: the run.
        code: what knows whether its code is what its keys say, where anything does.

    Attributes:
        under_way: how many results are not safe yet; those that wait for the backend to be mended
            are among them.
        unwritable: by index, why a result cannot be written down.
    """

    def __init__(self, driver: DrivenRun, code: CodeWatch | None) -> None:
        self._driver = driver
        self._code = code
        self.under_way = 0
        self._refused: list[Entry] = []
        self.unwritable: dict[int, str] = {}
        self._resumed = 0  # how often what was refused has been put again
        self._waits = waits_between_looks()
        self._looks_later = False

    @property
    def refused(self) -> int:
        """How many results wait for the backend to be mended."""
        return len(self._refused)

    def keep(self, index: int, number: int, took: float, result: Any, tell: bool = True) -> None:
        """Attempt `number` at a node took `took` seconds and gave `result`: keep it where it must
        be, and only then call the node completed. Without `tell` the node has no body of its own.
        """
        driver, code = self._driver, self._code
        files = driver.files.collect(index)
        key = driver.keys.of.get(index)
        if key is not None and code is not None:
            verdict = code.verdict(index)
            if verdict is Verdict.WAIT:
                self.under_way += 1
                code.wait(index, partial(self._keep_now, index, number, took, result, tell))
                return
            if verdict is Verdict.USE_ONLY:
                key = None
        if key is None or (driver.sharing is not None and index in driver.sharing.found):
            driver.completed(index, number, took, result, tell)
        else:
            token = (index, number, tell, self._resumed)
            made = driver.services.clock.wall()
            kind = driver.core.kinds.of[index]
            cache = kind.options.cache
            expires = None if cache is None or cache.ttl is None else made + cache.ttl
            lease, name = driver.lease, kind.name
            self._put(Entry(key, result, took, lease, token, made, files, name, expires))

    def _keep_now(self, index: int, number: int, took: float, result: Any, tell: bool) -> None:
        """It is known by now whether it may be kept; under the lock."""
        driver = self._driver
        self.under_way -= 1
        if not driver.is_over:
            self.keep(index, number, took, result, tell)
            driver.settle()

    def again(self) -> None:
        """Put once more what was refused, unless the run still pauses for it."""
        if self._refused and self._paused() is None:
            entries, self._refused = self._refused, []
            self._resumed += 1
            self._put_again(entries)

    def give_up(self) -> None:
        """The run is cancelled: wait no longer for the backend to be mended."""
        self.under_way -= len(self._refused)
        self._refused.clear()

    def kept(self, entries: Sequence[Entry]) -> None:
        """These are safe now; without the lock, from a thread of the backend."""
        self._are_safe(entries)
        if self._paused():
            self._waits = waits_between_looks()
            manager, scope = self._driver.services.manager, f"run:{self._driver.run_id}"
            manager.lift(scope, "pause", by=THE_STATE, only=THE_STATE)

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """Nothing of these was kept; without the lock, from a thread of the backend."""
        if isinstance(error, CodecError):
            for entry in entries:
                self._warn(entry, error)
                self.unwritable[entry.token[0]] = str(error)
            self._are_safe(entries)
            return
        driver = self._driver
        with driver.moving():
            if driver.is_over or driver.core.stopping == "cancelled":
                self.under_way -= len(entries)
            elif isinstance(error, LeaseLostError):
                self.under_way -= len(entries)
                driver.on_lost(error)
            else:
                # What was put before the last resume has failed for a trouble that may be over.
                late = [entry for entry in entries if entry.token[3] < self._resumed]
                refused = [entry for entry in entries if entry.token[3] >= self._resumed]
                self._put_again(late)
                if refused:
                    self._refused.extend(refused)
                    self._pause(then_goes_on(error))

    def _paused(self) -> str | None:
        """Why the run is paused by the backend; None where it is not."""
        driver = self._driver
        pause = driver.services.manager.find(f"run:{driver.run_id}", holder=THE_STATE)
        return None if pause is None else pause.reason

    def _pause(self, reason: str) -> None:
        """Pause the run, and look after a while whether the trouble is over."""
        services = self._driver.services
        if self._paused() != reason:  # one that is in force keeps its time
            scope = f"run:{self._driver.run_id}"
            services.manager.apply(scope, reason=reason, by=THE_STATE, wait=False)
        if not self._looks_later:
            self._looks_later = True
            services.timer(next(self._waits), self._look)

    def _look(self) -> None:
        """On the loop, without the lock: see whether the backend keeps one of them."""
        with self._driver.moving():
            self._looks_later = False
            if self._refused and not self._driver.is_over:
                self._resumed += 1
                self._put_again([self._refused.pop(0)])

    def _are_safe(self, entries: Sequence[Entry]) -> None:
        driver = self._driver
        with driver.moving():
            self.under_way -= len(entries)
            for entry in entries:
                if not driver.is_over:
                    self._safe(entry)

    def _put_again(self, entries: Sequence[Entry]) -> None:
        self.under_way -= len(entries)
        for entry in entries:
            self._put(entry._replace(token=(*entry.token[:3], self._resumed)))

    def _put(self, entry: Entry) -> None:
        driver = self._driver
        try:
            safe = driver.state.put(entry, self)
        except BaseException as error:  # a backend that breaks its promise not to raise
            index, number, _, _ = entry.token
            driver.core.fail(index, error, number, entry.seconds)
            return
        if safe:
            self._safe(entry)
        else:
            self.under_way += 1

    def _safe(self, entry: Entry) -> None:
        index, number, tell, _ = entry.token
        self._driver.completed(index, number, entry.seconds, entry.value, tell)

    def _warn(self, entry: Entry, error: CodecError) -> None:
        label = self._driver.core.label(entry.token[0])
        warn(
            f"the result of {label} is used in this run but not kept: {error}",
            UnkeptResultWarning,
            error,
        )
