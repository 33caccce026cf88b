"""Gives each state a colour, and a sign beside it for those who cannot tell the colours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Look:
    """How one state looks.

    Attributes:
        word: what a person calls it.
        sign: one character for it, where only text can be.
        icon: the same as an SVG path around (0, 0), 7 units wide.
        ink, wash: colours of outline and inside where no style sheet reaches: in PNG and plain
            viewers.
    """

    word: str
    sign: str
    icon: str
    ink: str
    wash: str


_CHECK: Final = "M-3.1 0.2 L-1 2.3 L3.2 -2.2"

#: By the value of an engine's node state; `planned`: what a run would run; `stale`: what was done
#: once and has to run again.
LOOKS: Final[Mapping[str, Look]] = {
    "waiting": Look("waiting", "", "", "#8a93a3", "#f6f7f9"),
    "held": Look("held", "‖", "M-1.5 -2.6 V2.6 M1.5 -2.6 V2.6", "#b26a00", "#fdf3e1"),
    "queued": Look("queued", "⋯", "M-2.6 0 h0.1 M-0.05 0 h0.1 M2.5 0 h0.1", "#00757f", "#e2f2f3"),
    "asking": Look(
        "asks", "?", "M-1.6 -1.3 A1.65 1.65 0 1 1 0 0.4 V1.2 M0 2.8 v0.1", "#7a3fb5", "#f1e8fb"
    ),
    "running": Look("running", "▸", "M-1.5 -2.7 L2.7 0 L-1.5 2.7 Z", "#1769c0", "#e3effb"),
    "planned": Look("to run", "▷", "M-1.3 -2.6 L1.7 0 L-1.3 2.6", "#1769c0", "#ffffff"),
    "done": Look("done", "✓", _CHECK, "#2f7d46", "#e5f3e9"),
    "reused": Look("reused", "=", _CHECK, "#2f7d46", "#ffffff"),
    "failed": Look("failed", "✕", "M-2.4 -2.4 L2.4 2.4 M2.4 -2.4 L-2.4 2.4", "#c3352f", "#fbe7e6"),
    "skipped": Look(
        "skipped",
        "»",
        "M-2.9 -2.4 L-0.4 0 L-2.9 2.4 M0.4 -2.4 L2.9 0 L0.4 2.4",
        "#8a93a3",
        "#ffffff",
    ),
    "cancelled": Look("cancelled", "■", "M-2 -2 H2 V2 H-2 Z", "#6b7280", "#eceef1"),
    "stale": Look(
        "stale", "↻", "M2.6 -1.4 A2.95 2.95 0 1 0 2.9 1 M2.9 -3.2 V-1.2 H0.9", "#b26a00", "#ffffff"
    ),
}

# A box that stands for nodes in several states is in the first of these that one of them is in.
_URGENCY: Final = (
    "failed",
    "asking",
    "running",
    "held",
    "queued",
    "planned",
    "stale",
    "waiting",
    "cancelled",
    "done",
    "reused",
    "skipped",
)


def together(states: Collection[str]) -> str:
    """The state of a box that stands for nodes in these states.

    Failed if one has failed, else asking if one asks, running if one runs, then held, queued,
    planned, stale, waiting, cancelled; done if all came through and some of them ran, reused if
    none had to, skipped if none was wanted.
    """
    return next((state for state in _URGENCY if state in states), "waiting")


@dataclass(frozen=True)
class Marks:
    """What is to be marked on a picture.

    Attributes:
        states: by node id, a key of `LOOKS`; a node without one is waiting.
        progress: by id of a mapped node, how many of its items are done, and of how many.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, tuple[int, int]] = field(default_factory=dict)


UNMARKED: Final = Marks()


@dataclass(frozen=True)
class Mark:
    """What is marked on one box."""

    state: str = "waiting"
    progress: tuple[int, int] | None = None

    @property
    def progress_text(self) -> str:
        """`5/12`, or nothing."""
        return "" if self.progress is None else "{:,}/{:,}".format(*self.progress)
