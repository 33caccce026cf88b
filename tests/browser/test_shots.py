"""`make shots` makes pictures of the panel, light and dark."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.support.kernels import NEWEST
from tests.support.lab import LabServer
from tools.shot_scenes import FIRST_PICTURE, scene
from tools.shots import take


def test_the_first_picture_of_the_readme_is_made_in_both_themes(
    lab: LabServer, browser: Browser, tmp_path: Path
) -> None:
    light, dark = take(lab, browser, scene(FIRST_PICTURE), NEWEST, tmp_path)
    assert light.read_bytes()[:4] == dark.read_bytes()[:4] == b"\x89PNG"
    assert light.read_bytes() != dark.read_bytes()
