"""Says what to do next, in words for where they are read: a magic in a notebook, else a call."""

from __future__ import annotations

import contextlib
import contextvars
import shlex
from collections.abc import Callable, Iterator

Undo = Callable[[], None]

_short: Callable[[str], str] | None = None
_asked_from_a_terminal = contextvars.ContextVar("cascade_asked_from_a_terminal", default=False)


def advised(call: str, magic: str) -> str:
    """`call` where a script is read, and the magic of these arguments in a notebook."""
    return call if _short is None else f"`%cascade {magic}`"


def advised_resume(scope: str) -> str:
    """How to lift the pause of a scope."""
    return _advised_off(scope, "resume", "", f"cs.resume({scope!r})")


def advised_no_limit(scope: str) -> str:
    """How to lift the limit of a scope."""
    return _advised_off(scope, "limit", " off", f"cs.limit({scope!r}, None)")


def advised_no_guard(scope: str) -> str:
    """How to lift the memory guard of a scope."""
    call = "cs.guard(None)" if scope == "global" else f"cs.guard(None, {scope!r})"
    return _advised_off(scope, "guard", " off", call)


def _advised_off(scope: str, command: str, last: str, call: str) -> str:
    if _asked_from_a_terminal.get():
        return f"`cascade-nb {command} {scope}{last}`"
    if _short is None:
        return call
    return advised("", command + ("" if scope == "global" else f" {_short(scope)}") + last)


def advised_answer(name: str) -> str:
    """How to answer the question of a node."""
    if _asked_from_a_terminal.get():
        return f"`cascade-nb answer {shlex.quote(name)} VALUE`"
    if _short is None:
        return f"cs.answer({name!r}, …)"
    quoted = name if " " not in name else f'"{name}"'
    return advised("", f"answer {quoted} VALUE")


def advised_value(name: str | None, lasting: bool, comes: int | None = None) -> str:
    """How to come to the value of a node: "cs.run(…) computes it".

    Args:
        name: what it is bound to, where that is known.
        lasting: whether it is there when its run is over; else only the run has it.
        comes: the number of the run that gives it, where one does already.
    """
    if comes is not None:
        return f"it is there when run {comes} is done"
    if name is None or (_short is None and lasting):
        return f"cs.run(…) {'computes' if lasting else 'gives'} it"
    if lasting:
        return f"`%cascade run {name}` computes it"
    if _short is None:
        return f"cs.run({name}) gives it"
    return f"`run = %cascade run {name} --wait`, then `run.result()`, gives it"


@contextlib.contextmanager
def asked_from_a_terminal() -> Iterator[None]:
    """What is said inside is read where `cascade-nb` can be typed."""
    token = _asked_from_a_terminal.set(True)
    try:
        yield
    finally:
        _asked_from_a_terminal.reset(token)


def advise_magics(short: Callable[[str], str]) -> Undo:
    """From now on speak of magics; gives what undoes it. A notebook does.

    Args:
        short: gives the shortest text that means a scope there.
    """
    global _short
    before, _short = _short, short

    def undo() -> None:
        global _short  # noqa: PLW0603 - as above
        _short = before

    return undo
