"""What the sub-commands of `%cascade` do.

Each takes the session, its arguments, and whether what it gives is awaited; what it gives is the
value of the magic. What it refuses it refuses before it has done anything.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.aside import in_thread
from cascade_nb.errors import UsageError, nearest
from cascade_nb.graph.build import build_graph
from cascade_nb.model.caching import seconds_of
from cascade_nb.notebook.arguments import parameter_of
from cascade_nb.notebook.drawing import on_a_loop_of_its_own, show_graph, whole_graph
from cascade_nb.notebook.foretelling import show_plan, why
from cascade_nb.notebook.launching import Order, launch
from cascade_nb.notebook.output import TaskOutput
from cascade_nb.notebook.saved import summary
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.planned import ShownPlan
from cascade_nb.shortcuts import limit, pause, plan, resume


def draw(session: Session, given: Namespace, _awaited: bool) -> None:
    """Show the graph of some names, or of all."""
    if not given.name:
        graph, problems = whole_graph(session.workspace)
        if graph is None and not problems:
            problems = ["There are no nodes yet; a %%cascade cell makes some."]
    else:
        graph, problems = build_graph(session.targets(given.name)[1], session.workspace), []
    show_graph(session, graph, problems)


def start(session: Session, given: Namespace, awaited: bool) -> Any:
    """Start a run, and wait for it where the cell does."""
    order = Order(
        names=given.name,
        wait=given.wait,
        awaited=awaited,
        fresh=given.fresh,
        share=given.share,
        on_error=given.on_error,
        params=dict(parameter_of(text) for text in given.param),
    )
    return launch(session, order)


def tell_plan(session: Session, given: Namespace, awaited: bool) -> Any:
    """Say what a run would do."""
    _, target = session.targets(given.name)
    params = dict(parameter_of(text) for text in given.param)
    if not awaited:
        graph = session.engine.graph_of(target, session.workspace)
        show_plan(session, plan(graph, params=params))
        return None

    async def tell() -> None:
        made = await session.engine.plan(target, params=params, bindings=session.workspace)
        show_plan(session, await in_thread(ShownPlan.of(made).prepare))

    return tell()


def tell_status(session: Session, given: Namespace, _awaited: bool) -> None:
    """Say what runs are doing and what holds them."""
    runs = [session.run_named(given.run)] if given.run is not None else session.runs()
    parts = [summary(run.status, TaskOutput()) for run in runs]
    in_force = session.constraints().values()
    if in_force:
        now = session.engine.clock.now()
        lines = [f"  {_told(constraint, now)}" for constraint in in_force]
        parts.append("\n".join(["In force:", *lines]))
    say("\n\n".join(parts) or "Nothing was run yet, and nothing is held.")


def tell_why(session: Session, given: Namespace, awaited: bool) -> Any:
    """Say why a node stands as it does, and what would become of it now."""
    answer = why(session, given.node)
    if not awaited:
        say("\n".join(on_a_loop_of_its_own(answer)))
        return None

    async def tell() -> None:
        say("\n".join(await answer))

    return tell()


def hold(session: Session, given: Namespace, _awaited: bool) -> None:
    """Pause a scope."""
    scope = session.scope(given.scope)
    ttl = seconds_of(given.span) if given.span is not None else None
    pause(str(scope), reason=given.reason, ttl=ttl)
    lasts = f" for {seconds_text(ttl)}" if ttl is not None else ""
    say(f"Paused: {scope.words}{lasts}.{_standing(session, scope)}")


def let_go(session: Session, given: Namespace, _awaited: bool) -> None:
    """Resume a scope, or the only one that is paused."""
    paused = [scope for scope, kind in session.constraints() if kind == "pause"]
    only = given.scope is None and len(paused) == 1
    scope = paused[0] if only else session.scope(given.scope)
    if resume(str(scope)):
        say(f"Resumed: {scope.words}.")
        return
    stands = ", ".join(map(str, paused))
    say(f"{scope.words} was not paused" + (f"; paused is {stands}." if stands else "."))


def cap(session: Session, given: Namespace, _awaited: bool) -> None:
    """Limit a scope, or lift its limit."""
    *before, number = given.scope_and_number
    if len(before) > 1:
        raise UsageError("%cascade limit takes a scope and a number, such as `limit train 4`")
    scope = session.scope(before[0] if before else None)
    if number == "off":
        limit(str(scope), None)
        say(f"No limit any more: {scope.words}.")
        return
    try:
        most = int(number)
    except ValueError:
        raise UsageError(f"a limit is a whole number or off, not {number!r}") from None
    limit(str(scope), most)
    say(f"At most {most} at once: {scope.words}.{_standing(session, scope)}")


def end(session: Session, given: Namespace, _awaited: bool) -> None:
    """Cancel a run."""
    run = session.run_named(given.run, live=True)
    run.cancel("cancelled from the notebook")
    say(f"Cancelling run {run.number} of {run.graph.title}.")


def drop_names(session: Session, given: Namespace, _awaited: bool) -> None:
    """Take names out of the workspace."""
    session.workspace.drop(*map(session.spelled, given.name))
    say(f"Dropped: {', '.join(given.name)}.")


def _told(constraint: Constraint, now: float) -> str:
    """A constraint in a line."""
    words = {
        "pause": "paused",
        "concurrency": f"at most {constraint.limit} at once",
        "rate_limit": f"at most {constraint.rate:.3g} starts a second",
    }[constraint.type]
    line = f"{constraint.scope}: {words}, since {seconds_text(now - constraint.since)}"
    if constraint.expires is not None:
        line += f", for {seconds_text(constraint.expires - now)} more"
    by = f" by {constraint.by}" if constraint.by else ""
    return line + by + (f": {constraint.reason}" if constraint.reason else "")


def _standing(session: Session, scope: Scope) -> str:
    """What a constraint of this scope is about now, so that a slip of the finger is seen."""
    if scope.kind == "task":
        known = session.task_names()
        if not any(scope.matches(name) for name in known):
            return f" There is no such task yet{nearest(scope.value, known)}."
    if scope.kind in ("node", "from"):
        names = session.node_names()
        if scope.value not in names:
            return f" There is no such node yet{nearest(scope.value, names)}."
    return "".join(f" Run {run.number}: {run.status.headline}." for run in session.live_runs())
