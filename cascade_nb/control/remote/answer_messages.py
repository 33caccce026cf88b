"""Parses answers to questions out of messages, strictly, and writes them as messages.

Topic ``cascade/questions/<name>``, the name of the node that asks, percent-encoded where a topic
cannot have it; not retained. Payload, UTF-8 JSON::

    {"id", "value", "by"?, "holder"?, "run"?, "issued_at"?, "expires_at"?, "sender"?, "sequence"?,
     "answer"?}

Where ``answer`` is true, the engine that asks says on ``cascade/answers/<sender>/<id>`` whether it
has taken it. A message on the topic of a `cs.recv` is the value itself, as JSON or as text; with a
key it is signed like every other.
"""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
from typing import Any, Final

from cascade_nb.control.holders import A_PERSON, Holder, parse_holder
from cascade_nb.control.remote.envelope import (
    FIELDS,
    Envelope,
    opened,
    payload_bytes,
    read_envelope,
    sealed,
    text_field,
    unsealed,
    with_envelope,
)
from cascade_nb.errors import ConstraintError, RefusedMessageError

QUESTIONS: Final = "cascade/questions"
ANSWER_FILTER: Final = f"{QUESTIONS}/+"
_FIELDS: Final = {*FIELDS, "value", "by", "holder"}
_RESERVED: Final = re.compile(r"[%/#+]")
_NAME: Final = 500  # characters
_KEPT: Final = 200  # characters of why a holder is none


@dataclasses.dataclass(frozen=True)
class RemoteAnswer:
    """What a message answers.

    Attributes:
        name: of the node or item that asks.
        value: the answer, to be checked by the question.
        holder: whose it is.
        ttl: seconds for which it counts, or None.
        envelope: what it says of itself.
    """

    name: str
    value: Any
    holder: Holder
    ttl: float | None
    envelope: Envelope


def question_topic(name: str) -> str:
    """Where answers to the question of this name are sent."""
    return f"{QUESTIONS}/{_RESERVED.sub(lambda found: f'%{ord(found[0]):02X}', name)}"


def answer_payload(
    name: str,
    value: Any,
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
    """The message that answers a question.

    Args:
        name, value: of the question, and the answer, which JSON can carry.
        by, holder: who answers; a holder without a name is a person.
        issued_at: now, in seconds since the epoch.
        run: the id of the only run that it is about.
        sender, sequence: who sends it, and its number among what that sends.
        answer: whether the sender wants to hear what came of it.
        key: what it is signed with, for its own topic.
    """
    content = with_envelope(
        {"value": value},
        issued_at=issued_at,
        sequence=sequence,
        answer=answer,
        by=by,
        holder=str(holder) if holder.name else "",
        run=run,
        sender=sender,
    )
    return sealed(json.dumps(content), question_topic(name), key)


def parse_remote_answer(
    topic: str, payload: bytes | str, now: float, key: bytes | None = None
) -> RemoteAnswer:
    """What a message answers.

    Args:
        topic, payload: as they came.
        now: the wall time, to turn an `expires_at` into a time to live.
        key: what it has to be signed with; None where no signature is asked for.

    Raises:
        RefusedMessageError: it is no answer; the text says why.
    """
    head, _, last = topic.rpartition("/")
    name = urllib.parse.unquote(last)
    if head != QUESTIONS or not 0 < len(name) <= _NAME:
        raise RefusedMessageError(f"{topic[:80]!r} is no topic of a question")
    content = opened(payload_bytes(payload), topic, key)
    unknown = sorted(set(content) - _FIELDS)
    if unknown:
        raise RefusedMessageError(f"it has a field {unknown[0][:40]!r} that no answer has")
    if "value" not in content:
        raise RefusedMessageError("it has no 'value'")
    envelope = read_envelope(content)
    by = text_field(content, "by")
    if not envelope.sender:
        envelope = dataclasses.replace(envelope, sender=by)
    try:
        said = text_field(content, "holder")
        holder = parse_holder(said) if said else Holder("person", by or "somebody")
    except ConstraintError as error:
        raise RefusedMessageError(f"its holder is none: {str(error)[:_KEPT]}") from error
    return RemoteAnswer(name, content["value"], holder, envelope.ttl(now), envelope)


def parse_signal(topic: str, payload: bytes | str, key: bytes | None = None) -> Any:
    """What a message on the topic of a `cs.recv` is: JSON, or else text.

    Raises:
        RefusedMessageError: it is too long, no UTF-8, or not signed as it has to be.
    """
    text = unsealed(payload_bytes(payload), topic, key)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
