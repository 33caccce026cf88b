"""A workflow that has all that a run has, whose bodies pass by points at which a fault is put in.

What a body reaches is in its key, through context variables too, and is looked through in each of
the thousand runs; so the bodies come to the points and the engine by weak references, which say
nothing of what they refer to.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any, Final

import cascade_nb as cs

POINTS: Final[ContextVar[weakref.ref[Any]]] = ContextVar("points")
ENGINE: Final[ContextVar[weakref.ref[Any]]] = ContextVar("engine")


class Here:
    """Where the bodies below find the case that is tried."""

    @property
    def points(self) -> Any:
        """Where a fault may be put in."""
        return POINTS.get()()

    @property
    def engine(self) -> Any:
        """What they run on."""
        return ENGINE.get()()


here: Final = Here()


@cs.resource(scope="run")
def shared() -> Iterator[int]:
    here.points.pass_by("shared opens")
    yield 1
    here.points.pass_by("shared closes")


@cs.resource(scope="run")
async def shared_async() -> AsyncIterator[int]:
    await here.points.reach("shared_async opens")
    yield 1
    await here.points.reach("shared_async closes")


@cs.resource
def own() -> Iterator[int]:
    here.points.pass_by("own opens")
    yield 1
    here.points.pass_by("own closes")


@cs.task
async def add(a: int = cs.inject(shared_async), b: int = cs.inject(shared)) -> int:
    await here.points.come_to("journal.renew")
    return a + b


@cs.task
def square(x: int, of: int = cs.inject(own)) -> int:
    return x * x * of


@cs.task(executor="inline")
def last(x: Any) -> int:
    return int(x) + 5


@cs.task
def parent() -> list[Any]:
    return list(here.engine.start(workflow()).result())


def workflow() -> list[Any]:
    """All that a run has: resources of both kinds and both scopes, bodies on the loop, in threads
    and inline, and a map.
    """
    return [add.lazy(), square.map(x=[0, 1, 2]), last.lazy(add.lazy())]
