"""How figures are put into words: the rows of the table of promises, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.results import Key, Results

#: Stands where there is no figure.
NOTHING: Final = "-"


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes:
        what: the workload.
        ours: what was measured of the project.
        other: what it is held against.
        measured: the figure that the bound is about.
        bound: what was promised.
        holds: whether it does; None where nothing could be measured, or nothing was promised.
    """

    what: str
    ours: str
    other: str
    measured: str
    bound: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.holds is None:
            return "-" if not self.bound else "not measured"
        return "holds" if self.holds else "**lost**"


def at_most(
    results: Results, key: Key, what: str, figure: float | None, most: float, unit: str
) -> Line:
    """A row about one figure that must not be larger than `most`."""
    shown: Callable[[float], str] = lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2f}"  # noqa: E731
    if figure is None:
        return Line(what, "", "", results.problem(key) or "?", f"≤ {shown(most)} {unit}", None)
    return Line(what, "", "", f"{shown(figure)} {unit}", f"≤ {shown(most)} {unit}", figure <= most)


def micros(seconds: float | None, nodes: int) -> str:
    """Microseconds a node, in words."""
    return "?" if seconds is None else f"{seconds / nodes * 1e6:.2f}"


def millis(seconds: float | None) -> str:
    """Milliseconds, in words."""
    return "?" if seconds is None else f"{seconds * 1000:.1f} ms"


def plain_number(value: float | None) -> str:
    """A figure with as many digits as tell something."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """All rows below a header; the first column is words, the others are figures."""
    written = [_row(header), _row(["---", *("---:" for _ in header[1:])])]
    return "\n".join([*written, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
