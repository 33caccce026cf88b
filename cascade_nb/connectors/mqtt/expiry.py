"""Turns the `expires_at` of a constraint into the expiry of its message, and back."""

from __future__ import annotations

import json
import math
import time
from typing import Any, Final

from cascade_nb.control.remote.envelope import MOST_BYTES
from cascade_nb.control.remote.messages import ROOT

_LONGEST: Final = 0xFFFF_FFFF  # seconds; MQTT has four bytes for them


def seconds_to_keep(data: bytes, now: float) -> int | None:
    """For how long a broker is to keep a message; None for as long as nobody takes it away."""
    content = _object(data)
    if content is not None and isinstance(content.get("message"), str):  # it is signed
        content = _object(content["message"].encode("utf-8", "replace"))
    end = None if content is None else content.get("expires_at")
    if isinstance(end, bool) or not isinstance(end, (int, float)) or not abs(end) < 1e15:
        return None
    return max(1, min(math.ceil(end - now), _LONGEST))


def with_expiry(topic: str, data: bytes, seconds: int) -> bytes:
    """A constraint that says itself when it ends, where only its message does; what is no such
    constraint stays as it is.
    """
    content = _object(data) if topic.startswith(f"{ROOT}/") else None
    if content is None or "signature" in content or content.get("expires_at") is not None:
        return data
    return json.dumps({**content, "expires_at": time.time() + seconds}).encode()


def _object(data: bytes) -> dict[str, Any] | None:
    if len(data) > MOST_BYTES or not data.startswith(b"{"):
        return None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content else None
