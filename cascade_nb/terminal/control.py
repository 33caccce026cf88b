"""`cascade-nb pause`, `resume`, `limit`, `rate`, `breaker`, `guard` and `cancel`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

from cascade_nb.control.constraint import parse_scope
from cascade_nb.control.constraint_numbers import checked_span, parse_breaker, parse_rate
from cascade_nb.control.explanations import LIFTED, breaker_text, guard_text, looking_words
from cascade_nb.control.words import rate_text, seconds_text
from cascade_nb.door.as_json import KINDS
from cascade_nb.door.asked import Among, Answer, ask_everybody, ask_those_with, who
from cascade_nb.errors import UsageError, nearest
from cascade_nb.grammar.values import guard_of, limit_of, scope_and
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.terminal.asking import one_of
from cascade_nb.terminal.output import some, tell
from cascade_nb.terminal.remote.place import asked_at, holder_of_command, nobody_at

_HELD: Final = {"pause": "paused", "breaker": "set", "guard": "set", "breakpoint": "set"}
_NOTHING: Final = "nothing is running, so nothing was {}"


def pause(given: Namespace) -> int:
    """Hold a scope in every process in which something runs."""
    scope = one_of(given.scope, given.scope_option, "scope")
    return _put(given, "pause", {"scope": scope, "before": given.before or None}, "paused")


def resume(given: Namespace) -> int:
    """Lift a pause, wherever it stands."""
    scope = one_of(given.scope, given.scope_option, "scope")
    return _lift(given, "resume", {"scope": _checked(scope), "before": given.before or None})


def limit(given: Namespace) -> int:
    """Cap how many run at once; without a number, list the limits."""
    if not given.scope_and_number:
        return _list(given, "concurrency")
    text, number = scope_and(given.scope_and_number, "cascade-nb limit", "a number", "4")
    n = limit_of(number, "cascade-nb limit")
    said = {"scope": one_of(text, given.scope_option, "scope"), "n": n}
    return _lift(given, "limit", said) if n is None else _put(given, "limit", said, "limited")


def rate(given: Namespace) -> int:
    """Cap how many start per time; without a rate, list the rates."""
    if not given.scope_and_rate:
        return _list(given, "rate_limit")
    text, per_time = scope_and(given.scope_and_rate, "cascade-nb rate", "a rate", "10/m")
    said: dict[str, Any] = {"scope": one_of(text, given.scope_option, "scope"), "rate": None}
    if per_time == "off":
        return _lift(given, "rate", said)
    try:
        said["rate"] = float(per_time)
    except ValueError:
        said["rate"] = per_time
    parse_rate(said["rate"])  # what nobody can read is refused before anybody is asked
    return _put(given, "rate", said, "limited")


def breaker(given: Namespace) -> int:
    """Pause what fails too often; without a rule, list the breakers."""
    if not given.scope_and_rule:
        return _list(given, "breaker")
    text, rule = scope_and(given.scope_and_rule, "cascade-nb breaker", "failures per time", "3/1m")
    said: dict[str, Any] = {"scope": one_of(text, given.scope_option, "scope"), "rule": None}
    if rule == "off":
        return _lift(given, "breaker", said)
    parse_breaker(rule)
    said["rule"], said["probe"] = rule, probe_of(given.probe)
    return _put(given, "breaker", said, "done")


def guard(given: Namespace) -> int:
    """Start nothing while memory is scarce; without a part of it, list the guards."""
    if not given.scope_and_part:
        return _list(given, "guard")
    text, memory = guard_of(given.scope_and_part, "cascade-nb guard")
    said: dict[str, Any] = {"scope": one_of(text, given.scope_option, "scope"), "memory": memory}
    if memory is None:
        return _lift(given, "guard", said)
    said["suspend"] = given.suspend or None
    return _put(given, "guard", said, "done")


def probe_of(text: str | None) -> float | None:
    """The seconds after which a probe comes.

    Raises:
        ConstraintError: no breaker can have them.
    """
    return None if text is None else checked_span(seconds_of(text), "a probe comes after")


def cancel(given: Namespace) -> int:
    """End a run."""
    run = one_of(given.run, given.run_option, "run")
    said = {"reason": given.reason or None, "holder": holder_of_command(given)}
    with asked_at(given) as among:
        if run is None:
            run = _only_one(among)
        asked = ask_those_with(run, "cancel", said, live=True, among=among)
    lines = []
    for answer in asked.good:
        done = "is being cancelled: nothing of it starts any more"
        late = "was told to end, and has not heard it yet: its loop is busy"
        lines.append(f"{who(answer)}: run {run} {done if answer['applied'] else late}")
        lines += _runs_of(answer)
    nothing = _NOTHING.format("cancelled")
    return tell(asked, given.json, lines, nobody_at(given, nothing))


def _only_one(among: Among) -> str | None:
    """The id of the run that goes on; None where none does.

    Raises:
        UsageError: several do.
    """
    answers = ask_everybody("runs", {}, among).good
    going = [one for answer in answers for one in answer["runs"] if one["started"] is None]
    if len(going) > 1:
        names = ", ".join(f"{one['run_id']} ({one['title']})" for one in going)
        raise UsageError(f"several runs go on, so say which by its id: {names}")
    return going[0]["run_id"] if going else None


def _put(given: Namespace, do: str, said: dict[str, Any], word: str) -> int:
    """Put something into force where runs go on."""
    said["scope"] = _checked(said["scope"])
    said["reason"] = given.reason or None
    said["seconds"] = None if given.span is None else seconds_of(given.span)
    said["holder"] = holder_of_command(given)
    asked = ask_those_with(given.run, do, said, live=True)
    lines = []
    for answer in asked.good:
        lines += [f"{who(answer)}: {applied_words(one)}" for one in answer["applied"]]
        lines += [f"  {words}" for one in answer["applied"] if (words := _of_nobody(one, answer))]
        lines += _runs_of(answer)
    return tell(asked, given.json, lines, _NOTHING.format(word))


def _of_nobody(one: Answer, answer: Answer) -> str:
    """That no run has the task which is named, as where its name is mistyped: what is in force is
    for runs that come, too. Empty where one has it, or it cannot be told.
    """
    scope, runs = parse_scope(one["scope"]), answer.get("runs", ())
    if (
        scope.kind != "task"
        or answer.get("left_off")
        or any(len(run["kinds"]) >= KINDS for run in runs)
    ):
        return ""
    there = {task["name"] for run in runs for task in run["kinds"]}
    if not there or any(map(scope.matches, there)):
        return ""
    return f"no task of what runs is called so{nearest(scope.value, there)}"


def _lift(given: Namespace, do: str, said: dict[str, Any]) -> int:
    """Take something out of force wherever it is."""
    said["scope"] = _checked(said["scope"])
    said["holder"] = holder_of_command(given)
    asked = ask_those_with(given.run, do, said, live=False)
    lines, looking = list[str](), list[str]()
    for answer in asked.good:
        if not answer["lifted"] and answer.get("looking"):
            looking.append(f"{who(answer)}: {looking_words(answer['looking'])}")
        if answer["lifted"]:
            lines += [f"{who(answer)}: {lifted_words(one)}" for one in answer["lifted"]]
            lines += _runs_of(answer)
        if answer.get("in_force"):
            lines += [f"{who(answer)}: in force is {line}" for line in answer["in_force"]]
    if asked.good and not any(answer["lifted"] for answer in asked.good):
        asked_of = said["scope"] or "it"
        nothing = {
            "resume": f"{asked_of} was not paused",
            "breaker": f"there was no breaker of {said['scope'] or 'everything'}",
            "guard": f"there was no memory guard of {said['scope'] or 'everything'}",
            "breakpoint": f"there was no breakpoint before {said['scope'] or 'everything'}",
        }.get("breakpoint" if said.get("before") else do, f"{asked_of} was not limited")
        lines = [*(looking or [f"{nothing} ({some(len(asked.good))} answered)"]), *lines]
    return tell(asked, given.json, lines)


def _list(given: Namespace, kind: str) -> int:
    with asked_at(given) as among:
        asked = ask_everybody("status", {}, among)
    lines = [
        f"{who(answer)}: {line}"
        for answer in asked.good
        for one, line in zip(answer["constraints"], answer["in_force"], strict=False)
        if one["type"] == kind
    ]
    return tell(asked, given.json, lines or ["There is none."], nobody_at(given))


def _checked(scope: str | None) -> str | None:
    """A scope, or a bare name, which each process reads for itself.

    Raises:
        ConstraintError: there is no such scope.
    """
    return str(parse_scope(scope)) if scope is not None and ":" in scope else scope


def _runs_of(answer: Answer) -> list[str]:
    return [
        f"  run {one['number']} of {one['title']} ({one['run_id']}): {one['headline']}"
        for one in answer.get("runs", ())
    ]


def applied_words(one: Answer) -> str:
    """What is in force from now on."""
    words, params = one["words"], one["params"]
    if one["type"] == "pause":
        text = f"{words} paused: nothing of it starts any more"
    elif one["type"] == "concurrency":
        text = f"at most {params['limit']} of {words} at once"
    elif one["type"] == "breakpoint":
        text = f"a breakpoint before {words}: what would start is held"
    elif one["type"] == "breaker":
        text = f"{words}: {breaker_text(params)}"
    elif one["type"] == "guard":
        text = f"{words}: {guard_text(params)}"
    else:
        text = f"{words}: at most {rate_text(params['rate'])}"
    if one["expires_in"] is not None:
        text += f", for {seconds_text(one['expires_in'])}"
    if one["holder"]["kind"] != "person":
        text += f", by {one['by']}"
    return text + (f" ({one['reason']})" if one["reason"] else "")


def lifted_words(one: Answer) -> str:
    """What is in force no longer."""
    words = parse_scope(one["scope"]).words
    whose = f" by {one['by']}" if one["by"] else ""
    reason = f": {one['reason']}" if one["reason"] else ""
    held = f" ({_HELD.get(one['type'], 'limited')}{whose}{reason})" if whose else ""
    return f"{words}: {LIFTED[one['type']]}{held}"
