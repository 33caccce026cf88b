"""Checks the replies of a Redis server: a proxy, a fault or another program may send any.

Each command is sent with the shape of its reply, so that a reply of another shape is told as such
in one place, and whoever reads it need not ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Shape: TypeAlias = Callable[[Any], bool]


def anything(reply: Any) -> bool:
    """Any reply: nobody reads it."""
    return True


def maybe_bytes(reply: Any) -> bool:
    """A string, or nothing."""
    return reply is None or isinstance(reply, bytes)


def all_bytes(reply: Any) -> bool:
    """A list of strings."""
    return isinstance(reply, list) and all(isinstance(item, bytes) for item in reply)


def maybe_each(reply: Any) -> bool:
    """A list of which each item is a string or nothing."""
    return isinstance(reply, list) and all(map(maybe_bytes, reply))


def pair(reply: Any) -> bool:
    """A list of two, each a string or nothing."""
    return maybe_each(reply) and len(reply) == 2


def some_pairs(reply: Any) -> bool:
    """A list of one pair or more, each of two strings or two times nothing."""
    return (
        maybe_each(reply)
        and len(reply) > 0
        and len(reply) % 2 == 0
        and all(
            (head is None) == (chunk is None)
            for head, chunk in zip(reply[::2], reply[1::2], strict=True)
        )
    )


def claim(reply: Any) -> bool:
    """A fence, or an owner, a number of microseconds, and a text."""
    if not all_bytes(reply) or len(reply) not in (1, 3):
        return False
    return _is_number(reply[0] if len(reply) == 1 else reply[1])


def records(reply: Any) -> bool:
    """The server's time in microseconds, then lists of strings or nothing."""
    sound = isinstance(reply, list) and len(reply) > 0 and isinstance(reply[0], bytes)
    return sound and _is_number(reply[0]) and all(map(maybe_each, reply[1:]))


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) < 20
