"""Does what a request asks, in the process whose runs it is about; safe from any thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from cascade_nb.advice import asked_from_a_terminal
from cascade_nb.control.constraint import Constraint, Key, parse_scope
from cascade_nb.control.explanations import constraint_line
from cascade_nb.control.holders import A_PERSON, Holder, parse_holder, user_name
from cascade_nb.defaults import default_engine
from cascade_nb.door.as_json import constraint_dict, head_dict, lifted_dict, plan_dict, run_dict
from cascade_nb.door.known_runs import (
    asked_engines,
    ended_runs,
    is_called,
    live_run,
    live_runs,
    looking_at_edits,
    remembered,
    status_named,
    wait_for_end,
)
from cascade_nb.door.protocol import VERSION, Request, checked_request, refusal, short
from cascade_nb.door.startable import MOST as MOST_NAMES
from cascade_nb.door.startable import startable_names, startable_with
from cascade_nb.engine.asking.questions import answer_words
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.reporting.report import summary_lines
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.scopes import read_scope
from cascade_nb.errors import (
    CascadeError,
    HolderError,
    RefusedMessageError,
    UnknownNameError,
    UsageError,
)
from cascade_nb.events.outside_events import ConstraintRejected
from cascade_nb.shortcuts.answering import answer_among
from cascade_nb.shortcuts.everywhere import breaker, guard, limit, pause, rate, resume

BY: Final = "you in a terminal"
PATIENCE: Final = 2.0  # seconds that the answer to `cancel` waits for it to take effect
WAIT: Final = 10.0  # seconds that `wait` waits where nothing else is said
MOST_WAIT: Final = 60.0
_LOOK: Final = 0.005
_MOST: Final = 20  # runs in an answer


class Process(NamedTuple):
    """Who answers.

    Attributes:
        kind: "script" or "kernel".
        title: for people.
    """

    kind: str
    title: str

    def as_dict(self) -> dict[str, Any]:
        """As the wire has it."""
        return {"pid": os.getpid(), "kind": self.kind, "title": short(self.title)}


def answer(content: object, process: Process) -> dict[str, Any]:
    """What comes of a request, done when this returns; whatever is wrong with it is in the answer.

    What is refused changes nothing and is one `ConstraintRejected`.

    Args:
        content: the request as parsed JSON, or what was wrong with its text.
        process: who answers.
    """
    said: dict[str, Any]
    try:
        if isinstance(content, RefusedMessageError):
            raise content
        request = checked_request(content)
        if request.expires_at is not None and time.time() > request.expires_at:
            raise RefusedMessageError("its time was over before it came")
        with asked_from_a_terminal():
            done = _DOES[request.do](request)
        said = {"v": VERSION, "id": request.id, "ok": True, **done}
    except CascadeError as error:
        _tell_refused(error)
        said = refusal(error, content)
    except (RecursionError, ValueError, TypeError, LookupError, RuntimeError, OSError) as error:
        _tell_refused(error)
        said = refusal(error, content)
    said["process"] = process.as_dict()
    return said


def _hello(_request: Request) -> dict[str, Any]:
    return {"live": len(live_runs()), "can_start": startable_names()[:MOST_NAMES]}


def _pause(request: Request) -> dict[str, Any]:
    kind, before = _paused_how(request)
    scope = _scope(request, items=before)
    reason, ttl = request.text("reason"), request.given.get("seconds")
    pause(scope, reason=reason, ttl=ttl, by=_by(request), before=before)
    return _applied(scope, kind, _by(request))


def _resume(request: Request) -> dict[str, Any]:
    kind, before = _paused_how(request)
    paused = {str(one.scope) for one in _in_force() if one.type == kind}
    named = "scope" in request.given or "run" in request.given
    scope = paused.pop() if not named and len(paused) == 1 else _scope(request, items=True)
    done = _lift(scope, kind, lambda: resume(scope, by=_by(request), before=before))
    return {**done, "looking": [] if before else looking_at_edits()}


def _paused_how(request: Request) -> tuple[str, bool]:
    before = bool(request.given.get("before"))
    return "breakpoint" if before else "pause", before


def _limit(request: Request) -> dict[str, Any]:
    scope, n = _scope(request), request.given["n"]
    if n is None:
        return _lift(scope, "concurrency", lambda: limit(scope, None, by=_by(request)))
    reason, ttl = request.text("reason"), request.given.get("seconds")
    limit(scope, n, reason=reason, ttl=ttl, by=_by(request))
    return _applied(scope, "concurrency", _by(request))


def _rate(request: Request) -> dict[str, Any]:
    scope, per_time = _scope(request), request.given["rate"]
    if per_time is None:
        return _lift(scope, "rate_limit", lambda: rate(scope, None, by=_by(request)))
    capacity = request.given.get("capacity")
    rate(
        scope,
        per_time,
        capacity=1 if capacity is None else capacity,
        reason=request.text("reason"),
        ttl=request.given.get("seconds"),
        by=_by(request),
    )
    return _applied(scope, "rate_limit", _by(request))


def _breaker(request: Request) -> dict[str, Any]:
    scope, rule = _scope(request), request.given["rule"]
    if rule is None:
        return _lift(scope, "breaker", lambda: breaker(scope, None, by=_by(request)))
    breaker(
        scope,
        rule,
        probe_after=request.given.get("probe"),
        reason=request.text("reason"),
        ttl=request.given.get("seconds"),
        by=_by(request),
    )
    return _applied(scope, "breaker", _by(request))


def _guard(request: Request) -> dict[str, Any]:
    scope, memory = _scope(request), request.given["memory"]
    if memory is None:
        return _lift(scope, "guard", lambda: guard(None, scope, by=_by(request)))
    suspend, ttl = bool(request.given.get("suspend")), request.given.get("seconds")
    guard(memory, scope, suspend=suspend, reason=request.text("reason"), ttl=ttl, by=_by(request))
    return _applied(scope, "guard", _by(request))


def _answer(request: Request) -> dict[str, Any]:
    name, run = request.text("node"), request.given.get("run")
    asking = [live_run(run)] if run is not None else live_runs()
    taken = answer_among(asking, name, request.given["value"], _by(request))
    return {"answered": [{"node": name, "answer": answer_words(taken)}], **_standing(*asking)}


def _cancel(request: Request) -> dict[str, Any]:
    run, holder = live_run(request.given.get("run")), _by(request)
    if not holder.may_lift(A_PERSON):  # what it would end may be anybody's
        raise HolderError(f"{holder.words} may hold run {run.number}, and only a person ends it")
    reason = request.text("reason")
    run.cancel(f"cancelled by {holder.words}" + (f": {reason}" if reason else ""))
    # Cancelling goes by way of the loop, which may be busy: only what has taken effect is said.
    until = time.monotonic() + PATIENCE
    while not (over := _is_ending(run)) and time.monotonic() < until:
        time.sleep(_LOOK)
    done = {"run": run.id, "type": "cancel"}
    return {"applied": [done] if over else [], "asked": [] if over else [done], **_standing(run)}


def _is_ending(run: Run) -> bool:
    phase = run.status.phase
    return phase is Phase.CANCELLING or phase.is_over


def _status(request: Request) -> dict[str, Any]:
    if (name := request.given.get("run")) is not None:
        found = status_named(name)
        return {"live": len(live_runs()), "runs": [run_dict(found)], "lines": summary_lines(found)}
    return _standing(*live_runs(), also_last=True)


def _wait(request: Request) -> dict[str, Any]:
    name, seconds = request.text("run"), request.given.get("seconds")
    live = [run for run in live_runs() if is_called(run.number, run.id, name)]
    if len(live) != 1:
        return _status(request)
    wait_for_end(live[0], min(WAIT if seconds is None else seconds, MOST_WAIT))
    return _standing(live[0])


def _why(request: Request) -> dict[str, Any]:
    node, name = request.text("node"), request.given.get("run")
    live = live_runs()
    ended = remembered(but=live)
    known = [run for run in (*live, *ended) if name is None or is_called(run.number, run.id, name)]
    for run in known:
        try:
            lines = run.why(node)
        except UnknownNameError:
            continue
        return {"run": run.id, "lines": [f"run {run.number}: {short(line)}" for line in lines]}
    there = {one.id for run in known for one in run.graph.nodes}
    raise UnknownNameError("node", node, there, "" if known else "; nothing is running here")


def _runs(_request: Request) -> dict[str, Any]:
    live = [{**head_dict(run.status), "started": None} for run in live_runs()]
    over = [{**head_dict(one.status), "started": one.started} for one in ended_runs()]
    return {"live": len(live), "runs": [*live, *over][:_MOST]}


def _plan(request: Request) -> dict[str, Any]:
    name = _target(request)
    made = startable_with(name).plan(name, request.given.get("params") or {})
    return plan_dict(made)


def _run(request: Request) -> dict[str, Any]:
    name, _ = _target(request), _by(request)  # whoever it is may start
    return _standing(startable_with(name).start(name, request.given.get("params") or {}))


def _target(request: Request) -> str:
    name = request.text("target")
    if not name:
        raise UsageError("say what is to run: the name of a node")
    return name


_DOES: Final[Mapping[str, Callable[[Request], dict[str, Any]]]] = {
    "hello": _hello,
    "pause": _pause,
    "resume": _resume,
    "limit": _limit,
    "rate": _rate,
    "breaker": _breaker,
    "answer": _answer,
    "guard": _guard,
    "cancel": _cancel,
    "status": _status,
    "wait": _wait,
    "why": _why,
    "runs": _runs,
    "plan": _plan,
    "run": _run,
}


def _standing(*runs: Run, also_last: bool = False) -> dict[str, Any]:
    """How runs stand, all that go on where none is named, and what is in force."""
    live = live_runs()
    told = [run.status for run in runs or live]
    told = told or [one.status for one in ended_runs()[: int(also_last)]]
    now = _engines()[0].clock.now()
    in_force = [(constraint_dict(one, now), constraint_line(one, now)) for one in _in_force()]
    return {
        "live": len(live),
        "runs": [run_dict(one) for one in told[:_MOST]],
        "constraints": [one for one, _ in in_force],
        "lines": [short(line) for one in told[:_MOST] for line in summary_lines(one)],
        "in_force": [short(line) for _, line in in_force],
    }


def _applied(scope: str, kind: str, holder: Holder) -> dict[str, Any]:
    """What is in force of this scope, type and holder now, and how runs stand."""
    engine = default_engine()
    found, now = engine.constraints.find(scope, kind, holder), engine.clock.now()
    return {"applied": [] if found is None else [constraint_dict(found, now)], **_standing()}


def _lift(scope: str, kind: str, lift: Callable[[], object]) -> dict[str, Any]:
    """What was lifted of this scope and type, and of whom, and how runs stand."""
    before = [one for one in _in_force() if (str(one.scope), one.type) == (scope, kind)]
    done, left = lift(), {one.key for one in _in_force()}
    lifted = [lifted_dict(one) for one in before if one.key not in left]
    if done and not before:  # the pause of a breaker was over, and what tries it again was not
        lifted = [lifted_dict(Constraint(parse_scope(scope), kind))]
    return {"lifted": lifted, **_standing()}


def _engines() -> list[Engine]:
    """Those that are asked, first the one on whose clock times are told."""
    default = default_engine()  # what was said before the first run is in force there
    return sorted(asked_engines(), key=lambda engine: engine is not default)


def _in_force() -> list[Constraint]:
    """What is in force, once for each scope, type and holder."""
    found: dict[Key, Constraint] = {}
    for engine in _engines():
        for one in engine.constraints.constraints():
            found.setdefault(one.key, one)
    return list(found.values())


def _scope(request: Request, *, items: bool = False) -> str:
    """The scope that is meant: a run's own where only a run is named."""
    run, text = request.given.get("run"), request.given.get("scope")
    if text is None:
        return "global" if run is None else live_run(run).scope
    if run is not None:
        live_run(run)  # it is of this process, or it is refused
    of = read_scope(text, [one.graph for one in live_runs()], items=items)
    return str(of.of_that_run(live_run(of.of_run).id) if of.of_run else of)


def _by(request: Request) -> Holder:
    """Who asks: whoever can ask at all is this user, or something that the user has started."""
    said = request.text("holder")
    holder = parse_holder(said) if said else Holder("person", user_name(), shown=BY)
    by = request.text("by")
    return replace(holder, shown=by) if by and holder.kind == "person" else holder


def _tell_refused(error: BaseException) -> None:
    for engine in asked_engines():
        if engine.bus.listening:
            when, told = engine.clock.wall(), short(str(error))
            engine.bus.publish(ConstraintRejected(timestamp=when, topic="door", error=told))
