"""A constraint: its scope, its type, its numbers, and how long it is in force."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cascade_nb.control.constraint_numbers import (
    checked_capacity,
    checked_failures,
    checked_limit,
    checked_span,
    checked_suspend,
    parse_memory,
    parse_rate,
)
from cascade_nb.control.gate_kinds.machine_memory import check_readable
from cascade_nb.control.holders import A_PERSON, Holder
from cascade_nb.errors import ConstraintError, nearest
from cascade_nb.model.options.checks import NAME_LIMIT
from cascade_nb.model.options.pause_condition import PauseIf
from cascade_nb.text import quoted

KINDS: Final = ("global", "task", "tag", "node", "from", "run")
TYPES: Final = ("pause", "concurrency", "rate_limit", "breaker", "guard", "breakpoint")


@dataclasses.dataclass(frozen=True)
class Scope:
    """Which nodes a constraint is about.

    Attributes:
        kind: "global", "task", "tag", "node", "from" or "run".
        value: a glob for "task" and "tag", a name for "node" and "from", an id for "run".
        run: the id of the only run in which; empty for all of them.
    """

    kind: str
    value: str = ""
    run: str = ""

    def __str__(self) -> str:
        text = f"{self.kind}:{self.value}" if self.value else self.kind
        return f"run:{self.run}/{text}" if self.run else text

    @property
    def words(self) -> str:
        """The scope as a colleague would say it."""
        words = {
            "global": "everything",
            "task": "{} tasks",
            "tag": "what is tagged {}",
            "node": "{}",
            "from": "{} and what comes after it",
            "run": "run {}",
        }[self.kind].format(self.value)
        return f"{words} in run {self.run}" if self.run else words

    @property
    def of_run(self) -> str:
        """The id of the only run in which it holds; empty where it holds in all."""
        return self.value if self.kind == "run" else self.run

    @property
    def everywhere(self) -> Scope:
        """The same in all runs."""
        return dataclasses.replace(self, run="") if self.run else self

    def within(self, run: str) -> Scope:
        """The same in this run only; the whole of it is its own scope."""
        if not run or (self.kind == "run" and self.value == run):
            return self
        return Scope("run", run) if self.kind == "global" else dataclasses.replace(self, run=run)

    def of_that_run(self, run: str) -> Scope:
        """The same, where it is of one run, of the run that has this id."""
        part = "value" if self.kind == "run" else "run"
        return dataclasses.replace(self, **{part: run}) if self.of_run else self

    def matches(self, text: str) -> bool:
        """Whether a task's name or a tag falls under this glob."""
        return fnmatch.fnmatchcase(text, self.value)

    def covers(self, task_name: str, tags: Iterable[str]) -> bool:
        """Whether it is about all nodes of a task with these tags, whatever they are called and
        whichever run they are of.
        """
        if self.kind == "task":
            return self.matches(task_name)
        if self.kind == "tag":
            return any(map(self.matches, tags))
        return self.kind == "global"


GLOBAL: Final = Scope("global")
Key = tuple[Scope, str, Holder]


def parse_scope(text: object) -> Scope:
    """A scope out of its text: ``global``, ``task:<glob>``, ``tag:<glob>``, ``node:<name>``,
    ``from:<name>`` or ``run:<id>``; ``run:<id>/task:<glob>`` and the like in one run alone.

    Raises:
        ConstraintError: there is no such kind of scope, or its value is missing or impossible.
    """
    if isinstance(text, Scope):
        return text
    if not isinstance(text, str):
        raise ConstraintError(f"a scope is text such as 'task:train', not {quoted(text)}")
    kind, colon, value = text.partition(":")
    if kind not in KINDS:
        raise ConstraintError(
            f"there is no scope {text[:60]!r} (a scope is 'global', 'task:<name or glob>', "
            "'tag:<name or glob>', 'node:<name>', 'from:<name>' or 'run:<id>')"
            f"{nearest(kind, KINDS)}"
        )
    if kind == "global":
        if colon:
            raise ConstraintError(
                f"the scope 'global' takes no value, so {text[:60]!r} means nothing"
            )
        return GLOBAL
    if kind == "run" and "/" in value:
        run, _, inside = value.partition("/")
        if inside.startswith("run:"):
            raise ConstraintError(f"the scope {text[:60]!r} is of a run in a run, which is nothing")
        return parse_scope(inside).within(parse_scope(f"run:{run}").value)
    if not value or len(value) > NAME_LIMIT or not value.isprintable() or set(value) & set("/+"):
        raise ConstraintError(
            f"the scope {kind!r} needs a value of 1 to {NAME_LIMIT} printable characters "
            f"without '/' and '+', as in '{kind}:name', not {text[:60]!r}"
        )
    return Scope(kind, value)


