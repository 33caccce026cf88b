"""Checks that what engines on a broker say has what is read of it: whoever is there may say it."""

from __future__ import annotations

from typing import Any, Final

from cascade_nb.control.remote.envelope import is_a_word
from cascade_nb.control.remote.outcomes import SOMEBODY
from cascade_nb.door.protocol import Request, checked_answer
from cascade_nb.errors import RefusedMessageError

_BEYOND: Final = 1e15  # no time in seconds, and no count of anything, comes to that


def checked_reply(request: Request, reply: object) -> dict[str, Any]:
    """An answer to a request that has what is read of one.

    Raises:
        RefusedMessageError: it has not.
    """
    do, answer = request.do, checked_answer(reply)
    shape = _SHAPES.get(do, {}) if answer["ok"] else {"error": _TEXT}
    if answer["ok"] and do == "status" and "run" not in request.given:
        shape = {**shape, **_IN_FORCE}
    for name, wanted in {"process": _PROCESS, **shape}.items():
        if not _is_as(answer.get(name), wanted):
            raise RefusedMessageError(f"its answer to {do} has no {name} that can be read")
    for name, wanted in _IN_FORCE.items():
        if name in answer and not _is_as(answer[name], wanted):
            raise RefusedMessageError(f"its answer to {do} has {name} that cannot be read")
    return answer if answer["ok"] else {n: answer[n] for n in _REFUSAL if n in answer}


def why_nobody(reply: dict[str, Any]) -> str | None:
    """Why a reply to a greeting is of no engine that can be asked, in words; None where it is."""
    said = reply.get("process")
    process: dict[str, Any] = said if isinstance(said, dict) else {}
    engine, client, source = map(process.get, ("engine", "client", "source"))
    named = isinstance(engine, str) and is_a_word(engine)
    if named and _is_as(client, (str, type(None))) and _is_as(process, _PROCESS):
        return None
    name = source[:200] if isinstance(source, str) and source else SOMEBODY
    return f"{name} does not say in a way that can be read which engine it is"


def _is_as(value: object, wanted: Any) -> bool:
    """Whether a value has the types, or the items or fields of the types, that are wanted."""
    if isinstance(wanted, list):
        return isinstance(value, list) and all(_is_as(one, wanted[0]) for one in value)
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            name in value and _is_as(value[name], of) for name, of in wanted.items()
        )
    if isinstance(value, (int, float)) and not (abs(value) < _BEYOND):
        return False
    return isinstance(value, wanted)


_TEXT: Final = (str,)
_NUMBER: Final = (int, float)
_PERHAPS: Final = (int, float, type(None))
_REFUSAL: Final = ("v", "id", "ok", "kind", "error", "process")
_PROCESS: Final = dict.fromkeys(("kind", "title", "source"), _TEXT)
_HEAD: Final = {
    **dict.fromkeys(("run_id", "title", "phase", "headline"), _TEXT),
    "number": _NUMBER,
}
_COUNTS: Final = ("total", "done", "running", "queued", "held", "failed", "asking")
_RUN: Final[dict[str, Any]] = {
    **_HEAD,
    **dict.fromkeys((*_COUNTS, "reused", "skipped", "cancelled", "waiting", "elapsed"), _NUMBER),
    "remaining": _PERHAPS,
    "kinds": [
        {
            "name": _TEXT,
            **dict.fromkeys((*_COUNTS, "attempts", "seconds"), _NUMBER),
            "limit": _PERHAPS,
            "paused": (bool,),
        }
    ],
    "failures": [{"task": _TEXT, "error": _TEXT}],
    "questions": [
        {**dict.fromkeys(("name", "text", "takes"), _TEXT), "waited": _NUMBER, "left": _PERHAPS}
    ],
    "retries": [_TEXT],
}
_STANDING: Final = {"live": _NUMBER, "runs": [_RUN], "lines": [_TEXT]}
_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "status": _STANDING,
    "wait": _STANDING,
    "cancel": {**_STANDING, "applied": [{}]},
    "runs": {"live": _NUMBER, "runs": [{**_HEAD, "started": _PERHAPS}]},
    "why": {"lines": [_TEXT]},
}
#: What answers have, and those about one run that was named need not have.
_IN_FORCE: Final[dict[str, Any]] = {
    "constraints": [{"type": _TEXT, "scope": _TEXT, "words": _TEXT, "by": _TEXT, "reason": _TEXT}],
    "in_force": [_TEXT],
}
