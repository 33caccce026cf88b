"""The panel's style touches nothing that a task displays, nor anything else on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cascade_nb.notebook.overview.widget import RUNS_STYLE
from cascade_nb.notebook.panel.widget import STYLE
from cascade_nb.notebook.parameters.widget import FORM_STYLE

#: What all widgets have, and what that of all runs and the form add.
CSS = RUNS_STYLE + FORM_STYLE.removeprefix(STYLE)

#: What a selector may begin with: the widgets themselves, and what they put elsewhere on the page.
ROOTS = (
    ".cascade-panel",
    ".cascade-form",
    ".cascade-twin",
    ".cascade-found",
    ".cascade-beside",
)

#: What no display can be inside of, since they are all in `.cs-displays`.
ELSEWHERE = (
    r"\.cs-(kinds|graph|failures|facts|given|frames?|causes|map|items|timetable|pick)\b",
    r"\.cs-tools > \[hidden\]",
    r"\.cs-section\S* > summary",
    r"\.cs-displays \*\)",
    r"\.cs-section-output >",
)


def selectors() -> Iterator[str]:
    """Each selector of the sheet, without the rules of animations."""
    text = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)
    text = re.sub(r"@keyframes [\w-]+ \{[^{}]*\{[^{}]*\} *\}", "", text)
    for head in re.findall(r"([^{};]+)\{", text):
        if not head.strip().startswith("@"):
            # A comma within parentheses parts nothing.
            yield from (one.strip() for one in re.split(r",(?![^(]*\))", head))


@pytest.mark.parametrize("selector", list(selectors()))
def test_a_selector_names_a_part_of_the_panel(selector: str) -> None:
    assert selector.startswith((*ROOTS, ".cs-section-output"))
    last = re.split(r"[ >]+", selector.replace(":not(.cs-displays *)", ":not(.cs-displays)"))[-1]
    own = ".cs-" in last or last.startswith(ROOTS)
    assert own or any(re.search(place, selector) for place in ELSEWHERE), (
        "it may match what a task shows"
    )


def test_what_is_inherited_is_set_beside_the_displays_and_not_around_them() -> None:
    root = re.search(r"^\.cascade-panel \{(.*?)^\}", CSS, re.DOTALL | re.MULTILINE)
    assert root is not None
    for name in ("color", "font", "line-height", "white-space", "text-align"):
        assert not re.search(rf"^  {name}\b", root[1], re.MULTILINE), f"{name} would be inherited"
