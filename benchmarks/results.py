"""What was measured: figures by contender, workload, mode, size and round."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.figures import growth, paired_ratio

Key = tuple[str, str, str]

#: Stands for the size where a probe was asked.
PROBE: Final = 0


class Results:
    """Everything that the processes said."""

    def __init__(self) -> None:
        self._heard: dict[Key, dict[int, dict[int, Mapping[str, Any]]]] = defaultdict(
            lambda: defaultdict(dict)
        )

    def add(self, key: Key, number: int, figures: Mapping[str, Any]) -> None:
        """What a process of round `number` said of one size."""
        self._heard[key][int(figures.get("size", PROBE))][number] = figures

    @property
    def tried(self) -> list[Key]:
        """Contender, workload and mode of everything that was tried."""
        return list(self._heard)

    def sizes(self, key: Key) -> list[int]:
        """The sizes that were tried, measured or not."""
        return sorted(self._heard[key]) if key in self._heard else []

    def rounds(self, key: Key, size: int, what: str = "seconds") -> dict[int, float]:
        """One figure by round."""
        if key not in self._heard:
            return {}
        rounds = self._heard[key].get(size, {})
        return {number: said[what] for number, said in rounds.items() if what in said}

    def median(self, key: Key, size: int, what: str = "seconds") -> float | None:
        """One figure's median over rounds; None where it was not measured."""
        values = list(self.rounds(key, size, what).values())
        return statistics.median(values) if values else None

    def ratio(self, key: Key, other: Key, size: int, what: str = "seconds") -> float | None:
        """The median over rounds of one's figure by the other's of the same round."""
        return paired_ratio(self.rounds(key, size, what), self.rounds(other, size, what))

    def growth(self, key: Key, what: str = "seconds") -> float | None:
        """The exponent with which its time grows."""
        medians = {size: self.median(key, size, what) for size in self.sizes(key)}
        return growth({size: taken for size, taken in medians.items() if taken is not None})

    def problem(self, key: Key, size: int = PROBE) -> str | None:
        """Why something was not measured, in a few words."""
        if key not in self._heard:
            return "not tried"
        said = [figures.get("error") for figures in self._heard[key].get(size, {}).values()]
        return next((str(error) for error in said if error), None if said else "not tried")

    def said(self, key: Key) -> list[Mapping[str, Any]]:
        """All that a probe said, by round."""
        return list(self._heard[key][PROBE].values()) if key in self._heard else []

    def plain(self) -> list[dict[str, Any]]:
        """Everything as plain values, for JSON."""
        return [
            {"contender": c, "workload": w, "mode": m, "round": number, **figures, "size": size}
            for (c, w, m), sizes in self._heard.items()
            for size, rounds in sizes.items()
            for number, figures in rounds.items()
        ]
