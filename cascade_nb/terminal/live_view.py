"""Paints how runs go, in place, with `rich`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cascade_nb.terminal.output import line_of
from cascade_nb.terminal.seen_runs import SeenRun, counts, kind_words, times

_BAR = 24
_GAP = 2
_STYLES = {
    "failed": "red",
    "cancelled": "red",
    "paused": "yellow",
    "pausing": "yellow",
    "succeeded": "green",
}


class LiveView:
    """Shows runs; see `watching.View`.

    Args:
        live: what paints.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, runs: list[SeenRun]) -> None:
        """Paint how they stand now."""
        self._live.update(picture(runs, self._live.console.width), refresh=True)


@contextlib.contextmanager
def live_view(console: Console | None = None) -> Iterator[LiveView]:
    """Paints while the block lasts; the last picture stays."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield LiveView(live)


def picture(runs: list[SeenRun], width: int) -> RenderableType:
    """All runs, each with a line for each of its tasks, on a terminal of so many columns. Where it
    is narrow the words come first: bars go, and then what else is said of a task than its name and
    how much of it is done.
    """
    parts: list[RenderableType] = []
    told: dict[str, None] = {}
    for one in runs:
        run = one.run
        head = f"{run['title']} · run {run['number']} ({run['run_id']}) · {one.who}"
        parts.append(_text(head, "bold"))
        parts.append(_text(run["headline"], _STYLES.get(run["phase"], "")))
        parts.append(
            _bar(run["done"] + run["reused"], run["total"], f"{counts(run)} · {times(run)}", width)
        )
        parts.append(_kinds(one, width))
        parts += [_text(f"✕ {it['task']}: {it['error']}", "red") for it in run["failures"][:5]]
        parts += [_text(f"↻ {it}") for it in run["retries"]]
        told.update(dict.fromkeys(one.in_force))
    if told:
        parts.append(_text("in force:", "bold"))
        parts += [_text(f"  {line}", "yellow") for line in told]
    return Group(*parts)


def _kinds(one: SeenRun, width: int) -> RenderableType:
    """A line for each task: with a bar where there is room, else its words alone."""
    kinds = one.run["kinds"]
    rows = [
        [_text(f"  {kind['name']}"), *map(_text, kind_words(kind, one.rates.get(kind["name"])))]
        for kind in kinds
    ]
    needed = sum(_GAP + max(text.cell_len for text in column) for column in zip(*rows, strict=True))
    if needed > width:
        return Group(*(_in_a_line(row) for row in rows))
    table = Table.grid(padding=(0, _GAP))
    for kind, (name, *words) in zip(kinds, rows, strict=True):
        bar = ProgressBar(total=max(1, kind["total"]), completed=kind["done"], width=_BAR)
        table.add_row(name, *([bar] if needed + _BAR + _GAP <= width else []), *words)
    return table


def _in_a_line(row: list[Text]) -> Text:
    name, *words = (text.plain for text in row)
    return _text(f"{name.strip()}: {' · '.join(filter(None, words))}")


def _bar(done: int, total: int, words: str, width: int) -> RenderableType:
    text = _text(words)
    if text.cell_len + _BAR + _GAP > width:
        return text
    row = Table.grid(padding=(0, _GAP))
    row.add_row(ProgressBar(total=max(1, total), completed=done, width=_BAR), text)
    return row


def _text(text: str, style: str = "") -> Text:
    """Text of others: without markup, and of one line."""
    return Text(line_of(text), style, no_wrap=True, overflow="ellipsis")
