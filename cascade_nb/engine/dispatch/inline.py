"""Runs tiny functions on the loop, one after the other, for a slice of time.

This is the hot path of a graph of many small nodes, so it does by hand, for nodes that ask for
nothing special, what `admission` and the driver do for all others. The lock is held for the
bookkeeping and given up around each function, which may be slower than it was said to be, and may
itself pause or cancel the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.engine.body_context import finish_body
from cascade_nb.engine.core.arguments import LAZIES
from cascade_nb.engine.core.scheduler import READY, RUNNING
from cascade_nb.engine.dispatch.failures import note_failure
from cascade_nb.engine.files.audit_hook import InlineFiles, user_here
from cascade_nb.engine.files.result_paths import PLAIN
from cascade_nb.file_stamps import NO_STAMPS
from cascade_nb.graph.graph import Node
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.isolation import copied_call
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.tasks.present import Continued, returned

if TYPE_CHECKING:
    from cascade_nb.control.gates import Ticket
    from cascade_nb.engine.core.run_core import RunCore
    from cascade_nb.engine.dispatch.admission import AdmittingRun

SLICE: Final = 0.010  # seconds of work on the loop at a stretch …
YIELD_PAUSE: Final = (
    0.001  # … and the pause after it: a real timer, or the kernel's socket thread starves
)
INDEX: Final = (1 << 32) - 1  # the part of a heap's number that is the index; above it is the rank


def run_inline_batch(driver: AdmittingRun, heap: list[int]) -> None:
    """Run what stands in `heap` until it is empty or the slice is over.

    Called without the lock, and in a context for bodies.
    """
    lock, manager, bus = driver.lock, driver.services.manager, driver.services.bus
    core, keys = driver.core, driver.keys.of
    results = core.results
    kinds, work, tries = core.kinds.of, core.results.work, core.tries
    state, changes = core.scheduler.state, core.state_changes
    tell, finished, follows = driver.tell, core.finished, core.changes
    files, here = driver.files.of, InlineFiles(driver)
    user_here.set(here)
    frozen, plain, nothing = FROZEN, PLAIN, NOTHING
    met = NO_STAMPS
    open_kind, open_version = None, -1  # what nothing stood in the way of, and when that was
    clock, unfinished = driver.services.clock, core.scheduler.unfinished
    begun = clock.now()
    began = perf_counter()
    until = began + SLICE
    lock.acquire()
    try:
        while heap:
            index = heappop(heap) & INDEX
            kind = kinds[index]
            if kind.by_size and _goes_to_thread(driver, index):
                continue
            ticket: Ticket | None = None
            if kind is not open_kind or manager.version != open_version:
                if kind.light and manager.idle(kind.subject):
                    open_kind, open_version = kind, manager.version
                else:
                    ticket = driver.admission.ticket_for(index)
                    if not driver.admission.admit(index, ticket):
                        if perf_counter() > until:
                            return
                        continue
            if core.parked and ticket is None:
                core.unpark(index)
            number = tries.get(index, 1) if tries else 1
            try:
                fn, args, kwargs = _call_of(core, work[index], index)
            except BaseException as wrong:
                core.started(index)
                _end(driver, index, ticket, number, 0.0, None, wrong)
                continue
            # What `RunCore.started` does, and what is told of it.
            if state[index] != READY:
                core.started(index)  # which says what is wrong
            state[index] = RUNNING
            changes.append(index)
            if bus.listening:
                tell.started(index, number)
            driver.inline, driver.inline_ticket = index, ticket
            freed = results.take_freed() if results.freed else None
            odd = False  # whether there is more to do than for nearly every node
            lock.release()
            # What ends here does so without the lock: its end is code of the user's.
            error: BaseException | None = None
            result: Any = None
            del freed
            try:
                # Loops, since `issuperset` makes a set of what it is given, which costs more.
                for value in args:
                    if type(value) not in frozen:
                        args, kwargs = copied_call(args, kwargs)
                        break
                else:
                    if kwargs is not nothing:
                        for value in kwargs.values():
                            if type(value) not in frozen:
                                args, kwargs = copied_call(args, kwargs)
                                break
                result = fn(*args) if kwargs is nothing else fn(*args, **kwargs)
                if type(result) not in plain:
                    odd = True
                    result = returned(result)
            except BaseException as raised:
                error = raised
            if odd or here.files is not None:
                odd = True
                met = driver.files.noted_inline(here, index, result)
            del fn, args, kwargs
            lock.acquire()
            ticket = driver.inline_ticket  # a limit that came meanwhile has counted it
            driver.inline = driver.inline_ticket = None
            now = perf_counter()
            took = now - began
            if odd and met and error is None:
                driver.files.met(index, met)
            if (
                error is not None
                or ticket is not None
                or index in keys
                or (odd and type(result) is Continued)
            ):
                _end(driver, index, ticket, number, took, result, error)
            else:
                # What `RunCore.succeeded` does, and `RunDriver.completed`.
                kind.times += 1
                kind.seconds += took
                if took > kind.longest:  # noqa: PLR1730 - `max` costs more
                    kind.longest = took
                if files:
                    driver.files.collect(index)
                if bus.listening:
                    tell.completed(index, took, number)
                finished(index, result)
                if follows.ready or follows.more:
                    driver.follow()
            if error is not None:
                results.freed.append(error)  # with all that its frames hold
            del result, error
            began = now
            if now > until:
                return
    finally:
        ended = unfinished - core.scheduler.unfinished  # beside what others did meanwhile
        driver.times.ran_slice(begun, clock.now(), max(1, ended))
        left = results.take_freed()
        lock.release()
        del left
        finish_body()  # what its nodes left to do, together


def _goes_to_thread(driver: AdmittingRun, index: int) -> bool:
    """Whether a node is an operator on more than a loop should hold its kernel up for; then it is
    on its way to a thread.
    """
    core = driver.core
    work = core.results.work[index]
    try:
        _, args, _ = _call_of(core, work, index)
    except BaseException:  # its attempt will say so
        return False
    nested = isinstance(work, Node) and getattr(work.lazy, "nested", False)
    if not nested and core.node_of(index).task.is_tiny(args):  # type: ignore[union-attr]
        return False
    core.moves_to_thread(index)
    driver.settle()
    return True


def _call_of(
    core: RunCore, work: Any, index: int
) -> tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]:
    """What `RunCore.call_of` gives, in a shorter way for nearly every node."""
    if work.__class__ is not Node:
        return work.fn, (), work.kwargs_of(index)
    reader, lazy = core.results.reader, work.lazy
    if lazy.nested or lazy.kwargs or reader.absent:
        call = reader.call_of(work)
        return (call.run, (), NOTHING) if call.inside is not None else call[:3]
    args = lazy.args
    if not lazy.inputs:
        return work.task.fn, args, NOTHING
    values, place = reader.values, reader.place
    inputs = work.inputs
    if args is lazy.inputs and len(inputs) == len(args) and lazy.options.plain:
        return work.task.fn, [values[index] for index in inputs], NOTHING
    if len(args) == 1:  # the link of a chain, which is lazy where there is any input
        return work.task.fn, (values[place[args[0].identity]],), NOTHING
    return (
        work.task.fn,
        [values[place[a.identity]] if type(a) in LAZIES else a for a in args],
        NOTHING,
    )


def _end(
    driver: AdmittingRun,
    index: int,
    ticket: Ticket | None,
    number: int,
    took: float,
    result: Any,
    error: BaseException | None,
) -> None:
    """The general way out."""
    manager = driver.services.manager
    driver.outcome(index, number, took, result, error)
    if error is not None and manager.breakers:
        if ticket is None:
            ticket = driver.admission.ticket_for(index)
        driver.carry_out()
        note_failure(manager, driver.core, ticket, error)
    if ticket is not None:
        manager.release(ticket)
    driver.settle()
