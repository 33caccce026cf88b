"""One JupyterLab and one Chromium for all tests of this folder.

They live as long as the folder's tests and not for the whole session, because a loop of
Playwright's runs in this thread meanwhile, and async tests elsewhere need the thread for their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from cascade_nb.view.picture.states import LOOKS
from tests.support.graph_page import OpenGraph, chains
from tests.support.lab import LabServer, chromium
from tests.support.panel_page import OpenPanel, PanelPage


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def lab() -> Iterator[LabServer]:
    """A JupyterLab with a kernelspec for each ipykernel version."""
    with LabServer.start() as running:
        yield running


@pytest.fixture
def open_panel(browser: Browser) -> Iterator[OpenPanel]:
    """Opens panels in bare pages."""
    pages: list[PanelPage] = []

    def make(**options: Any) -> PanelPage:
        pages.append(PanelPage(browser, **options))
        return pages[-1]

    yield make
    for page in pages:
        page.close()


@pytest.fixture
def open_graph(open_panel: OpenPanel) -> OpenGraph:
    """Opens panels with pictures of chains; they move without gliding."""

    def make(count: int = 6, length: int = 12, **options: Any) -> PanelPage:
        page = open_panel(svg=chains(count, length), reduced_motion="reduce", **options)
        page.tell(looks={state: [look.word, look.icon] for state, look in LOOKS.items()})
        return page

    return make
