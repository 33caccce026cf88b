"""The pictures that the README begins with: there, light and dark, and small."""

from __future__ import annotations

import re
import struct

from tools.environments import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = [ROOT / "docs" / "pictures" / f"panel-{theme}.png" for theme in ("light", "dark")]


def test_the_readme_begins_with_them() -> None:
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', README.partition("\n## ")[0])
    assert {ROOT / name for name in shown} == set(PICTURES)


def test_they_are_small_and_of_one_size() -> None:
    files = [path.read_bytes() for path in PICTURES]
    assert sum(map(len, files)) <= 200_000
    sizes = [struct.unpack(">II", data[16:24]) for data in files]  # of a PNG's header
    assert sizes[0] == sizes[1]


def test_no_other_picture_is_left_there() -> None:
    assert sorted(PICTURES[0].parent.iterdir()) == sorted(PICTURES)
