"""Has the loops of a `%%cascade` cell run as fast as in any other cell.

The body of a cell runs in a mapping that notes which names it binds, and each name that a loop
reads or binds would be a call of it: five times the time of a loop of numbers. So the names of a
statement that loops are declared `global`: Python goes to the user's namespace itself, and what
changed there is noted once, when the statement is over.

Only by its value it is seen then that a name was bound. A name of a node or of a task may be bound
to what it was, which is not the same as a loop that never came to bind it: those are noted each
time where a loop binds them, as everywhere else.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

from cascade_nb.notebook.cells.needed_lines import bound_by
from cascade_nb.notebook.roles.top_level import FUNCTIONS

_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def names_of_loops(statement: ast.stmt, kept: Collection[str]) -> tuple[str, ...]:
    """The names that may be global in a statement of the top level, the one bound last at the end;
    none where it does not loop.

    Args:
        kept: names of nodes and of tasks.
    """
    nodes = list(_of_top_level(statement))
    if not any(isinstance(node, _LOOPS) for node in nodes):
        return ()
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return ()  # it binds what nobody can list, in the mapping
    found: dict[str, tuple[int, int]] = {}
    annotated = {node.target for node in nodes if isinstance(node, ast.AnnAssign)}
    refused = {node.id for node in annotated if isinstance(node, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.Name):
            is_read = isinstance(node.ctx, ast.Load)
            place = (0, 0) if is_read else (node.lineno, node.col_offset)
            found[node.id] = max(found.get(node.id, (0, 0)), place)
    bound = bound_by(statement) | {name for name, place in found.items() if place > (0, 0)}
    bound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    refused |= bound.intersection(kept)
    return tuple(sorted(found.keys() - refused, key=lambda name: (found[name], name)))


def with_globals(statement: ast.stmt, names: Collection[str]) -> list[ast.stmt]:
    """`statement`, and before it a line that declares `names`, if there are any."""
    declared = [ast.copy_location(ast.Global(list(names)), statement)] if names else []
    return [*declared, statement]


def _of_top_level(statement: ast.stmt) -> Iterator[ast.AST]:
    """What stands in a statement, without what has names of its own: functions, classes, and what
    a comprehension does for each item.
    """
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            todo += [*node.decorator_list, *node.args.defaults]
            todo += [default for default in node.args.kw_defaults if default is not None]
        elif isinstance(node, ast.ClassDef):
            todo += [*node.decorator_list, *node.bases]
        elif isinstance(node, ast.Lambda):
            todo += node.args.defaults
        elif isinstance(node, _COMPREHENSIONS):
            todo.append(node.generators[0].iter)
        else:
            todo.extend(ast.iter_child_nodes(node))
