"""The seven tools of an agent: what runs do, why, what one would do; hold, let go, start.

They are plain functions that ask the processes of this user at their doors, so that any server of
tools can offer them. What they give is short, and plain data.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
from collections.abc import Iterator
from typing import Any, Final

from cascade_nb.agents.started import ended, is_of_a_file, plan_file, start_file
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.holders import VARIABLE, Holder, parse_holder
from cascade_nb.door.asked import Answer, Asked, ask, ask_everybody, ask_those_with, who
from cascade_nb.errors import HolderError, UnknownNameError, UsageError

#: What a server of tools is told there is, as `jupyter_server_mcp` takes it.
NAMES: Final = ("runs", "status", "why", "plan", "hold", "release", "run")
TOOLS: Final = [f"{__name__}:{name}" for name in NAMES]
_MOST: Final = 20
_NOBODY: Final = "nothing is running: no kernel with %load_ext cascade_nb and no script has a run"
_COUNTS: Final = ("done", "total", "asking", "running", "waiting", "queued", "held", "failed")

_name: Final = contextvars.ContextVar("cascade_agent", default="mcp")


@contextlib.contextmanager
def called(name: str) -> Iterator[None]:
    """What is asked inside is asked by an agent of this name, where `CASCADE_HOLDER` names none."""
    token = _name.set(name or "mcp")
    try:
        yield
    finally:
        _name.reset(token)


def holder() -> Holder:
    """Who asks: an agent, whatever else `CASCADE_HOLDER` says of this process.

    Raises:
        ConstraintError: the variable names no holder.
    """
    said = os.environ.get(VARIABLE)
    if said:
        own = parse_holder(said)
        if own.kind == "agent":
            return own
    printable = "".join(c for c in _name.get() if c.isprintable())[:60]
    return Holder("agent", printable or "mcp")


async def runs() -> dict[str, Any]:
    """List the workflow runs of this user's Jupyter kernels and scripts, those that go on first,
    and, by kernel, the names of what can be planned and started there.
    """
    return await run_in_thread(_runs)


async def status(run: str = "") -> dict[str, Any]:
    """Say how runs stand and what holds them: how many tasks are done, running, held, failed, by
    task, with failures and the time left. It returns at once, also while a notebook's cell blocks.

    Args:
        run: a run's id, how that begins, or its number; empty for all that go on.
    """
    return await run_in_thread(lambda: _status(run))


async def why(node: str, run: str = "") -> dict[str, Any]:
    """Say why a node of a run waits, is held, runs, failed, or was not run again.

    Args:
        node: its name, or `name[17]` for an item of a mapped one.
        run: a run's id or number; empty for any that has the node.
    """
    return await run_in_thread(lambda: _why(node, run))


async def plan(target: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Say what a run would do, node by node, and why; nothing runs.

    Args:
        target: the name of a node in a kernel, or `flow.py:report`, `study.ipynb:report`.
        params: values of parameters by name.
    """
    return await run_in_thread(lambda: _plan(target, params or {}))


async def hold(scope: str, reason: str, seconds: float | None = None) -> dict[str, Any]:
    """Let nothing of a scope start any more, until it is released or the time is over; what is
    under way finishes. It is in force when this returns, and stands beside what others hold.

    Args:
        scope: `task:train`, a bare name of a task or node, `from:clean`, `tag:gpu`, `run:3f2a`, or
            `global` for everything.
        reason: why, for the people whose runs these are.
        seconds: after which it ends by itself.
    """
    return await run_in_thread(lambda: _hold(scope, reason, seconds))


async def release(scope: str) -> dict[str, Any]:
    """Lift what this agent holds. What a person or another program holds stays, and is told.

    Args:
        scope: as it was given to `hold`.
    """
    return await run_in_thread(lambda: _release(scope))


