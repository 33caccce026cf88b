"""Puts attempts together by kind and by stretches of time, which get longer as the run does."""

from __future__ import annotations

from typing import Final

CELLS: Final = 64  # stretches of time from the beginning of the run
KINDS: Final = 16  # kinds that are told apart; what more there are is one
OTHERS: Final = "others"


class FoldedTimes:
    """How many attempts of each kind ended in each stretch of time, and how long they were under
    way in it.

    Args:
        began: when the run did, on the engine's clock.

    Attributes:
        began: that.
        width: seconds of a stretch.
        count: how many attempts there are in it.
        of: by kind and by number of the stretch: how many ended, seconds under way, how many not
            well.
    """

    def __init__(self, began: float) -> None:
        self.began = began
        self.width = 0.5
        self.count = 0
        self.of: dict[str, dict[int, list[float]]] = {}

    def add(self, kind: str, started: float, ended: float, badly: bool) -> None:
        """Put in an attempt that is over."""
        self.count += 1
        last = max(0.0, ended - self.began)
        while last >= CELLS * self.width:
            self._widen()
        if kind not in self.of and len(self.of) >= KINDS:
            kind = OTHERS
        cells = self.of.setdefault(kind, {})
        width = self.width
        place = int(last / width)
        cell = cells.get(place)
        if cell is None:
            cell = cells[place] = [0, 0.0, 0]
        cell[0] += 1
        cell[2] += badly
        first = max(0.0, started - self.began)
        if first >= place * width:  # short tasks, of which there are many
            cell[1] += max(0.0, last - first)
            return
        for number in range(int(first / width), place + 1):
            inside = min(last, (number + 1) * width) - max(first, number * width)
            cells.setdefault(number, [0, 0.0, 0])[1] += max(0.0, inside)

    def copied(self) -> dict[str, dict[int, list[float]]]:
        """`of` as it is now."""
        return {k: {n: [*cell] for n, cell in cells.items()} for k, cells in self.of.items()}

    def _widen(self) -> None:
        """From now on a stretch is twice as long."""
        self.width *= 2
        for kind, cells in self.of.items():
            wider: dict[int, list[float]] = {}
            for number, (count, seconds, badly) in cells.items():
                cell = wider.setdefault(number // 2, [0, 0.0, 0])
                cell[0] += count
                cell[1] += seconds
                cell[2] += badly
            self.of[kind] = wider
