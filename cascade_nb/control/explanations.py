"""Makes every sentence about a constraint, such as "paused 2 min ago by ada": what is in force,
what waits for it, what would free that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cascade_nb.advice import advised_no_guard, advised_no_limit, advised_resume
from cascade_nb.control.constraint import TYPES, Constraint, parse_scope
from cascade_nb.control.gate_kinds.breakers import BreakerGate
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.control.gate_kinds.memory_guard import GuardGate
from cascade_nb.control.gate_kinds.pauses_and_limits import ConcurrencyGate, PauseGate, RateGate
from cascade_nb.control.gate_kinds.process_state import ProcessGate
from cascade_nb.control.gate_kinds.resource_pools import PoolGate
from cascade_nb.control.gates import Gate, Ticket
from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.words import (
    ago,
    amount_text,
    count_text,
    more_text,
    percent,
    rate_text,
    seconds_text,
    size_text,
)
from cascade_nb.events.outside_events import ConstraintApplied, ConstraintLifted
from cascade_nb.graph.effects.effects import state_in_words
from cascade_nb.graph.effects.global_writes import written_in_words
from cascade_nb.model.options.pause_condition import PauseIf, condition_in_words

_MEMORY: Final = "the memory"
_NAMED: Final = 3  # holders of what stands beside each other
#: By type, what a constraint is called.
NAMES: Final = {
    "pause": "pause",
    "concurrency": "limit",
    "rate_limit": "rate limit",
    "breaker": "breaker",
    "guard": "memory guard",
    "breakpoint": "breakpoint",
}
#: By type, what is said where a constraint is gone.
LIFTED: Final = {type_: f"no {name}" for type_, name in NAMES.items()} | {"pause": "resumed"}


def breaker_text(params: Mapping[str, Any]) -> str:
    """What a breaker does: "3 failures within 1 min hold it, with a probe after 5 min"."""
    failures, after = params["failures"], params.get("probe_after")
    hold = "hold" if failures != 1 else "holds"
    text = f"{count_text(failures, 'failure')} within {seconds_text(params['within'])} {hold} it"
    return text if after is None else f"{text}, with a probe after {seconds_text(after)}"


def guard_text(params: Mapping[str, Any]) -> str:
    """What a memory guard does: "nothing starts while more than 85% of the memory is used"."""
    text = f"nothing starts while more than {percent(params['memory'])} of the memory is used"
    return text + ("; what runs in processes is suspended" if params.get("suspend") else "")


def stopper(manager: ConstraintManager, ticket: Ticket) -> Gate | None:
    """What `ticket` waits for; None where it does not wait. Call under the manager's lock.

    It waits at one gate, to which it may have come before a pause: then the pause is what counts.
    """
    gate = ticket.parked
    if gate is None or isinstance(gate, PauseGate):
        return gate
    return manager.pause_over(ticket) or gate


def explain(gate: Gate, now: float, ticket: Ticket | None = None) -> str:
    """Why `gate` lets `ticket` wait; `now` is on the manager's clock. Call under its lock."""
    if isinstance(gate, PoolGate):
        need = gate.amount(ticket) if ticket is not None else 0
        free = f"{amount_text(gate.free)} of {amount_text(gate.total)} is free"
        return f"needs {amount_text(need)} {gate.name}, and {free}" + _taken_by("; used by ", gate)
    if isinstance(gate, ProcessGate):
        return one_at_a_time([gate.kind]) + _taken_by("; now: ", gate)
    if isinstance(gate, BreakpointGate) and ticket is not None:
        return _at_breakpoint(gate, ticket)
    constraint = gate.constraint
    assert constraint is not None
    scope = constraint.scope
    tail = _by_whom(constraint)
    if constraint.expires is not None:
        tail += f", {more_text(constraint.expires - now)}"
    if isinstance(gate, ConcurrencyGate):
        told = f"at most {gate.limit} of {scope.words} at once{tail}"
        if not gate.limit:  # no end of what runs makes room
            return f"{told}; {advised_no_limit(str(scope))} lifts it"
        return told + _taken_by("; now: ", gate)
    if isinstance(gate, RateGate):
        wait = seconds_text(max(0.0, gate.opens_at(now) - now))
        return f"{scope.words}: {rate_text(gate.rate)}{tail}; next in {wait}"
    if isinstance(gate, BreakerGate):
        probe = gate.probe
        waits = "waits for a probe" if probe is None else "waits for its probe " + _called(probe)
        return f"{scope.words}: {waits}, after {gate.story}; {advised_resume(str(scope))} frees it"
    if isinstance(gate, GuardGate):
        return _guarded(gate, tail)
    if constraint.type not in TYPES:  # nobody outside can lift it
        return constraint.reason
    others = [one for g in gate.beside if (one := g.constraint) is not None and g is not gate]
    also = f", and{whose_words(others)}" if others else ""
    since = ago(now - constraint.since)
    return f"{scope.words} paused {since}{tail}{also}; {advised_resume(str(scope))} frees it"


