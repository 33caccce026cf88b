"""Writes a run as one page of HTML that needs nothing beside itself.

There is no script in it, and neither a style nor a picture from elsewhere.

All that comes from users is escaped; of what is HTML itself, such as a table, only what shows
something comes through; pictures are data. The page says the same of itself to the browser, so that
what might slip through does not run either.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.notebook.report.sanitised import sanitised
from cascade_nb.text import readable
from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.style import themed

_ROWS: Final = 1_000  # nodes in the table
_CELL: Final = 200
_LONG: Final = 20_000
_RICH: Final = 400_000  # characters of a result that is shown otherwise than as text
_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
_IMAGES: Final = ("image/png", "image/jpeg")
_SVG: Final = "image/svg+xml"


class NodeRow(NamedTuple):
    """A node: its name, its task, a key of `LOOKS`, and how long it took in words."""

    name: str
    task: str
    state: str
    took: str


class Report(NamedTuple):
    """A run as it is to be told.

    Attributes:
        title: what it was.
        lines: how it went, in a few lines.
        graph: its picture as SVG; None where there is none.
        outline: the same in words.
        times: when its tasks were under way, as SVG; None where that says nothing.
        nodes: all of them.
        failures: as `error_parts` tells them.
        params: name, value and description.
        versions: of what, and which.
        results: by name, as `Results.tab` tells them.
        left_out: what is to be said of results that are not here.
    """

    title: str
    lines: Sequence[str]
    graph: str | None
    outline: str
    times: str | None
    nodes: Sequence[NodeRow]
    failures: Sequence[Mapping[str, Any]]
    params: Sequence[tuple[str, str, str]]
    versions: Sequence[tuple[str, str]]
    results: Mapping[str, Mapping[str, Any]]
    left_out: str


def page_of(report: Report) -> str:
    """The page."""
    title = _text(report.title, _CELL)
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_text(_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_SHEET}</style></head><body><main>",
        f"<h1>{title}</h1>",
        f"<pre class=head>{_text(chr(10).join(report.lines))}</pre>",
        *_section("Failures", map(_failure, report.failures), opened=True),
        *_section("Graph", _wide(report.graph) or [_outline(report)], opened=True),
        *_section("Timeline", _wide(report.times), opened=True),
        *_section("Results", _results(report), opened=True),
        *_section("Parameters", _table(("name", "value", "meaning"), report.params), opened=True),
        *_section("Nodes", _nodes(report.nodes), opened=False),
        *_section("Versions", _table(("what", "version"), report.versions), opened=False),
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def _text(text: str, limit: int = _LONG) -> str:
    """Anybody's text as HTML shows it."""
    cut = text if len(text) <= limit else f"{text[:limit]}… {len(text) - limit:,} more characters"
    return html.escape(readable(cut), quote=True)


def _section(title: str, body: Iterable[str], *, opened: bool) -> list[str]:
    inside = list(filter(None, body))
    if not inside:
        return []
    begins = "<details open>" if opened else "<details>"
    return [f"{begins}<summary><h2>{title}</h2></summary>", *inside, "</details>"]


def _wide(picture: str | None) -> list[str]:
    return [] if picture is None else [f'<div class="wide">{picture}</div>']


def _outline(report: Report) -> str:
    return f"<pre>{_text(report.outline)}</pre>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    head = "".join(f"<th>{_text(one)}</th>" for one in heads)
    body = [
        "<tr>" + "".join(f"<td>{_text(one, _CELL)}</td>" for one in row) + "</tr>" for row in rows
    ]
    return [f"<table><thead><tr>{head}</tr></thead><tbody>", *body, "</tbody></table>"]


def _nodes(nodes: Sequence[NodeRow]) -> list[str]:
    shown = [
        (row.name, row.task, f"{LOOKS[row.state].sign} {LOOKS[row.state].word}", row.took)
        for row in nodes[:_ROWS]
    ]
    left = len(nodes) - len(shown)
    more = [f"<p>… and {left:,} more nodes</p>"] if left > 0 else []
    return [*_table(("node", "task", "state", "took"), shown), *more]


