"""Describes a node in the lines that stand above every tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cascade_nb.control.constraint import Scope
from cascade_nb.control.holders import the_user
from cascade_nb.control.words import ago, seconds_text
from cascade_nb.engine.inspection.hold_effects import hold_effect
from cascade_nb.engine.inspection.node_facts import NodeFacts
from cascade_nb.engine.observing.status import KindStatus, NodeState
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Node
from cascade_nb.notebook.drawer.references import Named, References
from cascade_nb.notebook.drawer.texts import Json, line, plain

_NAME: Final = 10_000  # characters of a name that is copied
_STARTS: Final = (NodeState.WAITING, NodeState.QUEUED)

#: The tabs, by kind; Error comes where there is one.
_TABS: Final = {
    "task": ["Result", "Why", "Log", "Code", "Inputs", "Reproduce"],
    "item": ["Result", "Why", "Log", "Code", "Inputs", "Reproduce"],
    "map": ["Items", "Result", "Why", "Log", "Code", "Inputs"],
    "router": ["Result", "Why", "Inputs"],
    "param": ["Result", "Why"],
}


def head_of(facts: NodeFacts | None, named: Named, references: References, is_over: bool) -> Json:
    """The head of the drawer.

    Args:
        facts: what is known; None before the run has begun.
        named: the node or item.
        references: of its run.
        is_over: whether that is.
    """
    node = named.node
    head: Json = {
        "ref": references.of(node.index, named.item),
        "name": line(named.name),
        "whole": plain(named.name, _NAME),
        "task": line(node.task_name),
        "state": "waiting" if facts is None else facts.state.value,
        "facts": [] if facts is None else _facts(facts),
        "tabs": _tabs(facts, node.kind.value),
        "can": _can(facts, is_over),
    }
    if named.item is not None:
        head["above"] = {"ref": references.of(node.index), "name": line(node.id)}
    return head


def _tabs(facts: NodeFacts | None, kind: str) -> list[str]:
    if facts is None:
        return ["Why"]
    tabs = list(_TABS.get(facts.kind, _TABS[kind]))
    if facts.failures:
        tabs.insert(1 if facts.kind == "map" else 0, "Error")
    return tabs


def _can(facts: NodeFacts | None, is_over: bool) -> list[str]:
    """What can be done about it now."""
    if facts is None:
        return []
    if is_over:
        again = ["retry"] if facts.state in (NodeState.FAILED, NodeState.CANCELLED) else []
        return [*again, "run_to"] if facts.kind != "item" else again
    may_hold = facts.kind in ("task", "map") and facts.goes_on
    found = ["resume"] if facts.held else ["hold", "hold_after"] if may_hold else []
    if facts.breaks and facts.kind != "item":
        return [*found, "no_break"]
    starts = may_hold and not facts.held and (facts.kind == "map" or facts.state in _STARTS)
    return [*found, "break"] if starts else found


def what_holds_do(run: Run, node: Node, can: Sequence[str]) -> Json:
    """By deed, what it would do, in words that stand there before it is done."""
    scopes = {"hold": Scope("node", node.id), "hold_after": Scope("from", node.id)}
    return {
        deed: hold_effect(run, run.graph, scope).words
        for deed, scope in scopes.items()
        if deed in can
    }


def limit_of(run: Run, task_name: str) -> Json | None:
    """How many calls of a task may run at once, for who wants to change that; None where none of it
    can run any more, or the run is over.
    """
    kind = _going_on(run, task_name)
    if kind is None:
        return None
    return {"kind": line(task_name), "most": kind.limit, "running": kind.running}


def hold_of(run: Run, task_name: str) -> Json | None:
    """What can be done to hold all of a task, and what it would do; None as for `limit_of`."""
    kind = _going_on(run, task_name)
    if kind is None:
        return None
    if kind.paused:
        return {"kind": line(task_name), "do": "resume_all", "does": ""}
    does = hold_effect(run, run.graph, Scope("task", task_name)).words
    return {"kind": line(task_name), "do": "hold_all", "does": does}


def _going_on(run: Run, task_name: str) -> KindStatus | None:
    """How a task stands, of which something can run still."""
    kinds = () if run.outcome is not None else run.status.kinds
    kind = next((one for one in kinds if one.name == task_name), None)
    return None if kind is None or kind.done + kind.failed == kind.total else kind


def task_called(run: Run, kind: object) -> str:
    """The name of a task, as a scope has it.

    Args:
        run: it has nodes of that task.
        kind: what the page calls it.

    Raises:
        UsageError: there is no such task.
    """
    name = next((n.task_name for n in run.graph.nodes if line(n.task_name) == kind), None)
    if name is None:
        raise UsageError("there is no such task")
    return name


def put_limit(run: Run, kind: object, most: object) -> str:
    """Let at most so many calls of a task run at once, None: any number; gives what to say of it.

    Args:
        run: its engine is limited.
        kind: the task, as `limit_of` calls it.
        most: how many.

    Raises:
        ConstraintError: it is no number of calls.
        UsageError: there is no such task.
    """
    name = task_called(run, kind)
    scope = f"task:{name}"
    run.limit(scope, most, by=the_user())  # type: ignore[arg-type] # which looks at what it is
    standing = run.engine.constraints.standing(scope, "concurrency")
    left = min(standing, key=lambda one: one.limit, default=None)
    if left is None:
        return f"Any number of {name} may run at once."
    by = f", which is what {left.by} allows" if left.holder != the_user() else ""
    none = ": none starts" if left.limit == 0 else ""
    return f"At most {left.limit:,} of {name} at once{by}{none}."


def _facts(facts: NodeFacts) -> list[list[str]]:
    """What is known of its time and place, as pairs of words."""
    told: list[list[str]] = []
    if facts.most > 1 or facts.attempt > 1:
        most = f" of {facts.most}" if facts.most >= facts.attempt else ""
        told.append(["attempt", f"{facts.attempt}{most}"])
    if facts.items is not None:
        told.append(["items", f"{facts.items[0]:,} of {facts.items[1]:,} done"])
    if facts.waited is not None and facts.waited >= 0.05:
        told.append(["waited", seconds_text(facts.waited)])
    if facts.started is not None:
        told.append(["started", ago(facts.started)])
    if facts.took is not None:
        told.append(["took", seconds_text(facts.took)])
    ran = "runs in" if facts.goes_on or facts.state is NodeState.SKIPPED else "ran in"
    if facts.place and facts.state is not NodeState.REUSED:
        on = facts.place.replace("the kernel's loop", "the kernel itself")
        told.append([ran, on])
    return told
