"""Tells the page when the attempts of a run were under way: numbers, with each name once."""

from __future__ import annotations

import json
from typing import Final

from cascade_nb.engine.inspection.timeline import Bar, Timeline, timeline_of
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.timing.attempt_times import EACH
from cascade_nb.notebook.drawer.references import References
from cascade_nb.notebook.drawer.texts import Json, line

#: What a letter means as the outcome of an attempt.
OUTCOMES: Final = {"d": "done", "f": "failed", "c": "cancelled", "l": "lost", "r": "running"}
_LETTER: Final = {outcome: letter for letter, outcome in OUTCOMES.items()}
PAUSES: Final = 200  # the latest of them that are told
RESTS: Final = 20  # of one attempt


class TimelineTold:
    """What the page is told of one run's time; when nobody has the run any more, the last of it."""

    def __init__(self) -> None:
        self._last = ""

    def answer(self, run: Run | None, references: References | None, message: Json) -> Json:
        """What is new since what the page knows.

        Args:
            run: None where nobody has it any more.
            references: name nodes in what the page asks for.
            message: `since` is how many attempts it knows of the graph `serial`, `folded` whether
                it wants to know of those that are not told one by one.
        """
        if run is None or references is None:
            return dict(json.loads(self._last)) if self._last else {"serial": -1}
        known = message.get("serial") == references.serial
        since = message.get("since")
        start = since if known and isinstance(since, int) else 0
        return _told(run, references, max(0, start), message.get("folded") is True)

    def keep(self, run: Run, references: References) -> list[int]:
        """Remember how it was in the end; gives the nodes that this waited for. Takes a while."""
        told = _told(run, references, 0, True, EACH)
        self._last = json.dumps(told)
        return [node for node, _ in told.get("path", ())]


def _told(run: Run, references: References, since: int, folded: bool, most: int = 0) -> Json:
    graph, ended = references.graph, run.ended_at
    known = run.look(
        lambda view, _: (
            timeline_of(view, since, folded, ended, *([most] if most else []))
            if view.core.graph is graph
            else None
        )
    )
    if known is None:  # it has not begun, or goes on with an edit in a moment
        return {"serial": -1}
    return {"serial": references.serial, **_in_json(known), "over": ended is not None}


def _in_json(known: Timeline) -> Json:
    names = _Names()
    return {
        "now": round(known.now, 3),
        "first": known.first,
        "last": known.last,
        "ended": known.ended,
        "bars": [names.bar(bar) for bar in known.bars],
        "going": [names.bar(bar) for bar in known.going],
        "slices": [[round(a, 3), round(b - a, 3), count] for a, b, count in known.slices],
        "pauses": [
            [
                round(pause.since, 3),
                None if pause.until is None else round(pause.until, 3),
                None if pause.kind is None else line(pause.kind),
                line(pause.words),
            ]
            for pause in known.pauses[-PAUSES:]
        ],
        "width": known.width,
        "folded": [
            [names.kind(kind, ""), number, int(count), round(seconds, 3), int(badly)]
            for kind, cells in known.folded.items()
            for number, (count, seconds, badly) in sorted(cells.items())
        ],
        "path": [list(place) for place in known.path],
        "names": names.names,
        "kinds": names.kinds,
    }


class _Names:
    """Names once each, however many attempts have them.

    Attributes:
        names: of nodes, by number.
        kinds: a task and where it runs, by number.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kinds: list[tuple[str, str]] = []
        self._names: dict[str, int] = {}
        self._kinds: dict[tuple[str, str], int] = {}

    def kind(self, kind: str, place: str) -> int:
        """The number of a task."""
        key = (line(kind), line(place))
        if key not in self._kinds:
            self._kinds[key] = len(self.kinds)
            self.kinds.append(key)
        return self._kinds[key]

    def bar(self, bar: Bar) -> list[object]:
        """Node, item, name, kind, attempt, begin, length, outcome; and when it stood still."""
        whole = bar.name.removesuffix(f"[{bar.item}]") if bar.item >= 0 else bar.name
        name = line(whole)
        if name not in self._names:
            self._names[name] = len(self.names)
            self.names.append(name)
        took = None if bar.ended is None else round(bar.ended - bar.started, 3)
        rests = [
            [round(a, 3), None if b is None else round(b - a, 3)] for a, b in bar.rests[-RESTS:]
        ]
        told: list[object] = [
            bar.node,
            bar.item,
            self._names[name],
            self.kind(bar.kind, bar.place),
            bar.number,
            round(bar.started, 3),
            took,
            _LETTER[bar.outcome],
        ]
        return [*told, rests] if rests else told
