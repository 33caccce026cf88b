"""What to do next, in words that work where they are read: a magic in a notebook, else a call."""

from __future__ import annotations

from collections.abc import Callable

Undo = Callable[[], None]

_short: Callable[[str], str] | None = None


def advised(call: str, magic: str) -> str:
    """`call` where a script is read, and the magic of these arguments in a notebook."""
    return call if _short is None else f"`%cascade {magic}`"


def advised_resume(scope: str) -> str:
    """How to lift the pause of a scope."""
    if _short is None:
        return f"cs.resume({scope!r})"
    return advised("", "resume" if scope == "global" else f"resume {_short(scope)}")


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