async def run(target: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Start a run and return at once with its id, which `status` and `why` take, also when it is
    over.

    Args:
        target: the name of a node in a kernel, or `flow.py:report`, `study.ipynb:report`, which
            runs in a process of its own.
        params: values of parameters by name.
    """
    return await run_in_thread(lambda: _run(target, params or {}))


def _runs() -> dict[str, Any]:
    asked, greeted = ask_everybody("runs", {}), ask_everybody("hello", {})
    found = [
        {**_head(one), "process": who(answer)}
        for answer in asked.good
        for one in sorted(answer["runs"], key=lambda one: one["started"] is not None)
    ]
    known = {one["run"] for one in found}
    found += [one for one in ended() if one["run"] not in known]
    can_start = [
        {"process": who(answer), "names": answer["can_start"]}
        for answer in greeted.good
        if answer.get("can_start")
    ]
    return {"runs": found[:_MOST], "can_start": can_start, "not_answering": asked.skipped[:_MOST]}


def _status(run: str) -> dict[str, Any]:
    try:
        asked = (
            ask_those_with(run, "status", {}, live=False) if run else ask_everybody("status", {})
        )
    except UnknownNameError:
        over = [one for one in ended() if str(one["run"]).startswith(run) and len(run) > 2]
        if not over:
            raise
        return {"runs": over, "in_force": []}
    answers = asked.good
    told = [
        {
            **_head(one),
            **{name: one[name] for name in _COUNTS},
            "seconds_left": one["remaining"] and round(one["remaining"], 1),
            "kinds": [
                {"task": kind["name"], **{name: kind[name] for name in _COUNTS if name in kind}}
                for kind in one["kinds"][:_MOST]
            ],
            "failures": one["failures"][:5],
            "asks_people": [asked["text"] for asked in one["questions"][:5]],
            "process": who(answer),
        }
        for answer in answers
        for one in answer["runs"]
        if run or answer["live"]
    ]
    in_force = [_constraint(one) for answer in answers for one in answer.get("constraints", ())]
    return {"runs": told[:_MOST], "in_force": _once(in_force)}


def _why(node: str, run: str) -> dict[str, Any]:
    asked = ask_those_with(run or None, "why", {"node": node}, live=False)
    if not asked.good:
        raise UsageError(_complaint(asked))
    return {"lines": [line for answer in asked.good for line in answer["lines"]][:_MOST]}


def _plan(target: str, params: dict[str, Any]) -> dict[str, Any]:
    if is_of_a_file(target):
        made = plan_file(target, params)
    else:
        made = _one_with(target, "plan", {"target": target, "params": params})
    wanted = ("title", "summary", "counts", "seconds", "steps")
    return {name: made.get(name) for name in wanted}


def _hold(scope: str, reason: str, seconds: float | None) -> dict[str, Any]:
    said = {"scope": scope, "reason": reason, "seconds": seconds, "holder": str(holder())}
    asked = _those_of(scope, "pause", said, live=True)
    if not asked.good:
        raise UsageError(_complaint(asked))
    return {
        "applied": [
            {**_constraint(one), "process": who(answer)}
            for answer in asked.good
            for one in answer["applied"]
        ],
        "runs": [_head(one) for answer in asked.good for one in answer["runs"]][:_MOST],
        "refused": [str(answer["error"]) for answer in asked.refused],
    }


def _release(scope: str) -> dict[str, Any]:
    asked = _those_of(scope, "resume", {"scope": scope, "holder": str(holder())}, live=False)
    lifted = [_constraint(one) for answer in asked.good for one in answer["lifted"]]
    refused = [answer for answer in asked.refused if answer.get("kind") == HolderError.__name__]
    if not lifted and (refused or not asked.good):
        raise (HolderError if refused else UsageError)(_complaint(asked))
    left = [_constraint(one) for answer in asked.good for one in answer["constraints"]]
    return {"lifted": lifted, "in_force": _once(left)}


def _run(target: str, params: dict[str, Any]) -> dict[str, Any]:
    if is_of_a_file(target):
        return start_file(target, params, holder())
    said = {"target": target, "params": params, "holder": str(holder())}
    answer = _one_with(target, "run", said)
    (one,) = answer["runs"]
    return {**_head(one), "process": who(answer)}


def _those_of(scope: str, do: str, said: dict[str, Any], *, live: bool) -> Asked:
    """Ask those that a scope is about: of that of a run, its process alone."""
    kind, _, value = scope.partition(":")
    if kind == "run" and value:
        return ask_those_with(value, do, {**said, "scope": None}, live=live)
    return ask_those_with(None, do, said, live=live)


def _one_with(target: str, do: str, said: dict[str, Any]) -> Answer:
    """The answer of the one kernel that has a name.

    Raises:
        UsageError: none has it, several have, or it refuses.
    """
    greeted = ask_everybody("hello", {})
    whole = target.partition("[")[0]
    offers = [(caller, it) for caller, it in greeted.answers if it.get("can_start")]
    having = [(caller, it) for caller, it in offers if whole in it["can_start"]]
    if not having:
        known = [name for _, it in offers for name in it["can_start"]]
        raise UnknownNameError("node", target, known, "; of a file it is flow.py:report")
    if len(having) > 1:
        raise UsageError(f"several have {target}: {', '.join(who(it) for _, it in having)}")
    asked = ask([having[0][0]], greeted.skipped, do, said)
    if not asked.good:
        raise UsageError(_complaint(asked))
    return asked.good[0]


def _complaint(asked: Asked) -> str:
    told = [f"{who(answer)}: {answer['error']}" for answer in asked.refused] or asked.skipped
    return "; ".join(told[:3]) or _NOBODY


def _head(one: Answer) -> dict[str, Any]:
    return {
        "run": one["run_id"],
        "number": one["number"],
        "title": one["title"],
        "phase": one["phase"],
        "headline": one["headline"],
    }


def _constraint(one: Answer) -> dict[str, Any]:
    ends = one.get("expires_in")
    return {
        "scope": one["scope"],
        "type": one["type"],
        "by": one["by"],
        "holder": one["holder"]["kind"],
        "reason": one["reason"],
        **({"params": one["params"]} if one.get("params") else {}),
        **({} if ends is None else {"ends_in_seconds": round(ends, 1)}),
    }


def _once(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({str(one): one for one in found}.values())[:_MOST]
