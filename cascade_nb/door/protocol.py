"""The messages by which another program of this user asks a process of its runs: version 1.

A request is a JSON object; each field that a command does not take is refused, and so are other
types, `NaN`, a key that comes twice, and more than 64 KiB::

    {"v": 1, "id": "7f", "do": "pause", "scope": "task:train", "seconds": 600, "reason": "GPU"}

======== ==================================================== ====================================
do       takes (* is needed)                                  does
======== ==================================================== ====================================
hello                                                         says who answers
pause    scope, run, seconds, reason, by, holder              lets nothing of a scope start
resume   scope, run, holder                                   lifts a pause
limit    n*, as pause                                         at most n at once; null lifts it
rate     rate*, capacity, as pause                            so many per time; null lifts it
breaker  rule*, probe, as pause                               pauses what fails too often
answer   node*, value*, run, by, holder                       answers a question
guard    memory*, suspend, as pause                           starts nothing above it; null lifts
cancel   run, reason, holder                                  ends a run
status   run                                                  what runs are doing
wait     run*, seconds                                        the same, when the run is over
why      node*, run                                           why a node stands as it does
runs                                                          what runs there are and were
plan     target*, params                                      what a run of a name would do
run      target*, params, holder                              starts a run of a name
======== ==================================================== ====================================

Each takes `expires_at`, too, in seconds since the epoch: what is read later than that is refused,
so that a process which was stopped, or too busy to listen, does not do in the end what somebody has
given up.

A scope is as everywhere (``task:train``, or a bare name), a run is named by its number or by how
its id begins. A holder is ``person:NAME``, ``program:NAME`` or ``agent:NAME``; without one it is
the user, a person. What an answer says is in force when it comes::

    {"v": 1, "id": "7f", "ok": true, "process": {"pid": 4711, "kind": "script", "title": "flow.py"},
     "applied": [{"scope": "task:train", "type": "pause", …}], "runs": […], "lines": ["…"]}
    {"v": 1, "id": "7f", "ok": false, "process": {…}, "kind": "ConstraintError", "error": "…"}

A socket carries them as lines of UTF-8, as many as one likes; a kernel's control channel as the
content of ``cascade_request`` and ``cascade_reply``. That a kernel takes these it says in its
``kernel_info_reply`` on that channel, which has ``"cascade": {"v": 1}``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cascade_nb.errors import RefusedMessageError, nearest
from cascade_nb.text import quoted

VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024
TEXT: Final = 500  # characters of a text in a request or an answer
#: The types of message of a kernel's control channel.
REQUEST: Final = "cascade_request"
REPLY: Final = "cascade_reply"
#: What a kernel with our magics says of itself in its `kernel_info_reply` on that channel.
MARK: Final = "cascade"
_HOLDING: Final = ("scope", "run", "seconds", "reason", "by", "holder")
TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "hello": (),
    "pause": ("before", *_HOLDING),
    "resume": ("before", "scope", "run", "holder"),
    "limit": ("n", *_HOLDING),
    "rate": ("rate", "capacity", *_HOLDING),
    "breaker": ("rule", "probe", *_HOLDING),
    "answer": ("node", "value", "run", "by", "holder"),
    "guard": ("memory", "suspend", *_HOLDING),
    "cancel": ("run", "reason", "holder"),
    "status": ("run",),
    "wait": ("run", "seconds"),
    "why": ("node", "run"),
    "runs": (),
    "plan": ("target", "params"),
    "run": ("target", "params", "holder"),
}
_NEEDED: Final = {
    "limit": ("n",),
    "rate": ("rate",),
    "breaker": ("rule",),
    "guard": ("memory",),
    "answer": ("node", "value"),
    "why": ("node",),
    "wait": ("run",),
    "plan": ("target",),
    "run": ("target",),
}
_END: Final = 1e15  # no moment in seconds is beyond that
_LONGEST: Final = 366 * 86400.0  # seconds; longer is a mistake in a unit


@dataclasses.dataclass(frozen=True)
class Request:
    """What somebody asks for.

    Attributes:
        id: the answer bears it too.
        do: which command.
        given: its arguments by name, checked; what was not given is not there.
        expires_at: when whoever asks has given up, in seconds since the epoch; None: never.
    """

    id: str
    do: str
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    expires_at: float | None = None

    def within(self, seconds: float) -> Request:
        """The same, given up after so many seconds."""
        return dataclasses.replace(self, expires_at=time.time() + seconds)

    def text(self, name: str, default: str = "") -> str:
        """A text that was given, or the default."""
        return str(self.given.get(name) or default)

    def as_dict(self) -> dict[str, Any]:
        """As the wire has it."""
        until = {} if self.expires_at is None else {"expires_at": self.expires_at}
        return {"v": VERSION, "id": self.id, "do": self.do, **self.given, **until}


def parse_json(data: bytes) -> Any:
    """JSON as strictly as it is defined.

    Raises:
        RefusedMessageError: it is none, or too long.
    """
    if len(data) > MOST_BYTES:
        raise RefusedMessageError(f"{len(data)} bytes are more than the {MOST_BYTES} allowed")
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        raise RefusedMessageError(f"it is no JSON: {str(error)[:200]}") from None


def checked_request(content: object) -> Request:
    """A request out of parsed JSON.

    Raises:
        RefusedMessageError: it is none; the text says why.
    """
    if not isinstance(content, dict):
        raise RefusedMessageError("it is no JSON object")
    version = content.get("v")
    if type(version) is not int or version != VERSION:
        raise RefusedMessageError(
            f"its v is {_said(version)}, and version {VERSION} is spoken here"
        )
    do = content.get("do")
    if not isinstance(do, str) or do not in TAKES:
        raise RefusedMessageError(f"there is no command {_said(do)}{_nearest(do, TAKES)}")
    known = {"v", "id", "do", "expires_at", *TAKES[do]}
    for name in content:
        if name not in known:
            raise RefusedMessageError(f"{do} takes no {_said(name)}{_nearest(name, TAKES[do])}")
    needed = _NEEDED.get(do, ())
    for one in needed:
        if one not in content:
            raise RefusedMessageError(f"{do} needs {one!r}")
    given = {name: _checked(name, content[name]) for name in TAKES[do] if name in content}
    return Request(_id_of(content), do, given, _expiry_of(content))


def refusal(error: BaseException, content: object = None) -> dict[str, Any]:
    """The answer to what was not done.

    Args:
        error: why.
        content: what was asked, as far as it could be read.
    """
    said = content.get("id") if isinstance(content, dict) else None
    name = said if isinstance(said, str) and len(said) <= 64 and said.isprintable() else ""
    kind = type(error).__name__
    return {"v": VERSION, "id": name, "ok": False, "kind": kind, "error": short(str(error) or kind)}


def encoded(answer: Mapping[str, Any], room: int = MOST_BYTES) -> bytes:
    """An answer as a line without its end, shorter than `room`: what is too much of its longest
    lists is left off, and `left_off` says so.
    """
    fit: dict[str, Any] = dict(answer)
    while len(data := json.dumps(fit, ensure_ascii=True, default=str).encode()) >= room:
        runs = fit.get("runs") or []
        if any(run.get("kinds") or run.get("failures") for run in runs):
            fit["runs"] = [{**run, "kinds": [], "failures": []} for run in runs]
        else:
            lists = [name for name, value in fit.items() if isinstance(value, list) and value]
            if not lists:
                return encoded(refusal(RefusedMessageError("no answer has room for that")), room)
            longest = max(lists, key=lambda name: len(fit[name]))
            fit[longest] = fit[longest][: len(fit[longest]) // 2]
        fit["left_off"] = True
    return data


def parse_answer(data: bytes) -> dict[str, Any]:
    """What the other side of a door answered.

    Raises:
        RefusedMessageError: nobody can read that.
    """
    return checked_answer(parse_json(data))


def checked_answer(content: object) -> dict[str, Any]:
    """The same, out of parsed JSON.

    Raises:
        RefusedMessageError: nobody can read that.
    """
    if not isinstance(content, dict) or not isinstance(content.get("ok"), bool):
        raise RefusedMessageError("what answered does not speak this protocol")
    if content.get("v") != VERSION:
        raise RefusedMessageError(
            f"what answered speaks version {quoted(content.get('v'), 20)} and not {VERSION}: its "
            "cascade_nb is another than this one"
        )
    return content


def short(text: str) -> str:
    """A text of bounded length."""
    return text if len(text) <= TEXT else f"{text[: TEXT - 2]} …"


def _id_of(content: Mapping[str, Any]) -> str:
    name = content.get("id", "")
    if not isinstance(name, str) or len(name) > 64 or not name.isprintable():
        raise RefusedMessageError("its id is no text of at most 64 printable characters")
    return name


def _expiry_of(content: Mapping[str, Any]) -> float | None:
    at = content.get("expires_at")
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not abs(at) < _END:
        raise RefusedMessageError("its expires_at is no moment")
    return at


def _checked(name: str, value: object) -> Any:
    """An argument of its type; what it means is asked where it is used."""
    if name == "value":
        return value  # the question says what it takes
    if name == "n":
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise RefusedMessageError("its n is neither a whole number nor null")
    if name == "params":
        if isinstance(value, dict) and all(map(str.isprintable, value)):
            return value
        raise RefusedMessageError("its params are no object of values by name")
    if name in ("rate", "memory") and (value is None or isinstance(value, str)):
        return value
    if name in ("before", "suspend") and isinstance(value, bool):
        return value
    if name in ("rate", "memory", "capacity", "seconds", "probe"):
        return _number(name, value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RefusedMessageError(f"its {name} is no text")
    if len(value) > TEXT:
        raise RefusedMessageError(f"its {name} is longer than {TEXT} characters")
    if name in ("reason", "by"):
        return "".join(c if c.isprintable() else " " for c in value)
    if not value.isprintable():
        raise RefusedMessageError(f"its {name} has characters that cannot be printed")
    return value


def _said(value: object) -> str:
    """A value as a sentence may have it; of what holds others only what it is."""
    return type(value).__name__ if isinstance(value, (dict, list)) else quoted(value, 40)


def _nearest(word: object, known: Iterable[str]) -> str:
    return nearest(word[:40] if isinstance(word, str) else word, known)


def _number(name: str, value: object) -> float | None:
    if value is None and name != "rate":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RefusedMessageError(f"its {name} is no number")
    if abs(value) > _LONGEST or not math.isfinite(value):
        raise RefusedMessageError(f"its {name} is beyond all measure")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key comes twice")
    return made
