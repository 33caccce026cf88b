"""Says what is to become of a result, once it is known with which code it was made."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """What is to become of a result."""

    KEEP = enum.auto()
    USE_ONLY = enum.auto()
    WAIT = enum.auto()
