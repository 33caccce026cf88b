"""Carries out what a run's core decides: publishes, saves, arms timers, enqueues, notices the end.

Whoever has something to tell (a worker whose attempt is over, a timer, the state backend) makes a
move of the core and has it settled. Nothing else publishes, saves, pumps or ends a run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from cascade_nb.concurrency.threads import drop_aside, run_in_thread
from cascade_nb.engine.core.changes import Ended, UserCode
from cascade_nb.engine.core.run_state import UNREAD
from cascade_nb.engine.core.scheduler import READY
from cascade_nb.engine.dispatch.dispatched_run import Started
from cascade_nb.engine.dispatch.failures import came_to, error_text, failure_of, note_failure
from cascade_nb.engine.runs.assembled_run import AssembledRun
from cascade_nb.model.params.question import Question
from cascade_nb.model.tasks.present import Continued


class RunDriver(AssembledRun):
    """Moves one run, and carries out what follows."""

    # What happens.

    def start(self) -> None:
        """Ask for the targets, and let start what may."""
        core = self.core
        self.services.manager.enter(self.admission)
        self.admission.note_pauses()
        self.give_figures()
        self.tell.all_skipped(sorted(core.reused), "Reused", "an earlier run made its result")
        pruned = [index for index in core.results.pruned if index not in core.carried]
        self.tell.all_skipped(pruned, *UNREAD)
        core.begin(self.request.given.skipped)
        self.settle()

    def ended(
        self, attempt: Started, took: float, result: Any, error: BaseException | None
    ) -> None:
        """An attempt is over, for better or worse; only pumping is left to whoever called."""
        self.in_flight.pop(attempt.ticket, None)
        try:
            self.last_end = self.services.clock.now()
            if attempt.timer is not None:
                attempt.timer()
            manager = self.services.manager
            if not attempt.abandoned:
                how = "done" if error is None else came_to(error, attempt.stop)
                self.times.note(attempt, self.last_end, took, how)
                if attempt.files is not None and error is None:
                    self.files.met(attempt.index, attempt.files.met)
                self.outcome(attempt.index, attempt.number, took, result, error, attempt.stop)
                self.carry_out()
                if error is not None and manager.breakers:
                    note_failure(manager, self.core, attempt.ticket, error, attempt.stop)
            if manager.release(attempt.ticket):
                manager.hand_out()
            if self.is_over:
                self._leave()
            elif not self.core.scheduler.unfinished or self.core.stopping is not None:
                self.end_if_done()
        except BaseException as broken:
            self.break_off(broken)

    def outcome(
        self,
        index: int,
        number: int,
        took: float,
        result: Any,
        error: BaseException | None,
        stopped: bool = False,
    ) -> None:
        """Attempt `number` at a node took `took` seconds and gave this."""
        core = self.core
        if error is not None:
            core.failed(index, number, took, error, stopped)
        elif type(result) is Continued and type(result.value) is Question:
            self.questions.ask(index, number, took, result.value)
        elif type(result) is Continued:
            heir = core.continuations.heir_of(index)
            if heir is not None:  # its own part is over, and its place may be used for another
                self.files.hand_on(index, heir)
                if self.services.bus.listening:
                    self.tell.completed(index, took, number)
            core.continued(index, result.value, number, took)
        elif index in self.keys.of:
            core.succeeded(index, took)
            self.saver.keep(index, number, took, result)
        else:
            if self.files.of:
                self.files.collect(index)
            if self.sharing is not None:
                self.sharing.over(index)
            if self.services.bus.listening:
                self.tell.completed(index, took, number)
            core.made(index, took, result)

    def completed(self, index: int, number: int, took: float, result: Any, tell: bool) -> None:
        """The result of a node is safe where it must be."""
        if self.sharing is not None:
            self.sharing.over(index)
        if tell and self.services.bus.listening:
            self.tell.completed(index, took, number)
        self.core.finished(index, result)

    def follow(self) -> None:
        """Carry out what follows from the end of an inline node, while others of them run."""
        self.carry_out()
        if self.queues.thread or self.queues.on_loop or self.queues.elsewhere:
            self.queues.pump_soon()

    def gave_up(self) -> None:
        """An attempt that was admitted does not begin, since the run stops."""
        self.services.manager.hand_out()
        if self.is_over:
            self._leave()
        self.end_if_done()

    def pause_lifting(self) -> None:
        """A pause is about to go: what was edited meanwhile is looked at before anything starts."""
        edits = self.edits
        if edits.unseen and not edits.looking and self.core.stopping is None:
            edits.looking = True
            self.services.manager.hold(self.run_id, "your edits are being looked at")
            self.on_edited()

    def look_again(self) -> None:
        """A constraint is gone: what rests at a checkpoint, or waits to be kept, looks again."""
        self.wake_resting()
        self.saver.again()
        self.settle()

    def wake_resting(self) -> None:
        """Have every task that rests at a checkpoint look again."""
        self.resting.notify_all()
        for attempt in self.in_flight.values():
            if attempt.resting:
                attempt.wake_up()

    def stop_for_edits(self) -> None:
        """Start nothing new: the run goes on with another graph. Under the lock."""
        self.core.stop("edited")
        self.settle()

    def cancel(self, words: str, within: float | None = None) -> None:
        """End it, and what its tasks have started, who are told `words`; without the lock."""
        with self.moving():
            self.core.stop("cancelled")
            self.saver.give_up()
            self.carry_out()
            for attempt in list(self.in_flight.values()):
                if attempt.started is not None:
                    attempt.stop = True
                    attempt.cancel()
            self.wake_resting()
            self.cancel_nested(words, within=within)

    # What follows.

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """What is done inside moves the run; what goes wrong breaks it off."""
        with self.lock:
            try:
                yield
                self.settle()
            except BaseException as error:
                self.break_off(error)
            results = self.core.results
            freed = results.take_freed() if results.freed else []
        if freed and asyncio._get_running_loop() is not None:
            drop_aside(freed)
        del freed

    def settle(self) -> None:
        """Carry out what follows from moves, notice the end, and let start what may."""
        self.carry_out()
        self.services.manager.hand_out()
        self.end_if_done()
        self.queues.pump_soon()

    def carry_out(self) -> None:
        """Carry out what follows from moves."""
        changes, core = self.core.changes, self.core
        while changes.more:
            changes.more = False
            if changes.stopped:
                changes.stopped = False
                self.queues.clear()
            if changes.anew:
                anew, changes.anew = changes.anew, []
                self.give_figures()
                self.tell.forget_names()
                for index in anew:
                    self.files.forget(index)
            over, changes.over = changes.over, []
            for ended in over:
                self._tell_end(ended)
            again, changes.again = changes.again, []
            for index, number, error, policy in again:
                wait = policy.wait_after(number, self.services.rng)
                self._try_again(index, number + 1, policy.max_attempts, wait, error)
            freed, changes.freed = changes.freed, []
            for ticket in freed:
                self.services.manager.forget(ticket)  # or others would wait behind it
            if freed:
                self.services.manager.hand_out()
            save, changes.save = changes.save, []
            for index, number, took, value, tell in save:
                if tell:
                    core.succeeded(index, took)
                self.saver.keep(index, number, took, value, tell)
            expand, changes.expand = changes.expand, []
            for index in expand:
                if core.scheduler.state[index] == READY:
                    self.expander.expand(index)
            user_code, changes.user_code = changes.user_code, []
            for code in user_code:
                self.services.spawn(self._run_user_code(code))
        if changes.ready:
            self.queues.add(changes.ready)
            changes.ready.clear()

    async def _run_user_code(self, code: UserCode) -> None:
        """On the loop, without the lock: have it run in a thread, and take up what it gave."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = await run_in_thread(partial(self.context.copy().run, code.call))
        except BaseException as raised:  # by it, or by a loop that ends
            error = raised
        with self.moving():
            if not self.is_over:
                self.core.user_code_gave(code, value, error)

    def _tell_end(self, ended: Ended) -> None:
        index, how, number, took, error, reason, detail = ended
        if how in ("skipped", "replaced"):
            if self.files.of and reason != "Reused":
                self.files.collect(index)
            if reason:
                self.tell.skipped(index, reason, detail)
            return
        if self.sharing is not None:
            self.sharing.over(index)
        if how == "failed":
            assert error is not None
            self.failures.append(failure_of(self.core, index, number, error))
        if how != "fell":
            said = "cancelled" if how == "cancelled" else error
            self.tell.finished(index, how, took, number, said)

    def _try_again(
        self, index: int, number: int, most: int, wait: float, error: BaseException
    ) -> None:
        """Another attempt is due; until then it holds nothing."""
        self.tell.retrying(index, number, most, wait, error)
        self.core.wait(index, self.services.clock.now() + wait, error_text(error))
        if wait <= 0:
            self.core.due(index)
        else:
            self.services.timer(wait, partial(self._retry, index))

    def _retry(self, index: int) -> None:
        """On the loop, without the lock: the wait is over."""
        with self.moving():
            self.core.due(index)

    # The end.

    def end_if_done(self) -> None:
        """Notice that nothing more will happen."""
        if self.is_over or self.saver.under_way:
            return
        core = self.core
        if core.scheduler.unfinished and (core.stopping is None or self.under_way()):
            return
        self.close()

    def close(self) -> None:
        """End now: what has not begun is cancelled, what still runs is not waited for."""
        if self.is_over:
            return
        self.is_over = True
        manager = self.services.manager
        with contextlib.ExitStack() as steps:  # the last first; if one goes wrong, the rest is done
            steps.callback(self.on_over)
            steps.callback(manager.hand_out)
            steps.callback(self._leave)
            steps.callback(self._cancel_rest)
            steps.callback(self.wake_resting)
            steps.callback(self.queues.pump_workers)  # for other runs: places are free now
            for attempt in reversed(list(self.in_flight.values())):
                steps.callback(self.abandon, attempt)
            steps.callback(self.questions.close)
            steps.callback(self.queues.clear)
            if self.sharing is not None:
                steps.callback(self.sharing.close)

    def _cancel_rest(self) -> None:
        """What has not begun never does."""
        self.core.cancel_rest()
        over, freed = self.core.changes.drop()
        for ended in over:
            self._tell_end(ended)
        for ticket in freed:
            self.services.manager.forget(ticket)

    def break_off(self, error: BaseException) -> None:
        """This machinery went wrong: end the run with that, or who waits would wait for ever.

        It raises nothing, so that who calls it gives back its place. What goes wrong here, too, has
        the first error as its context.
        """
        if self.accident is None:
            self.accident = error
        try:
            with contextlib.ExitStack() as steps:
                steps.callback(self._leave)
                steps.callback(self.close)
                self.core.stop("failed")
        except BaseException as another:
            another.__context__ = another.__context__ or error  # steps forget what is outside
            self.accident = another

    def _leave(self) -> None:
        """Let go of everything, once the run is over and nothing of it is under way any more.

        Until then a thread that could not be stopped holds what it holds: its slot in a limit, its
        share of a resource.
        """
        if self.is_over and not self.in_flight and not self.has_left:
            self.has_left = True
            self.take_figures()
            self.services.manager.leave(self.admission)
            self.services.manager.hand_out()