@dataclasses.dataclass(frozen=True)
class Constraint:
    """One thing that is not allowed now. There is at most one for each scope, type and holder.

    Attributes:
        scope: which nodes.
        type: "pause", "concurrency", "rate_limit", "breaker", "guard" or "breakpoint".
        limit: how many may run at once, for "concurrency"; 0 holds everything.
        rate: starts per second, for "rate_limit".
        capacity: how many starts may come at once after a quiet time, for "rate_limit"; at least 1.
        failures, within: for "breaker", how many failures within how many seconds hold the scope.
        probe_after: seconds after which one node is let through to try it again, or None.
        memory: for "guard", the part of the memory above which nothing starts.
        suspend: for "guard", whether what runs in processes is suspended then, the largest first.
        pause_if: for "breakpoint", what has to be true of a node's inputs; None where nothing has.
        reason: why.
        holder: who asked.
        since: when it was applied, on the clock of its manager.
        expires: when it ends by itself on that clock, or None.
    """

    scope: Scope
    type: str
    limit: int = 0
    rate: float = 0.0
    capacity: float = 1.0
    failures: int = 0
    within: float = 0.0
    probe_after: float | None = None
    memory: float = 0.0
    suspend: bool = False
    pause_if: PauseIf | None = dataclasses.field(default=None, compare=False)
    reason: str = ""
    holder: Holder = A_PERSON
    since: float = 0.0
    expires: float | None = None

    @functools.cached_property
    def key(self) -> Key:
        """What a later one of the same scope, type and holder replaces."""
        return self.scope, self.type, self.holder

    @property
    def by(self) -> str:
        """Who asked, in words; empty where that is not known."""
        return self.holder.words

    @property
    def params(self) -> dict[str, Any]:
        """Its numbers, as the wire has them."""
        if self.type == "concurrency":
            return {"limit": self.limit}
        if self.type == "rate_limit":
            return {"rate": self.rate, "capacity": self.capacity}
        if self.type == "breaker":
            probe = {} if self.probe_after is None else {"probe_after": self.probe_after}
            return {"failures": self.failures, "within": self.within, **probe}
        if self.type == "guard":
            return {"memory": self.memory, **({"suspend": True} if self.suspend else {})}
        return {}

    @property
    def parts(self) -> dict[str, Any]:
        """With what it is put into force elsewhere, but for its end."""
        said = {"scope": self.scope, "type": self.type, "params": self.params}
        return {**said, "reason": self.reason, "by": self.holder, "pause_if": self.pause_if}

    def left(self, now: float) -> float | None:
        """Seconds until it ends by itself; None where it does not."""
        return None if self.expires is None else self.expires - now

    def __str__(self) -> str:
        return f"{self.type} of {self.scope}"


def checked_type(text: object) -> str:
    """`text`, if it is a type of constraint.

    Raises:
        ConstraintError: it is none.
    """
    if text not in TYPES:
        raise ConstraintError(
            f"there is no constraint of type {quoted(text)}{nearest(text, TYPES)}"
        )
    return str(text)


def new_constraint(
    scope: Scope, type_: str, params: Mapping[str, Any], reason: str = "", by: Holder = A_PERSON
) -> Constraint:
    """A constraint of these parts, checked.

    Raises:
        ConstraintError: the type is unknown, or a parameter is missing, unknown or impossible.
    """
    names, needed = _PARAMS[checked_type(type_)]
    for name in params:
        if type_ == "breakpoint" and name == "pause_if":
            raise ConstraintError(
                "the condition of a breakpoint is code, and nobody takes code from outside; a "
                "notebook or a script sets it: cs.pause(…, before=True, pause_if=…)"
            )
        if name not in names:
            raise ConstraintError(f"{type_} takes no {quoted(name)}{nearest(name, names)}")
    for name in needed:
        if name not in params:
            raise ConstraintError(f"{type_} needs {name!r}")
    if type_ == "concurrency":
        most = checked_limit(params["limit"])
        return Constraint(scope, type_, limit=most, reason=reason, holder=by)
    if type_ == "rate_limit":
        return Constraint(
            scope,
            type_,
            rate=parse_rate(params["rate"]),
            capacity=checked_capacity(params.get("capacity", 1)),
            reason=reason,
            holder=by,
        )
    if type_ == "breaker":
        after = params.get("probe_after")
        return Constraint(
            scope,
            type_,
            failures=checked_failures(params["failures"]),
            within=checked_span(params["within"], "failures count within"),
            probe_after=None if after is None else checked_span(after, "a probe comes after"),
            reason=reason,
            holder=by,
        )
    if type_ == "guard":
        check_readable()
        return Constraint(
            scope,
            type_,
            memory=parse_memory(params["memory"]),
            suspend=checked_suspend(params.get("suspend", False)),
            reason=reason,
            holder=by,
        )
    return Constraint(scope, type_, reason=reason, holder=by)


#: By type, the names of its numbers, and those that must be there.
_PARAMS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "pause": ((), ()),
    "concurrency": (("limit",), ("limit",)),
    "rate_limit": (("rate", "capacity"), ("rate",)),
    "breaker": (("failures", "within", "probe_after"), ("failures", "within")),
    "guard": (("memory", "suspend"), ("memory",)),
    "breakpoint": ((), ()),
}
