"""What is remembered of a result, and how the difference to the next one is told."""

from __future__ import annotations

import gc
import pathlib
import weakref
from typing import Any

import numpy as np
import pytest

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.fingerprint.provenance import Change, Provenance, changes, provenance_of
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.routing import Router
from cascade_nb.model.tasks.decorator import task
from tests.graph.cells import Cells, Folder


@task
def load(n: Any = 1) -> Any:
    return n


def made(target: Lazy) -> Provenance:
    """What the target's own node is made of now."""
    graph = build_graph(target)
    return provenance_of(graph, fingerprints(graph), len(graph.nodes) - 1)


def defined(cells: Cells, source: str, name: str = "f") -> Any:
    cells.run(source)
    return task(cells.names[name])


def edit(before: str, after: str, *args: Any) -> list[Change]:
    """What two states of a notebook come to for a call of `f`."""
    cells = Cells()
    first = made(defined(cells, before)(*args))
    return changes(first, made(defined(cells, after)(*args)))


def words(found: list[Change]) -> list[str]:
    return [change.words for change in found]


HELPED = """
LIMIT = 10
def _trim(x):
    y = x[:5]
    return y
def f(x, k=1): return _trim(x)[:LIMIT] * k
"""


def test_an_edited_helper_is_shown_line_by_line() -> None:
    found = edit(HELPED, HELPED.replace("x[:5]", "x[:7]"), "abc")
    assert found == [
        Change(
            "helper _trim changed",
            (" def _trim(x):", "-    y = x[:5]", "+    y = x[:7]", "     return y"),
            line=2,
            of_code=True,
        )
    ]


def test_constants_and_defaults_show_both_values() -> None:
    assert words(edit(HELPED, HELPED.replace("LIMIT = 10", "LIMIT = 12"), "a")) == [
        "constant LIMIT changed: 10 → 12"
    ]
    assert words(edit(HELPED, HELPED.replace("k=1", "k=2"), "a")) == ["default k changed: 1 → 2"]


def test_the_tasks_own_body_is_its_code() -> None:
    found = edit("def f(x): return x + 1", "def f(x): return x + 2", 1)
    lines = ("-def f(x): return x + 1", "+def f(x): return x + 2")
    assert found == [Change("code changed", lines, line=1, of_code=True)]


def test_a_long_difference_is_cut() -> None:
    def body(number: int) -> str:
        return "def f(x):\n" + "".join(f"    x += {i * number}\n" for i in range(1, 60))

    (change,) = edit(body(1), body(2) + "    return x\n", 1)
    assert len(change.lines) == 15
    assert change.lines[-1].endswith("lines more")


def test_what_is_named_newly_or_no_more_comes_last() -> None:
    found = edit("def g(): return 1\ndef f(): return g()", "def h(): return 1\ndef f(): return h()")
    assert words(found) == ["code changed", "helper h is new", "helper g is gone"]


def test_a_name_that_means_another_function_now_is_told_without_a_difference() -> None:
    before = "def a(): return 1\ndef b(): return 2\nh = a\ndef f(): return h() + b()"
    found = edit(before, before.replace("h = a", "h = b"))
    assert words(found)[0] == "code names something else than before"


def test_another_task_under_the_same_name_is_one_change() -> None:
    cells = Cells()
    first = made(defined(cells, "def g(): return 1\ndef f(): return g()")())
    other = made(defined(cells, "def h(): return 2", "h")())
    assert changes(first, other) == [Change("task is h now, not f", of_code=True)]


