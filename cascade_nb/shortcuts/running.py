"""Runs a target on the engine of the process: `cs.run`, `cs.start`, `cs.attach`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.defaults import default_engine
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.reporting.wait_messages import tell_of_lease
from cascade_nb.engine.runs.nested_wait import run_and_wait
from cascade_nb.engine.runs.run import Run
from cascade_nb.graph.graph import Graph
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.tasks.present import is_present

T = TypeVar("T")


def start(
    target: Any,
    *,
    params: Mapping[str, Any] | None = None,
    on_error: str = "stop",
    fresh: bool = False,
    log: str | None = None,
    share: str = "no",
    on: str | Submits | None = None,
    priority: int | None = None,
) -> Run:
    """Start a run of what `target` needs, and return at once.

    Args:
        target: what a call of a task gives, or a container of such.
        params: values of parameters by name.
        on_error: "stop": after a failure nothing new starts; "continue": all that does not need
            what failed goes on.
        fresh: True to use no results of earlier runs.
        log: "human" or "json": tell what happens in lines on the standard error stream.
        share: "wait": what another kernel with the same state computes just now is waited for.
        on: "threads" (default), "processes" or an executor: where tasks run that do not say it.
        priority: -1000 to 1000: all of it starts before what other runs have at a lower one (0).

    Returns:
        A `Run`: `run.result()` waits for the value, and `run.pause()`, `.cancel()`, `.status` and
        `.why("name")` are there meanwhile.

    Raises:
        UsageError: there is nothing to run, it needs itself, or a parameter is unknown, missing or
            of the wrong type; see `Engine.start`.

    Example:
        >>> run = cs.start(report)
        >>> run.pause()
        >>> run.resume()
        >>> run.result()  # in a notebook also: await run
        3
    """
    said = {"params": params, "on_error": on_error, "fresh": fresh, "log": log, "share": share}
    return default_engine().start(target, **said, on=on, priority=priority)  # type: ignore[arg-type]


@overload
def run(
    target: LazyResult[T],
    *,
    params: Mapping[str, Any] | None = ...,
    on_error: str = ...,
    fresh: bool = ...,
    log: str | None = ...,
    share: str = ...,
    on: str | Submits | None = ...,
    priority: int | None = ...,
) -> T: ...
@overload
def run(
    target: MappedLazyResult[T],
    *,
    params: Mapping[str, Any] | None = ...,
    on_error: str = ...,
    fresh: bool = ...,
    log: str | None = ...,
    share: str = ...,
    on: str | Submits | None = ...,
    priority: int | None = ...,
) -> list[T]: ...
@overload
def run(
    target: Any,
    *,
    params: Mapping[str, Any] | None = ...,
    on_error: str = ...,
    fresh: bool = ...,
    log: str | None = ...,
    share: str = ...,
    on: str | Submits | None = ...,
    priority: int | None = ...,
) -> Any: ...
def run(
    target: Any,
    *,
    params: Mapping[str, Any] | None = None,
    on_error: str = "stop",
    fresh: bool = False,
    log: str | None = None,
    share: str = "no",
    on: str | Submits | None = None,
    priority: int | None = None,
) -> Any:
    """Run `target` and give its value, in a script, a test or a notebook's cell.

    What is a value already is given as it is: a container without lazy values, and in a task's body
    whatever a plain call gave. An interrupt cancels the run.

    Args:
        target: what a call of a task gives, or a container of such.
        params: values of parameters by name.
        on_error: "stop": after a failure nothing new starts; "continue": all that can.
        fresh: True to use no results of earlier runs.
        log: "human" or "json": tell what happens in lines on the standard error stream.
        share: "wait": what another kernel with the same state computes just now is waited for.
        on: "threads" (default), "processes" or an executor: where tasks run that do not say it.
        priority: -1000 to 1000: all of it starts before what other runs have at a lower one (0).

    Returns:
        The value: of a call what its task returned, of a map the list of these, of a container the
        same container with values in the places of lazy ones.

    Raises:
        UsageError: as `cs.start`.
        BlockingError: the loop was patched by the archived nest_asyncio on ipykernel 7.
        RunError, RunFailures: the run ended without a value.

    Example:
        >>> cs.run(report)
        3
        >>> cs.run(report, params={"size": 10}, fresh=True)  # uses no kept results
        45
    """
    if not (params or isinstance(target, Graph)) and is_present(target):
        # In a body the call of an `async def` task gives a coroutine, whose value is asked for.
        return on_own_loop(target) if asyncio.iscoroutine(target) else target
    said: Any = {"params": params, "on_error": on_error, "fresh": fresh, "log": log, "on": on}
    said.update(share=share, priority=priority)
    engine = default_engine()
    started, value = run_and_wait(engine, lambda it: engine.start(target, **said, run_id=it))
    if _tell is not None and is_of_an_effect(value) and _did_nothing(started):
        title = started.graph.title
        _tell(f"{title} did not run again: its result stands. cs.run(…, fresh=True) runs it.")
    return value


def tell_of_reuse(tell: Callable[[str], object]) -> Callable[[], object]:
    """From now on `tell` where `run` is asked for what has an effect and no value, and a result
    stands, so that nothing happens. Gives what undoes it; a notebook says it below the cell.
    """
    global _tell  # a process has one place where this is read
    before, _tell = _tell, tell

    def undo() -> None:
        global _tell  # noqa: PLW0603 - as above
        _tell = before

    return undo


_tell: Callable[[str], object] | None = None


def is_of_an_effect(value: object) -> bool:
    """Whether a task that gives this was run for what it prints, draws or writes."""
    return value is None or type(value).__module__.startswith("matplotlib.")


def _did_nothing(run: Run) -> bool:
    states = run.changed_since(-1)[1]
    return all(states.get(index) is NodeState.REUSED for index in run.graph.targets)


def attach(run: str | None = None, *, log: str | None = None) -> Run:
    """Go on with a run whose kernel is gone: nothing that was completed runs again.

    Args:
        run: its id, or how it begins; None for the latest that did not succeed.
        log: as for `cs.start`.

    Returns:
        A `Run` under the same id, which has begun.

    Raises:
        UnknownNameError, UsageError, LeaseHeldError, StateError: as `Engine.attach`.

    Example:
        >>> cs.use_state("sqlite:///results.db")  # where the run was written down
        >>> run = cs.attach()  # the latest that did not come to its end
        >>> run.result()
        3
    """
    engine = default_engine()
    graph, orders, run_id = on_own_loop(engine.take_up(run, log=log, on_wait=tell_of_lease))
    return engine.begin(graph, orders, run_id)
