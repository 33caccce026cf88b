"""The actions of the sub-commands of `%cascade`.

Each takes the session, its arguments, and whether what it gives is awaited; what it gives is the
value of the magic. What it refuses it refuses before it has done anything.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.constraint_numbers import parse_breaker, parse_memory
from cascade_nb.control.explanations import (
    breaker_text,
    constraint_line,
    guard_text,
    looking_words,
    whose_words,
)
from cascade_nb.control.holders import YOU, holder_of
from cascade_nb.control.words import seconds_text
from cascade_nb.door.known_runs import looking_at_edits
from cascade_nb.engine.inspection.hold_effects import HoldEffect, hold_effect
from cascade_nb.engine.reporting.report import outermost, times_lines
from cascade_nb.errors import UsageError, nearest
from cascade_nb.executors.resolve import NAMES
from cascade_nb.grammar.values import guard_of, limit_of, parameter_texts, priority_of, scope_and
from cascade_nb.graph.build import build_graph
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.model.options.pause_condition import Expression, condition_in_words
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.magics.launching import LaunchOptions, launch
from cascade_nb.notebook.magics.plan_and_why import show_plan, why
from cascade_nb.notebook.overview.in_words import in_force_in_words
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own, show_graph, whole_graph
from cascade_nb.notebook.panel.saved import summary
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.plan_view import ShownPlan
from cascade_nb.shortcuts.everywhere import breaker, guard, limit, pause, rate, resume
from cascade_nb.shortcuts.looking_ahead import plan


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
    options = LaunchOptions(
        names=given.name,
        wait=given.wait,
        awaited=awaited,
        fresh=given.fresh,
        share=given.share,
        on_error=given.on_error,
        on=_executor(session, given.on),
        priority=priority_of(given.priority),
        params=parameter_texts(given.param),
    )
    return launch(session, options)


def _executor(session: Session, word: str | None) -> Any:
    """What is meant by a word behind `--on`: a variable's executor, or else the word."""
    if word is None or word in NAMES:
        return word
    return session.shell.user_ns.get(word, word)


def tell_plan(session: Session, given: Namespace, awaited: bool) -> Any:
    """Say what a run would do."""
    _, target = session.targets(given.name)
    params = session.params_of(target, parameter_texts(given.param))
    on = _executor(session, given.on)
    if not awaited:
        graph = session.engine.graph_of(target, session.workspace)
        show_plan(session, plan(graph, params=params, on=on))
        return None

    async def tell() -> None:
        bindings = session.workspace
        made = await session.engine.plan(target, params=params, bindings=bindings, on=on)
        show_plan(session, await run_in_thread(ShownPlan.of(made).prepare))

    return tell()


def tell_status(session: Session, given: Namespace, _awaited: bool) -> None:
    """Say what runs are doing and what holds them."""
    if given.run is not None:
        named = [session.status_named(given.run)]
    else:
        live = outermost([run.status for run in session.live_runs()])
        named = live or [one for one in session.statuses() if one.parent is None][:1]
    parts = [summary(one, TaskOutput()) for one in named]
    parts += filter(None, [in_force_in_words(session)])
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
    scope = session.scope(given.scope, items=given.before)
    ttl = seconds_of(given.span) if given.span is not None else None
    condition, judged = None, ""
    if given.condition is not None:
        if not given.before:
            raise UsageError(
                "a condition belongs to a breakpoint: `%cascade pause --before train --if …`"
            )
        condition = Expression(given.condition, lambda: session.shell.user_ns)
        judged = f", if {condition_in_words(condition)},"
    lasts = f" for {seconds_text(ttl)}" if ttl is not None else ""
    said = f"{scope.words}{judged}{lasts}".rstrip(",")
    does = _what_a_hold_does(session, scope, given.before, bool(judged))
    if given.dry:
        would = "set a breakpoint before" if given.before else "pause"
        say(f"Would {would} {said}.{does or ' No run goes on that it is about.'}")
        return
    pause(str(scope), reason=given.reason, ttl=ttl, before=given.before, pause_if=condition)
    done = "A breakpoint before" if given.before else "Paused:"
    say(f"{done} {said}.{does}{_standing(session, scope)}")


