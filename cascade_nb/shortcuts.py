"""The functions of `cascade_nb` itself, such as `run` and `plan`, on one engine for the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from cascade_nb.advice import advised_value
from cascade_nb.concurrency.own_loop import StillWorkingError, on_own_loop
from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.defaults import default_engine, state_of
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.planning.planner import Found
from cascade_nb.engine.reporting.wait_messages import tell_of_lease
from cascade_nb.engine.runs.nested_wait import run_and_wait
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import LazyValueError, StateError
from cascade_nb.graph.graph import Graph
from cascade_nb.kept import Cleaned
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.value_lookup import use_look_up
from cascade_nb.model.options.caching import checked_older
from cascade_nb.model.tasks.present import is_present
from cascade_nb.protocols.journal import RunRecord
from cascade_nb.protocols.state_backend import StateBackend

if TYPE_CHECKING:
    from cascade_nb.plan_view import ShownPlan
    from cascade_nb.view.visual import Visual

T = TypeVar("T")
PATIENCE: Final = 5.0  # seconds that a name at the end of a cell may hold up the kernel


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
    if _tell is not None and _is_of_an_effect(value) and _did_nothing(started):
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


def _is_of_an_effect(value: object) -> bool:
    """Whether a task that gives this was run for what it prints, draws or writes."""
    return value is None or type(value).__module__.startswith("matplotlib.")


def _did_nothing(run: Run) -> bool:
    states = run.changed_since(-1)[1]
    return all(states.get(index) is NodeState.REUSED for index in run.graph.targets)


def plan(target: Any, *, params: Mapping[str, Any] | None = None, on: Any = None) -> ShownPlan:
    """What a run of `target` would do, node by node, and why; nothing runs. It displays itself as a
    table in a notebook.

    Args:
        target: what a call of a task gives, or a container of such.
        params: values of parameters by name.
        on: where sync tasks run, as for `run`; nothing is started there, and no cluster is asked.

    Returns:
        The plan, which prints as text.

    Raises:
        GraphError, ParamError: as `Engine.start`.

    Example:
        >>> print(cs.plan(report))  # doctest: +ELLIPSIS
        report: ...
    """
    from cascade_nb.plan_view import ShownPlan  # noqa: PLC0415 - it shows itself, with the view's help

    return ShownPlan.of(on_own_loop(default_engine().plan(target, params=params, on=on)))


def find_soon(engine: Engine, lazy: Lazy) -> Found:
    """What `Engine.find` gives, for a cell that is not to be held up for long.

    Raises:
        StateError: where results are kept cannot be read, or does not answer.
    """
    try:
        return on_own_loop(engine.find(lazy), PATIENCE)
    except StillWorkingError as late:
        raise StateError(f"where results are kept did not answer within {PATIENCE:g} s") from late


def value_of(lazy: Lazy) -> Any:
    """What `Lazy.value` gives.

    Raises:
        LazyValueError: no result stands.
        StateError: where results are kept cannot be read, or does not answer.
    """
    engine = default_engine()
    found = find_soon(engine, lazy)
    if found.there:
        return found.value
    bound = None if engine.bindings is None else engine.bindings.name_of(lazy)
    name = bound or lazy.options.name or lazy.label
    what = advised_value(bound, found.lasting, found.comes)
    raise LazyValueError(f"no value of {name} stands: {found.words}; {what}")


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


def runs() -> list[RunRecord]:
    """The runs that are written down where results are kept, latest first; see `Engine.recorded`.

    Returns:
        A record of each: its id, title and owner, when it began, and how it ended.

    Raises:
        UsageError, StateError: as `Engine.recorded`.

    Example:
        >>> cs.use_state("sqlite:///results.db")
        >>> value = cs.run(report)
        >>> [run.status for run in cs.runs()]
        ['succeeded']
    """
    return on_own_loop(default_engine().recorded())


def use_state(place: StateBackend | str) -> None:
    """Keep results in `place` from now on; see `Engine.use_state`.

    Args:
        place: "memory:", "sqlite:///results.db", "redis://localhost:6379/0", or a state backend.

    Raises:
        UsageError, StateError: as `Engine.use_state`, or the URL cannot be read.

    Example:
        >>> cs.use_state("memory:")  # or "sqlite:///results.db", before running
    """
    on_own_loop(default_engine().use_state(state_of(place)))


def clean(older: str | float | None = None) -> Cleaned:
    """Remove kept results that have expired or are over the limit of the place where they lie.

    Args:
        older: a length of time, as "30d" or in seconds: results that nobody made or read for so
            long go too, and what is written down of runs that ended before. 0 removes all.

    Returns:
        How many results were removed, and how many bytes they had.

    Raises:
        UsageError: nobody can read the length of time.
        StateError: the place cannot be reached or written.

    Example:
        >>> value = cs.run(report)
        >>> cs.clean(0).results  # all of them; cs.clean("30d") those that nobody used for so long
        1
    """
    return on_own_loop(default_engine().clean(checked_older(older)))


def visualize(target: Any) -> Visual:
    """A picture of what `target` needs, which displays itself in a notebook; nothing runs.

    Args:
        target: what a call of a task gives, or a container of such.

    Returns:
        The picture: `.save("flow.svg")` writes it to a file, and it prints as text.

    Raises:
        GraphError: there is nothing to show, or it needs itself.

    Example:
        >>> print(cs.visualize(report))  # doctest: +ELLIPSIS
        report: 3 nodes...
    """
    from cascade_nb.view.visual import Visual  # noqa: PLC0415 - most scripts draw nothing

    return Visual(default_engine().graph_of(target))


use_look_up(value_of)
