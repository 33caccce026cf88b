"""What names mean when cells are run, run again and edited: the redefinition table, row by row."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import pytest

from cascade_nb.errors import (
    CycleError,
    DroppedNameError,
    TargetError,
    TaskCallError,
    UnknownNameError,
    UsageError,
)
from cascade_nb.graph.build import build_graph
from cascade_nb.model.lazy.lazy import Lazy
from tests.notebook.sheet import Sheet


@pytest.fixture
def sheet() -> Sheet:
    return Sheet()


# The table.


def test_a_cell_that_is_run_again_gives_its_readers_the_new_value(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    y = sheet.names["y"]
    sheet.cell("A", "x = f('new')")
    assert sheet.value("y") == (("new",),)
    assert sheet.names["y"] is y  # nothing of B was made anew


def test_another_cell_that_does_not_use_the_old_value_does_the_same(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "x = f('new')")
    assert sheet.value("y") == (("new",),)
    assert sheet.value("x") == ("new",)


def test_x_of_x_reads_the_old_one_which_stays_as_it_was(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "x = f('c', x)")
    assert not sheet.told
    assert sheet.value("x") == ("c", ("a",))
    assert sheet.value("y") == (("a",),)


def test_x_of_x_run_again_reads_the_same_as_the_first_time(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    for times in range(3):
        sheet.cell("C", f"x = f({times}, x)")
        assert sheet.value("x") == (times, ("a",))


def test_x_of_something_that_reads_x_is_no_cycle_either_and_is_said(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f('b', x)")
    sheet.cell("C", "x = f('c', f(y))")
    assert sheet.told == (
        "`x` of this cell reads `y`, which reads the `x` of cell In[1]: that one stays as it was, "
        "under the new one."
    )
    sheet.cell("C", "x = f('c', y)")
    assert not sheet.told  # once
    assert sheet.value("x") == ("c", ("b", ("a",)))
    assert sheet.value("y") == ("b", ("a",))


def test_the_first_of_two_run_again_feeds_the_second(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("C", "x = f('c', x)")
    sheet.cell("A", "x = f('new')")
    assert sheet.value("x") == ("c", ("new",))


def test_a_task_run_again_gives_its_nodes_the_new_body(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda x: ('old', x))")
    sheet.cell("B", "y = g(1)")
    sheet.cell("A", "g = task(lambda x: ('new', x))")
    assert sheet.value("y") == ("new", 1)


def test_a_name_bound_twice_in_one_cell_is_the_last_ones(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('first')\ny = f(x)\nx = f('last')")
    graph = build_graph([sheet.names["x"], sheet.names["y"]], sheet.workspace)
    assert [node.name for node in graph.nodes] == ["x", None, "y"]
    assert sheet.value("x") == ("last",)
    assert sheet.value("y") == (("first",),)


def test_a_dropped_name_goes_and_its_readers_say_so(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.workspace.drop("x")
    assert "x" not in sheet.names
    with pytest.raises(DroppedNameError, match=r"^`y` reads `x`, which was dropped; define `x` "):
        sheet.value("y")


def test_a_dropped_name_that_is_defined_again_has_its_readers_back(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.workspace.drop("x")
    sheet.cell("C", "x = f('c')")
    assert sheet.value("y") == (("c",),)


# Names that a cell no longer binds.


def test_a_name_its_cell_no_longer_binds_is_gone_and_its_readers_say_so(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("A", "z = f('z')")
    assert "x" not in sheet.names
    with pytest.raises(DroppedNameError, match=r"`y` reads `x`, which cell In\[3\] no longer"):
        sheet.value("y")


def test_what_a_lost_name_once_read_may_read_it_now(sheet: Sheet) -> None:
    # Nothing needs itself here: y means nothing any more, and so it reads nothing.
    sheet.cell("A", "x = f(0)\ny = x")
    sheet.cell("A", "x = f(1, y)")
    with pytest.raises(DroppedNameError, match=r"`x` reads `y`, which cell In\[2\]"):
        sheet.value("x")
    sheet.cell("B", "y = f(2)")
    assert sheet.value("x") == (1, (2,))


def test_a_layer_its_cell_no_longer_lays_uncovers_the_one_below(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("C", "y = f(x)")
    sheet.cell("B", "pass")
    assert sheet.value("x") == ("a",)
    assert sheet.value("y") == (("a",),)


def test_a_layer_that_comes_back_is_where_it_was(sheet: Sheet) -> None:
    # A slip while editing the first cell must not take the second one's layer away.
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("A", "pass")
    with pytest.raises(DroppedNameError):
        sheet.value("x")
    sheet.cell("A", "x = f('again')")
    assert sheet.value("x") == ("b", ("again",))


def test_a_task_its_cell_no_longer_defines_is_gone_and_its_callers_say_so(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda x: x)")
    sheet.cell("B", "y = g(1)")
    sheet.cell("A", "h = task(lambda x: x)")
    assert "g" not in sheet.names
    with pytest.raises(DroppedNameError, match=r"`y` calls the task `g`, which cell In\[3\]"):
        sheet.value("y")


def test_cells_without_identity_lose_nothing(sheet: Sheet) -> None:
    # Where the frontend does not say which cell it is, nobody can tell that it was run again.
    sheet.cell(None, "x = f('a')")
    sheet.cell(None, "x = f('b', x)")
    sheet.cell(None, "x = f('b', x)")
    sheet.cell(None, "z = f('z')")
    assert sheet.value("x") == ("b", ("b", ("a",)))


def test_del_in_a_cell_is_a_drop(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "del x")
    with pytest.raises(DroppedNameError, match=r"which cell In\[3\] deleted"):
        sheet.value("y")


def test_a_helper_name_that_is_deleted_in_its_own_cell_leaves_nothing(sheet: Sheet) -> None:
    sheet.cell("A", "t = f('t')\ny = f(t)\ndel t")
    assert sheet.value("y") == (("t",),)
    assert list(sheet.workspace.meanings()) == ["y"]


# Names that become something else.


def test_a_name_that_becomes_plain_gives_its_readers_that_value(sheet: Sheet) -> None:
    # As in a spreadsheet: a cell that held a formula holds a number now.
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "x = 3")
    assert sheet.names["x"] == 3
    assert sheet.value("y") == (3,)
    assert "x" not in sheet.workspace.meanings()
    sheet.cell("C", "x = f('c')")
    assert sheet.value("y") == (("c",),)


def test_a_name_that_becomes_a_task_leaves_its_readers_without(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "x = task(lambda: 1)")
    assert sheet.names["x"]() is not None
    with pytest.raises(DroppedNameError, match=r"which cell In\[3\] made a task"):
        sheet.value("y")


def test_plain_names_are_none_of_the_workspaces_business(sheet: Sheet) -> None:
    sheet.cell("A", "n = 3\nxs = [1, 2]")
    sheet.cell("A", "pass")
    assert sheet.names["n"] == 3
    assert not sheet.workspace.chains


def test_a_name_that_is_bound_outside_is_left_alone(sheet: Sheet) -> None:
    # A plain cell may keep a run's result under the node's name; that must not be overwritten.
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f(x)")
    sheet.names["x"] = "the user's"
    sheet.cell("B", "y = f('b')")
    assert sheet.names["x"] == "the user's"
    sheet.cell("A", "x = f('again')")
    assert sheet.value("x") == ("again",)


# Two names for one value.


def test_a_second_name_is_a_node_of_its_own_that_reads_the_first(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = x")
    sheet.cell("C", "z = f(y)")
    sheet.cell("A", "x = f('new')")
    assert sheet.value("z") == (("new",),)
    sheet.cell("B", "y = f('own')")
    assert sheet.value("z") == (("own",),)
    assert sheet.value("x") == ("new",)


def test_two_names_bound_to_each_other_are_a_cycle(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = x")
    with pytest.raises(CycleError, match=r"x needs itself: x → y → x|y needs itself: y → x → y"):
        sheet.cell("A", "x = y")
    assert sheet.value("y") == ("a",)


def test_a_second_name_for_a_task_is_no_second_task(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda: 'old')")
    sheet.cell("B", "h = g\ny = h()")
    sheet.cell("A", "g = task(lambda: 'new')")
    assert sheet.value("y") == "new"


# Containers.


def test_items_of_a_list_are_followed_by_their_place(sheet: Sheet) -> None:
    sheet.cell("A", "xs = [f(i) for i in range(3)]")
    sheet.cell("B", "y = f(xs)")
    sheet.cell("A", "xs = [f(10 * i) for i in range(3)]")
    assert sheet.value("y") == ([(0,), (10,), (20,)],)


def test_items_of_nested_containers_are_followed_too(sheet: Sheet) -> None:
    sheet.cell("A", "xs = {'a': [f(1)], 'b': (f(2), 'plain')}")
    sheet.cell("B", "y = f(xs['a'][0], xs['b'][0])")
    sheet.cell("A", "xs = {'a': [f(10)], 'b': (f(20), 'plain')}")
    assert sheet.value("y") == ((10,), (20,))


def test_a_list_of_another_length_is_not_read_silently(sheet: Sheet) -> None:
    # The reader has the old three; that a fourth came it cannot know.
    sheet.cell("A", "xs = [f(i) for i in range(3)]")
    sheet.cell("B", "y = f(xs)")
    sheet.cell("A", "xs = [f(i) for i in range(4)]")
    with pytest.raises(DroppedNameError, match="`y` reads what was in `xs`, which has other items"):
        sheet.value("y")
    sheet.cell("B", "y = f(xs)")
    assert sheet.value("y") == ([(0,), (1,), (2,), (3,)],)


def test_a_list_made_of_the_old_list_reads_it(sheet: Sheet) -> None:
    sheet.cell("A", "xs = [f(i) for i in range(2)]")
    sheet.cell("B", "xs = [f('b', x) for x in xs]")
    for _ in range(2):
        sheet.cell("B", "xs = [f('b', x) for x in xs]")
        assert sheet.value("xs") == [("b", (0,)), ("b", (1,))]


def test_an_item_with_a_name_of_its_own_belongs_to_the_name(sheet: Sheet) -> None:
    sheet.cell("A", "a = f('a')")
    sheet.cell("B", "xs = [a, f('b')]\ny = f(xs)")
    sheet.cell("A", "a = f('new')")
    assert sheet.value("y") == ([("new",), ("b",)],)


def test_a_lazy_value_far_back_in_a_large_list_is_found(sheet: Sheet) -> None:
    sheet.cell("A", "xs = [(i, str(i)) for i in range(300_000)] + [{'k': [f('old')]}]")
    sheet.cell("B", "y = f(xs[-1]['k'][0])")
    sheet.cell("A", "xs = [(i, str(i)) for i in range(300_000)] + [{'k': [f('new')]}]")
    assert sheet.value("y") == (("new",),)


def test_large_plain_data_costs_nothing_to_bind_and_none_of_its_own_code_runs(
    sheet: Sheet,
) -> None:
    class Counted(list[Any]):
        looked_at = 0

        def __iter__(self) -> Any:
            for item in super().__iter__():
                Counted.looked_at += 1
                yield item

    sheet.names["data"] = [Counted([0] * 50_000) for _ in range(40)]
    sheet.names["rows"] = [(i, str(i)) for i in range(1_000_000)]
    began = time.thread_time()
    sheet.cell("A", "mine = data\ntheirs = rows")
    assert time.thread_time() - began < 1.0  # searched item by item in Python it takes 3 s
    assert Counted.looked_at == 0


def test_containers_that_hold_themselves_and_each_other_are_searched_once(sheet: Sheet) -> None:
    sheet.cell("A", "xs = []\nxs.append(xs)\nfor _ in range(60): xs = [xs, xs]")
    sheet.cell("B", "ys = [f(1)]\nfor _ in range(20): ys = [ys, 3]")
    assert list(sheet.workspace.meanings()) == ["ys"]


# Which layer a cell sees and where its own goes.


def test_a_cell_sees_what_does_not_depend_on_it(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("C", "z = f('c')")
    sheet.cell("D", "x = f('d', x, z)")
    sheet.cell("C", "z = f('c', x)")
    assert sheet.value("z") == ("c", ("a",))
    assert sheet.value("x") == ("d", ("a",), ("c", ("a",)))


def test_a_cell_that_uses_the_old_value_before_it_binds_the_name_keeps_it(sheet: Sheet) -> None:
    # Read from top to bottom, y is made of the old x; a new x must not get under it.
    sheet.cell("A", "x = f('a')")
    sheet.cell("C", "y = f(x)\nx = f('c')")
    assert sheet.value("y") == (("a",),)
    assert sheet.value("x") == ("c",)


def test_a_swap_is_a_swap(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')\ny = f('b')")
    sheet.cell("B", "x, y = f(y), f(x)")
    assert (sheet.value("x"), sheet.value("y")) == ((("b",),), (("a",),))


def test_a_layer_moves_above_what_it_has_come_to_read(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("B", "x = f('b')")
    sheet.cell("A", "x = f('a', x)")  # B does not depend on A any more, so A sees it
    assert sheet.value("x") == ("a", ("b",))


def test_layers_below_the_top_have_names_of_their_own(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("C", "x = f('c', x)")
    graph = build_graph(sheet.names["x"], sheet.workspace)
    assert [node.id for node in graph.nodes] == ["x.1", "x.2", "x"]


# Cells that fail or make a circle.


def test_a_cycle_is_refused_with_its_path_and_nothing_changes(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f('b', x)")
    with pytest.raises(CycleError, match=r"x → y → x|y → x → y"):
        sheet.cell("A", "x = f('again', y)\nz = f('z')")
    assert sheet.value("x") == ("a",)
    assert sheet.value("y") == ("b", ("a",))
    assert "z" not in sheet.names
    assert list(sheet.workspace.meanings()) == ["x", "y"]


@pytest.mark.parametrize("raised", ["1 / 0", "raise KeyboardInterrupt", "raise SystemExit"])
def test_what_a_failed_cell_had_bound_stays_and_the_workspace_takes_it_up(
    sheet: Sheet, raised: str
) -> None:
    sheet.cell("A", "x = f('a')\ng = task(lambda: 'old')\ny = f(x, g())\nlast = f('last')")
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("C", "reader = f(y)")
    with pytest.raises(BaseException):  # noqa: B017, PT011
        sheet.cell(
            "A", f"x = f('new')\ng = task(lambda: 'new')\nz = f(x)\ndel y\n{raised}\nlast = 1"
        )
    assert sheet.value("x") == ("b", ("new",))
    assert sheet.value("z") == (("new",),)
    assert sheet.value("last") == ("last",)  # the cell did not come to it
    assert sheet.workspace.tasks()["g"] is sheet.names["g"]
    assert "y" not in sheet.names
    with pytest.raises(DroppedNameError, match=r"`reader` reads `y`, which cell In\[4\] deleted"):
        sheet.value("reader")
    assert sheet.workspace.recorded is None


def test_a_failed_cell_that_is_mended_and_run_again_loses_what_it_no_longer_binds(
    sheet: Sheet,
) -> None:
    with pytest.raises(ZeroDivisionError):
        sheet.cell("A", "x = f('a')\nslip = f(x)\n1 / 0")
    sheet.cell("A", "x = f('a')\ny = f(x)")
    assert sorted(sheet.workspace.meanings()) == ["x", "y"]
    assert "slip" not in sheet.names


def test_what_a_failed_cell_bound_in_a_circle_is_as_it_was_and_its_own_error_comes_out(
    sheet: Sheet,
) -> None:
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f('b', x)")
    with pytest.raises(ZeroDivisionError):
        sheet.cell("A", "n = 3\nx = f('again', y)\nz = f('z')\n1 / 0")
    assert sheet.value("x") == ("a",)
    assert "z" not in sheet.names
    assert sheet.names["n"] == 3
    assert "x needs itself" in sheet.told or "y needs itself" in sheet.told


# Every way of binding a name.


@pytest.mark.parametrize(
    "source",
    [
        "any((x := f(n)) is None for n in (1, 2))",
        "[x := f(n) for n in (1, 2)]",
        "{n: (x := f(n)) for n in (1, 2)}",
        "(x := f(2))",
        "def _set():\n    global x\n    x = f(2)\n_set()",
        "global x\nx = f(2)",
        "for x in (f(1), f(2)): pass",
        "from contextlib import nullcontext as _null\nwith _null(f(2)) as x: pass",
        "(x, *rest) = [f(2), f(3)]",
        "match [f(2)]:\n    case [x]: pass",
        "match {'k': f(2)}:\n    case {'k': x}: pass",
        "exec('x = f(2)')",
        "globals()['x'] = f(2)",
        "locals()['x'] = f(2)",
        "if True:\n    try:\n        x = f(2)\n    finally:\n        pass",
        "while True:\n    x = f(2)\n    break",
    ],
)
def test_every_way_of_binding_a_name_counts(sheet: Sheet, source: str) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("A", source)
    assert sheet.value("y") == ((2,),)
    sheet.cell("A", source.replace("2", "20"))
    assert sheet.value("y") == ((20,),)
    sheet.cell("A", "z = 1")
    assert "x" not in sheet.names
    with pytest.raises(DroppedNameError):
        sheet.value("y")


@pytest.mark.parametrize("source", ["import sys as x", "class x: pass", "x: int = 3", "x = 3"])
def test_a_name_that_comes_to_mean_something_plain_gives_that(sheet: Sheet, source: str) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", source)
    assert sheet.value("y") == (sheet.names["x"],)


def test_the_name_of_an_exception_is_gone_behind_its_except(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "try:\n    1 / 0\nexcept ZeroDivisionError as x:\n    pass")
    with pytest.raises(DroppedNameError, match=r"which cell In\[3\] deleted"):
        sheet.value("y")


def test_a_deletion_behind_the_cells_back_counts(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    sheet.cell("C", "del globals()['x']")
    with pytest.raises(DroppedNameError, match=r"which cell In\[3\] deleted"):
        sheet.value("y")


def test_a_plain_value_that_a_function_sets_again_is_not_lost(sheet: Sheet) -> None:
    # Nothing in the namespace tells that it was bound: it is the very same number.
    sheet.cell("A", "x = f('old')")
    sheet.cell("B", "y = f(x)")
    for _ in range(2):
        sheet.cell("A", "def _set():\n    global x\n    x = 3\n_set()")
        assert sheet.value("y") == (3,)


def test_a_cell_that_fails_keeps_its_plain_values(sheet: Sheet) -> None:
    # What ran did run: an import, or data that took a minute to load, can be looked at.
    with pytest.raises(ZeroDivisionError):
        sheet.cell("A", "import math\ndata = [1, 2]\n1 / 0")
    assert sheet.names["data"] == [1, 2]
    assert sheet.names["math"].pi > 3


def test_lazy_values_of_a_refused_cell_stand_for_themselves(sheet: Sheet) -> None:
    # They were bound to names already when the cycle was found, and somebody may have kept one.
    sheet.cell("A", "x = f('a')")
    sheet.cell("B", "y = f('y', x)")
    kept: list[Lazy] = []
    sheet.names["keep"] = kept.append
    with pytest.raises(CycleError):
        sheet.cell("A", "w = f('w')\nx = f('again', y)\nkeep(w)\nkeep(x)")
    assert [sheet.workspace.name_of(lazy) for lazy in kept] == [None, None]
    assert sheet.value(kept[0]) == ("w",)
    assert sheet.value(kept[1]) == ("again", ("y", ("a",)))


def test_a_name_dropped_in_a_cell_that_fails_is_dropped(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')\ng = task(lambda: 1)")
    sheet.names["drop"] = sheet.workspace.drop
    with pytest.raises(ZeroDivisionError):
        sheet.cell("B", "drop('x')\ndrop('g')\n1 / 0")
    assert "x" not in sheet.names
    assert "g" not in sheet.workspace.tasks()


def test_a_cell_inside_a_cell_is_refused(sheet: Sheet) -> None:
    sheet.names["sheet"] = sheet
    with pytest.raises(UsageError, match="cannot run inside another one"):
        sheet.cell("A", "sheet.cell('B', 'x = f(1)')")
    sheet.cell("A", "x = f(1)")


# Tasks.


def test_a_call_that_does_not_fit_the_new_signature_says_so_when_planned(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda x: x)")
    sheet.cell("B", "y = g(1)")
    sheet.cell("A", "g = task(lambda x, scale: x)")
    with pytest.raises(TaskCallError, match="scale"):
        sheet.value("y")


def test_a_task_defined_by_another_cell_is_the_task_of_the_name(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda: 'old')")
    sheet.cell("B", "y = g()")
    sheet.cell("C", "g = task(lambda: 'new')")
    assert sheet.value("y") == "new"
    sheet.cell("A", "pass")  # the name is C's now
    assert sheet.value("y") == "new"


def test_a_dropped_task_goes_and_its_callers_say_so(sheet: Sheet) -> None:
    sheet.cell("A", "g = task(lambda: 1)")
    sheet.cell("B", "y = g()")
    sheet.workspace.drop("g")
    assert "g" not in sheet.names
    with pytest.raises(DroppedNameError, match="`y` calls the task `g`, which was dropped"):
        sheet.value("y")


# What people ask.


def test_dropping_what_nobody_defined_names_the_nearest(sheet: Sheet) -> None:
    sheet.cell("A", "report = f(1)\nn = 3")
    with pytest.raises(UnknownNameError, match="no node or task 'reprot'; did you mean 'report'"):
        sheet.workspace.drop("reprot")
    with pytest.raises(UnknownNameError):
        sheet.workspace.drop("n")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("reprot", UnknownNameError, "there is no node 'reprot'; did you mean 'report'?"),
        ("n", TargetError, "`n` is the int 3, no lazy value"),
        ("g", TargetError, "`g` is a task, no lazy value.*call it"),
        ("gone", DroppedNameError, "`gone` is no node any more: it is a name which was dropped"),
    ],
)
def test_a_target_that_is_none_says_what_it_is(
    sheet: Sheet, name: str, error: type[Exception], words: str
) -> None:
    sheet.cell("A", "report = f(1)\nn = 3\ng = task(lambda: 1)\ngone = f(2)")
    sheet.workspace.drop("gone")
    with pytest.raises(error, match=words):
        sheet.workspace.target(name)


def test_a_lazy_value_of_a_plain_cell_is_a_target_too(sheet: Sheet) -> None:
    sheet.names["mine"] = f_call = sheet.names["f"](1)
    assert sheet.workspace.target("mine") is f_call


def test_without_a_name_the_last_node_of_the_last_cell_is_meant(sheet: Sheet) -> None:
    sheet.cell("A", "x = f(1)\ny = f(2)")
    sheet.cell("B", "n = 3")  # defines no node
    assert sheet.workspace.default_target() == "y"
    sheet.workspace.drop("y")
    assert sheet.workspace.default_target() == "x"


def test_without_a_name_and_a_last_cell_the_only_sink_is_meant(sheet: Sheet) -> None:
    sheet.cell("A", "x = f(1)")
    sheet.cell("B", "y = f(x)\nz = f(x)")
    sheet.cell("C", "w = f(y)")
    sheet.workspace.drop("w")
    with pytest.raises(UsageError, match="say what to run; there is y, z"):
        sheet.workspace.default_target()
    sheet.workspace.drop("z")
    assert sheet.workspace.default_target() == "y"


def test_without_any_node_it_says_how_to_make_one(sheet: Sheet) -> None:
    with pytest.raises(UsageError, match="there is nothing to run yet"):
        sheet.workspace.default_target()
    with pytest.raises(UnknownNameError, match="no node 'x'; there are none yet: a %%cascade cell"):
        sheet.workspace.target("x")


# Memory.


def test_old_lazy_values_are_not_kept_alive(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')\ng = task(lambda: 1)\nxs = [f(0)]")
    old = [weakref.ref(sheet.names[name]) for name in ("x", "g")]
    old.append(weakref.ref(sheet.names["xs"][0]))
    sheet.cell("A", "x = f('b')\ng = task(lambda: 2)\nxs = [f(1)]")
    gc.collect()
    assert [ref() for ref in old] == [None, None, None]


def test_a_cell_run_a_thousand_times_leaves_one_layer(sheet: Sheet) -> None:
    for times in range(1000):
        sheet.cell(None, f"x = f({times})")
    assert len(sheet.workspace.chains["x"]) == 1
    gc.collect()
    assert len(sheet.workspace.places) == 1


def test_x_of_a_plain_x_run_again_reads_the_same_as_the_first_time(sheet: Sheet) -> None:
    """Nobody sees a difference between a number and a node, when a cell is run a second time."""
    sheet.names["x"] = 3  # as a plain cell would
    for _ in range(2):
        for times in range(3):
            sheet.cell("B", f"x = f({times}, x)")
            assert sheet.value("x") == (times, 3)
        sheet.cell("A", "x = 3")  # run all
    sheet.cell("B", "x = f('b', x)")
    sheet.cell("C", "y = f(x)")
    sheet.cell("B", "for i in range(1): x = f(i, x)")
    assert sheet.value("y") == ((0, 3),)
    with pytest.raises(ZeroDivisionError):
        sheet.cell("B", "1 / 0\nx = f(x)")
    assert sheet.value("x") == (0, 3)
    sheet.cell("B", "z = f(x)")
    assert sheet.names["x"] == 3
    assert sheet.value("z") == (3,)


def test_what_a_node_took_the_place_of_is_not_kept_alive(sheet: Sheet) -> None:
    class Large:
        pass

    large = Large()
    gone = weakref.ref(large)
    sheet.names["x"] = large
    sheet.cell("B", "x = f(1)")
    del large
    gc.collect()
    assert gone() is None
    with pytest.raises(CycleError):
        sheet.cell("B", "x = f(x)")


def test_a_plain_counter_of_a_name_that_was_a_node_counts_on(sheet: Sheet) -> None:
    sheet.cell("A", "n = f(1)")
    sheet.cell("A", "n = 1")
    for expected in (2, 3, 4):
        sheet.cell("B", "n = n + 1")
        assert sheet.names["n"] == expected


def test_who_reads_a_name_that_another_cell_binds_anew_is_told(sheet: Sheet) -> None:
    """Top to bottom, Python gives `a` the first `x`; here it reads the second."""
    sheet.cell("A", "x = f(1)")
    sheet.cell("B", "a = f(x)\nb = f(a)\nl = [f(x)]")
    sheet.cell("C", "x = f(2)")
    assert sheet.told == (
        "`a`, `b`, `l` read `x`, which cell In[1] had bound, and from now on the `x` of this cell. "
        "Another name for one of the two keeps both."
    )
    sheet.cell("C", "x = f(2)")
    assert not sheet.told
    sheet.cell("A", "x = f(1)")
    assert sheet.told.startswith("`a`, `b`, `l` read `x`, which cell In[4] had bound")
    sheet.cell("D", "x = 7\na = f(x)\nb = f(a)")
    assert sheet.told.startswith("`l` reads `x`, which cell In[5]")
    sheet.cell(None, "x = 8")
    assert not sheet.told  # where cells have no identity, it may be the same cell
    sheet.cell("E", "y = f(1)\nx = f(x)")
    assert not sheet.told


def test_who_calls_a_task_that_another_cell_defines_anew_is_told(sheet: Sheet) -> None:
    define = "@task\ndef g(x): return (x, {n})"
    sheet.cell("A", define.format(n=1))
    sheet.cell("B", "a = g(1)\nl = [g(2)]")
    sheet.cell("A", define.format(n=2))
    assert not sheet.told
    sheet.cell("C", define.format(n=2))
    assert not sheet.told  # it is the same
    sheet.cell("D", define.format(n=3))
    assert sheet.told.startswith(
        "`a`, `l` call `g`, which cell In[4] defined, and from now on the `g` of this cell. "
    )
    sheet.cell("E", f"{define.format(n=4)}\na = g(1)\nl = [g(2)]")
    assert not sheet.told


# For its hash a lazy value looks who asks, and a graph of all names asks for every edge: with 5,000
# names that was a third of the time that each cell took.
def test_a_graph_of_all_names_seldom_asks_for_hashes(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = 50
    for n in range(names):
        sheet.cell(f"C{n}", f"x{n} = f({f'x{n - 1}' if n else 0})")
    asked = 0
    own = Lazy.__hash__

    def counted(self: Lazy) -> int:
        nonlocal asked
        asked += 1
        return own(self)

    # A frame between the two would be taken for whoever asks.
    monkeypatch.setattr("cascade_nb.model.lazy.refusals._is_by_identity", lambda frame: True)
    monkeypatch.setattr(Lazy, "__hash__", counted)
    sheet.workspace.changed()
    graph = sheet.workspace.overview()
    assert graph is not None
    assert len(graph.nodes) == names
    assert asked <= names


def test_where_a_lazy_value_stood_is_known_as_long_as_it_is_there(sheet: Sheet) -> None:
    sheet.cell("A", "x = f('a')")
    places = sheet.workspace.places
    before = places.copy()
    kept = sheet.names["x"]
    assert kept in places
    assert kept in before
    sheet.cell("A", "x = f('b')")
    gc.collect()
    assert {kept in places, kept in before} == {True}
    size = len(places)
    for text in "cdef":
        sheet.cell("A", f"x = f({text!r})")
    gc.collect()
    assert len(places) == size
    assert len(before) == 1
    del kept
    gc.collect()
    assert len(before) <= 1
