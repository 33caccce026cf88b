"""Pickles lazy values, however deep: in an order in which each only names what came before it.

A pickler goes down into whatever it meets, and would be at the end of Python's stack after some
hundred lazy values that read each other. So a lazy value is written as the last of a list in which
one on every few steps of the way to it stands before it. Each is written by a stand-in, which is
the same for one lazy value as long as a pickler remembers it: what several of them share in one
pickle stays one.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Final

from cascade_nb.model.arguments.inputs import replace
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult, lazy_call, lazy_map
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.model.params.param import Param
from cascade_nb.model.pickling import with_sets
from cascade_nb.model.routing import Router
from cascade_nb.model.upstream import upstream_of

STEPS: Final = 20
"""So many lazy values, each of which reads the next, a pickler may go down into."""


class _Remembered(threading.local):
    """The stand-ins that picklers of this thread know."""

    def __init__(self) -> None:
        self.of: weakref.WeakValueDictionary[object, _StandIn] = weakref.WeakValueDictionary()


_remembered: Final = _Remembered()


class _StandIn:
    """Is pickled in the place of a lazy value, and unpickled as one."""

    __slots__ = ("__weakref__", "_below", "_lazy", "depth")

    def __init__(self, lazy: Lazy, below: dict[object, _StandIn]) -> None:
        self._lazy = lazy
        self._below = below
        self.depth: int = 1 + max((one.depth for one in below.values()), default=0)

    def __reduce__(self) -> tuple[Any, ...]:
        lazy = self._lazy
        options = self._options(lazy.options)
        if isinstance(lazy, LazyResult):
            args, kwargs = self._put((tuple(lazy.args), dict(lazy.kwargs)))
            inputs = self._put(tuple(lazy.inputs))
            return lazy_call, (lazy.task, args, kwargs, inputs, lazy.nested, options)
        if isinstance(lazy, MappedLazyResult):
            collections, fixed = self._put((dict(lazy.collections), dict(lazy.fixed)))
            inputs = self._put(tuple(lazy.inputs))
            given = collections, fixed, inputs, lazy.nested, options, lazy.how
            return lazy_map, (lazy.task, *given)
        if isinstance(lazy, Router):
            return _router, (*self._put((lazy.selector, dict(lazy.routes))), options)
        assert isinstance(lazy, Param)
        return lazy.__reduce__()

    def _options(self, said: Options) -> Options:
        if said is PLAIN:
            return said
        return said.but(
            after=self._put(said.after),
            follows=self._put(said.follows),
            condition=self._put(said.condition),
            otherwise=self._put(said.otherwise),
            needs=self._put(dict(said.needs)),
        )

    def _put(self, value: Any) -> Any:
        """`value` around stand-ins."""
        return with_sets(replace(value, Lazy, lambda lazy: self._below[lazy.identity]), _StandIn)


def packed(root: Lazy) -> tuple[Any, ...]:
    """What `__reduce__` of a lazy value gives."""
    known = _remembered.of
    made: dict[object, _StandIn] = {}  # which live as long as this works
    on_the_way: list[_StandIn] = []
    stack = [root]
    while stack:
        lazy = stack[-1]
        one = made.get(lazy.identity) or known.get(lazy.identity)
        if one is None:
            needed = upstream_of(lazy)
            below = {n.identity: made.get(n.identity) or known.get(n.identity) for n in needed}
            missing = [n for n in needed if below[n.identity] is None]
            if missing:
                stack += missing
                continue
            one = known[lazy.identity] = _StandIn(lazy, below)  # type: ignore[arg-type]
            if not one.depth % STEPS:
                on_the_way.append(one)
        made[lazy.identity] = one
        stack.pop()
    return _last, ([*on_the_way, made[root.identity]],)


def _last(lazies: list[Lazy]) -> Lazy:
    return lazies[-1]


def _router(selector: Any, routes: dict[Any, Any], options: Options) -> Router:
    return Router(selector, routes, options=options)
