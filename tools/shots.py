"""Makes a picture of each state of the panel, light and dark, in a real JupyterLab.

    python -m tools.shots [SCENE ...] [--into FOLDER] [--readme]

The pictures lie in the folder, `build/shots` by default. `--readme` makes those that the README
begins with instead, in `docs/pictures`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tests.support.lab import LabServer, chromium
from tests.support.lab_panel import LabPanel
from tools.environments import ROOT
from tools.shot_scenes import FIRST_PICTURE, SCENES, STAGE, Scene, scene

PICTURES: Final = ROOT / "docs" / "pictures"
THEMES: Final = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

#: Pixels of a picture to one of the page; fewer in the README, whose two pictures are small.
SCALE: Final = 1.5
README_SCALE: Final = 1.35

#: Where only a release of theirs ends calls that a picture left under way.
_LET_ALL = "run.cancel(); stage.let(100)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, make the pictures, say where they are."""
    parser = argparse.ArgumentParser(prog="python -m tools.shots")
    parser.add_argument("scene", nargs="*", help="by name; all by default")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "shots", metavar="FOLDER")
    parser.add_argument("--readme", action="store_true", help="make those of the README")
    given = parser.parse_args(arguments)
    names = [one.name for one in SCENES]
    if unknown := sorted(set(given.scene) - set(names)):
        parser.error(f"there is no scene {', '.join(unknown)}; there are {', '.join(names)}")
    with contextlib.ExitStack() as open_ones:
        lab = open_ones.enter_context(LabServer.start({"own": Path(sys.executable)}))
        browser = open_ones.enter_context(chromium())
        if given.readme:
            print(*_of_readme(lab, browser), sep="\n")
            return 0
        for name in given.scene or names:
            print(*take(lab, browser, scene(name), "own", given.into), sep="\n", flush=True)
    return 0


def take(
    lab: LabServer,
    browser: Browser,
    shown: Scene,
    kernel: str,
    into: Path,
    scale: float = SCALE,
) -> list[Path]:
    """Make the pictures of a scene; returns where they are.

    Args:
        lab: where.
        browser: where.
        shown: what of.
        kernel: the name of its kernelspec.
        into: the folder, which is made where it is missing.
        scale: pixels of the picture to one of the page.
    """
    into.mkdir(parents=True, exist_ok=True)
    (lab.notebooks / "stage.py").write_text(STAGE, encoding="utf-8")
    size = (shown.width, 1400)
    with lab.open(
        browser, shown.cells, kernel, viewport=size, device_scale_factor=scale
    ) as notebook:
        page = notebook.page
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        for cell in range(len(shown.cells)):
            notebook.run(cell)
        panel = LabPanel(notebook, shown.panel)
        panel.wait_for_phase(shown.phase)
        panel.root.locator("svg").first.wait_for()
        for selector in shown.clicks:
            panel.root.locator(selector).click()
            page.wait_for_timeout(1000)  # what it opens has asked the kernel, and is painted
        made = []
        for theme, name in THEMES.items():
            _change_theme(page, name)
            path = into / f"{shown.name}-{theme}.png"
            # with `path=` Playwright would write it in a thread that stays
            path.write_bytes(panel.root.screenshot(animations="disabled"))
            made.append(path)
        notebook.ask_kernel(_LET_ALL)
    return made


def _of_readme(lab: LabServer, browser: Browser) -> list[Path]:
    made = take(lab, browser, scene(FIRST_PICTURE), "own", PICTURES, README_SCALE)
    return [path.rename(PICTURES / f"panel-{path.stem.rpartition('-')[2]}.png") for path in made]


def _change_theme(page: Page, name: str) -> None:
    dark = "dark" in name.lower()
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
    )
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg="false" if dark else "true"
    )
    page.wait_for_timeout(500)  # what fades from one theme to the other has faded


if __name__ == "__main__":
    sys.exit(main())
