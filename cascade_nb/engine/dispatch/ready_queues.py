"""Queues ready nodes by rank, and starts the first where there is room: in a worker of an executor,
on the loop, or in a slice on the loop.

A node is admitted only when it could start at once: a node of an executor when a worker is free, a
node of the loop when the loop gets to it. Until then it waits in the heap of its queue, where a
pause reaches it.

Every method is called under the engine's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from time import perf_counter
from typing import TYPE_CHECKING, Final

from cascade_nb.engine.core.priorities import goes_first
from cascade_nb.engine.dispatch.attempt import AsyncAttempt, ThreadAttempt
from cascade_nb.engine.dispatch.coroutines import CoroutineRunner
from cascade_nb.engine.dispatch.inline import INDEX, SLICE, YIELD_PAUSE, run_inline_batch
from cascade_nb.engine.dispatch.workers import Workers

if TYPE_CHECKING:
    from cascade_nb.engine.dispatch.admission import AdmittingRun
    from cascade_nb.engine.loops.services import LoopServices

HELD_UP: Final = 0.1  # seconds after which a loop that was asked for counts as held up
MANY: Final = 100  # ready nodes from which on they are pushed all at once
FEW: Final = 16  # so many times more must stand in a heap for it to be quicker to push one by one


class ReadyQueues:
    """The ready nodes of one run, by where they run.

    Args:
        driver: the run.
        workers_at: gives the places of an executor, by the key of its place.
        services: what the engine lends it.

    Attributes:
        elsewhere: the heaps of places that are not the engine's threads.
    """

    def __init__(
        self, driver: AdmittingRun, workers_at: Callable[[str], Workers], services: LoopServices
    ) -> None:
        self.driver = driver
        self._workers_at = workers_at
        self._workers: dict[str, Workers] = {}
        self.workers = self._workers["thread"] = workers_at("thread")
        self.portal, self.coroutines = services.portal, services.coroutines
        self._apart = services.are_apart
        self.coroutine_runner = CoroutineRunner(driver)
        self.thread: list[int] = []
        self.elsewhere: dict[Workers, list[int]] = {}
        self.on_loop = self.coroutine_runner.waiting
        self.inline: list[int] = []
        self._asked = False
        self._asked_since: float | None = None  # of the loop of coroutines, where that is another

    def add(self, ready: Sequence[int]) -> None:
        """Nodes are ready for their queues. One number carries rank and index, since comparing it
        is cheap.
        """
        core = self.driver.core
        of, ranks, own = core.kinds.of, core.ranks, core.own
        if len(ready) > MANY:
            self._add_many(ready)
            return
        for index in ready:
            rank = ranks[index] if index < own else core.rank_of(index)
            queue = of[index].queue
            if queue == "inline":
                heappush(self.inline, rank << 32 | index)
            elif queue == "thread":
                if not self.thread:
                    self._has_work(self.workers)
                heappush(self.thread, rank << 32 | index)
            elif queue == "async":
                heappush(self.on_loop, rank << 32 | index)
            else:
                assert queue is not None
                workers = self.workers_for(queue)
                self._has_work(workers)
                heappush(self.elsewhere[workers], rank << 32 | index)

    def _add_many(self, ready: Sequence[int]) -> None:
        """The same for very many, of a mapped node for instance."""
        core = self.driver.core
        of, ranks, own, works = core.kinds.of, core.ranks, core.own, core.results.work
        keys: dict[str, list[int]] = {}
        last: object = None
        rank = 0
        for index in ready:
            if index < own:
                last, rank = None, ranks[index]
            elif works[index] is not last:
                last, rank = works[index], core.rank_of(index)
            queue = of[index].queue
            assert queue is not None
            keys.setdefault(queue, []).append(rank << 32 | index)
        for queue, of_one in keys.items():
            of_loop = {"async": self.on_loop, "inline": self.inline}.get(queue)
            heap = self.heap_of(self.workers_for(queue)) if of_loop is None else of_loop
            if len(of_one) < len(heap) // FEW:
                for key in of_one:
                    heappush(heap, key)
            else:
                heap += of_one
                heapify(heap)  # milliseconds for 100,000; one after the other would take a hundred
            if of_loop is None:
                self._has_work(self.workers_for(queue))

    def offered(self, attempt: AsyncAttempt) -> None:
        """A coroutine was admitted, because what it waited for was free."""
        self.coroutine_runner.offered(attempt)

    def clear(self) -> None:
        """Nothing more is to start."""
        for workers in self._workers.values():
            self.heap_of(workers).clear()
            if self in workers.runs_with_work:
                workers.runs_with_work.remove(self)
        self.on_loop.clear()
        self.inline.clear()

    def pump_workers(self) -> None:
        """Have the places that this run had begin what any run has for them."""
        for workers in list(self._workers.values()):
            workers.pump()

    def pump_soon(self) -> None:
        """Let everything that may start now start, from whatever thread this is."""
        self._pump()
        self.ask_loops()

    def ask_loops(self) -> None:
        """Have the loops begin what they run, from whatever thread this is."""
        if not self._asked and self._loop_is_wanted():
            # One wake-up of the loop for many completions.
            self._asked = True
            self.portal.call(self._on_loop)
        if self._apart and self._asked_since is None and self._coroutines_are_wanted():
            self._asked_since = perf_counter()
            self.coroutines.call(self._on_loop_of_coroutines)

    def pump_later(self) -> None:
        """The same for the loop's queues alone, by the loop, which has other things to do first."""
        if not self._asked and self._loop_is_wanted():
            self._asked = True
            self.portal.later(YIELD_PAUSE, self._on_loop)

    def pump_coroutines_later(self) -> None:
        """`pump_later`, by the loop of coroutines."""
        if not self._apart:
            self.pump_later()
        elif self._asked_since is None and self._coroutines_are_wanted():
            self._asked_since = perf_counter()
            self.coroutines.later(YIELD_PAUSE, self._on_loop_of_coroutines)

    @property
    def loop_is_held_up(self) -> bool:
        """Whether coroutines could begin and their loop does not come to it."""
        asked = self._asked_since
        return asked is not None and perf_counter() - asked > HELD_UP

    def workers_for(self, queue: str) -> Workers:
        """Whose places those are that a queue is for."""
        if queue not in self._workers:
            self.elsewhere[self._workers.setdefault(queue, self._workers_at(queue))] = []
        return self._workers[queue]

    def heap_of(self, workers: Workers) -> list[int]:
        """The ready nodes for these."""
        return self.thread if workers is self.workers else self.elsewhere[workers]

    def take(self, workers: Workers, at_once: bool, last: int = 0) -> ThreadAttempt | None:
        """The first of this run's nodes for `workers` that is allowed to start; see
        `Workers.next_job`.

        Args:
            last: the key up to which to look; 0 for all.
        """
        driver, heap = self.driver, self.heap_of(workers)
        until = perf_counter() + SLICE  # there may be 100,000 that a pause is to hold
        while heap and (not last or heap[0] < last):
            index = heappop(heap) & INDEX
            if workers.cluster and not driver.core.is_ready(index):
                continue  # what it reads was lost meanwhile: it waits, and comes again
            attempt = driver.admission.admitted(index, workers.attempt, at_once)
            if attempt is not None:
                return attempt
            if perf_counter() > until:
                self._go_on_later()
                return None
        return None

    def _go_on_later(self) -> None:
        """Look at the rest of what threads may run when others had the lock and the loop."""
        if not self._asked:
            self._asked = True
            self.portal.call(lambda: self.portal.later(YIELD_PAUSE, self._on_loop))

    def _has_work(self, workers: Workers) -> None:
        if self not in workers.runs_with_work:
            workers.runs_with_work.append(self)

    def _pump(self) -> None:
        if self.thread:
            self.workers.pump()
        for workers, heap in list(self.elsewhere.items()) if self.elsewhere else ():
            if heap:
                workers.pump()

    def _on_loop(self) -> None:
        """Begin coroutines and run inline nodes, for a slice; by the loop, without the lock."""
        try:
            self._slice()
        except BaseException as error:
            with self.driver.lock:
                self.driver.break_off(error)

    def _slice(self) -> None:
        driver = self.driver
        with driver.lock:
            self._asked = False
            for workers in self._workers.values():
                if self.heap_of(workers):
                    self._has_work(workers)
            self._pump()
            taken = [] if self._apart else self.coroutine_runner.take()
            inline = self.inline and goes_first(driver.services.inline, self.inline)
        self.coroutine_runner.begin(taken)
        if inline:
            # This callback's own context is that of whoever asked for it, some other task perhaps.
            driver.context.copy().run(run_inline_batch, driver, self.inline)
        with driver.lock:
            self.pump_later()
            driver.end_if_done()

    def _on_loop_of_coroutines(self) -> None:
        """Begin coroutines, by their loop where it is another, without the lock."""
        try:
            with self.driver.lock:
                self._asked_since = None
                taken = self.coroutine_runner.take()
            self.coroutine_runner.begin(taken)
            with self.driver.lock:
                self.pump_coroutines_later()
        except BaseException as error:
            with self.driver.lock:
                self.driver.break_off(error)

    def _loop_is_wanted(self) -> bool:
        return bool(self.inline) or (not self._apart and self._coroutines_are_wanted())

    def _coroutines_are_wanted(self) -> bool:
        return bool(self.on_loop) and not self.coroutine_runner.active