def _at_breakpoint(gate: BreakpointGate, ticket: Ticket) -> str:
    """What a breakpoint holds, how to look at that, and how to let it go."""
    constraint, name = gate.constraint_of(ticket), ticket.owner.attempt_of(ticket)[0]
    whose = f" before {constraint.scope.words}{_by_whom(constraint)}"
    if constraint.pause_if is not None:
        judged = gate.judgement_of(ticket)
        said = f", which {judged.said}" if judged is not None and judged.said else ""
        whose += f", if {condition_in_words(constraint.pause_if)}{said}"
    look = "its inputs are there"
    if ticket.subject.above is None:  # or this is read of the run around its own, which lacks it
        look += f", run.inputs({name!r}) gives them"
    return f"at a breakpoint{whose}; {look}; {advised_resume(f'node:{name}')} lets it start"


def _guarded(gate: GuardGate, tail: str) -> str:
    """What a memory guard waits for, and who uses what it wants."""
    reading, most = gate.reading, percent(gate.rule.memory)
    if reading is None:
        return f"{_MEMORY} is being looked at, for a guard of {most}{tail}"
    told = f"{_MEMORY} of {reading.where} is at {percent(reading.fraction)}"
    told += f" ({size_text(reading.used)} of {size_text(reading.total)})"
    if reading.fraction > gate.rule.memory:
        told += f", above the {most} of a guard{tail}"
    else:
        told += f"; a guard of {most}{tail} lets start below {percent(gate.opens_below)}"
    by = f"; used by {gate.users}" if gate.users else ""
    return f"{told}{by}; {advised_no_guard(str(gate.rule.scope))} lifts it"


def is_about_memory(words: str) -> bool:
    """Whether they are what `explain` says of a memory guard: that is said while tasks run, too."""
    return words.startswith(_MEMORY)


def one_at_a_time(kinds: Collection[str]) -> str:
    """Why tasks do not run side by side that use these states of the process."""
    written = dict.fromkeys(filter(None, map(written_in_words, kinds)))
    used = [state_in_words(kind) for kind in kinds if not written_in_words(kind)]
    said = [f"uses {' and '.join(used)}"] if used else []
    said += [f"writes {' and '.join(written)}"] if written else []
    return f"one at a time: {' and '.join(said)}"


def stops_in_words(constraint: Constraint) -> str | None:
    """Why what a constraint is about would not start at all; None where some of it would."""
    if constraint.type == "pause":
        return f"{constraint.scope.words} paused{_by_whom(constraint)}"
    if constraint.type == "concurrency" and constraint.limit == 0:
        return f"at most 0 of {constraint.scope.words} at once{_by_whom(constraint)}"
    if constraint.type == "breakpoint" and constraint.pause_if is None:
        return f"a breakpoint before {constraint.scope.words}{_by_whom(constraint)}"
    return None


def looking_words(runs: Sequence[str]) -> str:
    """That these were resumed already, and look at edits first."""
    each = "goes on by itself" if len(runs) == 1 else "go on by themselves"
    verb = "looks" if len(runs) == 1 else "look"
    return f"{', '.join(runs)} {verb} at what was edited meanwhile, and then {each}"


