"""Pauses and limits every run of the process, of all engines, also of those made later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cascade_nb.control.constraint import Key
from cascade_nb.control.holders import Holder, holder_of
from cascade_nb.defaults import default_engine, engine_in_use
from cascade_nb.engine.controls import checked_condition
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.reporting.report import Status, status_of
from cascade_nb.engine.scopes import read_scope
from cascade_nb.errors import HolderError
from cascade_nb.model.options.pause_condition import PauseIf


def pause(
    scope: str = "global",
    *,
    reason: str = "",
    ttl: float | None = None,
    by: str | Holder = "you",
    before: bool = False,
    pause_if: PauseIf | None = None,
) -> None:
    """Let nothing of `scope` start any more, in every run of this process, also of engines that are
    made later; see `Engine.pause`.

    Args:
        scope: "global", "task:…", "tag:…", "node:…", "from:…" or "run:…"; or the bare name of a
            task or a node.
        reason: for people.
        by: who holds it: "you", a person's name, "program:nightly" or "agent:claude". What two of
            them hold stands beside each other, and both must go.
        ttl: seconds until it ends by itself.
        before: whether it is a breakpoint, where what would start is held; see `Engine.pause`.
        pause_if: of a breakpoint, what has to be true of the inputs, as for `Engine.pause`.

    Raises:
        ConstraintError: there is no such scope, or `ttl` is not above zero.
        UsageError: `pause_if` cannot be called or is async, or this is no breakpoint.

    Example:
        >>> cs.pause("fetch", reason="the server is busy")
        >>> cs.resume("fetch")
        True
    """
    given: Any = {"reason": reason, "ttl": ttl, "before": before}
    given["pause_if"] = checked_condition(before, pause_if)
    key = _everywhere(scope, "breakpoint" if before else "pause", by, items=before)
    _each(key, lambda engine, of: engine.pause(of, by=by, **given))


def resume(scope: str = "global", *, by: str | Holder = "you", before: bool = False) -> bool:
    """Lift the pause of `scope` in every run of this process; see `pause`. Where there is none,
    what is held at a breakpoint within it goes on.

    Args:
        scope: as it was given to `pause`, or what is held at a breakpoint: "t[17]".
        by: who asks for it. A person lifts the pauses of all, a program or an agent its own.
        before: whether the breakpoint itself is to go.

    Returns:
        False when there was none.

    Raises:
        ConstraintError: there is no such scope.
        HolderError: all that stand are those of others, and no person asks.

    Example:
        >>> cs.resume()
        False
    """
    key = _everywhere(scope, "breakpoint" if before else "pause", by, items=True)
    return _each(key, lambda engine, of: engine.resume(of, by=by, before=before))


def limit(
    scope: str,
    n: int | None,
    *,
    reason: str = "",
    ttl: float | None = None,
    by: str | Holder = "you",
) -> None:
    """Let at most `n` nodes of `scope` run at once, in each engine of this process, also in those
    that are made later; None lifts it.

    Args:
        scope: as for `pause`: "task:read", "tag:gpu", "global", or the bare name of a task.
        n: how many; 0 lets none start.
        reason, by: as for `pause`.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, `n` is no whole number of at least 0, or `ttl` is
            not above zero.

    Example:
        >>> cs.limit("fetch", 2)
        >>> cs.limit("fetch", None)
    """
    key = _everywhere(scope, "concurrency", by)
    _each(key, lambda engine, of: engine.limit(of, n, reason=reason, ttl=ttl, by=by))


def rate(
    scope: str,
    rate: str | float | None,
    *,
    capacity: float = 1,
    reason: str = "",
    ttl: float | None = None,
    by: str | Holder = "you",
) -> None:
    """Let so many nodes of `scope` start per time, in each engine of this process, also in those
    that are made later; None lifts it.

    Args:
        scope: as for `pause`.
        rate: "10/m" is ten starts a minute; also "5/s", "300/h", or a number per second.
        capacity: how many may start at once after a quiet time.
        reason, by: as for `pause`.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, nobody can read the rate, or `ttl` is not above
            zero.

    Example:
        >>> cs.rate("task:fetch", "10/m")
        >>> cs.rate("task:fetch", None)
    """
    key = _everywhere(scope, "rate_limit", by)
    given: Any = {"capacity": capacity, "reason": reason, "ttl": ttl, "by": by}
    _each(key, lambda engine, of: engine.rate(of, rate, **given))


def breaker(
    scope: str,
    rule: str | None,
    *,
    probe_after: float | None = None,
    reason: str = "",
    ttl: float | None = None,
    by: str | Holder = "you",
) -> None:
    """Pause `scope` when so many attempts of it fail within a time, in each engine of this process,
    also in those that are made later; None lifts that; see `Engine.breaker`.

    Args:
        scope: as for `pause`.
        rule: "3/1m" is three failures within a minute; also "5/30s", "2/h".
        probe_after: seconds after which one node is let through, to try whether it works again;
            None holds the scope until somebody resumes it.
        reason, by: as for `pause`.
        ttl: seconds until the breaker ends by itself.

    Raises:
        ConstraintError: there is no such scope, nobody can read the rule, or a time is not above
            zero.

    Example:
        >>> cs.breaker("task:fetch", "3/1m", probe_after=300)
        >>> cs.breaker("task:fetch", None)
    """
    key = _everywhere(scope, "breaker", by)
    given: Any = {"probe_after": probe_after, "reason": reason, "ttl": ttl, "by": by}
    _each(key, lambda engine, of: engine.breaker(of, rule, **given))


def guard(
    memory: str | float | None,
    scope: str = "global",
    *,
    suspend: bool = False,
    reason: str = "",
    ttl: float | None = None,
    by: str | Holder = "you",
) -> None:
    """Let nothing of `scope` start while more than a part of the memory is used, in each engine of
    this process, also in those that are made later; None lifts it; see `Engine.guard`.

    Args:
        memory: "85%", or 0.85.
        scope: as for `pause`.
        suspend: whether what runs in processes is suspended meanwhile, the largest first.
        reason, by: as for `pause`.
        ttl: seconds until it ends by itself.

    Raises:
        ConstraintError: there is no such scope, it is no part of the memory, this system does not
            say how much is used, or `ttl` is not above zero.

    Example:
        >>> cs.guard("85%")
        >>> cs.guard(None)
    """
    key = _everywhere(scope, "guard", by)
    given: Any = {"suspend": suspend, "reason": reason, "ttl": ttl, "by": by}
    _each(key, lambda engine, of: engine.guard(memory, of, **given))


def status() -> Status:
    """What the runs of this process are doing, and what holds them.

    Returns:
        The status of each run, and the constraints in force; it prints as a few lines.

    Example:
        >>> print(cs.status())  # doctest: +ELLIPSIS
        Nothing is running...
    """
    return status_of(_engines())


#: What was asked of every engine, and by whom; it counts for new ones while the default engine has
#: it in force.
_asked: Final[set[Key]] = set()


def _everywhere(scope: str, kind: str, by: str | Holder, *, items: bool = False) -> Key:
    """What `scope` means, for whom, noted for engines that are made later."""
    graphs = [run.graph for engine in _engines() for run in engine.runs]
    of = read_scope(scope, graphs, items=items)
    key = of, kind, holder_of(by)
    _asked.add(key)
    return key


def _each(key: Key, ask: Callable[[Engine, str], object]) -> bool:
    """Ask every engine, given the scope. Gives whether any says that it has done something.

    Raises:
        HolderError: from one, where none has anything of this holder to lift.
    """
    engines, scope = _engines(), str(key[0])
    own = any(engine.constraints.find(*key) is not None for engine in engines)
    done = False
    for engine in engines:
        try:
            done = bool(ask(engine, scope)) or done
        except HolderError:
            if not own:
                raise
    return done


def _take_over(engine: Engine) -> None:
    """What holds for every engine holds for a new one."""
    known = engine_in_use()
    if known is None:
        _asked.clear()
        return
    for scope, kind, holder in list(_asked):
        # What a breaker holds has failed there, and has not failed here: it is not asked for.
        said = known.constraints.find(scope, kind, holder)
        if said is None:
            _asked.discard((scope, kind, holder))
        elif (left := said.left(known.clock.now())) is None or left > 0:
            engine.constraints.apply(**said.parts, ttl=left)


def _engines() -> list[Engine]:
    default_engine()  # so that what is said before the first run is heard by it
    return Engine.alive()


Engine.on_made.append(_take_over)
