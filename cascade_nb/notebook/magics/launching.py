"""Starts runs from a cell, and waits for them where the cell must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from cascade_nb.engine.runs.nested_wait import end_unseen, wait_for
from cascade_nb.engine.runs.request import new_run_id
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import RunError, RunFailures
from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.notebook.kernel.output import route
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.magics.again import ask_whether_again
from cascade_nb.notebook.magics.panels import open_panel
from cascade_nb.notebook.panel.panel import Panel
from cascade_nb.notebook.panel.saved import summary
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import at_a_prompt, running_cell, say


class LaunchOptions(NamedTuple):
    """What was asked for.

    Attributes:
        names: what to run; empty for what `Workspace.default_target` says.
        wait: whether the cell waits for the end.
        awaited: whether the caller awaits what `launch` gives.
        again: whether what ran last and failed is meant where no name is given.
    """

    names: Sequence[str] = ()
    wait: bool = False
    awaited: bool = False
    again: bool = True
    fresh: bool = False
    share: str = "no"
    on_error: str = "stop"
    on: Any = None
    priority: int | None = None
    params: Mapping[str, str] = {}


def launch(session: Session, options: LaunchOptions) -> Any:
    """Start a run and show its panel.

    A cell that is run again as it was, while the run goes on that it has started, shows that one
    and asks whether another is to be started; nothing waits for the answer.

    Returns:
        the run, at once, or, where the cell waits, when it is over; where it waits and `awaited`,
        something to await that gives the run.

    Raises:
        UsageError: there is nothing to run, it is not clear what, or it cannot be.
        RunError: the cell waited, and the run ended without a value.
    """
    chosen, target = session.targets(list(options.names), again=options.again)
    params = session.params_of(target, options.params)
    here = running_cell(session.shell)

    def begin(run_id: str) -> Run:
        return session.engine.start(
            target,
            params=params,
            bindings=session.workspace,
            on_error=options.on_error,
            on=options.on,
            priority=options.priority,
            fresh=options.fresh,
            share=options.share,
            run_id=run_id,
        )

    def begun(run: Run) -> None:
        session.asked = chosen
        session.launched(here, run, chosen)
        if not options.names:
            say(f"No name was given, so this runs `{chosen[0]}`.")

    going = None if options.wait or is_headless() else session.goes_on_of(here, chosen)
    if going is not None and running_kernel() and _alike(going.request.params, params):
        ask_whether_again(
            session, going, lambda: present(session, begin, new_run_id(), begun, wait=False)
        )
        return going

    return present(session, begin, new_run_id(), begun, wait=options.wait, awaited=options.awaited)


def _alike(params: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether the same is given; what cannot be compared in a moment is the same object only."""
    return params.keys() == others.keys() and all(
        one is others[name]
        or (
            one.__class__ in ATOMS
            and one.__class__ is others[name].__class__
            and one == others[name]
        )
        for name, one in params.items()
    )


def present(
    session: Session,
    begin: Callable[[str], Run],
    run_id: str,
    begun: Callable[[Run], object] = lambda _: None,
    *,
    wait: bool = False,
    awaited: bool = False,
) -> Any:
    """Begin a run and show its panel; see `launch` for what it gives.

    Args:
        begin: begins a run of this id.
        begun: called when it has begun.

    Raises:
        RunError: the cell waited, and the run ended without a value.
    """
    try:
        return _presented(session, begin, run_id, begun, wait, awaited)
    except BaseException as error:  # an interrupt, for instance: nobody would see the run
        interrupted = isinstance(error, (KeyboardInterrupt, asyncio.CancelledError))
        words = "it was interrupted" if interrupted else "its panel could not be shown"
        end_unseen(session.engine, run_id, words)
        raise


def _presented(
    session: Session,
    begin: Callable[[str], Run],
    run_id: str,
    begun: Callable[[Run], object],
    wait: bool,
    awaited: bool,
) -> Any:
    output = TaskOutput()
    has_widget = running_kernel() is not None and not is_headless()
    unroute = route(run_id, output) if has_widget else lambda: None
    try:
        run = begin(run_id)
        begun(run)
        session.notice(run)
        session.latest, session.shown_in = run, (run, running_cell(session.shell).number)
        panel = open_panel(session, run, output)
    except BaseException:
        unroute()
        raise
    if not wait and at_a_prompt():
        _go_on(run)
        return run
    if not (wait or is_headless()):
        return run
    return _await(run, panel) if awaited else _block(run, panel)


def _go_on(run: Run) -> None:
    """Give the prompt back, say how to follow the run from there, and how it ended when it has."""
    say(
        f"Run {run.number} of {run.graph.title} goes on in the background. `%cascade status` says "
        f"how far it is, `%cascade cancel {run.number}` ends it."
    )
    run.add_done_callback(lambda run: say(summary(run.status, TaskOutput())))


async def _await(run: Run, panel: Panel | None) -> Run:
    failed: RunError | None = None
    try:
        await run
    except RunFailures as failures:
        failed = _as_one(failures)
    except BaseException:
        run.interrupt()
        raise
    finally:
        if panel is not None:
            await panel.finished()
        else:
            say(summary(run.status, TaskOutput()))
    if failed is not None:
        raise failed
    return run


def _block(run: Run, panel: Panel | None) -> Run:
    failed: RunError | None = None
    try:
        wait_for(run)
    except RunFailures as failures:
        failed = _as_one(failures)
    finally:
        if panel is None:
            say(summary(run.status, TaskOutput()))
        elif run.done():
            # `wait_for` has made the loop one that can be run from within.
            asyncio.get_running_loop().run_until_complete(panel.finished())
    if failed is not None:
        raise failed
    return run


def _as_one(failures: RunFailures) -> RunError:
    """Several failures as one error of several lines.

    IPython shows a group as Python does, with each of our frames and outside of the cell's
    outputs, and so is what has one as its context: raise it where no group is being handled.
    """
    lines = [str(failure) for failure in failures.exceptions]
    return RunError("\n".join([f"{failures.message}:", *lines]))
