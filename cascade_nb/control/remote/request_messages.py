"""Parses what other programs ask engines over a broker, strictly, and writes questions and replies.

Topic ``cascade/requests/any`` for every engine, ``cascade/requests/<engine>`` for one; not
retained. Payload, UTF-8 JSON: a request as a door of this machine takes it, and who asks::

    {"v": 1, "id", "do": "status"|"why"|"runs"|"wait"|"cancel"|"hello", …, "sender", "by"?,
     "holder"?, "sequence"?, "issued_at"?, "expires_at"?}

The reply goes to ``cascade/replies/<sender>/<id>``. With a key both are signed, each for its topic.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.control.holders import A_PERSON, Holder, parse_holder
from cascade_nb.control.remote.envelope import (
    MOST_BYTES,
    opened,
    payload_bytes,
    read_envelope,
    sealed,
    text_field,
    with_envelope,
)
from cascade_nb.errors import ConstraintError, RefusedMessageError

REQUESTS: Final = "cascade/requests"
REPLIES: Final = "cascade/replies"
REQUEST_FILTER: Final = f"{REQUESTS}/+"
ANY: Final = "any"
_WHO: Final = ("sender", "by", "holder", "sequence", "issued_at", "expires_at")
_AROUND: Final = 256  # bytes of a signed message that are not what is signed


@dataclasses.dataclass(frozen=True)
class RemoteRequest:
    """What is asked.

    Attributes:
        content: the request, which whoever answers has to check.
        holder: who asks; a person where it does not say.
        reply_topic: where the reply goes.
    """

    content: Mapping[str, Any]
    holder: Holder
    reply_topic: str


def request_topic(engine: str = ANY) -> str:
    """Where requests to one engine are sent, or to all that hear it."""
    return f"{REQUESTS}/{engine}"


def request_payload(
    content: Mapping[str, Any],
    *,
    engine: str = ANY,
    sender: str,
    by: str = "",
    holder: Holder = A_PERSON,
    issued_at: float,
    sequence: int | None = None,
    key: bytes | None = None,
) -> bytes:
    """The message that asks.

    Args:
        content: the request, without an id.
        engine: which one is asked.
        sender: who is to have the reply, a word of a topic.
        by, holder: who asks; a holder without a name is a person.
        issued_at, sequence: see `Envelope`.
        key: what it is signed with, for its own topic.
    """
    said = with_envelope(
        content,
        issued_at=issued_at,
        sequence=sequence,
        sender=sender,
        by=by,
        holder=str(holder) if holder.name else "",
    )
    return sealed(json.dumps(said), request_topic(engine), key)


def parse_remote_request(
    topic: str, payload: bytes | str, now: float, key: bytes | None = None
) -> RemoteRequest:
    """What a message asks.

    Args:
        topic, payload: as they came.
        now: the wall time.
        key: what it has to be signed with; None where no signature is asked for.

    Raises:
        RefusedMessageError: nobody could answer it; the text says why.
    """
    said = opened(payload_bytes(payload), topic, key)
    envelope = read_envelope({name: said[name] for name in ("id", *_WHO) if name in said})
    if not envelope.has_a_topic:
        raise RefusedMessageError("its sender or its id is no word of a topic to answer on")
    left = envelope.ttl(now)
    if left is not None and left <= 0:
        raise RefusedMessageError("its time was over before it came")
    by, holder = text_field(said, "by"), text_field(said, "holder")
    try:
        asks = parse_holder(holder) if holder else Holder("person", by[:60] or "somebody")
    except ConstraintError as error:
        raise RefusedMessageError(f"its holder is none: {str(error)[:200]}") from error
    content = {name: value for name, value in said.items() if name not in _WHO}
    return RemoteRequest(content, asks, f"{REPLIES}/{envelope.sender}/{envelope.id}")


def room_for_reply(key: bytes | None) -> int:
    """How many bytes a reply may have, so that it is no longer than a message may be when it is
    signed: as text inside of another it may take twice as many.
    """
    return MOST_BYTES if key is None else (MOST_BYTES - _AROUND) // 2


def parse_reply(topic: str, payload: bytes | str, key: bytes | None = None) -> dict[str, Any]:
    """What a reply says.

    Raises:
        RefusedMessageError: it is none, or not signed as it has to be.
    """
    return opened(payload_bytes(payload), topic, key)
