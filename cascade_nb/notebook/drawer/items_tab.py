"""Shows the items of a mapped node: a letter for each, and a window of a table of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.inspection.items import Item, items_of
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.runs.run import Run
from cascade_nb.notebook.drawer.references import Named, References
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain

_WINDOW: Final = 200  # rows in an answer
_LETTERS: Final = {state: chr(ord("a") + number) for number, state in enumerate(NodeState)}
_RANK: Final = {state: number for number, state in enumerate(NodeState)}
_SORTS: Final[Mapping[str, Callable[[Item], Any]]] = {
    "item": lambda item: item.number,
    "state": lambda item: _RANK[item.state],
    "attempts": lambda item: item.attempt,
    "took": lambda item: -1.0 if item.took is None else item.took,
}


def items_tab(run: Run, named: Named, references: References, asked: object) -> Json:
    """What the tab shows.

    Args:
        run: its run.
        named: the mapped node.
        references: of the run.
        asked: which rows: from where on, how many, sorted by what, of which state, with what text.
    """
    items = items_of(run, run.graph, named.node)
    wanted = asked if isinstance(asked, dict) else {}
    if items is None:
        return {"total": 0, "listed": 0, "states": "", "letters": {}, "found": 0, "rows": []}
    found = _found(items.first, wanted)
    start = _number(wanted.get("from"), len(found))
    count = _number(wanted.get("count"), _WINDOW) or _WINDOW
    states = Counter(item.state for item in items.first)
    return {
        "total": items.total,
        "listed": len(items.first),
        "states": "".join(_LETTERS[item.state] for item in items.first),
        "letters": {_LETTERS[state]: state.value for state in states},
        "counts": [[state.value, states[state]] for state in NodeState if states[state]],
        "found": len(found),
        "from": start,
        "rows": [_row(item, named, references) for item in found[start : start + count]],
    }


def _found(items: list[Item], wanted: Mapping[str, object]) -> list[Item]:
    state, text = wanted.get("state"), wanted.get("text")
    if isinstance(state, str) and state:
        items = [item for item in items if item.state.value == state]
    if isinstance(text, str) and text:
        sought = text[:SHORT].lower()
        items = [item for item in items if sought in _searched(item)]
    sort = _SORTS.get(str(wanted.get("sort")))
    if sort is not None:
        items = sorted(items, key=sort, reverse=wanted.get("down") is True)
    return items


def _searched(item: Item) -> str:
    return f"{item.place} {item.given_text} {item.result_text}".lower()


def _number(given: object, most: int) -> int:
    return min(most, max(0, given)) if isinstance(given, int) else 0


def _row(item: Item, named: Named, references: References) -> list[Any]:
    return [
        references.of(named.node.index, item.number),
        line(item.place),
        item.state.value,
        item.attempt,
        "" if item.took is None else seconds_text(item.took),
        plain(item.given_text, 200),
        plain(item.result_text, 200),
    ]
