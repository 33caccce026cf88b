"""The two ways that are walked most go through few files: who reads the code has to follow them.

Counted are the calls into the package, in the order in which they happen: how many files they are
in, and how often the next call is in another file than the one before.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.events import TaskBlocked
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import until

_PACKAGE = Path(cs.__file__).parent


class Walk:
    """The files that one thread of execution comes through."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @property
    def files(self) -> set[str]:
        """Which they are."""
        return set(self.steps)

    @property
    def changes(self) -> int:
        """How often the next is another."""
        return sum(a != b for a, b in zip(self.steps, self.steps[1:], strict=False))

    def cut(self, first: str, last: str) -> None:
        """Leave out what comes before the first step in a file, and after the last in another."""
        self.steps = self.steps[self.steps.index(first) :]
        del self.steps[len(self.steps) - self.steps[::-1].index(last) :]

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        """For `sys.setprofile`."""
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(str(_PACKAGE)):
            self.steps.append(str(Path(name).relative_to(_PACKAGE)))


#: What the body of a link calls; it stands here, and not in the task, whose code is looked at.
_hooks: list[Callable[[], None]] = []


@cs.task(executor="thread", shares_process=True)
def link(x: int) -> int:
    for hook in _hooks:
        hook()
    return x + 1


@contextlib.contextmanager
def hooked(hook: Callable[[], None]) -> Iterator[None]:
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


async def test_a_result_comes_to_the_next_start_and_its_event_through_few_files(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(reuse=False)
    walk, bodies = Walk(), 0

    def hook() -> None:
        nonlocal bodies
        bodies += 1
        # At the sixth all that is looked up once has been.
        sys.setprofile(walk.note if bodies == 6 else None)

    engine.bus.subscribe()
    value: Any = 0
    for _ in range(8):
        value = link(value)
    with hooked(hook):
        assert await engine.start(value) == 8
    walk.cut("engine/dispatch/attempt.py", "events/bus.py")
    assert len(walk.files) <= 16, sorted(walk.files)
    assert walk.changes <= 26, walk.steps


async def test_a_lifted_pause_comes_to_a_worker_through_few_files(
    engine: Engine, spy: SpySubscriber
) -> None:
    walk = Walk()
    engine.pause("task:link")
    run = engine.start(link(0))
    await until(lambda: spy.events_of_type(TaskBlocked))
    sys.setprofile(walk.note)
    try:
        engine.resume("task:link")
    finally:
        sys.setprofile(None)
    assert await run == 1
    walk.cut("control/manager.py", "executors/local.py")
    assert len(walk.files) <= 26, sorted(walk.files)
    assert walk.changes <= 46, walk.steps
