"""Parses constraints out of messages, strictly, and writes them as messages.

Topic ``cascade/constraints/<scope, ':' as '/'>/<type>``, retained, one for each scope and type: it
is people's. What a program or an agent puts into force stands beside that, on a topic of its own,
which ends with ``/program/<name>`` or ``/agent/<name>``; a person can have one, too. Characters of
a value or a name that a topic cannot have are percent-encoded. Payload, UTF-8 JSON::

    {"id", "scope", "type", "params", "reason"?, "by"?, "holder"?, "issued_at"?, "expires_at"?,
     "run"?, "sender"?, "sequence"?, "answer"?}

An empty payload on a topic that ends with a holder lifts what that one has there. On another it is
a person's word and lifts what all have there; one on ``cascade/constraints/<scope>`` lifts all of
it. What cannot be empty, since it is signed or counted, says ``"lift": true`` in the place
of ``params``, and may leave out the type to lift all of the scope. A topic without a type is taken
by the payload's. The earlier Cascade's controllers send that, and ``{}`` for an empty payload.

Where ``answer`` is true, each engine says on ``cascade/answers/<sender>/<id>`` when it has done
what the message asks for, and what that was: from then on nothing starts that it forbids.
"""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.control.constraint import (
    KINDS,
    TYPES,
    Scope,
    checked_type,
    new_constraint,
    parse_scope,
)
from cascade_nb.control.holders import A_PERSON, Holder, parse_holder
from cascade_nb.control.remote.envelope import (
    FIELDS,
    MOST_BYTES,
    Envelope,
    opened,
    payload_bytes,
    read_envelope,
    sealed,
    text_field,
    with_envelope,
)
from cascade_nb.errors import ConstraintError, RefusedMessageError
from cascade_nb.text import quoted

ROOT: Final = "cascade/constraints"
FILTER: Final = f"{ROOT}/#"
_REQUIRED: Final = ("id", "scope", "type", "params")
_FIELDS: Final = {*_REQUIRED, *FIELDS, "reason", "by", "holder", "lift"}
_RESERVED: Final = re.compile(r"[%/#+]")


@dataclasses.dataclass(frozen=True)
class Message:
    """What a message asks for.

    Attributes:
        scope: what it is about; in one run only where it names one.
        topic_scope: the scope of its topic, which is another where the message names a run.
        type: of which type; None where all of the scope is lifted.
        holder: whose word it is; a person's where the topic does not say. In a lift, a holder that
            the topic names is also whose constraints are meant.
        lift: whether it lifts rather than applies.
        ttl: seconds it lasts, or None. Not above zero when its time was over before it came.
        envelope: what it says of itself.
    """

    scope: Scope
    type: str | None
    lift: bool
    params: Mapping[str, Any]
    reason: str
    holder: Holder
    ttl: float | None
    envelope: Envelope
    topic_scope: Scope


def topic_of(scope: Scope | str, type_: str | None = None, holder: Holder = A_PERSON) -> str:
    """The topic of a constraint, or of all of a scope.

    Args:
        scope: that.
        type_: of the constraint; None for all of a scope, which are a person's to lift.
        holder: whose it is; that of people, where it has no name.

    Raises:
        ConstraintError: there is no such scope.
    """
    parsed = parse_scope(scope)
    words = [ROOT, parsed.kind]
    if parsed.value:
        words.append(_quoted(parsed.value))
    if type_ is not None:
        words.append(type_)
        if holder.name:
            words += [holder.kind, _quoted(holder.name)]
    return "/".join(words)


def _quoted(word: str) -> str:
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", word)


def payload_of(
    scope: Scope | str,
    type_: str,
    params: Mapping[str, Any],
    *,
    reason: str = "",
    by: str = "",
    holder: Holder = A_PERSON,
    issued_at: float,
    ttl: float | None = None,
    run: str = "",
    sender: str = "",
    sequence: int | None = None,
    answer: bool = False,
    key: bytes | None = None,
) -> bytes:
    """The message that applies a constraint.

    Args:
        scope, type_, params, reason: of the constraint.
        by: what to call the person who asks.
        holder: who has a topic of its own for it; without a name, people.
        issued_at: now, in seconds since the epoch.
        ttl: seconds from then on that it counts; None for as long as nobody lifts it.
        run: the only run that it is about.
        sender, sequence: who sends it, and its number among what that sends.
        answer: whether the sender wants to hear when it is in force.
        key: what it is signed with, for its own topic.

    Raises:
        ConstraintError: no constraint can be like that.
    """
    parsed, run = _in_run(scope, run)
    new_constraint(parsed, type_, params)
    content = with_envelope(
        {"scope": str(parsed), "type": type_, "params": dict(params)},
        issued_at=issued_at,
        sequence=sequence,
        answer=answer,
        reason=reason,
        by=by,
        run=run,
        sender=sender,
    )
    if ttl is not None:
        content["expires_at"] = issued_at + ttl
    return sealed(json.dumps(content), topic_of(parsed, type_, holder), key)


def lift_payload_of(
    scope: Scope | str,
    type_: str | None = None,
    *,
    by: str = "",
    holder: Holder = A_PERSON,
    issued_at: float,
    run: str = "",
    sender: str = "",
    sequence: int | None = None,
    answer: bool = False,
    key: bytes | None = None,
) -> bytes:
    """The message that lifts a constraint, or all of a scope, and can be signed or counted, as an
    empty one cannot; the arguments are those of `payload_of`.

    Raises:
        ConstraintError: there is no such scope or type.
    """
    parsed, run = _in_run(scope, run)
    said = {"scope": str(parsed), "lift": True}
    if type_ is not None:
        said["type"] = checked_type(type_)
    content = with_envelope(
        said,
        issued_at=issued_at,
        sequence=sequence,
        answer=answer,
        by=by,
        run=run,
        sender=sender,
    )
    return sealed(json.dumps(content), topic_of(parsed, type_, holder), key)


