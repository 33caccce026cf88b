"""Says where a command asks and for whom: on this machine, or on a broker that was named."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from cascade_nb.control.holders import A_PERSON, VARIABLE, own_holder, parse_holder
from cascade_nb.control.remote.envelope import KEY_VARIABLE
from cascade_nb.defaults import BROKER_VARIABLE
from cascade_nb.door.asked import Among
from cascade_nb.door.broker.callers import WAIT, broker_at
from cascade_nb.door.discovery import Neighbours, neighbours
from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.grammar.arguments import Arguments

_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
BROKER: Final = "mqtt://localhost, mqtts://user:password@host"


def take_broker(takes: Arguments) -> None:
    """Have a command take `--broker`."""
    words = f"for runs on other machines: {BROKER}; or {BROKER_VARIABLE}, or what else names it"
    takes.add_argument("--broker", metavar="URL", type=broker_url, help=words)


def broker_url(text: str) -> str:
    """The URL of a broker, or what a variable of the environment says that is named in its place:
    the words of a command are seen by all users of a machine, and the URL may have a password.

    Raises:
        UsageError: there is no such variable.
    """
    if not _NAME.fullmatch(text):
        return text
    if not os.environ.get(text):
        raise UsageError(f"the environment has no variable {text}, which would name the broker")
    return os.environ[text]


@contextlib.contextmanager
def asked_at(given: Namespace) -> Iterator[Among]:
    """What finds those whom a command asks, while the block lasts.

    Raises:
        UsageError: what was given is no URL of a broker, or paho-mqtt is not installed.
        CascadeError: the broker cannot be reached, or does not let us in; from what is given, too.
    """
    if given.broker is None:
        yield neighbours
        return
    holder = holder_of_command(given)
    asks = A_PERSON if holder is None else parse_holder(holder)
    with contextlib.ExitStack() as stack:
        with _said():
            broker = stack.enter_context(broker_at(given.broker, myself(), asks))

        def found() -> Neighbours:
            with _said():
                return broker.neighbours()

        yield found


def nobody_at(given: Namespace, here: str = "") -> str:
    """What to say where nobody answered.

    Args:
        given: what was typed.
        here: what to say of this machine.
    """
    if given.broker is None:
        return here
    return (
        f"nobody answered within {WAIT:g} s: nothing runs that is connected to this broker and has "
        f"the same {KEY_VARIABLE}, or none"
    )


def holder_of_command(given: Namespace) -> str | None:
    """Who asks, where it is somebody else than the person who types.

    Raises:
        ConstraintError: what was given, or `CASCADE_HOLDER`, names no holder.
    """
    said = getattr(given, "holder", None)  # who only looks need not say
    if said is not None:
        return str(parse_holder(said))
    return str(own_holder()) if os.environ.get(VARIABLE) else None


def myself() -> str:
    """What this terminal calls itself."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name
        return socket.gethostname()


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """What a broker says in the way of errors of the system is told as ours."""
    try:
        yield
    except OSError as error:
        raise CascadeError(str(error)) from error
