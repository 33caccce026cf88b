"""Explains errors that other libraries raise when they are handed a lazy value."""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Final

from cascade_nb.errors import CascadeError
from cascade_nb.model.containers.containers import holds
from cascade_nb.model.copying.library_copiers import LARGE
from cascade_nb.model.copying.read_only import COPY_FIRST, is_of_read_only, is_read_only
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.refusals import ways_out_of

_LIBRARIES: Final = (os.path.dirname(os.__file__) + os.sep, "<frozen ")  # noqa: PTH120 - of texts
_LOADS: Final = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_DEREF")  # and kinds of them
_OF_ITSELF: Final = ("LOAD_ATTR", "LOAD_METHOD")
_CONTAINERS: Final = (list, tuple, dict, set, frozenset)
_MISSING: Final = object()
_OURS: Final = __name__.partition(".")[0]


def advice_on(error: BaseException) -> str | None:
    """What to say below an error that came of a lazy value, or of a write to an array that others
    read too; None for any other.
    """
    return said_of_lazies(error) or _said_of_read_only(error)


def _said_of_read_only(error: BaseException) -> str | None:
    if not is_of_read_only(error, str(error)) or isinstance(error, CascadeError):
        return None
    steps = _users_steps(error.__traceback__)
    for name, value in (found for step in steps[-1:] for found in _handed_on(step)):
        if is_read_only(value) and value.nbytes >= LARGE:
            return f"`{name}`: {COPY_FIRST}."
    return None


def said_of_lazies(error: BaseException) -> str | None:
    """What to say below an error that came of a lazy value; None where none seems to be in it.

    It does where the error speaks of one, and where a `TypeError` or a `ValueError` comes of a line
    of the user's that hands one on: much of what is written in C asks a value nothing, and says of
    it only what it is not.
    """
    if isinstance(error, CascadeError):
        return None
    text = str(error)
    speaks = "LazyResult" in text or "<lazy " in text
    if not speaks and not isinstance(error, (TypeError, ValueError)):
        return None
    name, lazy = next(_on_the_way(error.__traceback__, also_inside=speaks), (None, None))
    if lazy is None and not speaks:
        return None
    what = "A LazyResult is the call of a task that is not computed yet"
    if name is not None:
        what += f", as `{name}` is here" if isinstance(lazy, Lazy) else f", as in `{name}` here"
    return f"{what}: {ways_out_of(lazy if isinstance(lazy, Lazy) else None)}."


def _on_the_way(step: TracebackType | None, *, also_inside: bool) -> Iterator[tuple[str, Any]]:
    """The lazy values by the names under which lines of the user's handed them on, innermost
    first.
    """
    for one in reversed(_users_steps(step)):
        for name, value in _handed_on(one):
            inside = also_inside and isinstance(value, _CONTAINERS) and holds(value, Lazy)
            if isinstance(value, Lazy) or inside:
                yield name, value


def _users_steps(step: TracebackType | None) -> list[TracebackType]:
    steps = []
    while step is not None:
        if _is_users(step.tb_frame):
            steps.append(step)
        step = step.tb_next
    return steps


def _is_users(frame: FrameType) -> bool:
    name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
    if name == "__main__":
        return True
    is_ours = name.partition(".")[0] == _OURS
    return not (is_ours or file.startswith(_LIBRARIES) or "site-packages" in file)


def _handed_on(step: TracebackType) -> Iterator[tuple[str, Any]]:
    """What the names mean that stand in the expression which failed (before Python 3.11, in its
    line), but for those of which only an attribute is asked.
    """
    frame = step.tb_frame
    found = list(dis.get_instructions(frame.f_code))
    # A call of a function in Python stands at one of its cache entries, behind the instruction.
    begun = [one for one in found if one.offset <= step.tb_lasti]
    failed = begun[-1] if begun else None
    first, last = _span_of(failed, step.tb_lineno)
    line = 0
    for one, following in zip(found, [*found[1:], None], strict=True):
        line = one.starts_line if isinstance(one.starts_line, int) else line
        begins, ends = _span_of(one, line)
        if not one.opname.startswith(_LOADS) or begins < first or ends > last:
            continue
        if following is None or following.opname not in _OF_ITSELF:
            # Since Python 3.13 one instruction may load two.
            for name in one.argval if isinstance(one.argval, tuple) else (one.argval,):
                yield name, _meaning(frame, name)


def _span_of(one: dis.Instruction | None, line: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where it begins and ends in the text, by line and column, as far as Python tells it."""
    place = getattr(one, "positions", None)
    if place is None or None in place:
        return (line, 0), (line, sys.maxsize)
    return (place.lineno, place.col_offset), (place.end_lineno, place.end_col_offset)


def _meaning(frame: FrameType, name: str) -> Any:
    return frame.f_locals.get(name, frame.f_globals.get(name, _MISSING))


def advise_on_uncaught_errors() -> None:
    """From now on say it below the traceback with which a script ends, too. What shows tracebacks
    there already goes on to do so.
    """
    global _installed  # noqa: PLW0603 - a process has one such hook
    if _installed:
        return
    _installed = True
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, step: TracebackType | None) -> None:
        try:
            said = advice_on(error)
        except Exception:  # the user's own error is what has to be shown
            said = None
        before(kind, error, step)
        if said is not None and sys.stderr is not None:
            sys.stderr.write(f"{said}\n")

    sys.excepthook = show


_installed = False
