"""`cascade-nb pause`, `limit`, `guard` and the like over a broker, for runs elsewhere."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

from cascade_nb.connectors.urls import mqtt_controller
from cascade_nb.control.constraint import new_constraint, parse_scope
from cascade_nb.control.constraint_numbers import parse_breaker, parse_memory
from cascade_nb.control.explanations import NAMES
from cascade_nb.control.holders import A_PERSON, parse_holder
from cascade_nb.control.words import some_of
from cascade_nb.door.broker.callers import QUIET, WAIT
from cascade_nb.errors import UsageError
from cascade_nb.grammar.arguments import Arguments
from cascade_nb.grammar.values import guard_of, limit_of, scope_and
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.terminal.asking import one_of
from cascade_nb.terminal.control import lifted_words, probe_of
from cascade_nb.terminal.output import DONE, FAILED, NOBODY, complain, say, say_json
from cascade_nb.terminal.remote.place import holder_of_command, myself, nobody_at, take_broker

_DIGITS: Final = 12  # from here on it may be an id
Act = Callable[[Namespace], int]
Ask = Callable[[Any], Awaitable[Any]]
Answers = list[dict[str, Any]]


class Heard(NamedTuple):
    """What came of a message.

    Attributes:
        answers: of engines, those first that have done what it asks for.
        unreadable: what came and cannot be read, by whom and why.
    """

    answers: Answers
    unreadable: list[str]

    @property
    def done(self) -> Answers:
        """Of those that have done it."""
        return [one for one in self.answers if "refused" not in one]

    @property
    def meant(self) -> Answers:
        """Of those that have done it and are meant: where a run is named, who has it, or had
        something of it to lift.
        """
        return [one for one in self.done if one.get("run") != "elsewhere" or one.get("lifted")]

    @property
    def code(self) -> int:
        """The exit code: that nobody answered who is meant is one."""
        refused = len(self.answers) > len(self.done)
        return DONE if self.meant else FAILED if refused else NOBODY

    def complain(self) -> None:
        """Say who refused, and what could not be read."""
        refused = [one for one in self.answers if "refused" in one]
        complain(*(f"{one['source']} refused: {one['refused']}" for one in refused))
        complain(*(f"skipped: {why}" for why in self.unreadable))


class Wish(NamedTuple):
    """What is asked for.

    Attributes:
        scope, type, params: of the constraint.
        lift: whether it is to go.
    """

    scope: str
    type: str
    params: dict[str, Any]
    lift: bool = False


def may_be_over_broker(takes: Arguments, name: str, act: Act) -> Act:
    """Have a command take `--broker`, and go over that where it is given."""
    take_broker(takes)

    def do(given: Namespace) -> int:
        lists = name in _AMOUNTS and not getattr(given, _AMOUNTS[name])
        if given.broker is None or lists:
            return act(given)
        return over_broker(given, _WISHES[name](given))

    return do


def heard_over_broker(given: Namespace, ask: Ask, *, alone: bool = False) -> Heard | None:
    """What engines answer to what is sent to a broker; None where it could not be sent, which has
    been said then.

    Args:
        given: what was typed: the broker, and who asks.
        ask: sends it, and gives the id of the message.
        alone: whether one engine at most has something to say.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
    """
    holder = holder_of_command(given)
    controller = mqtt_controller(
        given.broker,
        by=myself(),
        holder=A_PERSON if holder is None else parse_holder(holder),
        patience=WAIT,
    )

    async def asked() -> Heard:
        async with controller:
            message = await ask(controller)
            found = await controller.answers(message, 1, WAIT)
            if found and not alone:
                # How many there are is not known: when one has answered, the others soon have.
                found = await controller.answers(message, 1 << 30, QUIET)
            return Heard(found, controller.unreadable(message))

    try:
        return asyncio.run(asked())
    except OSError as error:  # it cannot be reached, or does not take what it was sent
        if given.json:
            kind = type(error).__name__
            say_json({"ok": False, "kind": kind, "error": str(error), "exit": FAILED})
        complain(f"cascade-nb: {error}")
        return None


def over_broker(given: Namespace, wish: Wish) -> int:
    """Send a wish to a broker, and say who has done it.

    Returns:
        The exit code: that nobody answered is one, though the broker keeps what it was sent.

    Raises:
        UsageError: a run is named by its number; or as `heard_over_broker`.
    """
    run = given.run or ""
    if run.isdigit() and len(run) < _DIGITS:  # each process counts its own
        raise UsageError(
            f"over a broker a run is named by its whole id, and not as {run}; `cascade-nb runs "
            "--broker URL` says it"
        )
    heard = heard_over_broker(given, partial(_sent, given, wish, run))
    if heard is None:
        return FAILED
    scope = parse_scope(wish.scope).within(run)
    if given.json:
        said = {"ok": heard.code == DONE, "scope": str(scope), "type": wish.type, "lift": wish.lift}
        said |= {"answers": heard.answers, "skipped": heard.unreadable}
        say_json({**said, "exit": heard.code})
        return heard.code
    what = f"{NAMES[wish.type]} of {scope.words}"
    for one in heard.meant:
        told = [f"the {what} is in force"]
        if wish.lift:
            told = [lifted_words(it) for it in one["lifted"]]
            told = told or [f"there was no {what} to lift{_own_words(given)}"]
        say(*(f"{one['source']}: {line}" for line in told))
    heard.complain()
    if heard.code == NOBODY:
        complain(_nobody(given, wish, run, heard))
    return heard.code


def _nobody(given: Namespace, wish: Wish, run: str, heard: Heard) -> str:
    """That nobody has done it who was meant."""
    if not heard.done:
        kept = "" if wish.lift else "; the broker keeps it for whatever connects"
        return f"{nobody_at(given)}{kept}"
    kept = "there is nothing to lift" if wish.lift else "the broker keeps it until one comes"
    who = some_of([one["source"] for one in heard.done])
    return f"no run {run} goes on at {who}: {kept}; `cascade-nb runs --broker URL` lists them"


def _own_words(given: Namespace) -> str:
    """Whose alone would have been lifted; empty for a person, who lifts what all have there."""
    said = holder_of_command(given)
    holder = A_PERSON if said is None else parse_holder(said)
    return "" if holder.kind == "person" else f" of {holder.words}"


async def _sent(given: Namespace, wish: Wish, run: str, controller: Any) -> object:
    if wish.lift:
        return await controller.lift(wish.scope, wish.type, run=run)
    seconds = None if given.span is None else seconds_of(given.span)
    return await controller.put(
        wish.scope, wish.type, wish.params, reason=given.reason, ttl=seconds, run=run
    )


def _pause(given: Namespace) -> Wish:
    kind = "breakpoint" if given.before else "pause"
    return Wish(_scope(one_of(given.scope, given.scope_option, "scope")), kind, {})


def _resume(given: Namespace) -> Wish:
    return _pause(given)._replace(lift=True)


def _limit(given: Namespace) -> Wish:
    text, number = scope_and(given.scope_and_number, "cascade-nb limit", "a number", "4")
    n = limit_of(number, "cascade-nb limit")
    scope = _scope(one_of(text, given.scope_option, "scope"))
    return Wish(scope, "concurrency", {"limit": n}, lift=n is None)


def _rate(given: Namespace) -> Wish:
    text, rate = scope_and(given.scope_and_rate, "cascade-nb rate", "a rate", "10/m")
    scope = _scope(one_of(text, given.scope_option, "scope"))
    wish = Wish(scope, "rate_limit", {"rate": rate}, lift=rate == "off")
    if not wish.lift:
        new_constraint(parse_scope(scope), wish.type, wish.params)
    return wish


def _breaker(given: Namespace) -> Wish:
    text, rule = scope_and(given.scope_and_rule, "cascade-nb breaker", "failures per time", "3/1m")
    scope = _scope(one_of(text, given.scope_option, "scope"))
    if rule == "off":
        return Wish(scope, "breaker", {}, lift=True)
    failures, within = parse_breaker(rule)
    probe = {} if given.probe is None else {"probe_after": probe_of(given.probe)}
    return Wish(scope, "breaker", {"failures": failures, "within": within, **probe})


def _guard(given: Namespace) -> Wish:
    text, memory = guard_of(given.scope_and_part, "cascade-nb guard")
    scope = _scope(one_of(text, given.scope_option, "scope"))
    if memory is None:
        return Wish(scope, "guard", {}, lift=True)
    suspend = {"suspend": True} if given.suspend else {}
    return Wish(scope, "guard", {"memory": parse_memory(memory), **suspend})


_WISHES: Final[dict[str, Callable[[Namespace], Wish]]] = {
    "pause": _pause,
    "resume": _resume,
    "limit": _limit,
    "rate": _rate,
    "breaker": _breaker,
    "guard": _guard,
}
#: Where an amount stands that one of these may be typed without: it lists what is in force then.
_AMOUNTS: Final = {
    "limit": "scope_and_number",
    "rate": "scope_and_rate",
    "breaker": "scope_and_rule",
    "guard": "scope_and_part",
}


def _scope(text: str | None) -> str:
    """A scope; a bare name is a task's, since nobody is there to ask what is called so.

    Raises:
        ConstraintError: there is no such scope.
    """
    if text is None or text == "global":
        return "global"
    return str(parse_scope(text if ":" in text else f"task:{text}"))
