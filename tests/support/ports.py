"""Chooses a port for a server that a test starts, which nobody else takes before it is bound."""

from __future__ import annotations

import random
import socket
from typing import Final

#: Below those that the system gives to whoever connects somewhere: one of these is taken by one of
#: the tests beside this one while a server starts, or while one is dead that is to come back.
_PORTS: Final = range(20_000, 32_000)


def free_port() -> int:
    """One of the loopback interface that nobody listens at now."""
    dice = random.SystemRandom()  # tests seed the usual one, and would all choose the same
    while True:
        port = dice.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
