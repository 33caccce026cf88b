"""Writes what an engine says came of a control message, and reads it, strictly.

Topic ``cascade/answers/<sender>/<id>`` of the message, not retained; with a key it is signed like
the message itself. Payload, UTF-8 JSON, of a constraint and of an answer to a question::

    {"id", "scope", "type", "lift", "holder", "source", "at", "lifted"?, "run"?, "refused"?}
    {"id", "name", "source", "at", "refused"?}

``lifted`` is what a lift has taken out of force, each ``{"scope", "type", "by", "reason"}``: empty
where there was nothing. ``run`` is there where one is named: whether it goes on, ``"here"`` or
``"elsewhere"``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from cascade_nb.control.constraint import TYPES, Constraint, parse_scope
from cascade_nb.control.remote.answer_messages import RemoteAnswer
from cascade_nb.control.remote.envelope import Envelope, opened, payload_bytes, sealed
from cascade_nb.control.remote.messages import Message
from cascade_nb.errors import ConstraintError, RefusedMessageError

ANSWERS: Final = "cascade/answers"
SOMEBODY: Final = "somebody on the broker"
_KEPT: Final = 200  # characters of a text
_MOST: Final = 20  # constraints that were lifted


@dataclasses.dataclass(frozen=True)
class Done:
    """What an engine has done with a message about constraints.

    Attributes:
        message: that.
        lifted: what it has taken out of force, where it lifts.
        refused: why nothing was done; empty where it was.
    """

    message: Message
    lifted: Collection[Constraint] = ()
    refused: str = ""


def outcome_of(
    done: Done, source: str, now: float, key: bytes | None, runs: Collection[str]
) -> tuple[str, bytes] | None:
    """The topic and the payload that say what came of a message about constraints; None where
    nobody asked, or what its sender calls itself is no word of a topic.

    Args:
        done: that.
        source: who has done it.
        now: when, in seconds since the epoch.
        key: what it is signed with.
        runs: the ids of those that go on there.
    """
    message = done.message
    said: dict[str, Any] = {
        "scope": str(message.scope),
        "type": message.type,
        "lift": message.lift,
        "holder": str(message.holder),
    }
    if named := message.scope.of_run:
        said["run"] = "here" if named in runs else "elsewhere"
    if message.lift:
        said["lifted"] = [
            {
                "scope": str(one.scope),
                "type": one.type,
                "by": one.by[:_KEPT],
                "reason": one.reason[:_KEPT],
            }
            for one in list(done.lifted)[:_MOST]
        ]
    return _outcome(said, message.envelope, source, now, done.refused, key)


def outcome_of_answer(
    answer: RemoteAnswer, source: str, now: float, key: bytes | None, refused: str = ""
) -> tuple[str, bytes] | None:
    """The same of an answer to a question.

    Args:
        answer: that.
        source, now, key: as for `outcome_of`.
        refused: why it was refused; empty where it was taken.
    """
    return _outcome({"name": answer.name}, answer.envelope, source, now, refused, key)


def parse_outcome(topic: str, payload: bytes | str, key: bytes | None = None) -> dict[str, Any]:
    """What an engine says came of a message.

    Args:
        topic, payload: as they came.
        key: what it has to be signed with; None where no signature is asked for.

    Raises:
        RefusedMessageError: it is none, or not signed as it has to be.
    """
    said = opened(payload_bytes(payload), topic, key)
    if said.get("id") != topic.rpartition("/")[2]:
        raise RefusedMessageError("its id is not that of its topic")
    for name in ("source", *(("name",) if "scope" not in said else ("scope", "holder"))):
        if not isinstance(said.get(name), str) or not said[name]:
            raise RefusedMessageError(f"it has no {name} that can be read")
    if not isinstance(said.get("refused", ""), str):
        raise RefusedMessageError("its refused is no text")
    if "scope" in said:
        if said.get("type") is not None and said["type"] not in TYPES:
            raise RefusedMessageError("its type is none of a constraint")
        if said.get("run", "here") not in ("here", "elsewhere"):
            raise RefusedMessageError("its run is neither here nor elsewhere")
        if said.get("lift") is True and not _are_lifted(said.get("lifted")):
            raise RefusedMessageError("its lifted is no list of constraints")
    return said


def source_of(topic: str, payload: bytes | str) -> str:
    """Who says to have sent what cannot be read, as far as that can be."""
    try:
        said = opened(payload_bytes(payload), topic, None)
    except RefusedMessageError:
        return SOMEBODY
    process = said.get("process")
    source = said.get("source") or (process.get("source") if isinstance(process, dict) else None)
    return source[:_KEPT] if isinstance(source, str) and source.strip() else SOMEBODY


def _outcome(
    said: Mapping[str, Any],
    envelope: Envelope,
    source: str,
    now: float,
    refused: str,
    key: bytes | None,
) -> tuple[str, bytes] | None:
    if not (envelope.answer and envelope.has_a_topic):
        return None
    whole = {"id": envelope.id, **said, "source": source, "at": now}
    if refused:
        whole["refused"] = refused[:_KEPT]
    topic = f"{ANSWERS}/{envelope.sender}/{envelope.id}"
    return topic, sealed(json.dumps(whole), topic, key)


def _are_lifted(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MOST and all(map(_is_lifted, value))


def _is_lifted(one: object) -> bool:
    if not isinstance(one, dict) or one.get("type") not in TYPES:
        return False
    if not all(isinstance(one.get(name), str) for name in ("scope", "by", "reason")):
        return False
    try:
        parse_scope(one["scope"])
    except ConstraintError:
        return False
    return True
