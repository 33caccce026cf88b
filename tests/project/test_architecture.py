"""ARCHITECTURE.md shows the rooms as they are."""

from __future__ import annotations

import re

from tests.project import architecture
from tests.project.sources import PACKAGE


def test_the_drawings_of_the_imports_are_those_of_the_code() -> None:
    page = architecture.PAGE.read_text(encoding="utf-8")
    drawn = architecture.drawn_page()
    assert page == drawn, "python -m tests.project.architecture draws them anew"


def test_every_file_that_it_names_is_there() -> None:
    page = architecture.PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+(?:\.py|\.js|/))`", page))
    assert len(named) > 20
    missing = [name for name in named if not (PACKAGE / name).exists()]
    assert missing == []
