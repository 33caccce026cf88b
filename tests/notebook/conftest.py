"""A real IPython in this process, without a kernel."""

from __future__ import annotations

import atexit
import builtins
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import IPython
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets.config import Config

import cascade_nb


@dataclass
class Done:
    """What came of a cell.

    Attributes:
        text: everything that it showed.
        result: the value of its last line.
        error: what it raised.
    """

    text: str
    result: Any
    error: BaseException | None


class Notebook:
    """Runs cells as a frontend would that gives each an identity."""

    def __init__(self, shell: InteractiveShell, capture: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.names: dict[str, Any] = shell.user_ns
        self._capture = capture

    def run(self, source: str, cell: str | None = None) -> Done:
        """Run a cell, however it ends."""
        self._capture.readouterr()
        run: Any = self.shell.run_cell  # IPython does not say what it takes
        done: ExecutionResult = run(source, store_history=True, cell_id=cell)
        shown = self._capture.readouterr()
        error = done.error_before_exec or done.error_in_exec
        return Done(shown.out + shown.err, done.result, error)

    def ok(self, source: str, cell: str | None = None) -> Done:
        """Run a cell that must succeed."""
        done = self.run(source, cell)
        assert done.error is None, done.text
        return done

    def complete(self, line: str) -> list[str]:
        """What the tab key can make of `line`."""
        with provisionalcompleter():
            found = list(self.shell.Completer.completions(line, len(line)))
        return sorted(line[: one.start] + one.text for one in found)


@pytest.fixture
def plain_notebook(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Notebook]:
    """A shell into which nothing was loaded yet."""
    # It collects garbage three times when it ends: not among what earlier tests have imported.
    gc.collect()
    gc.freeze()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    # doctest leaves its last result there, and then IPython keeps none of its own.
    monkeypatch.delattr(builtins, "_", raising=False)
    config = Config()
    config.HistoryManager.enabled = False  # it would keep a thread
    config.InteractiveShell.colors = "nocolor" if IPython.version_info >= (9,) else "NoColor"
    config.InteractiveShell.cache_size = 1000
    shell = InteractiveShell.instance(config=config)
    yield Notebook(shell, capsys)
    cascade_nb.unload_ipython_extension(shell)  # which words the process's messages too
    shell.reset(new_session=False)  # type: ignore[no-untyped-call]
    shell.atexit_operations()  # type: ignore[no-untyped-call]
    atexit.unregister(shell.atexit_operations)
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(plain_notebook: Notebook) -> Notebook:
    """A shell with the extension."""
    plain_notebook.ok("%load_ext cascade_nb")
    return plain_notebook
