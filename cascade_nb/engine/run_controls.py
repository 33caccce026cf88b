"""Pauses, limits and resumes one run, or a part of it."""

from __future__ import annotations

from typing import Protocol

from cascade_nb.control.holders import Holder
from cascade_nb.model.options.pause_condition import PauseIf


class Holds(Protocol):
    """Holds any part of an engine; see `controls.Controls`."""

    def pause(
        self,
        scope: str = "global",
        *,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
        before: bool = False,
        pause_if: PauseIf | None = None,
    ) -> object:
        """Let nothing of `scope` start any more."""

    def resume(
        self,
        scope: str = "global",
        *,
        by: str | Holder = "you",
        before: bool = False,
        run: str = "",
    ) -> bool:
        """Lift the pause of `scope`."""

    def limit(self, scope: str, n: int | None, *, by: str | Holder = "you") -> None:
        """Let at most `n` nodes of `scope` run at once."""

    def rate(
        self, scope: str, rate: str | float | None, *, capacity: float = 1, by: str | Holder = "you"
    ) -> None:
        """Let so many nodes of `scope` start per time."""

    def breaker(
        self,
        scope: str,
        rule: str | None,
        *,
        probe_after: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Pause `scope` when so many attempts of it fail within a time."""

    def guard(
        self,
        memory: str | float | None,
        scope: str = "global",
        *,
        suspend: bool = False,
        by: str | Holder = "you",
    ) -> None:
        """Let nothing of `scope` start while more than a part of the memory is used."""


class RunControls:
    """The part of `Run` that pauses, limits and lets go.

    Args:
        controls: what holds any part of its engine.
        run_id: its identity.
    """

    def __init__(self, controls: Holds, run_id: str) -> None:
        self._controls = controls
        self.id = run_id

    @property
    def scope(self) -> str:
        """The scope of all that belongs to this run."""
        return f"run:{self.id}"

    def pause(
        self,
        scope: str | None = None,
        *,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
        before: bool = False,
        pause_if: PauseIf | None = None,
    ) -> None:
        """Let nothing of this run start any more; in force when this returns.

        Args:
            scope: a narrower or wider scope; it then is about every run of the engine.
            reason: for people.
            by: who holds it: "you", a person's name, "program:nightly" or "agent:claude".
            ttl: seconds until it ends by itself.
            before: whether it is a breakpoint: what is of `scope` is held when it would start, each
                for itself, with what `inputs` tells; see `Engine.pause`.
            pause_if: of a breakpoint, what has to be true of the inputs, as for `Engine.pause`.

        Raises:
            ConstraintError: there is no such scope.
            UsageError: `pause_if` cannot be called or is async, or this is no breakpoint.

        Example:
            >>> run = cs.start(report)
            >>> run.pause(reason="the GPU is busy")
            >>> run.resume()
            >>> run.result()
            3
        """
        of = self.scope if scope is None else scope
        self._controls.pause(of, reason=reason, ttl=ttl, by=by, before=before, pause_if=pause_if)

    def resume(
        self, scope: str | None = None, *, by: str | Holder = "you", before: bool = False
    ) -> None:
        """Lift the pause of this run, or of `scope`. Where there is none, what is held of this run
        at a breakpoint within it goes on.

        Args:
            scope: as it was given to `pause`, or a node or item that is held at a breakpoint, such
                as "t[17]"; None for this run.
            by: who asks for it. A person lifts the pauses of all, a program or an agent its own.
            before: whether the breakpoint itself is to go.

        Raises:
            ConstraintError: there is no such scope.
            HolderError: all that stand are those of others, and no person asks.

        Example:
            >>> run = cs.start(report)
            >>> run.pause("task:fetch")
            >>> run.resume("task:fetch")
            >>> run.result()
            3
        """
        of = self.scope if scope is None else scope
        self._controls.resume(of, by=by, before=before, run=self.id)

    def limit(self, scope: str | None, n: int | None, *, by: str | Holder = "you") -> None:
        """Let at most `n` nodes of a scope (None: of this run) run at once; None lifts the limit.

        Args:
            scope: such as "task:fetch"; it then is about every run of the engine.
            n: how many; 0 lets none start.
            by: who asks for it, as for `pause`.

        Raises:
            ConstraintError: there is no such scope, or `n` is below zero.

        Example:
            >>> run = cs.start(report)
            >>> run.limit(None, 2)
            >>> run.result()
            3
        """
        self._controls.limit(self.scope if scope is None else scope, n, by=by)

    def rate(
        self,
        scope: str | None,
        rate: str | float | None,
        *,
        capacity: float = 1,
        by: str | Holder = "you",
    ) -> None:
        """Let so many nodes of a scope (None: of this run) start per time; None lifts the limit.

        Args:
            scope: such as "task:fetch"; it then is about every run of the engine.
            rate: "10/m" is ten starts a minute; also "5/s", "300/h", or a number per second.
            capacity: how many may start at once after a quiet time.
            by: who asks for it, as for `pause`.

        Raises:
            ConstraintError: there is no such scope, or nobody can read the rate.

        Example:
            >>> run = cs.start(report)
            >>> run.rate(None, "100/s")
            >>> run.result()
            3
        """
        self._controls.rate(self.scope if scope is None else scope, rate, capacity=capacity, by=by)

    def breaker(
        self,
        scope: str | None,
        rule: str | None,
        *,
        probe_after: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Pause a scope (None: this run) when so many attempts of it fail within a time; None as
        the rule lifts that; see `Engine.breaker`.

        Args:
            scope: such as "task:fetch"; it then is about every run of the engine.
            rule: "3/1m" is three failures within a minute; also "5/30s", "2/h".
            probe_after: seconds after which one node is let through, to try whether it works again.
            by: who asks for it, as for `pause`.

        Raises:
            ConstraintError: there is no such scope, nobody can read the rule, or the time is not
                above zero.

        Example:
            >>> run = cs.start(report)
            >>> run.breaker(None, "3/1m")
            >>> run.result()
            3
        """
        self._controls.breaker(
            self.scope if scope is None else scope, rule, probe_after=probe_after, by=by
        )

    def guard(
        self,
        memory: str | float | None,
        scope: str | None = None,
        *,
        suspend: bool = False,
        by: str | Holder = "you",
    ) -> None:
        """Let nothing of a scope (None: of this run) start while more than a part of the memory is
        used; None as the part lifts that; see `Engine.guard`.

        Args:
            memory: "85%", or 0.85.
            scope: such as "task:train"; it then is about every run of the engine.
            suspend: whether what runs in processes is suspended meanwhile, the largest first.
            by: who asks for it, as for `pause`.

        Raises:
            ConstraintError: there is no such scope, or it is no part of the memory.

        Example:
            >>> run = cs.start(report)
            >>> run.guard("100%")
            >>> run.result()
            3
        """
        of = self.scope if scope is None else scope
        self._controls.guard(memory, of, suspend=suspend, by=by)
