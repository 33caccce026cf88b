"""Reads what a control message says of itself: when and by whom it was sent, for which run, until
when it counts, and whether its signature is right.

Every door takes the same: a broker, the kernel's control channel, a socket. With a key, the message
travels as text inside of another, so that nobody has to agree on how JSON is written::

    {"message": "<the message>", "signature": "<HMAC-SHA256, in hex>"}

The signature is over the place it is sent to, a zero byte, and the text; so what was signed for one
topic means nothing on another.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import re
import uuid
from collections.abc import Hashable, Mapping
from typing import Any, Final

from cascade_nb.errors import RefusedMessageError

KEY_VARIABLE: Final = "CASCADE_CONTROL_KEY"
MOST_BYTES: Final = 64 * 1024
FIELDS: Final = frozenset({"id", "run", "sender", "sequence", "issued_at", "expires_at", "answer"})
LONGEST: Final = 366 * 86400.0  # seconds; a wall time beyond that is a mistake in a clock or a unit
_END: Final = 1e15  # no time in seconds, and none in milliseconds, is beyond that
MOST_TAKEN: Final = 10_000
_MOST: Final = 1 << 63  # no counter that begins anywhere reasonable comes to that
_UNSIGNED: Final = f"it is not signed, and {KEY_VARIABLE} is set here"
_SIGNED: Final = frozenset({"message", "signature"})
_WORD: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_RUN: Final = re.compile(r"[\w.:-]{1,120}", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Envelope:
    """What a message says of itself.

    Attributes:
        id: of this message.
        run: the only run that it is about; empty for all of them.
        sender: who counts `sequence`, such as one process.
        sequence: goes up with each message of a sender; or None.
        issued_at: when it was sent, in seconds since the epoch; or None.
        expires_at: when it counts no longer, in seconds since the epoch; or None.
        answer: whether its sender wants to hear when it is in force.
    """

    id: str = ""
    run: str = ""
    sender: str = ""
    sequence: int | None = None
    issued_at: float | None = None
    expires_at: float | None = None
    answer: bool = False

    @property
    def has_a_topic(self) -> bool:
        """Whether what its sender calls itself and it can be words of a topic to answer on."""
        return is_a_word(self.sender) and is_a_word(self.id)

    def ttl(self, now: float) -> float | None:
        """Seconds that it counts from the wall time `now` on, or None for as long as nobody ends
        it. Not above zero when its time was over before it came.
        """
        return None if self.expires_at is None else min(self.expires_at - now, LONGEST)


def control_key() -> bytes | None:
    """The key that control messages are signed with, which the variable `CASCADE_CONTROL_KEY`
    holds; None where it is not set: then no signature is asked for.
    """
    return os.environ.get(KEY_VARIABLE, "").encode("utf-8", "surrogateescape") or None


def sealed(message: str, place: str, key: bytes | None) -> bytes:
    """A message as it travels.

    Args:
        message: its text, which is JSON.
        place: where it is sent to: the topic at a broker, else a word for the door.
        key: what it is signed with; None to send it as it is.
    """
    if key is None:
        return message.encode()
    return json.dumps({"message": message, "signature": _signature(message, place, key)}).encode()


def with_envelope(
    said: Mapping[str, Any],
    *,
    issued_at: float,
    sequence: int | None = None,
    answer: bool = False,
    **texts: str,
) -> dict[str, Any]:
    """The fields of a message to be sent: what it is about, and what it says of itself.

    Args:
        said: what it is about.
        issued_at, sequence, answer: see `Envelope`.
        texts: such as its run and its sender; an empty one is left out.
    """
    content = {"id": uuid.uuid4().hex, **said, "issued_at": issued_at}
    content.update({name: text for name, text in texts.items() if text})
    if answer:
        content["answer"] = True
    if sequence is not None:
        content["sequence"] = sequence
    return content


def payload_bytes(payload: bytes | str) -> bytes:
    """What came, of a connector that hands on texts as of one that does not."""
    return payload.encode(errors="surrogatepass") if isinstance(payload, str) else bytes(payload)


def opened(data: bytes, place: str, key: bytes | None) -> dict[str, Any]:
    """The fields of a message that came.

    Args:
        data: as it came.
        place: where it came: the topic at a broker, else a word for the door.
        key: what it has to be signed with; None where no signature is asked for.

    Raises:
        RefusedMessageError: it is too long, no JSON object, or not signed as it has to be.
    """
    if len(data) > MOST_BYTES:
        raise RefusedMessageError(f"{len(data)} bytes are more than the {MOST_BYTES} allowed")
    content = _object(data) if data.strip() else {}
    if content.keys() != _SIGNED:
        if key is not None:
            raise RefusedMessageError(_UNSIGNED)
        return content
    return _object(_checked_text(content, place, key).encode("utf-8", "surrogatepass"))


def unsealed(data: bytes, place: str, key: bytes | None) -> str:
    """The text of a message that need not be an object of JSON; the arguments are those of
    `opened`.

    Raises:
        RefusedMessageError: it is too long, no UTF-8, or not signed as it has to be.
    """
    if len(data) > MOST_BYTES:
        raise RefusedMessageError(f"{len(data)} bytes are more than the {MOST_BYTES} allowed")
    if key is None:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RefusedMessageError(f"it is no UTF-8: {error.reason}") from None
    try:
        content = _object(data)
    except RefusedMessageError:
        content = {}
    if content.keys() != _SIGNED:
        raise RefusedMessageError(_UNSIGNED)
    return _checked_text(content, place, key)


def _checked_text(content: Mapping[str, Any], place: str, key: bytes | None) -> str:
    """The text inside of a signed message."""
    message, signature = content["message"], content["signature"]
    if not isinstance(message, str) or not isinstance(signature, str):
        raise RefusedMessageError("its message and its signature are no texts")
    # Where nobody asks for signatures, one that is there is as good as none.
    if key is not None and not hmac.compare_digest(
        _signature(message, place, key).encode(), signature.encode("utf-8", "surrogatepass")
    ):
        raise RefusedMessageError("its signature is not made with the key that is set here")
    return message


def read_envelope(content: Mapping[str, Any]) -> Envelope:
    """What a message says of itself.

    Raises:
        RefusedMessageError: one of these fields is not what it has to be.
    """
    run = text_field(content, "run")
    if run and _RUN.fullmatch(run) is None:
        raise RefusedMessageError(f"its run {run[:40]!r} is no id of a run")
    sequence = content.get("sequence")
    if sequence is not None and (
        isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 <= sequence < _MOST
    ):
        raise RefusedMessageError("its sequence is no whole number of at least 0")
    answer = content.get("answer", False)
    if not isinstance(answer, bool):
        raise RefusedMessageError("its answer is neither true nor false")
    return Envelope(
        id=text_field(content, "id"),
        run=run,
        sender=text_field(content, "sender"),
        sequence=sequence,
        issued_at=_moment(content, "issued_at"),
        expires_at=_moment(content, "expires_at"),
        answer=answer,
    )


def is_a_word(text: str) -> bool:
    """Whether a text can be a word of a topic: letters, digits, `_`, `.` and `-`."""
    return _WORD.fullmatch(text) is not None


def text_field(content: Mapping[str, Any], name: str) -> str:
    """A text of a message, as one line of at most 500 characters; empty where there is none.

    Raises:
        RefusedMessageError: it is no text.
    """
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedMessageError(f"its {name} is no text")
    return "".join(c if c.isprintable() else " " for c in value[:500])


class Latest:
    """The latest messages that were taken, so that none counts twice and no old one after a new:
    those of the last 10,000 pairs of a sender and what it spoke about.

    A message without `sequence` and `issued_at` cannot be told from another like it: it is taken
    whenever it comes. Clocks of different senders are never compared.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[Hashable, str], Envelope] = {}
        self._may_return: set[tuple[Hashable, str]] = set()

    def is_repeated(self, about: Hashable, envelope: Envelope) -> bool:
        """Whether this very message was taken before.

        Args:
            about: what messages replace each other in, such as scope and type.
            envelope: of the message.

        Raises:
            RefusedMessageError: a later one of its sender was taken before.
        """
        before = self._taken.get((about, envelope.sender))
        if before is None:
            return False
        if envelope.sequence is not None and before.sequence is not None:
            older = envelope.sequence < before.sequence
            same = envelope.sequence == before.sequence
            words = f"sequence {before.sequence} before {envelope.sequence}"
        elif envelope.issued_at is not None and before.issued_at is not None:
            older = envelope.issued_at < before.issued_at
            same = envelope.issued_at == before.issued_at and envelope.id == before.id
            words = f"issued {before.issued_at - envelope.issued_at:.3g} s after it"
        else:
            return False
        if older:
            raise RefusedMessageError(f"a later one of its sender came first: {words}")
        return same and (about, envelope.sender) not in self._may_return

    def take(self, about: Hashable, envelope: Envelope) -> None:
        """This one counts from now on."""
        key = about, envelope.sender
        self._may_return.discard(key)
        if envelope.sequence is not None or envelope.issued_at is not None:
            self._taken.pop(key, None)
            self._taken[key] = envelope
            if len(self._taken) > MOST_TAKEN:
                oldest = next(iter(self._taken))
                del self._taken[oldest]
                self._may_return.discard(oldest)

    def may_return(self, about: Hashable) -> None:
        """What was taken last about this is let go here and may come again, as with the next
        connection to a broker that keeps it.
        """
        self._may_return.update(key for key in self._taken if key[0] == about)


def _signature(message: str, place: str, key: bytes) -> str:
    said = f"{place}\0{message}".encode("utf-8", "surrogatepass")
    return hmac.new(key, said, hashlib.sha256).hexdigest()


def _object(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedMessageError(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise RefusedMessageError("it is no JSON object")
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _moment(content: Mapping[str, Any], name: str) -> float | None:
    value = content.get(name)
    if value is None:
        return None
    if not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) < _END:
        return float(value)
    raise RefusedMessageError(f"its {name} is no time in seconds since the epoch")
