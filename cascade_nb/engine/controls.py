"""Pauses, limits and resumes any part of an engine, by scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from cascade_nb.advice import advised_resume
from cascade_nb.control.constraint import Constraint, Scope, new_constraint
from cascade_nb.control.constraint_numbers import checked_ttl, parse_breaker
from cascade_nb.control.explanations import others_words
from cascade_nb.control.holders import Holder, holder_of
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.scopes import read_scope
from cascade_nb.errors import ConstraintError, HolderError, UsageError
from cascade_nb.graph.graph import Graph
from cascade_nb.model.options.pause_condition import PauseIf, checked_pause_if


def checked_condition(before: bool, pause_if: PauseIf | None) -> PauseIf | None:
    """The condition of a breakpoint.

    Raises:
        UsageError: it can be none, or there is no breakpoint.
    """
    if pause_if is None:
        return None
    if not before:
        raise UsageError(
            "a condition belongs to a breakpoint: pause(…, before=True, pause_if=…); a pause holds "
            "all that it is about"
        )
    return checked_pause_if(pause_if)


class HasGraph(Protocol):
    """A run, as far as scopes name its nodes."""

    @property
    def graph(self) -> Graph:
        """What runs."""


class Controls:
    """Pauses and limits of everything that goes by one `ConstraintManager`; safe from any thread.

    What is asked in the middle of a move of the caller's own thread, by a finalizer or the handler
    of a signal, is in force a moment after it.

    Attributes:
        constraints: the manager.
        runs: those that are not over.
    """

    constraints: ConstraintManager
    runs: Sequence[HasGraph]

    def scope(self, text: str | Scope, *, items: bool = False) -> Scope:
        """A scope out of its text, or out of the bare name of a task or a node.

        Args:
            text: such as "tag:gpu", or "fetch".
            items: whether it may be an item of a mapped node, too: "t[17]".

        Returns:
            The scope; as text it has its kind before the name.

        Raises:
            ConstraintError: there is no such scope, or a bare name can mean two things.

        Example:
            >>> str(engine.scope("task:fetch"))
            'task:fetch'
        """
        return read_scope(text, (run.graph for run in self.runs), items=items)

    def pause(
        self,
        scope: str = "global",
        *,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
        before: bool = False,
        pause_if: PauseIf | None = None,
    ) -> Constraint:
        """Let nothing of `scope` start any more; in force when this returns, from any thread.

        With `before` it is a breakpoint: everything goes on, and what is of `scope` is held when it
        would start, each node, item and attempt for itself, with its inputs there for `Run.inputs`.
        `resume` lets go on what is held, and the breakpoint stays.

        Args:
            scope: "global", "task:…", "tag:…", "node:…", "from:…" or "run:…"; or the bare name of
                a task or a node. With `before` also one item of a mapped node: "t[17]".
            reason: for people.
            by: who holds it: "you", a person's name, "program:nightly" or "agent:claude". What two
                of them hold stands beside each other, and both must go.
            ttl: seconds until it ends by itself.
            before: whether it is a breakpoint.
            pause_if: of a breakpoint, what has to be true of the inputs for something to be held: a
                function of them by parameter; see `Lazy.pause_before`.

        Returns:
            The constraint that is in force now.

        Raises:
            ConstraintError: there is no such scope, or `ttl` is not above zero.
            UsageError: `pause_if` cannot be called or is async, or this is no breakpoint.

        Example:
            >>> engine.pause("task:fetch").type
            'pause'
            >>> engine.resume("task:fetch")
            True
        """
        kind = "breakpoint" if before else "pause"
        condition = checked_condition(before, pause_if)
        of = self.scope(scope, items=before)
        return self._apply(of, kind, reason=reason, ttl=ttl, by=by, pause_if=condition)

    def resume(
        self,
        scope: str = "global",
        *,
        by: str | Holder = "you",
        before: bool = False,
        run: str = "",
    ) -> bool:
        """Lift the pause of `scope`; what is ready starts at once. Where there is none, what is
        held at a breakpoint within `scope` goes on.

        Args:
            scope: as it was given to `pause`; of what is held at a breakpoint also a narrower one,
                such as a node, or an item of a mapped one: "t[17]".
            by: who asks for it. A person lifts the pauses of all, a program or an agent its own.
            before: whether the breakpoint of `scope` itself is to go.
            run: the id of the only run in which something that is held at a breakpoint goes on.

        Returns:
            False when there was none.

        Raises:
            ConstraintError: there is no such scope; or the breakpoint that is to go is part of the
                workflow.
            HolderError: all that stand are those of others, and no person asks.

        Example:
            >>> engine.resume("task:fetch")
            False
        """
        wanted, holder = self.scope(scope, items=True), holder_of(by)
        if self.constraints.is_in_a_move:
            self.constraints.after_move(partial(self.resume, scope, by=by, before=before, run=run))
            return bool(self.constraints.standing(wanted, "breakpoint" if before else "pause"))
        if before:
            lifted = self._lift(wanted, "breakpoint", by)
            if not lifted and (held := self.constraints.held_by_workflow(wanted.within(run))):
                raise ConstraintError(
                    f"the breakpoint before {held[0]} is part of the workflow: "
                    f"{advised_resume(f'node:{held[0]}')} lets it start, and there is none any "
                    "more when it is defined anew without .pause_before()"
                )
            return lifted
        if self.constraints.lift(wanted, "pause", by=holder):
            return True
        count, theirs = self.constraints.go_on(wanted.within(run), holder)
        if count:
            return True
        others = [*self.constraints.standing(wanted), *theirs]
        if others:
            raise HolderError(others_words(holder, others))
        return False

    def limit(
        self,
        scope: str,
        n: int | None,
        *,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Let at most `n` nodes of `scope` run at once, counting what runs already; None lifts it.

        Args:
            scope: as for `pause`.
            n: how many; 0 lets none start.
            reason, by: as for `pause`; to lift it, `by` is as for `resume`.
            ttl: seconds until it ends by itself.

        Raises:
            ConstraintError: there is no such scope, or `n` is no whole number of at least 0.

        Example:
            >>> engine.limit("task:fetch", 2)
            >>> engine.limit("task:fetch", None)
        """
        if n is None:
            self._lift(scope, "concurrency", by)
        else:
            given = {"limit": n}
            self._apply(self.scope(scope), "concurrency", given, reason=reason, ttl=ttl, by=by)

    def rate(
        self,
        scope: str,
        rate: str | float | None,
        *,
        capacity: float = 1,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Let so many nodes of `scope` start per time, as in "10/m"; None lifts it.

        Args:
            scope: as for `pause`.
            rate: "10/m" is ten starts a minute; also "5/s", "300/h", or a number per second.
            capacity: how many may start at once after a quiet time.
            reason, by: as for `pause`; to lift it, `by` is as for `resume`.
            ttl: seconds until it ends by itself.

        Raises:
            ConstraintError: there is no such scope, or nobody can read the rate.

        Example:
            >>> engine.rate("task:fetch", "10/m")
            >>> engine.rate("task:fetch", None)
        """
        if rate is None:
            self._lift(scope, "rate_limit", by)
        else:
            given = {"rate": rate, "capacity": capacity}
            self._apply(self.scope(scope), "rate_limit", given, reason=reason, ttl=ttl, by=by)

    def breaker(
        self,
        scope: str,
        rule: str | None,
        *,
        probe_after: float | None = None,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Pause `scope` when so many attempts of it fail within a time, as in "3/1m"; None lifts
        the breaker, and the pause that it has put into force.

        An attempt counts that is tried again, one that was cancelled does not. To resume the scope
        frees it, and counting begins anew.

        Args:
            scope: as for `pause`.
            rule: "3/1m" is three failures within a minute; also "5/30s", "2/h".
            probe_after: seconds after which the pause ends and one node is let through, as a probe:
                where it succeeds everything goes on, and where it fails everything is held again;
                None holds it until somebody resumes it.
            reason, by: as for `pause`; to lift it, `by` is as for `resume`.
            ttl: seconds until the breaker ends by itself.

        Raises:
            ConstraintError: there is no such scope, nobody can read the rule, or a time is not
                above zero.

        Example:
            >>> engine.breaker("task:fetch", "3/1m", probe_after=300)
            >>> engine.breaker("task:fetch", None)
        """
        if rule is None:
            self._lift(scope, "breaker", by)
        else:
            failures, within = parse_breaker(rule)
            given = {"failures": failures, "within": within, "probe_after": probe_after}
            self._apply(self.scope(scope), "breaker", given, reason=reason, ttl=ttl, by=by)

    def guard(
        self,
        memory: str | float | None,
        scope: str = "global",
        *,
        suspend: bool = False,
        reason: str = "",
        ttl: float | None = None,
        by: str | Holder = "you",
    ) -> None:
        """Let nothing of `scope` start while more than a part of the memory is used, of the machine
        or of the container around this process, whichever is scarcer; None lifts it.

        What runs goes on. Nothing is ever ended because of it.

        Args:
            memory: "85%", or 0.85.
            scope: as for `pause`.
            suspend: whether what runs in processes is suspended meanwhile, the largest first, all
                but one; the smallest goes on first.
            reason, by: for people.
            ttl: seconds until it ends by itself.

        Raises:
            ConstraintError: there is no such scope, it is no part of the memory, or this system
                does not say how much is used.

        Example:
            >>> engine.guard("85%", suspend=True)
            >>> engine.guard(None)
        """
        if memory is None:
            self._lift(scope, "guard", by)
        else:
            given = {"memory": memory, "suspend": suspend}
            self._apply(self.scope(scope), "guard", given, reason=reason, ttl=ttl, by=by)

    def _apply(
        self,
        of: Scope,
        type: str,
        given: Mapping[str, Any] | None = None,
        *,
        reason: str,
        by: str | Holder,
        ttl: float | None,
        pause_if: PauseIf | None = None,
    ) -> Constraint:
        said: dict[str, Any] = {"reason": reason, "by": by, "ttl": ttl, "pause_if": pause_if}
        apply = partial(self.constraints.apply, of, type, given, **said)
        if not self.constraints.is_in_a_move:
            return apply()
        checked_ttl(ttl)
        made = new_constraint(of, type, given or {}, reason, holder_of(by))
        self.constraints.after_move(partial(apply, wait=False))
        return made

    def _lift(self, scope: str | Scope, type: str, by: str | Holder) -> bool:
        wanted, holder = self.scope(scope), holder_of(by)
        if self.constraints.is_in_a_move:
            self.constraints.after_move(partial(self._lift, scope, type, by))
            return bool(self.constraints.standing(wanted, type))
        lifted = self.constraints.lift(wanted, type, by=holder)
        others = self.constraints.standing(wanted, type)
        if not lifted and others:
            raise HolderError(others_words(holder, others))
        return bool(lifted)
