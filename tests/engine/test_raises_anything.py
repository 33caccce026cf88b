"""Whatever a user's code raises fails what raised it, and neither the loop nor a thread ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.dispatch.failures import DoneCallbackWarning
from cascade_nb.engine.runs import connector_supervisor as link
from cascade_nb.errors import CascadeError, ResourceError, RunError, TaskFailedError
from cascade_nb.events.bus import SubscriberWarning
from cascade_nb.testing import InProcessConnector


class BareError(BaseException):
    """What no `except Exception` sees."""


ANYTHING = (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BareError("bare"))
anything = pytest.mark.parametrize("what", ANYTHING, ids=lambda one: type(one).__name__)


@cs.task
def two() -> int:
    return 2


def _raising(what: BaseException, how: str) -> Any:
    """A call of a task that raises `what`."""
    if how == "async":

        async def fails() -> None:
            raise what
    elif how == "async, after a wait":

        async def fails() -> None:
            await asyncio.sleep(0)
            raise what
    else:

        def fails() -> None:  # type: ignore[misc]
            raise what

    return cs.task(fails, executor="inline" if how == "inline" else None)()


@anything
@pytest.mark.parametrize("how", ["async", "async, after a wait", "thread", "inline"])
async def test_a_task_may_raise_anything_and_fails(what: BaseException, how: str) -> None:
    async with _engine() as engine:
        with pytest.raises(TaskFailedError) as caught:
            await engine.run([_raising(what, how), two()], on_error="continue")
        assert caught.value.__cause__ is what
        # As many as there are threads: none of them has ended with what was raised.
        many = [_raising(what, how) for _ in range(40)]
        run = engine.start([*many, two()], on_error="continue", fresh=True)
        with pytest.raises(cs.errors.RunFailures):
            await run
        assert run.status.done == 1
        assert await engine.run(two(), fresh=True) == 2


class Moody:
    """A value that raises when it is asked anything."""

    def __init__(self, what: BaseException) -> None:
        self.what = what

    def __bool__(self) -> bool:
        raise self.what

    def __iter__(self) -> Iterator[int]:
        raise self.what

    def __hash__(self) -> int:
        raise self.what

    def __eq__(self, other: object) -> bool:
        raise self.what

    def __repr__(self) -> str:
        raise self.what


class MoodyError(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


@anything
@pytest.mark.parametrize("place", ["condition", "map", "router", "argument of what fails"])
async def test_a_value_may_raise_anything_when_it_is_asked(what: BaseException, place: str) -> None:
    @cs.task
    def moody() -> Moody:
        return Moody(what)

    @cs.task
    def takes(x: Any) -> Any:
        raise MoodyError

    targets: dict[str, Callable[[], Any]] = {
        "condition": lambda: two().run_if(moody()),
        "map": lambda: takes.map(x=moody()),
        "router": lambda: cs.Router(moody(), {"a": two()}),
        "argument of what fails": lambda: takes(moody()),
    }
    async with _engine() as engine:
        with pytest.raises(CascadeError):
            await engine.run(targets[place]())
        assert await engine.run(two(), fresh=True) == 2


def _resources(what: BaseException) -> dict[str, Any]:
    @cs.resource
    def opens() -> Iterator[int]:
        raise what
        yield 1

    @cs.resource
    def closes() -> Iterator[int]:
        yield 1
        raise what

    @cs.resource
    async def opens_async() -> AsyncIterator[int]:
        raise what
        yield 1

    @cs.resource
    async def closes_async() -> AsyncIterator[int]:
        yield 1
        raise what

    @cs.resource(scope="run")
    def opens_for_run() -> Iterator[int]:
        raise what
        yield 1

    @cs.resource(scope="run")
    def closes_for_run() -> Iterator[int]:
        yield 1
        raise what

    return dict(locals())


@anything
async def test_a_resource_may_raise_anything_when_it_opens_or_closes(what: BaseException) -> None:
    named = _resources(what)
    del named["what"]
    async with _engine() as engine:
        for (name, resource), is_async in itertools.product(named.items(), (True, False)):

            async def borrows(it: Any = cs.inject(resource)) -> Any:
                return it

            def borrows_in_thread(it: Any = cs.inject(resource)) -> Any:
                return it

            task = cs.task(borrows if is_async else borrows_in_thread)
            with pytest.raises(RunError) as caught:
                await engine.run(task(), fresh=True)
            error: BaseException | None = caught.value
            while error is not None and not isinstance(error, ResourceError):
                error = error.__cause__
            assert error is not None, name
            assert error.__cause__ is what or isinstance(what, GeneratorExit), name
        assert await engine.run(two(), fresh=True) == 2


@anything
@pytest.mark.filterwarnings("ignore::cascade_nb.events.bus.SubscriberWarning")
async def test_a_subscriber_may_raise_anything_and_hears_what_follows(what: BaseException) -> None:
    heard: list[str] = []

    def hears(event: Any) -> None:
        heard.append(type(event).__name__)
        raise what

    async with _engine() as engine:
        engine.bus.subscribe(hears)
        assert await engine.run(two()) == 2
        engine.bus.flush()
    assert {"RunStarted", "RunFinished"} <= set(heard)
    assert issubclass(SubscriberWarning, UserWarning)


@anything
async def test_a_done_callback_may_raise_anything_and_is_told_of_in_a_warning(
    what: BaseException,
) -> None:
    def over(run: object) -> None:
        raise what

    called: list[object] = []
    async with _engine() as engine:
        run = engine.start(two())
        run.add_done_callback(over)
        run.add_done_callback(called.append)
        with pytest.warns(DoneCallbackWarning, match="raised"):
            await asyncio.gather(run, asyncio.sleep(0.05))
        assert called == [run]


@anything
@pytest.mark.parametrize("place", ["connect", "subscribe", "publish", "disconnect"])
async def test_a_connector_may_raise_anything(
    what: BaseException, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PATIENCE", 0.05)
    monkeypatch.setattr(link, "FLUSH", 0.05)

    class Moodily(InProcessConnector):
        pass

    async def fails(*_: object, **__: object) -> None:
        raise what

    connector = Moodily()
    setattr(connector, place, fails)
    engine = Engine(connector=connector)
    assert await engine.run(two()) == 2
    await engine.aclose()


@contextlib.asynccontextmanager
async def _engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.aclose()
