"""Declares what a place for results says about them: how many, how large, what was removed."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """What the kept results of one task take.

    Attributes:
        task: its name; empty for results of which it is not known.
        results: how many there are.
        size: of all of them, in bytes.
        used: when one was made or read last, in seconds since the epoch.
    """

    task: str
    results: int
    size: int
    used: float


class Cleaned(NamedTuple):
    """What was removed.

    Attributes:
        results: how many.
        size: of all of them, in bytes.
    """

    results: int
    size: int
