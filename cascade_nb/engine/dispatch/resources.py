"""Opens what tasks borrow, once for each run or attempt, and closes it in reverse order.

Run resources live on the engine's loop, those that are coroutines on that of coroutines: a task
that opens one shares it with everybody who comes meanwhile. A task resource of a thread task is
opened and closed in that thread, since many things may only be used where they were made.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine.core.driven_run import DrivenRun, InFlight
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.errors import ResourceError
from cascade_nb.events.events import ResourceAcquired, ResourceReleased
from cascade_nb.model.resources import Resource

_ENDED: Final = object()
_MOMENT: Final = 0.1  # seconds in which what is cancelled may end


class _Opened(NamedTuple):
    resource: Resource
    generator: Any
    value: Any


class ResourceManager:
    """The resources of one run.

    Args:
        driver: the run.
        overrides: by resource, what stands for it: another resource, or the thing itself.
    """

    def __init__(self, driver: DrivenRun, overrides: Mapping[Resource, Any]) -> None:
        self._driver = driver
        self._overrides = overrides
        self._shared: dict[Resource, asyncio.Task[Any]] = {}
        self._order: list[_Opened] = []
        self._lent: dict[InFlight, list[_Opened]] = {}
        self._given_up = asyncio.Event()
        self._left = False  # nobody waits any longer for what hangs

    async def borrow(self, attempt: InFlight, wanted: list[Resource]) -> dict[Resource, Any]:
        """What a coroutine is given for each resource.

        Raises:
            ResourceError: one did not open; those opened for the attempt are closed again.
        """
        return await self._driver.services.portal.there(self._borrow(attempt, wanted))

    async def _borrow(self, attempt: InFlight, wanted: list[Resource]) -> dict[Resource, Any]:
        lent = self._lent.setdefault(attempt, [])
        try:
            return {resource: await self._value(resource, attempt, lent) for resource in wanted}
        except BaseException:
            await self._give_back(attempt)
            raise

    async def give_back(self, attempt: InFlight) -> None:
        """Close what was opened for one attempt, all of it, whatever happens meanwhile.

        Raises:
            ResourceError: one did not close.
        """
        await self._driver.services.portal.there(self._give_back(attempt))

    async def _give_back(self, attempt: InFlight) -> None:
        problem: BaseException | None = None
        for opened in self._last_first(attempt):
            try:
                await self._close(opened, attempt)
            except (ResourceError, asyncio.CancelledError) as raised:
                problem = problem or raised
        if problem is not None:
            raise problem

    def borrow_from_thread(self, attempt: InFlight, wanted: list[Resource]) -> dict[Resource, Any]:
        """`borrow` for a task in a worker thread."""
        values: dict[Resource, Any] = {}
        lent = self._lent.setdefault(attempt, [])
        try:
            for resource in wanted:
                real = self._real(resource)
                if self._opens_here(real):
                    values[resource] = self._open_here(real, attempt, lent)
                else:
                    values[resource] = self._on_loop(self._value(resource, attempt, lent))
        except BaseException:
            self.give_back_from_thread(attempt)
            raise
        return values

    def give_back_from_thread(self, attempt: InFlight) -> None:
        """`give_back` for a task in a worker thread."""
        problem: ResourceError | None = None
        for opened in self._last_first(attempt):
            try:
                if self._opens_here(opened.resource):
                    self._close_here(opened, attempt)
                else:
                    self._on_loop(self._close(opened, attempt))
            except ResourceError as raised:
                problem = problem or raised
        if problem is not None:
            raise problem

    def unclosed(self, attempt: InFlight) -> list[str]:
        """The names of what was opened for one attempt and is not closed yet, next one first."""
        return [one.resource.name for one in reversed(self._lent.get(attempt, ()))]

    def _last_first(self, attempt: InFlight) -> Iterator[_Opened]:
        lent = self._lent.get(attempt, [])
        while lent:
            yield lent[-1]
            lent.pop()
        self._lent.pop(attempt, None)

    async def close(self, within: float | None = None) -> tuple[list[ResourceError], list[str]]:
        """Close what lasts for the run, last opened first, within so many seconds, or until
        `give_up`. Gives what did not close, and the names of those where that still goes on.
        """
        if not self._shared and not self._order:
            self._left = True
            return [], []
        errors: list[ResourceError] = []
        left: list[_Opened] = []
        for task in self._shared.values():
            task.cancel()  # one that is still opening: whoever wanted it is gone
        tasks = [begin_task(self._close_all(errors, left))]
        enough = begin_task(self._given_up.wait())
        try:
            await asyncio.wait([*tasks, enough], timeout=within, return_when="FIRST_COMPLETED")
        except asyncio.CancelledError:
            pass  # the loop ends, or somebody cancels every task there is: wait no longer
        finally:
            self._left = True
            enough.cancel()
        opening = [r.name for r, task in self._shared.items() if not task.done()]
        tasks += self._shared.values()
        hanging = [task for task in tasks if not task.done()]
        for task in hanging:
            task.cancel()
        if hanging:
            await asyncio.wait(hanging, timeout=_MOMENT)
        left += self._order
        return errors, list(dict.fromkeys([*opening, *(one.resource.name for one in left)]))

    def give_up(self) -> None:
        """On the engine's loop: `close` has waited long enough."""
        self._given_up.set()

    async def _close_all(self, errors: list[ResourceError], left: list[_Opened]) -> None:
        opening = [task for task in self._shared.values() if not task.done()]
        if opening:
            with contextlib.suppress(asyncio.CancelledError):  # what is open is closed all the same
                await asyncio.wait(opening)
        for task in self._shared.values():
            if task.done() and not task.cancelled():
                task.exception()  # whoever wanted it was told, or is gone
        while self._order:
            opened = self._order.pop()
            left.append(opened)
            try:
                await self._close(opened, None)
            except ResourceError as error:
                errors.append(error)
            except asyncio.CancelledError:
                if self._left:  # one that hangs keeps no other one open
                    continue
            left.remove(opened)

    def _real(self, resource: Resource) -> Any:
        return self._overrides.get(resource, resource)

    def _opens_here(self, resource: Any) -> bool:
        if not isinstance(resource, Resource) or resource.scope != "task" or resource.is_async:
            return False
        return all(self._opens_here(self._real(other)) for other in resource.needs.values())

    def _open_here(self, resource: Resource, attempt: InFlight, lent: list[_Opened]) -> Any:
        given = {
            name: self._open_here(self._real(other), attempt, lent)
            for name, other in resource.needs.items()
        }
        generator = resource.fn(**given)
        try:
            value = _yielded(next(generator, _ENDED))
        except BaseException as raised:
            raise _failed("open", resource, raised) from raised
        lent.append(_Opened(resource, generator, value))
        self._tell(ResourceAcquired, resource, attempt)
        return value

    def _close_here(self, opened: _Opened, attempt: InFlight) -> None:
        error = None
        try:
            if next(opened.generator, _ENDED) is not _ENDED:
                error = ResourceError(f"resource {opened.resource.name} yielded twice")
        except BaseException as raised:
            error = _failed("close", opened.resource, raised)
        self._tell_closed(opened.resource, attempt, error)
        if error is not None:
            raise error

    async def _value(
        self, resource: Resource, attempt: InFlight | None, lent: list[_Opened]
    ) -> Any:
        real = self._real(resource)
        if not isinstance(real, Resource):
            return real
        if real.scope == "task":
            return await self._open(real, attempt, lent)
        shared = self._shared.get(real)
        if shared is None:
            shared = self._shared[real] = begin_task(self._open(real, attempt, self._order))
        # Shielded: one borrower that is cancelled must not close the door on the others.
        return await asyncio.shield(shared)

    async def _open(self, resource: Resource, attempt: InFlight | None, into: list[_Opened]) -> Any:
        given = {
            name: await self._value(other, attempt, into) for name, other in resource.needs.items()
        }
        generator = resource.fn(**given)
        interrupted: asyncio.CancelledError | None = None
        try:
            if resource.is_async:
                step = _next(generator)
                value = _yielded(await self._driver.services.coroutines.there(step))
            else:
                value, interrupted = await self._to_the_end(partial(next, generator, _ENDED))
                value = _yielded(value)
        except asyncio.CancelledError:
            raise
        except BaseException as raised:  # as it is it could end the loop
            raise _failed("open", resource, raised) from raised
        into.append(_Opened(resource, generator, value))
        self._tell(ResourceAcquired, resource, attempt)
        if interrupted is not None:
            raise interrupted
        return value

    async def _close(self, opened: _Opened, attempt: InFlight | None) -> None:
        error: ResourceError | None = None
        interrupted: asyncio.CancelledError | None = None
        try:
            if opened.resource.is_async:
                step = _next(opened.generator)
                left = await self._driver.services.coroutines.there(step)
            else:
                left, interrupted = await self._to_the_end(partial(next, opened.generator, _ENDED))
            if left is not _ENDED:
                error = ResourceError(f"resource {opened.resource.name} yielded twice")
        except asyncio.CancelledError as raised:
            interrupted = raised  # it went through the generator, which is over
        except BaseException as raised:
            error = _failed("close", opened.resource, raised)
        self._tell_closed(opened.resource, attempt, error)
        if interrupted is not None:
            raise interrupted
        if error is not None:
            raise error

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._driver.services.portal.loop).result()

    async def _to_the_end(
        self, work: Callable[[], object]
    ) -> tuple[Any, asyncio.CancelledError | None]:
        """What `work` gives in a thread, and what cancelled the wait for it.

        A generator that runs in a thread can be neither used nor closed before it stands still, so
        a cancellation has to wait until it does, unless the run has ended without it.
        """
        doing = begin_task(run_in_thread(partial(_tried, work)))
        interrupted: asyncio.CancelledError | None = None
        while not doing.done():
            try:
                await asyncio.wait([doing])
            except asyncio.CancelledError as raised:
                interrupted = raised
                if self._left:
                    doing.cancel()
                    raise
        value, error = doing.result()
        if error is not None:
            raise error
        return value, interrupted

    def _tell_closed(
        self, resource: Resource, attempt: InFlight | None, error: ResourceError | None
    ) -> None:
        text = None if error is None else error_text(error.__cause__ or error)
        self._tell(ResourceReleased, resource, attempt, error=text)

    def _tell(
        self,
        kind: type[ResourceAcquired | ResourceReleased],
        resource: Resource,
        attempt: InFlight | None,
        **more: Any,
    ) -> None:
        driver, core = self._driver, self._driver.core
        with driver.lock:
            if resource.scope == "task" and driver.is_over:
                return  # of a thread that could not be stopped: its run has told its end
            if not driver.services.bus.listening:
                return
            driver.services.bus.publish(
                kind(
                    run_id=driver.run_id,
                    timestamp=driver.services.clock.wall(),
                    task_id="" if attempt is None else core.id_of(attempt.index),
                    task_name="" if attempt is None else core.node_of(attempt.index).task_name,
                    resource=resource.name,
                    scope=resource.scope,
                    **more,
                )
            )


async def _next(generator: Any) -> Any:
    return await anext(generator, _ENDED)


def _tried(work: Callable[[], object]) -> tuple[object, BaseException | None]:
    """What `work` gives, or what it raises: a task that raises `SystemExit` would end the loop."""
    try:
        return work(), None
    except BaseException as error:
        return None, error


def _yielded(value: Any) -> Any:
    if value is _ENDED:
        raise RuntimeError("it ended without a yield")
    return value


def _failed(what: str, resource: Resource, cause: BaseException) -> ResourceError:
    error = ResourceError(f"resource {resource.name} did not {what}: {error_text(cause)}")
    error.__cause__ = cause
    return error
