"""Says who has put a constraint into force, and who may lift whose.

A person lifts anything. A program or an agent lifts what it has put there itself, and nothing else.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
from typing import Final

from cascade_nb.errors import ConstraintError, nearest
from cascade_nb.text import quoted

VARIABLE: Final = "CASCADE_HOLDER"
KINDS: Final = ("person", "program", "agent")
YOU: Final = "you"  # what this process calls whoever it speaks for
LONGEST: Final = 64  # characters of a name
_FORM: Final = "person:NAME, program:NAME or agent:NAME"


@dataclasses.dataclass(frozen=True)
class Holder:
    """Whose a constraint is. Those of two holders stand beside each other.

    Attributes:
        kind: "person", "program" or "agent".
        name: of that one; empty for a person of whom nothing is known.
        means: what of theirs holds, such as "the breaker"; empty where they do so themselves.
        shown: what to call them, where that is not the name; it tells nobody apart.
    """

    kind: str
    name: str = ""
    means: str = ""
    shown: str = dataclasses.field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def words(self) -> str:
        """What people call it: "ada", "the program nightly"."""
        own = self.name if self.kind == "person" else f"the {self.kind} {self.name}"
        return self.means or self.shown or own

    def may_lift(self, other: Holder) -> bool:
        """Whether this one may lift or loosen what another has put into force."""
        return self.kind == "person" or (self.kind, self.name) == (other.kind, other.name)


A_PERSON: Final = Holder("person")


def parse_holder(text: object) -> Holder:
    """A holder out of ``person:ada``, ``program:nightly`` or ``agent:claude``.

    Raises:
        ConstraintError: it is none.
    """
    kind, colon, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind not in KINDS or not colon:
        raise ConstraintError(
            f"a holder is {_FORM}, not {quoted(text)}{nearest(kind, KINDS) if kind else ''}"
        )
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ConstraintError(
            f"a name in a holder has 1 to {LONGEST} printable characters, unlike {quoted(name, 90)}"
        )
    return Holder(kind, name)


def own_holder() -> Holder:
    """Whom this process speaks for: what `CASCADE_HOLDER` says, else its user, a person.

    Raises:
        ConstraintError: the variable names no holder.
    """
    said = os.environ.get(VARIABLE, "")
    if not said:
        return the_user()
    try:
        return parse_holder(said)
    except ConstraintError as error:
        raise ConstraintError(f"{VARIABLE} is set to {quoted(said)}, but {error}") from None


def the_user() -> Holder:
    """The user of this process, a person."""
    return Holder("person", user_name(), shown=YOU)


def user_name() -> str:
    """The name of this process's user; empty where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name
        return ""


def holder_of(by: str | Holder) -> Holder:
    """Who it is that asks.

    Args:
        by: "you" for whom this process speaks for, a holder as `parse_holder` takes it, or a
            person's name.

    Raises:
        ConstraintError: it begins like a holder and is none, or `CASCADE_HOLDER` names none.
    """
    if isinstance(by, Holder):
        return by
    if by == YOU:
        return own_holder()
    kind, colon, _ = by.partition(":")
    return parse_holder(by) if colon and kind in KINDS else Holder("person", by)
