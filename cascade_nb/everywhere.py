"""Pauses and limits every run of the process, of all engines, also of those made later."""

from __future__ import annotations

from typing import Final

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gate_kinds.breakers import THE_BREAKER
from cascade_nb.defaults import default_engine, engine_in_use
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.report import Status, status_of
from cascade_nb.engine.scopes import read_scope


def pause(
    scope: str = "global", *, reason: str = "", ttl: float | None = None, by: str = "you"
) -> None:
    """Let nothing of `scope` start any more, in every run of this process, also of engines that are
    made later; see `Engine.pause`.

    Args:
        scope: "global", "task:…", "tag:…", "node:…", "from:…" or "run:…"; or the bare name of a
            task or a node.
        reason, by: for people.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, or `ttl` is not above zero.

    Example:
        >>> cs.pause("fetch", reason="the server is busy")
        >>> cs.resume("fetch")
        True
    """
    of = _everywhere(scope, "pause")
    for engine in _engines():
        engine.pause(of, reason=reason, ttl=ttl, by=by)


def resume(scope: str = "global") -> bool:
    """Lift the pause of `scope` in every run of this process; see `pause`.

    Args:
        scope: as it was given to `pause`.

    Returns:
        False when there was none.

    Raises:
        ConstraintError: there is no such scope.

    Example:
        >>> cs.resume()
        False
    """
    of = _everywhere(scope, "pause")
    lifted = [engine.resume(of) for engine in _engines()]
    return any(lifted)


def limit(
    scope: str,
    n: int | None,
    *,
    reason: str = "",
    ttl: float | None = None,
    by: str = "you",
) -> None:
    """Let at most `n` nodes of `scope` run at once, in each engine of this process, also in those
    that are made later; None lifts it.

    Args:
        scope: as for `pause`: "task:read", "tag:gpu", "global", or the bare name of a task.
        n: how many; 0 lets none start.
        reason, by: for people.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, `n` is no whole number of at least 0, or `ttl` is
            not above zero.

    Example:
        >>> cs.limit("fetch", 2)
        >>> cs.limit("fetch", None)
    """
    of = _everywhere(scope, "concurrency")
    for engine in _engines():
        engine.limit(of, n, reason=reason, ttl=ttl, by=by)


def rate(
    scope: str,
    rate: str | float | None,
    *,
    capacity: float = 1,
    reason: str = "",
    ttl: float | None = None,
    by: str = "you",
) -> None:
    """Let so many nodes of `scope` start per time, in each engine of this process, also in those
    that are made later; None lifts it.

    Args:
        scope: as for `pause`.
        rate: "10/m" is ten starts a minute; also "5/s", "300/h", or a number per second.
        capacity: how many may start at once after a quiet time.
        reason, by: for people.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, nobody can read the rate, or `ttl` is not above
            zero.

    Example:
        >>> cs.rate("task:fetch", "10/m")
        >>> cs.rate("task:fetch", None)
    """
    of = _everywhere(scope, "rate_limit")
    for engine in _engines():
        engine.rate(of, rate, capacity=capacity, reason=reason, ttl=ttl, by=by)


def breaker(
    scope: str,
    rule: str | None,
    *,
    probe_after: float | None = None,
    reason: str = "",
    ttl: float | None = None,
    by: str = "you",
) -> None:
    """Pause `scope` when so many attempts of it fail within a time, in each engine of this process,
    also in those that are made later; None lifts that; see `Engine.breaker`.

    Args:
        scope: as for `pause`.
        rule: "3/1m" is three failures within a minute; also "5/30s", "2/h".
        probe_after: seconds after which one node is let through, to try whether it works again;
            None holds the scope until somebody resumes it.
        reason, by: for people.
        ttl: seconds until the breaker ends by itself.

    Raises:
        ConstraintError: there is no such scope, nobody can read the rule, or a time is not above
            zero.

    Example:
        >>> cs.breaker("task:fetch", "3/1m", probe_after=300)
        >>> cs.breaker("task:fetch", None)
    """
    of = _everywhere(scope, "breaker")
    for engine in _engines():
        engine.breaker(of, rule, probe_after=probe_after, reason=reason, ttl=ttl, by=by)


def status() -> Status:
    """What the runs of this process are doing, and what holds them.

    Returns:
        The status of each run, and the constraints in force; it prints as a few lines.

    Example:
        >>> print(cs.status())  # doctest: +ELLIPSIS
        Nothing is running...
    """
    return status_of(_engines())


#: What was asked of every engine; it counts for new ones while the default engine has it in force.
_asked: Final[set[tuple[Scope, str]]] = set()


def _everywhere(scope: str, kind: str) -> str:
    """The scope that `scope` means, noted for engines that are made later."""
    of = read_scope(scope, (run.graph for engine in _engines() for run in engine.runs))
    _asked.add((of, kind))
    return str(of)


def _take_over(engine: Engine) -> None:
    """What holds for every engine holds for a new one."""
    known = engine_in_use()
    if known is None:
        _asked.clear()
        return
    now = known.clock.now()
    for scope, kind in list(_asked):
        said = known.constraints.find(scope, kind)
        if said is None or said.by == THE_BREAKER:  # what has failed there has not failed here
            _asked.discard((scope, kind))
        elif said.expires is None or said.expires > now:
            ttl = None if said.expires is None else said.expires - now
            engine.constraints.apply(
                scope, kind, said.params, reason=said.reason, by=said.by, ttl=ttl
            )


def _engines() -> list[Engine]:
    default_engine()  # so that what is said before the first run is heard by it
    return Engine.alive()


Engine.on_made.append(_take_over)
