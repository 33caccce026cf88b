"""What axe-core finds wrong with a part of a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page


def complaints(page: Page, selector: str) -> list[str]:
    """The rules that it says are broken inside of `selector`, and where."""
    found = Axe().run(page, context=selector).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {' | '.join(node['html'][:160] for node in one['nodes'][:3])}"
        for one in found
    ]
