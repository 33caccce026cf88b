"""The style sheet of a picture: one SVG for light and dark pages, inside JupyterLab and outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

FACE: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

# By name: JupyterLab's variable, and what stands for it on light and on dark pages.
_COLOURS: Final[Mapping[str, tuple[str, str, str]]] = {
    "paper": ("--jp-layout-color1", "#ffffff", "#111111"),
    "ink": ("--jp-content-font-color1", "#1f2430", "#e6e9ef"),
    "faint": ("--jp-content-font-color2", "#5b6270", "#a3abb8"),
    "running": ("--jp-brand-color1", "#1769c0", "#6cb2f5"),
    "done": ("--jp-success-color1", "#2f7d46", "#6cc48a"),
    "held": ("--jp-warn-color1", "#b26a00", "#f0b45a"),
    "queued": ("--jp-info-color1", "#00757f", "#4dd0e1"),
    "asking": ("--md-purple-400", "#7a3fb5", "#c79bf2"),
    "failed": ("--jp-error-color1", "#c3352f", "#f27d75"),
}


def _variables(dark: bool) -> str:
    pairs = (
        f"--cs-{name}: var({lab}, {on_dark if dark else on_light});"
        for name, (lab, on_light, on_dark) in _COLOURS.items()
    )
    return " ".join(pairs)


def colour(name: str) -> str:
    """One of the page's colours, such as "ink", for an element that has no style sheet."""
    lab, on_light, on_dark = _COLOURS[name]
    return f"var({lab}, light-dark({on_light}, {on_dark}))"


def themed(selector: str) -> Iterator[str]:
    """The rules that give what `selector` matches the colours of the page, as `--cs-ink` and so
    on.
    """
    yield f"{selector} {{ {_variables(dark=False)} }}"
    yield f"@media (prefers-color-scheme: dark) {{ {selector} {{ {_variables(dark=True)} }} }}"


def _rules() -> Iterator[str]:
    """The rules, each below .cascade-graph: a sheet in an inlined SVG reaches the whole page.

    There is no `<`, `>` or `&` in them, which XML and HTML would read differently.
    """
    yield from themed(".cascade-graph")
    for what, how in _LOOK.items():
        which = ", ".join(f".cascade-graph {part}" for part in what.split(", "))
        yield f"{which} {{ {how} }}"


def _mixed(colour: str, percent: int) -> str:
    """So much of a colour, and the paper's for the rest."""
    return f"color-mix(in srgb, var(--cs-{colour}) {percent}%, var(--cs-paper))"


def _accent(colour: str, wash: int) -> str:
    """A colour for the outline, and so many percent of it inside."""
    return f"--cs-accent: {colour}; --cs-wash: {wash}%"


_HOLLOW: Final = ("planned", "reused", "stale", "skipped")
_LOOK: Final[Mapping[str, str]] = {
    "text": f"font-family: var(--jp-ui-font-family, {FACE}); fill: var(--cs-ink)",
    ".paper": "fill: var(--cs-paper)",
    ".note": "fill: var(--cs-faint)",
    ".edge path": f"stroke: {_mixed('faint', 62)}",
    ".edge .head": f"fill: {_mixed('faint', 62)}",
    ".edge .open": "fill: var(--cs-paper)",
    ".count": "fill: var(--cs-faint); paint-order: stroke; stroke: var(--cs-paper);"
    " stroke-width: 4px",
    ".node": _accent(_mixed("faint", 70), 7),
    "[data-state=running]": _accent("var(--cs-running)", 15),
    "[data-state=planned]": _accent("var(--cs-running)", 0),
    "[data-state=done]": _accent("var(--cs-done)", 14),
    "[data-state=reused]": _accent("var(--cs-done)", 0),
    "[data-state=held], [data-state=stale]": _accent("var(--cs-held)", 12),
    "[data-state=queued]": _accent("var(--cs-queued)", 10),
    "[data-state=asking]": _accent("var(--cs-asking)", 15),
    "[data-state=failed]": _accent("var(--cs-failed)", 14),
    ".shape, .behind": "fill: color-mix(in srgb, var(--cs-accent) var(--cs-wash), var(--cs-paper));"
    " stroke: var(--cs-accent)",
    ".ring": "fill: var(--cs-paper); stroke: var(--cs-accent)",
    ".caption, .progress": "fill: var(--cs-faint)",
    ".track": f"fill: {_mixed('accent', 25)}",
    ".bar": "fill: var(--cs-accent)",
    ".badge circle": "fill: var(--cs-accent); stroke: var(--cs-paper)",
    ".badge path": "stroke: var(--cs-paper)",
    ", ".join(f"[data-state={state}] .badge circle" for state in _HOLLOW): (
        "fill: var(--cs-paper); stroke: var(--cs-accent)"
    ),
    ", ".join(f"[data-state={state}] .badge path" for state in _HOLLOW): "stroke: var(--cs-accent)",
    "[data-state=waiting] .badge": "display: none",
    ", ".join(f"[data-state={state}] .shape" for state in ("running", "asking", "failed")): (
        "stroke-width: 2"
    ),
    "[data-state=held] .shape": "stroke-dasharray: 7 3",
    "[data-state=queued] .shape": "stroke-dasharray: 2 2",
    "[data-state=stale] .shape": "stroke-dasharray: 4 3",
    "[data-state=skipped] .shape": "stroke-dasharray: 1.5 3",
    "[data-state=cancelled] .shape": "stroke-dasharray: 9 3 2 3",
    "[data-state=skipped] .title, [data-state=cancelled] .title": "fill: var(--cs-faint)",
    ".track, .bar, .progress": "display: none",
    "[data-progress] .track, [data-progress] .bar, [data-progress] .progress": "display: inline",
    "[data-progress] .caption": "display: none",
    "[data-note] .caption": "display: none",
    "[data-note] .progress": "display: inline",
    "[data-note]:not(:has(.caption)) .title": "transform: translateY(-5px)",
}
SHEET: Final = "\n".join(_rules())
