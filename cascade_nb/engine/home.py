"""On which loop an engine works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cascade_nb.engine.alarm import Alarm
from cascade_nb.engine.door import Door
from cascade_nb.engine.homeloop import HomeLoop
from cascade_nb.engine.lanes import Workers
from cascade_nb.engine.parts import Parts
from cascade_nb.errors import BlockingError

if TYPE_CHECKING:
    from cascade_nb.engine.engine import Engine


class Home:
    """The loop of an engine, and the parts that its runs reach for there.

    Attributes:
        own: the loop in a thread of the engine's own, where its user has none.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alarm = Alarm(engine.constraints, engine.clock)
        self._parts: Parts | None = None
        self.own: HomeLoop | None = None

    @property
    def is_here(self) -> bool:
        """Whether the caller's thread is the one whose loop the engine works on."""
        running = asyncio._get_running_loop()
        return self._parts is not None and self._parts.door.loop is running

    def parts(self) -> Parts:
        """The parts on the loop to work on: where runs go on, else the caller's, else one of the
        engine's own.

        Raises:
            BlockingError: runs go on on another loop.
        """
        running = asyncio._get_running_loop()
        parts = self._parts
        if parts is not None and not parts.door.loop.is_closed():
            # A loop that is open and does not run would never start what it is given: an earlier
            # `run_until_complete` is over. From another thread one that runs is as good as ours.
            if running is parts.door.loop or (running is None and parts.door.loop.is_running()):
                return parts
            if self._engine.runs:
                raise BlockingError(
                    "runs of this engine go on on another event loop; wait for them, or use "
                    "another Engine()"
                )
        if running is None:
            self.own = self.own or HomeLoop()
            running = self.own.loop
        return self._move(running)

    def leave(self) -> None:
        """End the loop of its own, if there is one; the next run makes another."""
        if self.own is not None:
            self.own.stop()
        self.own = self._parts = None

    def _move(self, loop: asyncio.AbstractEventLoop) -> Parts:
        engine = self._engine
        self._parts = Parts(
            solver=engine.adapters.solver,
            bus=engine.bus,
            clock=engine.clock,
            manager=engine.constraints,
            workers=Workers(engine.adapters.executor),
            door=Door(loop),
            overrides=engine.overrides,
        )
        self._alarm.move(self._parts.door)
        engine.link.move()
        return self._parts