def test_a_library_of_another_version_is_one_change(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = Cells()
    lazy = defined(cells, "import numpy\ndef f(): return numpy.ones(3)")()
    first = made(lazy)
    monkeypatch.setattr(np, "__version__", "99.0")
    (change,) = changes(first, made(lazy))
    assert change.words.startswith("module numpy changed: ")
    assert change.words.endswith(" → 99.0")


# The known doubt: a list that a task names and fills has other content at each look.


def test_a_global_list_that_its_own_task_fills_is_blamed_with_the_statement() -> None:
    cells = Cells()
    lazy = defined(cells, "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")(1)
    first = made(lazy)
    lazy.task.fn(1)
    (change,) = changes(first, made(lazy))
    assert change.words == "constant seen was changed in place: [] → [1]"
    assert change.lines[0].startswith("`seen.append(x)` in function f changes it each time")
    assert "give it as an argument" in " ".join(change.lines)


@pytest.mark.parametrize(
    "statement",
    [
        "D['a'] = x",
        "D['a'] += x",
        "del D['a']",
        "D.update(a=x)",
        "D['a'].b.append(x)",
        "D.pop('a')",
    ],
)
def test_every_way_to_change_it_is_found(statement: str) -> None:
    cells = Cells()
    source = f"D = {{'a': 1}}\ndef h(x):\n    {statement}\ndef f(x): return h(x), D"
    lazy = defined(cells, source)(1)
    first = made(lazy)
    cells.run("D['b'] = 2")
    (change,) = changes(first, made(lazy))
    assert f"`{statement}` in helper h" in change.lines[0]


def test_a_list_that_another_cell_fills_is_told_so() -> None:
    cells = Cells()
    lazy = defined(cells, "L = [1]\ndef f(): return len(L)")()
    first = made(lazy)
    cells.run("L.append(2)")
    (change,) = changes(first, made(lazy))
    assert change.words == "constant L was changed in place: [1] → [1, 2]"
    assert "bind it anew where it is" in change.lines[0]


def test_a_list_that_was_made_anew_was_not_changed_in_place() -> None:
    cells = Cells()
    lazy = defined(cells, "L = [1]\ndef f(): return len(L)")()
    first, kept = made(lazy), cells.names["L"]
    cells.run("L = [1, 2]")
    assert words(changes(first, made(lazy))) == ["constant L changed: [1] → [1, 2]"]
    assert kept == [1]


# What a node is given.


def test_arguments_are_told_by_name_with_both_values() -> None:
    cells = Cells()
    f = defined(cells, "def f(x, k=1, *rest, **named): return x")
    base = made(f(1, k=2))
    assert words(changes(base, made(f(1, k=3)))) == ["argument k changed: 2 → 3"]
    assert words(changes(base, made(f(1, 2, 5)))) == ["argument * is new"]
    assert words(changes(base, made(f(1)))) == ["argument k is gone"]
    assert not changes(base, made(f(x=1, k=2)))


def test_long_values_show_the_place_where_they_differ() -> None:
    f = task(load.fn)
    old = {f"key{i}": i for i in range(12)}
    (change,) = changes(made(f(old)), made(f({**old, "key7": 99})))
    assert "…" in change.words
    assert "'key7': 7" in change.words
    assert "'key7': 99" in change.words
    assert len(change.words) < 160


def test_large_values_are_shown_by_their_shape() -> None:
    (change,) = changes(made(load(np.zeros((300, 4)))), made(load(np.ones((300, 4)))))
    assert change.words == "argument n changed: <300 by 4 ndarray of float64> with other content"


def test_an_input_leads_to_the_node_that_made_it() -> None:
    @task
    def reads(x: Any) -> Any:
        return x

    one = made(reads(load(1).named("rows")))
    assert one.given[0].shown == "rows"
    assert changes(one, made(reads(load(2).named("rows")))) == [
        Change("argument x, the result of rows, is another", source="rows")
    ]
    assert words(changes(one, made(reads(load(1).named("lines"))))) == []
    assert words(changes(one, made(reads(5)))) == ["argument x changed: rows → 5"]


def test_versions_are_parts() -> None:
    one = task(version="1")(load.fn)
    two = task(version="2")(load.fn)
    assert words(changes(made(one(1)), made(two(1)))) == ["version changed: 1 → 2"]
    assert words(changes(made(load(1)), made(load(1).with_cache(version=3)))) == [
        "cache version is new"
    ]


def test_a_file_of_a_cache_rule_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    lazy = Router(load(1), {1: load(2)}).with_cache(files=str(tmp_path / "*.csv"))
    first = made(lazy)
    (tmp_path / "a.csv").write_text("12")
    (tmp_path / "b.csv").write_text("1")
    assert words(changes(first, made(lazy))) == [
        f"file {tmp_path / 'a.csv'} changed",
        f"file {tmp_path / 'b.csv'} is new",
    ]


def test_nothing_of_the_values_is_kept_alive() -> None:
    class Big:
        def __reduce__(self) -> Any:
            return Big, ()

    cells = Cells()
    cells.names["CONSTANT"] = big = Big()
    gone = weakref.ref(big)
    first = made(defined(cells, "def f(x): return x, CONSTANT")(big))
    del cells, big
    gc.collect()
    assert gone() is None
    assert first.given[0].shown.endswith("Big>")


def test_an_edited_module_is_shown_line_by_line(folder: Folder) -> None:
    cell = "def f():\n    import pack.part\n    return pack.part.g()"
    folder.write("pack.part", "def g(): return 1")
    first = made(defined(Cells(), cell)())
    folder.write("pack.part", "def g(): return 2")
    lines = ("-def g(): return 1", "+def g(): return 2")
    assert changes(first, made(defined(Cells(), cell)())) == [
        Change("module pack.part changed", lines, line=1, of_code=True)
    ]
