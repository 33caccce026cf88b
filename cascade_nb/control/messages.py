"""Parses constraints out of messages, strictly, and writes them as messages.

Topic ``cascade/constraints/<scope, ':' as '/'>/<type>``, retained, one for each scope and type.
Characters of a value that a topic cannot have are percent-encoded. Payload, UTF-8 JSON::

    {"id", "scope", "type", "params", "reason"?, "by"?, "issued_at"?, "expires_at"?}

An empty payload on the topic lifts that constraint; one on ``cascade/constraints/<scope>`` lifts
all of it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.control.constraint import KINDS, TYPES, Scope, new_constraint, parse_scope
from cascade_nb.errors import ConstraintError, RefusedMessageError

ROOT: Final = "cascade/constraints"
FILTER: Final = f"{ROOT}/#"
MOST_BYTES: Final = 64 * 1024
LONGEST: Final = 366 * 86400.0  # seconds; a wall time beyond that is a mistake in a clock or a unit
_END: Final = 1e15  # no time in seconds, and none in milliseconds, is beyond that
_REQUIRED: Final = ("id", "scope", "type", "params")
_FIELDS: Final = {*_REQUIRED, "reason", "by", "issued_at", "expires_at"}
_RESERVED: Final = re.compile(r"[%/#+]")


@dataclasses.dataclass(frozen=True)
class Message:
    """What a message asks for.

    Attributes:
        scope: what it is about.
        type: of which type; None where all of the scope is lifted.
        lift: whether it lifts rather than applies.
        ttl: seconds it lasts, or None. Not above zero when its time was over before it came.
    """

    scope: Scope
    type: str | None
    lift: bool
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reason: str = ""
    by: str = ""
    ttl: float | None = None


def topic_of(scope: Scope | str, type_: str | None = None) -> str:
    """The topic of a constraint, or of all of a scope.

    Raises:
        ConstraintError: there is no such scope.
    """
    parsed = parse_scope(scope)
    words = [ROOT, parsed.kind]
    if parsed.value:
        words.append(_RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", parsed.value))
    if type_ is not None:
        words.append(type_)
    return "/".join(words)


def payload_of(
    scope: Scope | str,
    type_: str,
    params: Mapping[str, Any],
    *,
    reason: str = "",
    by: str = "",
    issued_at: float,
    ttl: float | None = None,
) -> bytes:
    """The message that applies a constraint.

    Raises:
        ConstraintError: no constraint can be like that.
    """
    parsed = parse_scope(scope)
    new_constraint(parsed, type_, params, reason, by)
    content: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "scope": str(parsed),
        "type": type_,
        "params": dict(params),
        "issued_at": issued_at,
    }
    content.update({k: v for k, v in (("reason", reason), ("by", by)) if v})
    if ttl is not None:
        content["expires_at"] = issued_at + ttl
    return json.dumps(content).encode()


def parse_message(topic: str, payload: bytes | str, now: float) -> Message:
    """What a message asks for.

    Args:
        topic, payload: as they came.
        now: the wall time, to turn an `expires_at` into a time to live.

    Raises:
        RefusedMessageError: it is no constraint; the text says why.
    """
    scope, type_ = _parse_topic(topic)
    data = payload.encode(errors="surrogatepass") if isinstance(payload, str) else bytes(payload)
    if len(data) > MOST_BYTES:
        raise RefusedMessageError(f"{len(data)} bytes are more than the {MOST_BYTES} allowed")
    if not data.strip():
        return Message(scope, type_, lift=True)
    if type_ is None:
        raise RefusedMessageError(f"{topic[:200]}: a constraint's topic ends with its type")
    content = _parse_json(data)
    if content["type"] != type_:
        raise RefusedMessageError(f"its type {content['type']!r:.40} is not that of its topic")
    params = content["params"]
    if not isinstance(params, dict):
        raise RefusedMessageError("its params are no object")
    _text(content, "id")
    _moment(content, "issued_at")
    reason, by = _text(content, "reason"), _text(content, "by")
    try:
        said = parse_scope(content["scope"])
        new_constraint(scope, type_, params, reason, by)
    except ConstraintError as error:
        raise RefusedMessageError(str(error)[:300]) from error
    if said != scope:
        raise RefusedMessageError(f"its scope {str(said)[:80]!r} is not that of its topic")
    return Message(scope, type_, False, params, reason, by, _ttl(content, now))


def _parse_topic(topic: str) -> tuple[Scope, str | None]:
    if not topic.startswith(f"{ROOT}/") or len(topic) > 1024:
        raise RefusedMessageError(f"{topic[:80]!r} is no topic of a constraint")
    words = [urllib.parse.unquote(word) for word in topic[len(ROOT) + 1 :].split("/")]
    kind = words[0]
    if kind not in KINDS:
        raise RefusedMessageError(f"there is no scope of kind {kind[:40]!r}")
    given = 1 if kind == "global" else 2
    if len(words) not in (given, given + 1) or not all(words):
        raise RefusedMessageError(f"{topic[:80]!r} has too few or too many words")
    type_ = words[given] if len(words) > given else None
    if type_ is not None and type_ not in TYPES:
        raise RefusedMessageError(f"there is no constraint of type {type_[:40]!r}")
    try:
        return parse_scope(":".join(words[:given])), type_
    except ConstraintError as error:
        raise RefusedMessageError(str(error)) from error


def _parse_json(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedMessageError(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise RefusedMessageError("it is no JSON object")
    unknown = sorted(set(content) - _FIELDS)
    if unknown:
        raise RefusedMessageError(f"it has a field {unknown[0][:40]!r} that no constraint has")
    for name in _REQUIRED:
        if name not in content:
            raise RefusedMessageError(f"it has no {name!r}")
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedMessageError(f"its {name} is no text")
    return "".join(c if c.isprintable() else " " for c in value[:500])


def _moment(content: Mapping[str, Any], name: str) -> float | None:
    value = content.get(name)
    if value is None:
        return None
    if not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) < _END:
        return float(value)
    raise RefusedMessageError(f"its {name} is no time in seconds since the epoch")


def _ttl(content: Mapping[str, Any], now: float) -> float | None:
    end = _moment(content, "expires_at")
    return None if end is None else min(end - now, LONGEST)
