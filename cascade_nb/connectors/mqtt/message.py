"""Messages on their way to a broker and from one."""

from __future__ import annotations

from typing import NamedTuple


class Outgoing(NamedTuple):
    """A message to a broker.

    Attributes:
        topic, data: of the message.
        retain: whether the broker gives it to later subscribers, too.
        expiry: seconds after which the broker throws it away, if it can; None: never.
    """

    topic: str
    data: bytes
    retain: bool = False
    expiry: int | None = None


class Incoming(NamedTuple):
    """A message of a broker.

    Attributes:
        topic, data: of the message.
        kept: whether it comes since we have just subscribed, and not since it was just sent.
        expiry: seconds after which it counts no longer; None where it does not say so.
    """

    topic: str
    data: bytes
    kept: bool
    expiry: int | None
