"""Loading and unloading leave nothing half done."""

from __future__ import annotations

import atexit
import sys
from typing import Any

import pytest

from cascade_nb.errors import UsageError
from cascade_nb.notebook import load_ipython_extension, unload_ipython_extension
from cascade_nb.notebook.kernel.switch_interval import TURN
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")


def traces(notebook: Notebook) -> dict[str, Any]:
    """Everything of a shell that an extension could change."""
    shell = notebook.shell
    assert shell.display_formatter is not None
    return {
        "line": set(shell.magics_manager.magics["line"]),
        "cell": set(shell.magics_manager.magics["cell"]),
        "registry": set(shell.magics_manager.registry),
        "transformers": list(shell.input_transformers_post),
        "matchers": list(shell.Completer.custom_matchers),
        "turns": sys.getswitchinterval(),
        "texts": dict(shell.display_formatter.formatters["text/plain"].type_printers),
        "displays": dict(shell.display_formatter.ipython_display_formatter.type_printers),
        "deferred": dict(shell.display_formatter.ipython_display_formatter.deferred_printers),
        "events": {name: list(found) for name, found in shell.events.callbacks.items()},
    }


def test_unloading_takes_everything_out_again(plain_notebook: Notebook) -> None:
    plain_notebook.ok("%unload_ext nothing")  # IPython itself loads some magics when they are used
    before = traces(plain_notebook)
    plain_notebook.ok("%load_ext cascade_nb")
    assert traces(plain_notebook) != before
    plain_notebook.ok("%unload_ext cascade_nb")
    assert traces(plain_notebook) == before
    assert "not found" in plain_notebook.run("%cascade status").text


def test_short_turns_of_threads_are_left_as_somebody_else_made_them(
    plain_notebook: Notebook,
) -> None:
    before = sys.getswitchinterval()
    try:
        plain_notebook.ok("%load_ext cascade_nb")
        assert sys.getswitchinterval() == TURN
        sys.setswitchinterval(before / 2)
        plain_notebook.ok("%unload_ext cascade_nb")
        assert sys.getswitchinterval() == before / 2
        sys.setswitchinterval(TURN / 2)
        plain_notebook.ok("%load_ext cascade_nb")
        assert sys.getswitchinterval() == TURN / 2
        plain_notebook.ok("%unload_ext cascade_nb")
        assert sys.getswitchinterval() == TURN / 2
    finally:
        sys.setswitchinterval(before)


def test_a_second_load_changes_nothing(notebook: Notebook) -> None:
    before = traces(notebook)
    assert "already loaded" in notebook.ok("%load_ext cascade_nb").text
    load_ipython_extension(notebook.shell)
    assert traces(notebook) == before


def test_reloading_keeps_what_the_cells_defined(notebook: Notebook) -> None:
    notebook.ok("%%cascade --quiet\ndef f(): return 3\nx = f()", "A")
    notebook.ok("%reload_ext cascade_nb")
    notebook.ok("%%cascade --quiet\ndef f(): return 4", "A")
    assert isinstance(notebook.run("%cascade run x").error, UsageError)  # A no longer binds it
    notebook.ok("%%cascade --quiet\ndef f(): return 4\nx = f()", "A")
    assert notebook.ok("%cascade run x").result.result() == 4


def test_loading_that_fails_half_way_takes_back_what_it_did(
    plain_notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = traces(plain_notebook)
    monkeypatch.setattr(plain_notebook.shell, "display_formatter", None)
    with pytest.raises(AttributeError):
        load_ipython_extension(plain_notebook.shell)
    monkeypatch.undo()
    assert traces(plain_notebook) == before


def test_a_formatter_of_the_users_comes_back(plain_notebook: Notebook) -> None:
    plain_notebook.ok(
        "from cascade_nb.model.lazy.lazy import Lazy\n"
        "texts = get_ipython().display_formatter.formatters['text/plain']\n"
        "before = texts.for_type(Lazy, lambda x, p, c: p.text('mine'))"
    )
    plain_notebook.ok("%load_ext cascade_nb\n%unload_ext cascade_nb")
    plain_notebook.ok("from cascade_nb.model.tasks.decorator import task\nx = task(len)('a')")
    assert "mine" in plain_notebook.ok("x").text


@pytest.mark.parametrize("shell", [None, object()])
def test_outside_ipython_it_says_what_to_do(shell: Any) -> None:
    with pytest.raises(UsageError, match="the magics need IPython: write `%load_ext cascade_nb`"):
        load_ipython_extension(shell)


def test_unloading_what_was_not_loaded_does_nothing(plain_notebook: Notebook) -> None:
    before = traces(plain_notebook)
    unload_ipython_extension(plain_notebook.shell)
    assert traces(plain_notebook) == before


def test_two_shells_do_not_share_a_workspace(notebook: Notebook) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from cascade_nb.notebook.extension import _sessions

    other = InteractiveShell(config=notebook.shell.config)  # type: ignore[no-untyped-call]
    load_ipython_extension(other)
    notebook.ok("%%cascade --quiet\ndef f(): return 3\nx = f()", "A")
    assert list(_sessions[notebook.shell].workspace.meanings()) == ["x"]
    assert not _sessions[other].workspace.meanings()
    unload_ipython_extension(other)
    other.atexit_operations()  # type: ignore[no-untyped-call]
    atexit.unregister(other.atexit_operations)


def test_a_lazy_value_used_as_a_value_says_what_works_in_a_cell(notebook: Notebook) -> None:
    notebook.ok("%%cascade --quiet\ndef load(): return [1, 2]\nx = load()\ny = x[0] + 1")
    for use in ("len(x)", "x == 3", "x.shape", "f'{x}'", "for _ in x: pass"):
        words = str(notebook.run(use).error)
        assert "is not computed yet, so" in words
        assert "`import cascade_nb as cs`, then cs.run(x), gives its value now; a task" in words
        assert words.endswith("a function whose name begins with _ runs at once")
    notebook.ok("import cascade_nb as flow")
    assert "; flow.run(y) gives its value now;" in str(notebook.run("len(y)").error)
    assert "; flow.run(…) gives its value now;" in str(notebook.run("len(y + 1)").error)
    assert notebook.ok("flow.run(y)").result == 2
    notebook.ok("%unload_ext cascade_nb")
    assert "without @cs.task" in str(notebook.run("len(x)").error)
