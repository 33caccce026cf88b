"""Messages to a door that nobody would write, and some that somebody might."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.support.examples import PROFILE

MESSAGES = {"default": 5_000, "soak": 100_000}[PROFILE]

_TEXTS = (
    "", "global", "task:nosuch", "task:*" * 20, "tag:" + "[" * 300, "run:1", "node:", "from:x",
    "tusk:x", "task:a/b", "\ud800", "\u202eexe", "\x1b]0;owned\x07", "a\nb", "x" * 70_000, "$(id)",
    "cascade/constraints/#", "+", "\0", "NaN", "10/m", "3/1m", "1/0s", "-5/m", "٣/m",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 10**300, -0.0, 1e308, float("nan"), float("inf"), [], {},
    [[[]]], {"a": {"b": {}}}, *_TEXTS,
)  # fmt: skip
_NAMES = (
    "v", "id", "do", "scope", "run", "n", "rate", "capacity", "rule", "probe", "seconds", "reason",
    "by", "node", "type", "params", "__class__", "", "\ud800", "V",
)  # fmt: skip
_DOES = (
    "hello", "pause", "resume", "limit", "rate", "breaker", "cancel", "status", "wait", "why",
    "runs",
)  # fmt: skip


def contents(seed: int) -> Iterator[dict[str, Any]]:
    """JSON objects, some of them requests; what can be applied of them holds nothing that there
    is, and ends no run.
    """
    chance = random.Random(seed)
    while True:
        made: dict[str, Any] = {"v": 1, "id": str(chance.random()), "do": chance.choice(_DOES)}
        for _ in range(chance.randrange(4)):
            made[chance.choice(_NAMES)] = chance.choice(_VALUES)
        if chance.random() < 0.1:
            made = {"v": 1, "do": "pause", "scope": f"task:no{chance.randrange(9)}", "seconds": 9}
        if chance.random() < 0.1:
            made.pop(chance.choice(list(made)))
        if not _may_hold(made):
            yield made


def lines(seed: int) -> Iterator[bytes]:
    """Lines as they come at a socket."""
    chance, made = random.Random(seed), contents(seed)
    odd = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"v":1,"v":1,"do":"hello"}', b"\0", b'"x"',
           b"[" * 5_000, b'{"v":' * 2_000, b"1e999", b'{"v":1,"do":"hello"}x')  # fmt: skip
    while True:
        if chance.random() < 0.2:
            yield chance.choice(odd)
            continue
        text = json.dumps(next(made)).encode()
        if chance.random() < 0.3:  # a byte that flips, or is not there
            place = chance.randrange(len(text))
            text = text[:place] + bytes([chance.randrange(256)]) + text[place + 1 :]
            if _reads_as_a_hold(text):
                continue
        yield text.replace(b"\n", b" ")


def _may_hold(content: dict[str, Any]) -> bool:
    """Whether it could stop something that is there."""
    if content.get("do") == "cancel":
        return True
    return content.get("do") in ("pause", "limit", "rate", "breaker") and (
        content.get("scope") is None or content["scope"] in ("global", "run:1")
    )


def _reads_as_a_hold(text: bytes) -> bool:
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and _may_hold(content)
