"""Lists what has to be there before a lazy value: what it reads, comes after, and is decided by."""

from __future__ import annotations

from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.routing import Router


def upstream_of(lazy: Lazy) -> tuple[Lazy, ...]:
    """Every lazy value that `lazy` names in any way; one may be among them twice."""
    options = lazy.options
    if options.plain and type(lazy) is not Router:
        return lazy.inputs
    needed = [*lazy.inputs, *options.after, *options.follows, *otherwise_of(lazy)]
    if isinstance(options.condition, Lazy):
        needed.append(options.condition)
    needed += [amount for amount in options.needs.values() if isinstance(amount, Lazy)]
    if isinstance(lazy, Router):
        needed += [route for route in lazy.routes.values() if isinstance(route, Lazy)]
    return tuple(needed)


def otherwise_of(lazy: Lazy) -> tuple[Lazy, ...]:
    """What makes its value where its condition is false."""
    value = lazy.options.otherwise
    return () if value is NO_ELSE or lazy.options.condition is True else scan((value,))[0]
