"""Texts that would command a terminal, forge a line, run in a page or break what reads them."""

from __future__ import annotations

import random
from typing import Final

HOSTILE: Final = [
    "\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\x9b2J", "\u202egnp.exe", "\u2066x\u2069", "a\nIn force:",
    "a\r\x1b[Kdone", "\ud800", "\x00", "\x07", "\x1bP1$r\x1b\\", "a\u2028b", "e\u0301" * 3, "\x7f",
]  # fmt: skip
_PARTS: Final = (
    *HOSTILE, "<img src=x onerror='document.title=1'>", "<script>document.title=1</script>",
    "\"><svg onload=document.title=1>", "javascript:document.title=1", "`$(touch x)`",
    "{0.__class__}",    "%s%n", "'", '"', "\\", "</textarea>", "\u200f", "\ufeff", "[31m", "yes",
    "Approve?", "\U000e0001",
)  # fmt: skip


def hostile_texts(count: int, seed: int = 1) -> list[str]:
    """So many texts, each of one to four such parts, and no two alike."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(_PARTS, k=chance.randint(1, 4)))] = None
    return list(found)