def _what_a_hold_does(session: Session, scope: Scope, before: bool, judged: bool) -> str:
    """How many of what goes on it holds, in a sentence; empty where nothing goes on, or it is one
    item.
    """
    runs = [run for run in session.live_runs() if scope.of_run in ("", run.id)]
    if not runs or scope.value.endswith("]"):
        return ""
    effect = sum((hold_effect(run, run.graph, scope) for run in runs), HoldEffect())
    return f" {effect.words_before(judged) if before else effect.words}"


def let_go(session: Session, given: Namespace, _awaited: bool) -> None:
    """Resume a scope, or the only one that is paused; or take its breakpoint away."""
    kind = "breakpoint" if given.before else "pause"
    standing = [one for one in session.constraints().values() if one.type == kind]
    scopes = list(dict.fromkeys(one.scope for one in standing))
    only = given.scope is None and len(scopes) == 1
    scope = scopes[0] if only else session.scope(given.scope, items=True)
    theirs = _theirs(session, scope, kind)
    if resume(str(scope), before=given.before):
        done = "No breakpoint any more before" if given.before else "Resumed:"
        say(f"{done} {scope.words}{theirs}.")
        return
    stands = ", ".join(map(str, scopes))
    if given.before:
        known = f"; there is one before {stands}" if stands else ""
        say(f"There was no breakpoint before {scope.words}{known}.")
    elif looking := looking_at_edits():
        say(f"Nothing pauses {scope.words} any more: {looking_words(looking)}.")
    else:
        known = f"; paused is {stands}" if stands else ""
        were = "were" if scope.kind in ("task", "from") else "was"
        say(f"{scope.words} {were} not paused{known}.")


def cap(session: Session, given: Namespace, _awaited: bool) -> None:
    """Limit a scope, or lift its limit; without arguments, say which limits there are."""
    if not given.scope_and_number:
        _tell_limits(session, "concurrency", "limit train 4")
        return
    scope, number = _scope_and(session, given.scope_and_number, "limit", "a number", "4")
    most = limit_of(number, "%cascade limit")
    if most is None:
        _lift(session, scope, "concurrency", "limit", lambda: limit(str(scope), None))
        return
    limit(str(scope), most)
    beside = _beside(session, scope, "concurrency")
    if most == 0:
        off = " ".join([*given.scope_and_number[:-1], "off"])
        does = _what_a_hold_does(session, scope, before=False, judged=False)
        beside = f" None starts until `%cascade limit {off}`.{does}{beside}"
    say(f"At most {most} at once: {scope.words}.{beside}{_standing(session, scope)}")


def slow_down(session: Session, given: Namespace, _awaited: bool) -> None:
    """Let so many of a scope start per time, or lift that; without arguments, say which rates there
    are.
    """
    if not given.scope_and_rate:
        _tell_limits(session, "rate_limit", "rate fetch 10/m")
        return
    scope, per_time = _scope_and(session, given.scope_and_rate, "rate", "a rate", "10/m")
    if per_time == "off":
        _lift(session, scope, "rate_limit", "rate limit", lambda: rate(str(scope), None))
        return
    rate(str(scope), per_time)
    beside = _beside(session, scope, "rate_limit")
    say(f"At most {per_time} starts: {scope.words}.{beside}{_standing(session, scope)}")


def break_off(session: Session, given: Namespace, _awaited: bool) -> None:
    """Pause a scope when it fails too often, or lift that; without arguments, say which breakers
    there are.
    """
    if not given.scope_and_rule:
        _tell_limits(session, "breaker", "breaker fetch 3/1m")
        return
    words = given.scope_and_rule
    scope, rule = _scope_and(session, words, "breaker", "failures per time", "3/1m")
    if rule == "off":
        _lift(session, scope, "breaker", "breaker", lambda: breaker(str(scope), None))
        return
    probe_after = seconds_of(given.probe) if given.probe is not None else None
    breaker(str(scope), rule, probe_after=probe_after)
    failures, within = parse_breaker(rule)
    told = breaker_text({"failures": failures, "within": within, "probe_after": probe_after})
    say(f"{told[0].upper()}{told[1:]}: {scope.words}.{_standing(session, scope)}")