def _in_run(scope: Scope | str, run: str) -> tuple[Scope, str]:
    """What a scope is about, and in which run, which has a field of its own in messages."""
    parsed = parse_scope(scope)
    return parsed.everywhere, run or parsed.run


def parse_message(
    topic: str, payload: bytes | str, now: float, key: bytes | None = None
) -> Message:
    """What a message asks for.

    Args:
        topic, payload: as they came.
        now: the wall time, to turn an `expires_at` into a time to live.
        key: what it has to be signed with; None where no signature is asked for.

    Raises:
        RefusedMessageError: it is no constraint; the text says why.
    """
    scope, type_, holder = _parse_topic(topic)
    data = payload_bytes(payload)
    if len(data) <= MOST_BYTES and key is None and data.strip() in (b"", b"{}"):
        return Message(scope, type_, True, {}, "", holder, None, Envelope(), scope)
    content = opened(data, topic, key)
    lift = content.get("lift", False)
    if not isinstance(lift, bool):
        raise RefusedMessageError("its lift is neither true nor false")
    _check_fields(content, ("id", "scope") if lift else _REQUIRED)
    type_ = _type_of(content, type_, lift)
    envelope = read_envelope(content)
    reason, by = text_field(content, "reason"), text_field(content, "by")
    params = {} if lift else content["params"]
    if not isinstance(params, dict):
        raise RefusedMessageError("its params are no object")
    if not envelope.sender:
        envelope = dataclasses.replace(envelope, sender=by)
    try:
        said = parse_scope(content["scope"])
        if not lift:
            assert type_ is not None
            new_constraint(scope, type_, params)
    except ConstraintError as error:
        raise RefusedMessageError(str(error)[:300]) from error
    if said != scope:
        raise RefusedMessageError(f"its scope {str(said)[:80]!r} is not that of its topic")
    ttl = envelope.ttl(now)
    holder = _holder_of(text_field(content, "holder"), by, holder, topic)
    return Message(
        scope.within(envelope.run), type_, lift, params, reason, holder, ttl, envelope, scope
    )


def _type_of(content: Mapping[str, Any], of_topic: str | None, lift: bool) -> str | None:
    """The type that a message is about, by its topic or, where that has none, by itself."""
    said = content.get("type")
    if of_topic is None:
        if said is None and lift:
            return None
        if said not in TYPES:
            raise RefusedMessageError(f"there is no constraint of type {quoted(said, 40)}")
        return str(said)
    if said != of_topic and not (lift and said is None):
        raise RefusedMessageError(f"its type {quoted(said, 40)} is not that of its topic")
    return of_topic


def _holder_of(said: str, by: str, of_topic: Holder, topic: str) -> Holder:
    """Whose word a message is, by its topic, which brokers can give to some alone.

    Args:
        said, by: what it says of itself.
        of_topic: what its topic says.
        topic: that, for people.
    """
    if said:
        try:
            claimed = parse_holder(said)
        except ConstraintError as error:
            raise RefusedMessageError(f"its holder is none: {str(error)[:200]}") from error
        if claimed != of_topic and (of_topic.name or claimed.kind != "person"):
            own = f"/{claimed.kind}/{_quoted(claimed.name)}"
            raise RefusedMessageError(
                f"its holder {said[:80]!r} is not whose topic {topic[:80]!r} is; that one's ends "
                f"with {own[:80]!r}"
            )
        by = by or claimed.name
    # What is no person is called what it is, whatever else it says.
    return dataclasses.replace(of_topic, shown=by) if of_topic.kind == "person" else of_topic


def _parse_topic(topic: str) -> tuple[Scope, str | None, Holder]:
    if not topic.startswith(f"{ROOT}/") or len(topic) > 1024:
        raise RefusedMessageError(f"{topic[:80]!r} is no topic of a constraint")
    words = [urllib.parse.unquote(word) for word in topic[len(ROOT) + 1 :].split("/")]
    kind = words[0]
    if kind not in KINDS:
        raise RefusedMessageError(f"there is no scope of kind {kind[:40]!r}")
    given = 1 if kind == "global" else 2
    if len(words) not in (given, given + 1, given + 3) or not all(words):
        raise RefusedMessageError(f"{topic[:80]!r} has too few or too many words")
    type_ = words[given] if len(words) > given else None
    if type_ is not None and type_ not in TYPES:
        raise RefusedMessageError(f"there is no constraint of type {type_[:40]!r}")
    try:
        holder = parse_holder(":".join(words[given + 1 :])) if len(words) > given + 1 else A_PERSON
        scope = parse_scope(":".join(words[:given]))
        if scope.run:
            raise ConstraintError("a topic names no run beside a scope")
        return scope, type_, holder
    except ConstraintError as error:
        raise RefusedMessageError(str(error)) from error


def _check_fields(content: Mapping[str, Any], required: tuple[str, ...]) -> None:
    unknown = sorted(set(content) - _FIELDS)
    if unknown:
        raise RefusedMessageError(f"it has a field {unknown[0][:40]!r} that no constraint has")
    for name in required:
        if name not in content:
            raise RefusedMessageError(f"it has no {name!r}")
