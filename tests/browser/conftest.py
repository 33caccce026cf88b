"""One JupyterLab and one Chromium for all tests of this folder.

They live as long as the folder's tests and not for the whole session, because a loop of
Playwright's runs in this thread meanwhile, and async tests elsewhere need the thread for their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.lab import LabServer, chromium


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
