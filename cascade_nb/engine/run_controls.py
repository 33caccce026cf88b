"""What holds one run, or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascade_nb.engine.engine import Engine


class RunControls:
    """The part of `Run` that pauses, limits and lets go."""

    _engine: Engine
    id: str

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
        by: str = "you",
    ) -> None:
        """Let nothing of this run start any more; in force when this returns.

        Args:
            scope: a narrower or wider scope; it then is about every run of the engine.
            reason, by: for people.
            ttl: seconds until it ends by itself.

        Raises:
            ConstraintError: there is no such scope.
        """
        self._engine.pause(scope or self.scope, reason=reason, ttl=ttl, by=by)

    def resume(self, scope: str | None = None) -> None:
        """Lift the pause of this run, or of `scope`.

        Raises:
            ConstraintError: there is no such scope.
        """
        self._engine.resume(scope or self.scope)

    def limit(self, scope: str | None, n: int | None, *, by: str = "you") -> None:
        """Let at most `n` nodes of a scope (None: of this run) run at once; None lifts the limit.

        Raises:
            ConstraintError: there is no such scope, or `n` is below zero.
        """
        self._engine.limit(scope or self.scope, n, by=by)

    def rate(
        self, scope: str | None, rate: str | float | None, *, capacity: float = 1, by: str = "you"
    ) -> None:
        """Let so many nodes of a scope (None: of this run) start per time; None lifts the limit.

        Raises:
            ConstraintError: there is no such scope, or nobody can read the rate.
        """
        self._engine.rate(scope or self.scope, rate, capacity=capacity, by=by)
