"""What can be asked of a lazy value about time: when it comes to its turn, how long it may take,
and whether a run stops before it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from cascade_nb.errors import LazyValueError, UsageError
from cascade_nb.model.options.checks import checked_priority, checked_timeout
from cascade_nb.model.options.pause_condition import PauseIf, checked_pause_if
from cascade_nb.text import quoted

Self = TypeVar("Self", bound="Timed")


class Timed:
    """A lazy value, as far as time is concerned."""

    __slots__ = ()

    options: Any

    def _with(self: Self, options: Any) -> Self:
        """A copy that differs in its options only."""
        raise LazyValueError(f"{quoted(self)} takes no options")

    def with_priority(self: Self, priority: int) -> Self:
        """The same, started before what could start at the same time and has a lower priority.

        It only orders: nothing stays undone because of it, no result is made anew, and among equals
        what has the longest way to a target comes first, as ever. What it needs has its priority
        too, unless something was said of that; the priority of a run comes before those in it.

        Args:
            priority: a whole number from -1000 to 1000; where nothing is said it is 0.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            PolicyError: `priority` is no such number.

        Example:
            >>> cs.run([report, fetch(4).with_priority(5)])  # fetch(4) starts first
            [3, [0, 1, 2, 3]]
        """
        return self._with(self.options.but(priority=checked_priority(priority)))

    def with_timeout(self: Self, seconds: float) -> Self:
        """The same, failed with `TaskTimeoutError` when one attempt takes longer than `seconds`.

        An async task is cancelled. A thread cannot be stopped: it is reported as still running, and
        its late result is dropped. On a mapped result the time counts for each item.

        Args:
            seconds: a finite number above zero. Time in which the task is paused does not count.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            PolicyError: `seconds` is no such number.

        Example:
            >>> cs.run(report.with_timeout(30))
            3
        """
        return self._with(self.options.but(timeout=checked_timeout(seconds)))

    def pause_before(self: Self, *, pause_if: PauseIf | None = None) -> Self:
        """The same, with a breakpoint before it: a run is held where it would start, with all that
        it reads there for `Run.inputs`, until `cs.resume` or `Run.resume` lets it go on.

        What does not need it goes on. On a mapped result each item is held for itself, and each
        attempt, too. A result that stands is no start. While it is held its code may be edited, and
        it goes on with that; where the cell does not say `.pause_before()` any more, so does the
        run.

        Args:
            pause_if: a function of what its body would get, a dict by parameter: only where that
                gives something true is it held. It is called in a thread beside the run, with
                copies; while it is judged the node is held. Where it raises, or does not answer
                within the engine's grace, the node stays held, and says so.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            UsageError: it runs nothing itself: a `Router` or a parameter; or `pause_if` cannot be
                called, or is async.

        Example:
            >>> run = cs.start(fetch(3).named("three").pause_before())
            >>> import time
            >>> while not run.status.held:
            ...     time.sleep(0.01)
            >>> run.inputs("three")
            {'n': 3}
            >>> run.resume("node:three")
            >>> run.result()
            [0, 1, 2]
            >>> cs.run(fetch(2).pause_before(pause_if=lambda inputs: inputs["n"] > 2))
            [0, 1]
        """
        if not hasattr(self, "task"):
            raise UsageError(
                f"{quoted(self)} runs nothing itself, so no run can stop before it; put "
                ".pause_before() behind what it reads, or what reads it"
            )
        condition = None if pause_if is None else checked_pause_if(pause_if)
        return self._with(self.options.but(pause_before=True, pause_if=condition))
