"""Faults at every point where an engine meets the outside: each call of a connector, a state, a
resource and a subscriber is a numbered point, and one fault is put in at one of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from cascade_nb.connectors.local import InProcessConnector
from cascade_nb.engine import Engine, Phase, Run
from cascade_nb.errors import RunCancelledError, StateError
from cascade_nb.events.events import RunFinished
from cascade_nb.testing import SpySubscriber
from tests.engine.states import PaperState
from tests.engine.tools import until
from tests.support.fault_tasks import ENGINE, POINTS, parent, workflow

PATIENCE: Final = 60.0  # seconds in which a run must have ended, on a busy machine
HANGS: Final = 0.4  # seconds after which its user gives up what hangs
GRACE: Final = 0.05
LEASE: Final = 0.3  # so that it is renewed after 0.1 s

CONNECTOR: Final = ("connect", "disconnect", "publish", "subscribe")
STATE: Final = ("open", "put", "known", "values", "close")
JOURNAL: Final = (
    *("claim", "renew", "release", "describe", "finish", "write", "read", "append", "history"),
    *("runs", "forget"),
)
VALUE: Final = [2, [0, 1, 4], 7]
ENDS: Final = ("cancelled", "cancel", "sweep")
FAULTS: Final = ("error", "unreachable", "exit", "interrupt", "hang", "pause", *ENDS)


class FaultError(OSError):
    """What the outside raises; its text says where."""


@dataclasses.dataclass
class Points:
    """Numbers the points that are reached, and does something at one of them.

    Attributes:
        at: the number of the point at which the fault happens; None: never.
        fault: called with the name of the point; it may raise, or give an awaitable.
        names: of the points, in the order in which they were reached.
        struck: the name of the point at which the fault happened.
    """

    at: tuple[str, int] | None = None
    fault: Callable[[str], Any] = lambda name: None
    names: list[str] = dataclasses.field(default_factory=list)
    struck: str | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def touch(self, name: str) -> Any:
        """A point is reached."""
        with self.lock:
            self.names.append(name)
            here = name, self.names.count(name)
        if here != self.at:
            return None
        self.struck = name
        return self.fault(name)

    async def reach(self, name: str) -> None:
        """The same in a coroutine."""
        done = self.touch(name)
        if inspect.isawaitable(done):
            await done

    async def come_to(self, name: str) -> None:
        """Go on when a point was reached, or will not be, since the fault is before it."""
        patience = time.monotonic() + 2 * LEASE
        while name not in self.names and time.monotonic() < patience:  # noqa: ASYNC110  # threads
            await asyncio.sleep(0.005)

    def pass_by(self, name: str) -> None:
        """The same in a function, which may not wait where it is called on a loop."""
        done = self.touch(name)
        if inspect.iscoroutine(done):
            done.close()


class Pointed:
    """An adapter like another one, whose every call is a point before and behind it."""

    def __init__(self, real: Any, points: Points, names: tuple[str, ...], title: str) -> None:
        self._real, self._points, self._names, self._title = real, points, names, title

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._names:
            return found
        points, title = self._points, f"{self._title}.{name}"
        if not inspect.iscoroutinefunction(found):

            def call(*args: Any, **kwargs: Any) -> Any:
                points.pass_by(title)
                return found(*args, **kwargs)

            return call

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            await points.reach(title)
            got = await found(*args, **kwargs)
            await points.reach(f"{title}, done")
            return got

        return awaited


class PointedState(Pointed):
    """A state that lasts, whose calls and those of its journal are points."""

    def __init__(self, real: PaperState, points: Points) -> None:
        super().__init__(real, points, STATE, "state")
        self.journal = Pointed(real.paper, points, JOURNAL, "journal")


class World:
    """An engine among adapters whose calls are points, and a run of it.

    Args:
        points: where the fault is put in.
        fault: what happens there, one of `FAULTS`.
        driven: whether the points are the suspensions of the engine's own coroutines instead.
        paper: what is kept from before.
    """

    def __init__(
        self, points: Points, fault: str, driven: bool = False, paper: PaperState | None = None
    ) -> None:
        self.points, self._fault = points, fault
        self.paper = paper or PaperState()
        self.let_go = threading.Event()
        self.run: Run | None = None
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._me = asyncio.current_task()
        points.fault = getattr(self, f"_{fault}")
        if driven:
            drive(self._loop, points)
            points = Points()
        self._reached = points  # the tasks have a weak reference to it
        POINTS.set(weakref.ref(points))
        self.engine = Engine(
            connector=Pointed(InProcessConnector(), points, CONNECTOR, "connector"),
            state_backend=PointedState(self.paper, points),
            grace=GRACE,
            lease=LEASE,
        )
        ENGINE.set(weakref.ref(self.engine))
        self.spy = SpySubscriber(self.engine.bus)
        self.engine.bus.subscribe(lambda _: points.pass_by("subscriber"))

    def _error(self, name: str) -> None:
        raise FaultError(f"broken at {name}")

    def _unreachable(self, name: str) -> None:
        raise StateError(f"out of reach at {name}")

    def _exit(self, name: str) -> None:
        raise SystemExit(f"exit at {name}")

    def _interrupt(self, name: str) -> None:
        raise KeyboardInterrupt(f"interrupt at {name}")

    def _cancelled(self, name: str) -> None:
        raise asyncio.CancelledError(f"cancelled at {name}")

    def _hang(self, name: str) -> Any:
        if asyncio._get_running_loop() is None:
            self.let_go.wait(PATIENCE)
            return None
        return until(self.let_go.is_set)

    def _cancel(self, name: str) -> None:
        if self.run is not None:
            self.run.cancel(f"cancelled at {name}")

    def _pause(self, name: str) -> None:
        self._paused = True
        self.engine.pause(reason=f"at {name}")

    def _sweep(self, name: str) -> None:
        """Somebody cancels every task there is."""
        others = (task for task in asyncio.all_tasks(self._loop) if task is not self._me)
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in others])

    async def ended(self, run: Run) -> bool:
        """Wait for the end of a run as its user would: what is paused is resumed, and what hangs is
        cancelled after a while; False when even that did not end it.
        """
        patience = HANGS if self._fault == "hang" and self.points.at else PATIENCE
        since, cancelled = time.monotonic(), False
        while not run.done():
            if self._paused or run.status.phase is Phase.PAUSED:
                await asyncio.sleep(0.01)
                self._paused = False
                self.engine.resume()
                run.resume()
            if self.points.struck and time.monotonic() - since > patience:
                if cancelled:
                    return False
                run.cancel("it hangs")
                since, patience, cancelled = time.monotonic(), PATIENCE, True
            await asyncio.sleep(0.002)
        return True

    async def complaints(self, scenario: str) -> list[str]:
        """Run with the fault; what of the promises does not hold, in words."""
        target = parent.lazy() if scenario == "nested" else workflow()
        if scenario == "attached":
            try:
                asking = self.engine.attach()
                if self._fault == "hang":
                    asking = asyncio.wait_for(asking, HANGS)
                self.run = run = await asking
            except BaseException as raised:  # it tells who asks, and begins nothing
                given_up = {"hang": asyncio.TimeoutError, "sweep": asyncio.CancelledError}
                named = isinstance(raised, given_up.get(self._fault, ()))
                named |= str(self.points.struck) in str(raised)
                return [] if named else [f"not attached: {raised!r}"]
        else:
            self.run = run = self.engine.start(target)
        if not await self.ended(run):
            return [f"it never ends: {run.status.headline}"]
        found: list[str] = []
        error = run.exception()
        words = texts_of(error)
        if error is None and run.result() != VALUE:
            found.append(f"a wrong value: {run.result()!r}")
        cancelled = isinstance(error, RunCancelledError) and self._fault in (*ENDS, "hang")
        cancelled |= self._fault == "cancelled" and "CancelledError" in words
        if error is not None and not cancelled and (self.points.struck or "") not in words:
            found.append(f"its error does not name what failed: {words}")
        ends = [e for e in self.spy.events_of_type(RunFinished) if e.run_id == run.id]
        if len(ends) != 1:
            found.append(f"its end was told {len(ends)} times")
        elif (ends[0].status == "succeeded") != (error is None):
            found.append(f"it was told to have {ends[0].status}, and ended with {words or VALUE}")
        self.points.at = None
        self.let_go.set()
        again = self.engine.start(target, fresh=True)
        if not await self.ended(again):
            found.append(f"the next one never ends: {again.status.headline}")
        elif again.exception() is not None:
            found.append(f"the next one failed: {texts_of(again.exception())}")
        return found

    async def close(self) -> list[str]:
        """Close the engine; what did not."""
        try:
            await asyncio.wait_for(self.engine.aclose(), PATIENCE)
        except Exception as error:
            return [f"the engine does not close: {error!r}"]
        return []


def texts_of(error: BaseException | None) -> str:
    """An error and all it stands on, in words."""
    words = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        words.append(f"{type(error).__name__}: {error}")
        words += map(texts_of, getattr(error, "exceptions", ()))
        error = error.__cause__ or error.__context__
    return " <- ".join(words)


class Driven(Coroutine[Any, Any, Any]):
    """A coroutine whose every suspension is a point; what the fault raises is thrown into it."""

    def __init__(self, inner: Any, points: Points) -> None:
        self._inner, self._points = inner, points

    def send(self, value: Any) -> Any:
        """A step."""
        return self._suspended(self._inner.send(value))

    def throw(self, *error: Any) -> Any:
        """A step with an error."""
        return self._suspended(self._inner.throw(*error))

    def close(self) -> None:
        """No more steps."""
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()

    def _suspended(self, waits_for: Any) -> Any:
        names, step = [], self._inner
        while step is not None and hasattr(step, "cr_code"):
            names.append(
                step.cr_code.co_qualname
                if hasattr(step.cr_code, "co_qualname")
                else step.__qualname__
            )
            step = step.cr_await
        try:
            self._points.touch(" > ".join(names))
        except BaseException as error:
            if waits_for is not None:
                waits_for._asyncio_future_blocking = False
            return self._suspended(self._inner.throw(error))
        return waits_for


def drive(loop: asyncio.AbstractEventLoop, points: Points) -> None:
    """Have every coroutine of an engine that becomes a task of `loop` suspend at points."""

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        code = getattr(coro, "cr_code", None)
        if code is not None and "/cascade_nb/engine/" in code.co_filename:
            coro = Driven(coro, points)
        return asyncio.Task(coro, loop=loop, **kwargs)

    loop.create_task = partial(factory, loop)  # type: ignore[method-assign]


async def one_case(
    points: Points, fault: str, scenario: str = "plain", driven: bool = False
) -> list[str]:
    """A run with a fault at one point; what of the promises does not hold, in words.

    Args:
        scenario: "plain"; "nested": within a task; "attached": another engine has left it.
    """
    paper = PaperState()
    if scenario == "attached":
        before = World(Points(at=("shared opens", 1)), "cancel", paper=paper)
        await before.complaints("left")
        await before.close()
    world = World(points, fault, driven, paper)
    try:
        found = await world.complaints(scenario)
    finally:
        world.let_go.set()
        found += await world.close()
    return [f"{fault} at {points.struck}, {scenario}: {words}" for words in found]