def what_it_does(constraint: Constraint) -> str:
    """What a constraint does, in words: "paused", "at most 2 at once"."""
    match constraint.type:
        case "concurrency":
            return f"at most {constraint.limit} at once"
        case "rate_limit":
            return f"at most {rate_text(constraint.rate)}"
        case "breaker":
            return breaker_text(constraint.params)
        case "guard":
            return guard_text(constraint.params)
        case "breakpoint":
            return held_if(constraint.pause_if)
    return "paused"


def held_if(condition: PauseIf | None) -> str:
    """What a breakpoint does, with or without a condition."""
    held = "held before it starts"
    return held if condition is None else f"{held}, if {condition_in_words(condition)}"


def constraint_line(constraint: Constraint, now: float) -> str:
    """A constraint in a line; `now` is on the clock of its manager."""
    words = what_it_does(constraint)
    line = f"{constraint.scope}: {words}, since {seconds_text(now - constraint.since)}"
    if constraint.expires is not None:
        line += f", {more_text(constraint.expires - now)}"
    return line + _by_whom(constraint)


def applied_in_words(event: ConstraintApplied) -> str:
    """What is in force from now on."""
    words = parse_scope(event.scope).words
    if event.type == "concurrency":
        text = f"at most {event.params['limit']} of {words} at once"
    elif event.type == "rate_limit":
        text = f"{words}: {rate_text(event.params['rate'])}"
    elif event.type == "breaker":
        text = f"{words}: {breaker_text(event.params)}"
    elif event.type == "guard":
        text = f"{words}: {guard_text(event.params)}"
    elif event.type == "breakpoint":
        text = f"a breakpoint before {words}"
    else:
        text = f"{words} paused"
    text += _by_whom(event)
    return text + (f", for {seconds_text(event.expires_in)}" if event.expires_in else "")


def whose_words(constraints: Collection[Constraint]) -> str:
    """Whose they are and why: " by you: the GPU is busy, and by the agent claude"; empty where
    nobody knows. Those that stand beside each other and are not named are counted.
    """
    ordered = sorted(constraints, key=lambda one: one.holder.kind != "person")  # people first
    told = list(dict.fromkeys(filter(None, map(_by_whom, ordered))))
    more = f", and by {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return ", and".join(told[:_NAMED]) + more


def others_words(holder: Holder, others: Collection[Constraint]) -> str:
    """That a program or an agent may not lift what others hold."""
    one = next(iter(others))
    words = {"pause": "paused", "breakpoint": "at a breakpoint"}
    words |= {"breaker": "under a breaker", "guard": "under a guard"}
    does = words.get(one.type, "limited")
    whose = whose_words(others)
    return (
        f"{one.scope.words}: {does}{whose}; {holder.words} lifts only what is its own, and a "
        "person lifts anything"
    )


def lifted_in_words(event: ConstraintLifted) -> str:
    """What is gone, and whether its time was over."""
    cause = " (its time was over)" if event.cause == "expired" else ""
    return f"{parse_scope(event.scope).words}: {LIFTED[event.type]}{cause}"


def _by_whom(told: Constraint | ConstraintApplied) -> str:
    by = f" by {told.by}" if told.by else ""
    return by + (f": {told.reason}" if told.reason else "")


def _taken_by(lead: str, gate: Gate, limit: int = 4) -> str:
    """Who holds what others wait for at `gate`, at most `limit` of them by name."""
    holders = gate.holders()
    if not holders:
        return ""
    # Those that came first; there may be many, and this is said of everything that is blocked.
    named = sorted(islice(holders, limit), key=lambda ticket: ticket.rank)
    names = [_called(ticket) for ticket in named]
    more = f" and {len(holders) - limit} more" if len(holders) > limit else ""
    return lead + ", ".join(names) + more


def _called(ticket: Ticket) -> str:
    return ticket.owner.names_of(ticket)[0]
