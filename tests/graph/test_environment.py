"""Environment variables that code reads by name are part of its key."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any

import pytest

from cascade_nb.engine import Engine
from cascade_nb.graph.code.code_key import code_key
from cascade_nb.graph.fingerprint.content import content_key
from cascade_nb.model.tasks.decorator import task
from tests.graph.cells import Cells

NAME = "CASCADE_TEST_MODE"

SOURCES = """\
an item
import os
def f(): return os.environ['{n}']
=== get
import os
def f(): return os.environ.get('{n}', 'none')
=== getenv
import os
def f(): return os.getenv('{n}')
=== in
import os
def f(): return '{n}' in os.environ
=== bytes
import os
def f(): return os.environb[b'{n}']
=== another name
import os as o
def f(): return o.environ['{n}']
=== taken out
from os import environ
def f(): return environ['{n}']
=== taken out under another name
from os import environ as e, getenv as g
def f(): return e['{n}']
=== a function taken out
from os import getenv as g
def f(): return g('{n}')
=== imported inside
def f():
    from os import getenv
    return getenv('{n}')
=== imported inside as a module
def f():
    import os as o
    return o.environ['{n}']
=== a constant
import os
KEY = '{n}'
def f(): return os.environ[KEY]
=== one of several constants
import os
KEYS = ['A', '{n}']
def f(): return [os.getenv(k) for k in KEYS]
=== a default
import os
def f(key='{n}'): return os.environ[key]
=== a variable
import os
def f():
    key = '{n}'
    return os.environ[key]
=== a loop
import os
def f(): return [os.environ.get(k) for k in ('A', '{n}')]
=== a closure
import os
def make(key):
    def f(): return os.environ[key]
    return f
f = make('{n}')
=== a helper
import os
def h(): return os.environ['{n}']
def f(): return h()
=== the name given to a helper
import os
def h(key): return os.environ[key]
def f(): return h('{n}')
=== a method
import os
class A:
    def h(self): return os.environ['{n}']
def f(): return A().h()
=== expanded
import os
def f(): return os.path.expandvars('$HOME/${{{n}}}/x')
"""
READS = dict(part.split("\n", 1) for part in SOURCES.strip().split("\n=== "))


def key_of(source: str) -> Any:
    cells = Cells()
    cells.run(source.format(n=NAME))
    return code_key(cells.names["f"])


def found_program() -> Any:
    return shutil.which("cascade-test-tool")


def test_where_a_program_is_found_counts_for_who_looks_for_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [code_key(found_program).digest]
    for folder in ("a", "b"):
        tool = tmp_path / folder / "cascade-test-tool"
        tool.parent.mkdir()
        tool.write_text("")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tool.parent))
        keys.append(code_key(found_program).digest)
        assert code_key(found_program).digest == keys[-1]
    assert len(set(keys)) == 3
    assert "programs that are found" in code_key(found_program).parts


@pytest.mark.parametrize("source", READS.values(), ids=READS)
def test_a_variable_that_is_read_by_name_counts(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []
    for value in (None, "", "a", "b"):
        if value is not None:
            monkeypatch.setenv(NAME, value)
        keys.append(key_of(source))
        assert (f"environment variable {NAME}" in keys[-1].parts) == (value is not None)
        assert not keys[-1].unkeyed
    assert len({key.digest for key in keys}) == 4
    monkeypatch.setenv("CASCADE_TEST_OTHER", "a")
    assert key_of(source).digest == keys[-1].digest, "others do not count"
    shown = repr((keys[-1].sources, keys[-1].values, keys[-1].parts))
    monkeypatch.setenv(NAME, "secret")
    assert "secret" not in repr(key_of(source).values) + shown


def test_a_text_that_is_no_variables_name_where_nobody_asks_is_a_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key_of("def f(): return '{n}'")
    monkeypatch.setenv(NAME, "a")
    assert key_of("def f(): return '{n}'").digest == before.digest
    assert content_key(os.environ) == content_key(os.environ), "as a value it is what it is"


@task(executor="inline")
def read(name: str, default: str = "none") -> str:
    return os.environ.get(name, default)


async def test_a_variable_named_by_an_argument_counts_and_why_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine()
    target, mapped = read(NAME).named("x"), read.map(name=[NAME, "HOME"]).named("xs")
    for value in (None, "a", "b"):
        if value is not None:
            monkeypatch.setenv(NAME, value)
            step = (await engine.plan(target)).step("x")
            words = "is new" if value == "a" else "changed"
            assert step.reason == f"its environment variable {NAME} {words}"
        assert await engine.run(target) == (value or "none")
        assert (await engine.run(mapped))[0] == (value or "none")
        assert (await engine.plan(target)).step("x").action == "reuse"
    await engine.aclose()
