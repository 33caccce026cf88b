"""How the nodes of a cell stand: which are its own, and how they are counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.engine.observing.status import NodeState
from cascade_nb.notebook.extension import session_of
from cascade_nb.notebook.panel.drawing import whole_graph
from cascade_nb.notebook.workspace.cell_states import CellStates, cells_of, states_by_cell
from tests.notebook.conftest import Notebook

CELLS = ("", "a", "b", "c")
STATES = list(NodeState)


def cells_in(notebook: Notebook) -> dict[str, str]:
    """By node, its cell."""
    workspace = session_of(notebook.shell).workspace
    graph, _ = whole_graph(workspace)
    assert graph is not None
    return {node.id: cells_of(workspace, graph)[node.index] for node in graph.nodes}


def test_a_node_is_the_cells_that_bound_its_name_and_without_one_the_cells_that_reads_it(
    notebook: Notebook,
) -> None:
    notebook.ok("%%cascade --quiet\ndef f(x, y=0): return x", "tasks")
    notebook.ok("%%cascade --quiet\nx = f(f(1))", "first")
    notebook.ok("%%cascade --quiet\ny = f(x, f(2))\nz = f.map(x=[1, 2]).after(f(3))", "second")
    found = cells_in(notebook)
    assert {name: found[name] for name in "xyz"} == {"x": "first", "y": "second", "z": "second"}
    assert sorted(found.values()) == ["first"] * 2 + ["second"] * 4
    # What another cell binds anew is that one's from then on.
    notebook.ok("%%cascade --quiet\nx = f(4)", "third")
    assert cells_in(notebook)["x"] == "third"


def test_where_cells_have_no_identity_nothing_is_said_of_any(notebook: Notebook) -> None:
    notebook.ok("%%cascade --quiet\ndef f(x): return x\nx = f(1)")
    assert set(cells_in(notebook).values()) == {""}


@given(st.data())
def test_states_counted_by_what_moved_are_those_counted_anew(data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=8))
    states = [data.draw(st.sampled_from(STATES)) for _ in cells]
    counted = CellStates(cells, states)
    shown = dict(counted.everything())
    for _ in range(data.draw(st.integers(0, 8))):
        index = data.draw(st.integers(0, len(cells) - 1))
        new = data.draw(st.sampled_from(STATES))
        counted.move(index, states[index], new)
        states[index] = new
        news = counted.news()
        assert all(shown.get(cell) != told for cell, told in news.items())
        shown |= news
        assert shown == states_by_cell(cells, [state.value for state in states])
    assert counted.news() == {}