def keep_free(session: Session, given: Namespace, _awaited: bool) -> None:
    """Start nothing of a scope while memory is scarce, or lift that; without arguments, say which
    guards there are.
    """
    if not given.scope_and_part:
        _tell_limits(session, "guard", "guard memory 85%")
        return
    text, memory = guard_of(given.scope_and_part, "%cascade guard")
    scope = session.scope(text)
    if memory is None:
        _lift(session, scope, "guard", "memory guard", lambda: guard(None, str(scope)))
        return
    guard(memory, str(scope), suspend=given.suspend)
    told = guard_text({"memory": parse_memory(memory), "suspend": given.suspend})
    beside = _beside(session, scope, "guard")
    say(f"{told[0].upper()}{told[1:]}: {scope.words}.{beside}{_standing(session, scope)}")


def _lift(session: Session, scope: Scope, kind: str, what: str, lift: Callable[[], object]) -> None:
    """Have a limit go, and say so, or that there is none."""
    there = _of(session, scope, kind)
    others = dict.fromkeys(str(one) for one, its, _ in session.constraints() if its == kind)
    theirs = _theirs(session, scope, kind)
    lift()
    if there:
        say(f"No {what} any more: {scope.words}{theirs}.")
    else:
        known = f"; there is one of {', '.join(others)}" if others else ""
        say(f"There was no {what} of {scope.words}{known}.")


def _of(session: Session, scope: Scope, kind: str) -> list[Constraint]:
    """What is in force of this scope and type, of all holders."""
    return [one for one in session.constraints().values() if (one.scope, one.type) == (scope, kind)]


def _theirs(session: Session, scope: Scope, kind: str) -> str:
    """Whose it is that is about to go, where it is not only ours."""
    found = _of(session, scope, kind)
    ours = all(one.holder == holder_of(YOU) for one in found)
    return "" if ours else f" ({whose_words(found).strip()})"


def _beside(session: Session, scope: Scope, kind: str) -> str:
    """What stands beside ours: the strictest of them counts."""
    others = [one for one in _of(session, scope, kind) if one.holder != holder_of(YOU)]
    now = session.engine.clock.now()
    return "".join(f" Beside it stands {constraint_line(one, now)}." for one in others)


def _scope_and(
    session: Session, words: list[str], command: str, what: str, example: str
) -> tuple[Scope, str]:
    text, last = scope_and(words, f"%cascade {command}", what, example)
    return session.scope(text), last


def _tell_limits(session: Session, kind: str, example: str) -> None:
    now = session.engine.clock.now()
    found = [one for one in session.constraints().values() if one.type == kind]
    lines = [constraint_line(one, now) for one in found]
    say("\n".join(lines) or f"There is none; `%cascade {example}` sets one.")


def tell_times(session: Session, given: Namespace, _awaited: bool) -> None:
    """Say how long each task of a run took."""
    status = session.status_named(given.run)
    lines = times_lines(status.kinds)
    if len(lines) == 1:
        say(f"Nothing has run yet in run {status.number} of {status.title}.")
        return
    say("\n".join([f"Run {status.number} of {status.title}: {status.headline}", *lines]))


def end(session: Session, given: Namespace, _awaited: bool) -> None:
    """Cancel a run."""
    run = session.live_run(given.run)
    run.cancel("cancelled from the notebook")
    say(f"Cancelling run {run.number} of {run.graph.title}.")


def drop_names(session: Session, given: Namespace, _awaited: bool) -> None:
    """Take names out of the workspace."""
    session.workspace.drop(*map(session.spelled, given.name))
    say(f"Dropped: {', '.join(given.name)}.")


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
    if scope.kind == "tag" and not any(map(scope.matches, tags := session.tags())):
        return f" There is no such tag yet{nearest(scope.value, tags)}."
    live = session.live_runs()
    if scope.of_run and not any(run.id == scope.of_run for run in live):
        there = ", ".join(f"{run.number} ({run.graph.title})" for run in live)
        return " There is no such run now" + (f"; there is {there}." if there else ".")
    return "".join(f" Run {run.number}: {run.status.headline}." for run in live)
