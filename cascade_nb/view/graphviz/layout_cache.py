"""Computes each layout once, in a thread, for everyone who asks for it, and keeps some of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from cascade_nb.concurrency.scarce import told_where_scarce
from cascade_nb.errors import CascadeError
from cascade_nb.view.graphviz.child import Child, StoppedError

T = TypeVar("T")


class _Work(Generic[T]):
    """One piece of work. The cache's lock guards `users`, which counts those who wait for it."""

    def __init__(self) -> None:
        self.result: Future[T] = Future()
        self.child = Child()
        self.users = 0


class LayoutCache(Generic[T]):
    """Hands out results by key: from its shelf, from work under way, or from work that it starts.

    Safe from any thread and any loop. Each piece of work has a thread, which ends with it.

    Args:
        room: how many results the shelf holds; the one that was not asked for longest goes first.
        keeps: which results are worth a place there.
    """

    def __init__(self, room: int, keeps: Callable[[T], bool]) -> None:
        self._room: Final = room
        self._keeps: Final = keeps
        self._lock = threading.Lock()
        self._shelf: OrderedDict[Hashable, T] = OrderedDict()
        self._under_way: dict[Hashable, _Work[T]] = {}

    async def ask(self, key: Hashable, make: Callable[[Child], T]) -> T:
        """The result for `key`, which `make` makes in a thread if need be; the loop stays free.

        When whoever waits is cancelled and nobody else wants the result, the child is killed, and
        it is gone when the cancellation goes on from here.
        """
        work = self._join(key, make)
        waiting = asyncio.wrap_future(work.result)
        try:
            # Shielded, because what others wait for too must not be cancelled with this one.
            return await asyncio.shield(waiting)
        finally:
            if self._leave(key, work):
                with contextlib.suppress(StoppedError):
                    await waiting

    def ask_now(self, key: Hashable, make: Callable[[Child], T]) -> T:
        """The same for those who may block, such as scripts; an interrupt kills the child."""
        work = self._join(key, make)
        try:
            return work.result.result()
        finally:
            self._leave(key, work)

    def _join(self, key: Hashable, make: Callable[[Child], T]) -> _Work[T]:
        with self._lock:
            work = self._under_way.get(key)
            if work is None:
                work = _Work()
                if key in self._shelf:
                    self._shelf.move_to_end(key)
                    work.result.set_result(self._shelf[key])
                    return work
                # A daemon, because the end of the interpreter need not wait for a picture.
                thread = threading.Thread(
                    target=self._do, args=(key, work, make), name="cascade-layout", daemon=True
                )
                self._under_way[key] = work  # before it begins, for it may be over at once
                try:
                    with told_where_scarce(CascadeError, "no picture can be drawn now"):
                        thread.start()
                except BaseException:
                    del self._under_way[key]
                    raise
            work.users += 1
            return work

    def _leave(self, key: Hashable, work: _Work[T]) -> bool:
        """One user less; whether that stopped the work, since nobody is left who wants it."""
        with self._lock:
            work.users -= 1
            if work.users > 0 or self._under_way.get(key) is not work:
                return False
            # Off the list at once: who asks from now on must not get what is being killed.
            del self._under_way[key]
        work.child.stop()
        return True

    def _do(self, key: Hashable, work: _Work[T], make: Callable[[Child], T]) -> None:
        work.result.set_running_or_notify_cancel()  # from now on no user's cancellation reaches it
        try:
            result = make(work.child)
        except BaseException as error:
            with self._lock:
                self._forget(key, work)
            work.result.set_exception(error)
            return
        with self._lock:
            self._forget(key, work)
            if self._keeps(result):
                self._shelf[key] = result
                while len(self._shelf) > self._room:
                    self._shelf.popitem(last=False)
        work.result.set_result(result)

    def _forget(self, key: Hashable, work: _Work[T]) -> None:
        if self._under_way.get(key) is work:
            del self._under_way[key]