def _failure(failure: Mapping[str, Any]) -> str:
    inputs = "".join(f"<li>{_text(one, _CELL)}</li>" for one in failure["inputs"])
    chain = []
    for part in failure["chain"]:
        frames = "\n".join(
            f"{frame['place']}, line {frame['line']}, in {frame['name']}\n    {frame['code']}"
            for frame in part["frames"]
        )
        link = f"<p>{_text(part['link'])}:</p>" if part["link"] else ""
        chain.append(f"{link}<pre>{_text(frames)}\n{_text(part['text'])}</pre>")
    return (
        f"<article><h3>✕ {_text(failure['task'], _CELL)}: {_text(failure['text'], _CELL)}</h3>"
        f"<p>{_text(failure['where'], _CELL)}, attempt {int(failure['attempt'])}</p>"
        f"<ul>{inputs}</ul>{''.join(chain)}</article>"
    )


def _results(report: Report) -> list[str]:
    made = [_result(name, told) for name, told in report.results.items()]
    return [*made, f"<p>{_text(report.left_out)}</p>" if report.left_out else ""]


def _result(name: str, told: Mapping[str, Any]) -> str:
    if "none" in told:
        return f"<article><h3>{_text(name, _CELL)}</h3><p>{_text(told['none'])}</p></article>"
    facts = " · ".join(f"{what}: {said}" for what, said in told["facts"])
    notes = "".join(f"<p>{_text(one)}</p>" for one in told["notes"])
    return (
        f"<article><h3>{_text(name, _CELL)}</h3><p class=faint>{_text(facts)}</p>"
        f"{_value(told['text'], told['data'])}{notes}</article>"
    )


def _value(text: str, data: Mapping[str, Any]) -> str:
    """A value as it shows itself: a picture, a table or the like, or text."""
    for kind in _IMAGES:
        picture = data.get(kind)
        if isinstance(picture, str) and _is_base64(picture):
            return f'<img alt="" src="data:{kind};base64,{"".join(picture.split())}">'
    drawn = data.get(_SVG)
    if isinstance(drawn, str) and len(drawn) <= _RICH:
        coded = base64.b64encode(drawn.encode("utf-8", "replace")).decode("ascii")
        return f'<img alt="" src="data:{_SVG};base64,{coded}">'
    made = data.get("text/html")
    if isinstance(made, str) and len(made) <= _RICH and (shown := sanitised(made)):
        return f'<div class="value">{shown}</div>'
    return f"<pre>{_text(text)}</pre>" if text else ""


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode("".join(text.split()), validate=True))
    except ValueError:
        return False


_LINE: Final = "color-mix(in srgb, var(--cs-faint) 40%, transparent)"
_LOOK: Final = {
    "body": "margin: 0; background: var(--cs-paper); color: var(--cs-ink);"
    " font: 14px/1.5 system-ui, sans-serif",
    "main": "max-width: 1100px; margin: 0 auto; padding: 16px",
    "h1": "font-size: 22px",
    "h2": "font-size: 17px; display: inline",
    "h3": "font-size: 14px; overflow-wrap: anywhere",
    "summary": "cursor: pointer; padding: 6px 0",
    "details": "margin: 8px 0",
    "pre": "white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; padding: 6px 10px;"
    f" border-left: 2px solid {_LINE}",
    "pre.head": "border: 0; padding: 0; font: inherit",
    "table": "border-collapse: collapse",
    "td, th": "text-align: left; padding: 2px 14px 2px 0; vertical-align: top;"
    " overflow-wrap: anywhere",
    "th, .faint": "color: var(--cs-faint)",
    ".wide": "overflow-x: auto",
    "img": "max-width: 100%; background: #fff",
    ".value": "max-height: 420px; overflow: auto",
    ".value td, .value th": "text-align: right",
}
_SHEET: Final = "\n".join([*themed(":root"), *(f"{a} {{ {b} }}" for a, b in _LOOK.items())])
