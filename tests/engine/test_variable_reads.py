"""What code reads of the environment under whatever name, and the current folder, count."""

from __future__ import annotations

import os
import pathlib

import pytest

from cascade_nb.engine import Engine
from cascade_nb.model.tasks.decorator import task
from tests.graph.cells import Cells

NAME = "CASCADE_TEST_MODE"

COMPUTED = """\
an item
import os
def f(): return os.environ.get('CASCADE_' + f'TEST_{"MODE"}', 'none')
=== getenv
import os
def f(): return os.getenv('CASCADE_TEST_{}'.format('MODE'), 'none')
=== in
import os
def f(): return str('_'.join(['CASCADE', 'TEST', 'MODE']) in os.environ)
=== a helper
from os import environ as e
def h(prefix): return e.get(prefix + 'MODE', 'none')
def f(): return h('CASCADE_TEST_')
=== all that begin so
import os
def f(): return str([v for k, v in os.environ.items() if k.startswith('CASCADE_TEST_')])
=== a thread
import os, threading
def f():
    found = []
    thread = threading.Thread(
        target=lambda: found.append(os.environ.get('_'.join(['CASCADE', 'TEST', 'MODE']), 'none'))
    )
    thread.start()
    thread.join()
    return found[0]
=== expanded
import os
def f(): return os.path.expandvars('$' + '_'.join(['CASCADE', 'TEST', 'MODE']))
=== inline
import os
def f(): return os.environ.get('CASCADE_' + f'TEST_{"MODE"}', 'none')
"""


WAYS = dict(part.split("\n", 1) for part in COMPUTED.strip().split("\n=== "))


@pytest.mark.parametrize("way", WAYS)
async def test_a_variable_that_is_read_under_a_name_put_together_counts(
    engine: Engine, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = Cells().run(WAYS[way]).names["f"]
    target = task(f, executor="inline" if way == "inline" else "thread")().named("x")
    for value in (None, "a", "b", None, ""):
        if value is None:
            monkeypatch.delenv(NAME, raising=False)
        else:
            monkeypatch.setenv(NAME, value)
        assert await engine.run(target) == f()
        assert (await engine.plan(target)).step("x").action == "reuse"
        if way != "all that begin so":
            monkeypatch.setenv("CASCADE_TEST_OTHER", str(value))
            assert (await engine.plan(target)).step("x").action == "reuse", "others do not count"
        monkeypatch.setenv("JPY_TEST", str(value))
        assert (await engine.plan(target)).step("x").action == "reuse", "nor does a session's"
    monkeypatch.setenv(NAME, "c")
    step = (await engine.plan(target)).step("x")
    assert (step.action, step.reason) == ("run", f"its environment variable {NAME} changed")


async def test_a_variable_that_the_task_sets_itself_is_its_own(engine: Engine) -> None:
    @task
    def sets(name: str) -> str:
        os.environ["CASCADE_TEST_" + name] = "1"
        return os.environ["CASCADE_TEST_" + name]

    target = sets("OWN").named("x")
    assert await engine.run(target) == "1"
    del os.environ["CASCADE_TEST_OWN"]
    assert (await engine.plan(target)).step("x").action == "reuse"


FOLDER = """\
getcwd
import os
def f(): return os.getcwd()
=== taken out
from os import getcwd as g
def f(): return g()
=== Path.cwd
from pathlib import Path
def f(): return str(Path.cwd())
=== absolute
import pathlib
def f(): return str(pathlib.Path('x').absolute())
=== resolve
import pathlib
def f(): return str(pathlib.Path('x').resolve())
=== abspath
import os
def h(p): return os.path.abspath(p)
def f(): return h('x')
"""


@pytest.mark.parametrize("source", FOLDER.strip().split("\n=== "), ids=lambda s: s.split("\n")[0])
async def test_the_current_folder_counts_where_code_asks_for_it(
    engine: Engine, source: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = Cells().run(source.partition("\n")[2]).names["f"]
    target = task(f)().named("x")
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert (await engine.plan(target)).step("x").action == "run"
        assert await engine.run(target) == f()
        assert (await engine.plan(target)).step("x").action == "reuse"
    monkeypatch.chdir(tmp_path)
    reason = (await engine.plan(target)).step("x").reason
    assert reason.startswith("its current folder changed: ")
