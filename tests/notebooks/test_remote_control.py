"""The notebook about control from elsewhere runs with a real broker, and a terminal beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

from tests.notebooks.test_quickstart import cell, text_of
from tests.support.doors import place
from tests.support.headless import execute
from tests.support.mosquitto import Mosquitto

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "remote_control.ipynb"


class ShownManager(AsyncKernelManager):
    """Lays the connection file where Jupyter's own servers do."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.connection_file = str(Path(os.environ["JUPYTER_RUNTIME_DIR"]) / "kernel-1.json")


@pytest.fixture(scope="module")
def executed() -> Iterator[NotebookNode]:
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    with Mosquitto.start() as broker, place() as here, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASCADE_BROKER", broker.url)
        # `!python` in a cell is the Python of the kernel, as in an environment that is activated
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
        for name, value in here.environment.items():  # others' runs are not this terminal's
            patch.setenv(name, value)
        execute(notebook, kernel_manager_class=ShownManager)
        yield notebook


@pytest.mark.slow
@pytest.mark.may_block("a kernel is waited for")
class TestExecuted:
    def test_the_terminal_holds_and_says_so(self, executed: NotebookNode) -> None:
        assert "paused: nothing of it starts any more" in text_of(cell(executed, "pause measure"))
        words = text_of(cell(executed, "%cascade status"))
        assert "from the terminal" in words

    def test_the_broker_holds_and_it_is_answered(self, executed: NotebookNode) -> None:
        words = text_of(cell(executed, "from the phone"))
        assert "in force in 1 engine" in words
        assert "from the phone" in words

    def test_the_run_goes_on_to_its_end_and_a_dashboard_hears_of_it(
        self, executed: NotebookNode
    ) -> None:
        assert "200 values" in text_of(cell(executed, "await run"))
        words = text_of(cell(executed, "print(dict(heard))"))
        assert "'RunFinished': 1" in words
        assert "'ConstraintLifted': 2" in words  # the pause, and the limit
        assert "TaskExecutionFinished" in words
