"""The environment that the peers live in, made when it is missing and anew when a pin changes."""

from __future__ import annotations

from typing import Final

from tools.environments import ROOT, Environment

PINS: Final = "benchmarks/peers.txt"

#: The package is not in it: a peer's process imports nothing of the project but `benchmarks`.
PEERS: Final = Environment("peers", (("--requirement", PINS, "numpy"),), reads=(PINS,))


def pinned() -> list[str]:
    """What is installed in it by name, as pip reads it."""
    lines = (ROOT / PINS).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]
