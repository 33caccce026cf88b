"""A workspace without IPython, and what its nodes come to, symbolically.

Every task is `f`, and its result is the tuple of its arguments, so that a value tells how it came
to be.
"""

from __future__ import annotations

import ast
from typing import Any

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Node
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.decorator import task
from cascade_nb.notebook.cells.helpers import Helpers
from cascade_nb.notebook.cells.recording import recording
from cascade_nb.notebook.cells.rewriting import bound_past, rewritten
from cascade_nb.notebook.workspace.layers import Cell
from cascade_nb.notebook.workspace.workspace import Workspace


@task
def f(*parts: Any) -> Any:
    return parts


class Sheet:
    """Runs cells by hand."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"f": f, "task": task}
        self.workspace = Workspace(self.names)
        self.count = 0
        self._told: dict[str, None] = {}

    def cell(self, key: object, source: str) -> None:
        """Run a cell; None as its key makes it one without an identity."""
        self.count += 1
        cell = Cell(object() if key is None else key, f"In[{self.count}]")
        tree = ast.parse(source)
        may_bind = bound_past(tree)
        code = compile(rewritten(tree), f"<{cell.label}>", "exec")
        with recording(self.workspace, cell, Helpers().names, may_bind) as names:
            self._told = names.told
            exec(code, self.names, names)

    @property
    def told(self) -> str:
        """What the last cell has to say."""
        return "\n".join(self._told)

    def value(self, what: str | Lazy) -> Any:
        """What a name or a lazy value comes to today."""
        target = self.names[what] if isinstance(what, str) else what
        graph = build_graph(target, self.workspace)
        results: list[Any] = []

        def settled(value: Any) -> Any:
            if isinstance(value, Lazy):
                return results[graph.place[value.identity]]
            if isinstance(value, list):
                return [settled(item) for item in value]
            if isinstance(value, dict):
                return {key: settled(item) for key, item in value.items()}
            return value

        def result(node: Node) -> Any:
            assert isinstance(node.lazy, LazyResult)
            assert node.task is not None
            return node.task.fn(*map(settled, node.lazy.args))

        results.extend(map(result, graph.nodes))
        return settled(target) if isinstance(target, list) else results[graph.targets[0]]
