"""Takes the error of a node apart: what was raised, from what, and through which lines."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator
from typing import Final

from cascade_nb.engine.dispatch.failures import Failure, error_text, is_of_ours, is_users
from cascade_nb.engine.source_names import place_of
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain

_CHAIN: Final = 10  # exceptions
_FRAMES: Final = 100  # of one of them, of which the innermost stay

_CAUSE: Final = "which was raised because of"
_CONTEXT: Final = "while this was handled"


def error_parts(failure: Failure) -> Json:
    """A failure: the exception that ended it, and below it those that it came of."""
    return {
        "task": line(failure.task),
        "attempt": failure.attempt,
        "text": plain(failure.text, SHORT),
        "where": line(failure.where or "", SHORT),
        "inputs": [plain(one, SHORT) for one in failure.inputs[:20]],
        "chain": list(_chain(failure.error)),
    }


def _chain(error: BaseException) -> Iterator[Json]:
    one: BaseException | None = error
    seen: set[int] = set()
    link = ""
    while one is not None and id(one) not in seen and len(seen) < _CHAIN:
        seen.add(id(one))
        yield _part(link, one)
        for inner in getattr(one, "exceptions", ())[:_CHAIN]:
            if isinstance(inner, BaseException):
                yield {
                    "link": "one of its group",
                    "text": _words(inner),
                    "frames": frames_of(inner),
                }
        if one.__cause__ is not None:
            one, link = one.__cause__, _CAUSE
        else:
            one, link = (None if one.__suppress_context__ else one.__context__), _CONTEXT


def _part(how: str, error: BaseException) -> Json:
    return {"link": how, "text": _words(error), "frames": frames_of(error)}


def _words(error: BaseException) -> str:
    """All that it says, with its notes, and not only its first line."""
    try:
        said = "".join(traceback.format_exception_only(type(error), error)).strip()
    except BaseException:  # its `__str__` is the user's
        said = error_text(error)
    return plain(said, 4_000)


def frames_of(error: BaseException) -> list[Json]:
    """Its frames, outermost first, without those of this library."""
    steps = [(f.f_code, number) for f, number in traceback.walk_tb(error.__traceback__)]
    own = [(code, number) for code, number in steps if not is_of_ours(code.co_filename)]
    return [
        {
            "place": line(place_of(code.co_filename)),
            "file": line(code.co_filename, SHORT),
            "line": number,
            "name": line(code.co_name),
            "code": plain(linecache.getline(code.co_filename, number).strip(), SHORT),
            "own": is_users(code.co_filename),
        }
        for code, number in own[-_FRAMES:]
    ]
