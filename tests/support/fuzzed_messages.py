"""Messages for a broker that nobody would write, and some that somebody might."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final

ROOT: Final = "cascade/constraints"
_WORDS: Final = (
    "global", "task", "tag", "node", "from", "run", "no*", "no", "pause", "concurrency",
    "rate_limit", "breaker", "paus", "", " ", "%2F", "%00", "%23", "%ZZ", "x" * 150, "[" * 120,
    "*", "größe", "\u202eexe", "..", "$(id)", "\ud7ff", "'", '"', "{}", "a b", "٣",
)  # fmt: skip
_TEXTS: Final = (
    "", "global", "task:no", "task:no*", "tag:" + "[" * 110, "run:no", "node:", "from:x", "tusk:x",
    "task:a/b", "\u202eexe", "\x1b]0;owned\x07", "a\nb", "x" * 3_000, "$(id)", "pause", "10/m",
    "1/0s", "-5/m", "٣/m", "NaN", "\ud800", f"{ROOT}/#", "+",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2**63, 10**300, -0.0, 1e308, float("nan"), float("inf"), [], {},
    [[[]]], {"a": {"b": {}}}, {"limit": 2}, {"rate": "5/s"}, {"limit": -1}, {"limit": True},
    {"rate": 1, "capacity": 10**400}, {"failures": 10**400, "within": 1},
    {"failures": 1, "within": 0}, {"failures": 1, "within": 1, "probe_after": True}, *_TEXTS,
)  # fmt: skip
_NAMES: Final = (
    "id", "scope", "type", "params", "reason", "by", "issued_at", "expires_at", "run", "sender",
    "sequence", "answer", "lift", "message", "signature", "__class__", "", "limit",
)  # fmt: skip
_ODD: Final = (
    b"", b" ", b"{}", b"{", b"[]", b"null", b"3", b"\xff\xfe", b"\x00", b'"pause"',
    b"[" * 50_000, b'{"a":' * 9_000, b"9" * 60_000, b"x" * 70_000, b'{"params": {"limit": 1e999}}',
)  # fmt: skip
_SCOPES: Final = ("task:no", "task:no*", "tag:no", "node:no", "from:no", "run:no")
_KINDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("pause", {}),
    ("concurrency", {"limit": 3}),
    ("rate_limit", {"rate": "5/s", "capacity": 2}),
    ("breaker", {"failures": 3, "within": 60, "probe_after": 1.5}),
)


def messages(seed: int) -> Iterator[tuple[str, bytes]]:
    """Topics and payloads; what can be applied of them holds nothing that there is."""
    chance = random.Random(seed)
    while True:
        scope, (type_, params) = chance.choice(_SCOPES), chance.choice(_KINDS)
        topic = f"{ROOT}/{scope.replace(':', '/')}"
        if chance.random() < 0.8:
            topic += f"/{type_}"
        content: dict[str, Any] = {"id": "1", "scope": scope, "type": type_, "params": params}
        data = b""
        if chance.random() < 0.3:
            content["sender"] = chance.choice(("ann", "bob"))
            content["sequence"] = chance.randrange(200)
        if chance.random() < 0.1:
            content = {"id": "2", "scope": scope, "type": type_, "lift": True}
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            content[chance.choice(_NAMES)] = chance.choice(_VALUES)
        if chance.random() < 0.1:
            content.pop(chance.choice(list(content)), None)
        if chance.random() < 0.2:
            words = [chance.choice(_WORDS) for _ in range(chance.randrange(5))]
            topic = "/".join([ROOT, *words])
        if chance.random() < 0.15:
            data = chance.choice(_ODD)
        else:
            data = json.dumps(content).encode()
            if chance.random() < 0.3:  # a byte that flips
                place = chance.randrange(len(data))
                data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        if not _may_hold(topic):
            yield topic, data


def _may_hold(topic: str) -> bool:
    """Whether it could be about something that there is, by the topic that it has to fit."""
    words = topic.split("/")[2:]
    return words[:1] == ["global"] or any("*" in word and "no" not in word for word in words)
