"""What holds for every test: nothing is left behind, and the loop is never held up."""

from __future__ import annotations

import asyncio
import compileall
import gc
import inspect
import pathlib
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from hypothesis import settings

from tests.support import collecting, leaks, second_look, spread
from tests.support.blocking import blocking_calls
from tests.support.examples import PROFILE
from tests.support.kernels import LABELS, RealKernel

settings.load_profile(PROFILE)

# jsonschema builds forty grammars with it, a second of work in each process that imports nbformat,
# for formats that no notebook has.
sys.modules["rfc3987_syntax"] = cast("Any", None)


def pytest_configure(config: pytest.Config) -> None:
    leaks.adopt_orphans()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Shells have what they start in the background ignore interrupts, and that is inherited.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    second_look.register(config)
    if not hasattr(config, "workerinput"):
        # Where Python writes no bytecode by itself, each of the hundreds of processes that tests
        # start would compile the package anew, which takes it three times as long to begin.
        compileall.compile_dir(pathlib.Path(__file__).parents[1] / "cascade_nb", quiet=2)
    else:
        collecting.begin(config)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    spread.mark_outside(items)
    if hasattr(config, "workerinput"):  # one of several processes
        items[:] = spread.in_order(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        collecting.end()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return spread.workers(waiting=config.option.numprocesses == "auto")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> spread.Spread:
    return spread.Spread(config, log)


@pytest.fixture(autouse=True, scope="module")
def settled_heap() -> None:
    """Spares each garbage collection the modules that are loaded: it looks at a test's objects.

    With pandas and Lab in the process a full collection takes a fifth of a second, and each
    IPython shell that ends does two.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def leak_guard() -> Iterator[None]:
    """Fails a test that leaves a thread, a child process or an unread failure of a task."""
    before = leaks.Before()
    with leaks.AsyncioComplaints().collected() as complaints:
        yield
        left = before.strays()
    assert not left, f"this test left behind {', '.join(left)}"
    assert not complaints, "asyncio complained: " + "\n".join(complaints)


@pytest.fixture(autouse=True)
def task_guard(
    leak_guard: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fails a test that leaves a task to whoever closes its loop.

    It ends before `leak_guard`, which looks when the loop is closed and its threads are gone.
    """
    swept: list[str] = []

    def sweep(loop: asyncio.AbstractEventLoop) -> None:
        # asyncio.run() cancels what is left, silently; here it is named first.
        swept.extend(loop.run_until_complete(leaks.tasks_left(())))
        cancel_all(loop)

    cancel_all = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]
    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", sweep)
    if _is_async(request.function):
        request.getfixturevalue("task_guard_on_the_loop")
    yield
    assert not swept, f"this test left behind {', '.join(swept)}"


@pytest.fixture(autouse=True)
def fresh_default_engine(leak_guard: None) -> Iterator[None]:
    """Fails a test that leaves a run going on, and gives each test a default engine of its own.

    What one test paused, limited or computed with `cs.run` must not be there for the next.
    """
    before = leaks.live_runs()
    yield
    left = leaks.runs_left(before)
    opening: Any = sys.modules.get("cascade_nb.door.opening")
    if opening is not None:
        opening.DOOR.close()
    defaults: Any = sys.modules.get("cascade_nb.defaults")
    if defaults is not None and defaults._engine is not None:
        engine, defaults._engine = defaults._engine, None
        if not engine.runs:
            engine.close()
    assert not left, f"this test left behind {', '.join(left)}"


@pytest.fixture
async def task_guard_on_the_loop() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = await leaks.tasks_left(before)
    assert not left, f"this test left behind {', '.join(left)}"


@pytest.fixture(autouse=True)
def blocking_guard(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test in which the package blocks a loop, unless it is marked `may_block(reason)`."""
    if request.node.get_closest_marker("may_block"):
        yield
        return
    with blocking_calls() as calls:
        yield
    assert not calls, "the loop was blocked by " + "\n".join(calls)


@pytest.fixture(params=LABELS)
def kernel_label(request: pytest.FixtureRequest) -> str:
    """Each ipykernel version in turn."""
    return str(request.param)


@pytest.fixture
def kernel(kernel_label: str) -> Iterator[RealKernel]:
    """A real kernel of each version in turn, that ends with the test."""
    with RealKernel.start(kernel_label) as running:
        yield running


def _is_async(function: object) -> bool:
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inner)
