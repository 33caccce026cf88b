"""Says on a broker that a connector is there and whether engines answer over it, and reads that.

Topic ``cascade/status/<client id>``, retained; with a key it is signed like every message.
Payload, UTF-8 JSON::

    {"online", "answers", "source", "since", "at"}

``since`` is when this connection began, in seconds since the epoch, and ``at`` when this was said;
it is said anew every few minutes and counts no longer than a few more, so that what somebody kept
of a connector that is gone means nothing for long.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Final, TypeGuard

from cascade_nb.control.remote.envelope import opened, payload_bytes, sealed, text_field
from cascade_nb.errors import RefusedMessageError

STATUS: Final = "cascade/status"
STANDS: Final = 600.0  # seconds; the clocks of two machines are seldom that far apart
RENEWED: Final = 200.0  # seconds after which it is said anew
_END: Final = 1e15  # no time in seconds is beyond that


@dataclasses.dataclass(frozen=True)
class Presence:
    """What a connector says of itself.

    Attributes:
        online: whether it is there.
        answers: whether engines answer over it what they are asked.
        source: the host and the process that it lives in.
        since: when its connection began, in seconds since the epoch.
        at: when this was said, likewise.
    """

    online: bool
    answers: bool
    source: str
    since: float
    at: float


def status_topic(client: str) -> str:
    """Where the connector that a broker knows by this id says so."""
    return f"{STATUS}/{client}"


def status_payload(client: str, presence: Presence, key: bytes | None) -> bytes:
    """The message that says it."""
    return sealed(json.dumps(dataclasses.asdict(presence)), status_topic(client), key)


def parse_status(topic: str, payload: bytes | str, key: bytes | None) -> Presence:
    """What a connector says of itself.

    Raises:
        RefusedMessageError: it says nothing, nobody can read it, or it is not signed as it has to
            be.
    """
    said = opened(payload_bytes(payload), topic, key)
    source = text_field(said, "source")
    online, answers, since, at = map(said.get, ("online", "answers", "since", "at"))
    if not (isinstance(online, bool) and isinstance(answers, bool) and source.strip()):
        raise RefusedMessageError("it does not say who is there")
    if not (_is_moment(since) and _is_moment(at)):
        raise RefusedMessageError("it does not say since when")
    return Presence(online, answers, source, since, at)


class Presences:
    """Who is there, by what came on the topics of all connectors, the latest of each.

    What is not signed where it has to be, or is older than what came before, changes nothing.
    """

    def __init__(self) -> None:
        self._latest: dict[str, Presence] = {}
        self._here: dict[str, Presence] = {}
        self._answered: set[str] = set()

    def hear(self, topic: str, payload: bytes | str, now: float, key: bytes | None) -> None:
        """A message that came.

        Args:
            topic, payload: as they came.
            now: the wall time.
            key: what it has to be signed with; None where no signature is asked for.
        """
        client = topic.rpartition("/")[2]
        if not payload and key is None:  # it has left
            self._here.pop(client, None)
            return
        try:
            presence = parse_status(topic, payload, key)
        except RefusedMessageError:
            return
        before = self._latest.get(client)
        if before is not None and _order(presence) < _order(before):
            return
        if not presence.online:
            self._here.pop(client, None)
        elif abs(now - presence.at) <= STANDS:
            self._here[client] = presence
            if presence.answers:
                self._answered.add(client)
        else:
            return
        self._latest[client] = presence

    def forget(self) -> None:
        """There is another connection, over which who is there is told anew."""
        self._here.clear()

    @property
    def answering(self) -> dict[str, str]:
        """What those that answer call themselves, by client id; from any thread."""
        return {client: one.source for client, one in list(self._here.items()) if one.answers}

    def has_left(self, client: str) -> bool:
        """Whether engines answered over one and do so no more, with or without it."""
        return client in self._answered and client not in self.answering


def _order(presence: Presence) -> tuple[float, bool, float]:
    """Of two of one connector, which came later: that it is gone is the last of a connection."""
    return presence.since, not presence.online, presence.at


def _is_moment(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _END
