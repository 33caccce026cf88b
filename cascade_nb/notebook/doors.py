"""The sub-commands of `%cascade`: what each takes, and what it does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.engine import ON_ERROR
from cascade_nb.engine.run import Run
from cascade_nb.errors import UnknownNameError, UsageError, nearest
from cascade_nb.graph.build import build_graph
from cascade_nb.notebook.arguments import Arguments, parameter_of, seconds_of
from cascade_nb.notebook.drawing import show_graph, whole_graph
from cascade_nb.notebook.launching import Order, launch
from cascade_nb.notebook.output import TaskOutput
from cascade_nb.notebook.saved import summary
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.shortcuts import plan


class Door(NamedTuple):
    """One sub-command.

    Attributes:
        takes: its arguments.
        kind: what its arguments name, for completion: "nodes", "scopes", "runs" or "names".
        act: does it; what it gives is the value of the magic. The last argument says whether that
            is awaited.
    """

    takes: Arguments
    kind: str
    act: Callable[[Session, Namespace, bool], Any]


def _graph(session: Session, given: Namespace, _awaited: bool) -> None:
    if not given.name:
        graph, problems = whole_graph(session.workspace)
        if graph is None and not problems:
            problems = ["There are no nodes yet; a %%cascade cell makes some."]
    else:
        graph, problems = build_graph(session.targets(given.name)[1], session.workspace), []
    show_graph(session, graph, problems)


def _run(session: Session, given: Namespace, awaited: bool) -> Any:
    order = Order(
        names=given.name,
        wait=given.wait,
        awaited=awaited,
        fresh=given.fresh,
        on_error=given.on_error,
        params=dict(parameter_of(text) for text in given.param),
    )
    return launch(session, order)


def _plan(session: Session, given: Namespace, awaited: bool) -> Any:
    _, target = session.targets(given.name)
    params = dict(parameter_of(text) for text in given.param)
    if not awaited:
        say(str(plan(session.engine.graph_of(target, session.workspace), params=params)))
        return None

    async def tell() -> None:
        made = session.engine.plan(target, params=params, bindings=session.workspace)
        say(str(await made))

    return tell()


def _status(session: Session, given: Namespace, _awaited: bool) -> None:
    runs = [session.run_named(given.run)] if given.run is not None else session.runs()
    parts = [summary(run.status, TaskOutput()) for run in runs]
    in_force = session.engine.constraints.constraints()
    if in_force:
        now = session.engine.clock.now()
        lines = [f"  {_told(constraint, now)}" for constraint in in_force]
        parts.append("\n".join(["In force:", *lines]))
    say("\n\n".join(parts) or "Nothing was run yet, and nothing is held.")


def _why(session: Session, given: Namespace, _awaited: bool) -> None:
    runs = session.runs()
    for run in runs:
        try:
            reasons = run.why(given.node)
        except UnknownNameError:
            continue
        say("\n".join(f"run {run.number}: {reason}" for reason in reasons))
        return
    known = {node.id for run in runs for node in run.graph.nodes}
    if given.node in session.workspace.meanings():
        say(f"{given.node} is part of no run; `%cascade run {given.node}` starts one.")
        return
    raise UnknownNameError("node", given.node, known | session.node_names())


def _pause(session: Session, given: Namespace, _awaited: bool) -> None:
    scope = session.scope(given.scope)
    ttl = seconds_of(given.span) if given.span is not None else None
    session.engine.pause(str(scope), reason=given.reason, ttl=ttl)
    lasts = f" for {seconds_text(ttl)}" if ttl is not None else ""
    say(f"Paused: {scope.words}{lasts}. {_standing(session, scope)}")


def _resume(session: Session, given: Namespace, _awaited: bool) -> None:
    engine = session.engine
    paused = [c.scope for c in engine.constraints.constraints() if c.type == "pause"]
    only = given.scope is None and len(paused) == 1
    scope = paused[0] if only else session.scope(given.scope)
    if engine.resume(str(scope)):
        say(f"Resumed: {scope.words}.")
        return
    stands = ", ".join(map(str, paused))
    say(f"{scope.words} was not paused" + (f"; paused is {stands}." if stands else "."))


def _limit(session: Session, given: Namespace, _awaited: bool) -> None:
    *before, number = given.scope_and_number
    if len(before) > 1:
        raise UsageError("%cascade limit takes a scope and a number, such as `limit train 4`")
    scope = session.scope(before[0] if before else None)
    if number == "off":
        session.engine.limit(str(scope), None)
        say(f"No limit any more: {scope.words}.")
        return
    try:
        most = int(number)
    except ValueError:
        raise UsageError(f"a limit is a whole number or off, not {number!r}") from None
    session.engine.limit(str(scope), most)
    say(f"At most {most} at once: {scope.words}. {_standing(session, scope)}")


def _cancel(session: Session, given: Namespace, _awaited: bool) -> None:
    run = session.run_named(given.run, live=True)
    run.cancel("cancelled from the notebook")
    say(f"Cancelling run {run.number} of {run.graph.title}.")


def _drop(session: Session, given: Namespace, _awaited: bool) -> None:
    for name in given.name:
        session.workspace.drop(name)
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
            return f"There is no such task yet{nearest(scope.value, known)}."
    if scope.kind in ("node", "from"):
        names = session.node_names()
        if scope.value not in names:
            return f"There is no such node yet{nearest(scope.value, names)}."
    lines = [_line(run) for run in session.engine.runs]
    return " ".join(lines)


def _line(run: Run) -> str:
    status = run.status
    return (
        f"Run {status.number}: {count_text(status.running, 'task')} finishing, {status.held} held."
    )


def _arguments(name: str, summary: str, examples: Sequence[tuple[str, str]] = ()) -> Arguments:
    return Arguments(f"%cascade {name}", summary, examples)


def _add_params(arguments: Arguments) -> None:
    arguments.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a parameter; as often as you like",
    )


def _doors() -> dict[str, Door]:
    graph = _arguments("graph", "Show the graph of some names, or of all.")
    graph.add_argument("name", nargs="*", help="what to show, with everything that it needs")

    run = _arguments(
        "run",
        "Run what some names need; the notebook stays free and a panel shows how it goes.",
        [
            ("%cascade run report", "at once back; the panel has Pause and Cancel"),
            ("%cascade run report --wait", "the cell ends when the run does"),
            ("%cascade run report -p size=10", "with a parameter"),
            ("run = %cascade run report", "keep the handle: run.pause(), await run"),
        ],
    )
    run.add_argument("name", nargs="*", help=_TARGET)
    run.add_argument("--wait", action="store_true", help="let the cell wait for the end")
    run.add_argument("--fresh", action="store_true", help="use no earlier results")
    _add_params(run)
    run.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="after a failure: start nothing new (stop), or go on with all that does not need it",
    )

    plans = _arguments("plan", "Say what a run would do, node by node; nothing runs.")
    plans.add_argument("name", nargs="*", help=_TARGET)
    _add_params(plans)

    status = _arguments("status", "Say what runs are doing, and what holds them.")
    status.add_argument("run", nargs="?", help="a run's number or id; without one, all")

    why = _arguments("why", "Say why a node runs, waits, is held or did not run.")
    why.add_argument("node", help="its name or id")

    pause = _arguments(
        "pause",
        "Let nothing of a scope start any more; what is under way finishes.",
        [
            ("%cascade pause", "everything"),
            ("%cascade pause train", "the task train, in every run"),
            ("%cascade pause from:clean --for 10m", "clean and all after it, for ten minutes"),
        ],
    )
    pause.add_argument("scope", nargs="?", help=_SCOPE)
    pause.add_argument("--reason", default="", help="why, for whoever looks")
    pause.add_argument("--for", dest="span", metavar="TIME", help="end by itself: 90s, 10m, 1h30m")

    resume = _arguments("resume", "Lift a pause; what is ready starts at once.")
    resume.add_argument("scope", nargs="?", help=f"{_SCOPE}; without one, the only pause")

    limit = _arguments(
        "limit",
        "Let at most so many of a scope run at once.",
        [("%cascade limit train 4", "at most four"), ("%cascade limit train off", "no limit")],
    )
    limit.add_argument(
        "scope_and_number", nargs="+", metavar="[SCOPE] N|off", help=f"{_SCOPE}; and a number"
    )

    cancel = _arguments("cancel", "End a run: nothing starts any more, what runs is stopped.")
    cancel.add_argument("run", nargs="?", help="its number or id; without one, the only one")

    drop = _arguments("drop", "Take names out of the workspace.")
    drop.add_argument(
        "name", nargs="+", help="a node or a task; what reads it says so when planned"
    )

    return {
        "graph": Door(graph, "nodes", _graph),
        "plan": Door(plans, "nodes", _plan),
        "run": Door(run, "nodes", _run),
        "status": Door(status, "runs", _status),
        "why": Door(why, "nodes", _why),
        "pause": Door(pause, "scopes", _pause),
        "resume": Door(resume, "scopes", _resume),
        "limit": Door(limit, "scopes", _limit),
        "cancel": Door(cancel, "runs", _cancel),
        "drop": Door(drop, "names", _drop),
    }


_TARGET: Final = "what to run; without one, what the last cell defined last, else the only end"
_SCOPE: Final = "a task, a node, or global, task:…, tag:…, node:…, from:…, run:…"
DOORS: Final = _doors()
