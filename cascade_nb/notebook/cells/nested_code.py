"""Runs code of a magic inside a `%%cascade` cell, such as the body of `%%time`.

It goes through the shell and not through the cell's own body, so its tree is changed on the way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

from cascade_nb.notebook.cells.cell_body import Body
from cascade_nb.notebook.cells.rewriting import rewritten
from cascade_nb.notebook.roles.function_roles import roles_in
from cascade_nb.notebook.shell import Shell


@contextmanager
def nested_code_counts(shell: Shell, body: Body) -> Iterator[None]:
    """Inside this, what magics run is treated like the body that they stand in."""
    nested = _Nested(shell, body)
    shell.ast_transformers.append(nested)
    if body.has_helpers_inside:
        shell.user_ns.update(body.helpers.names)
    try:
        yield
    finally:
        shell.ast_transformers.remove(nested)
        for name in body.helpers.names:
            shell.user_ns.pop(name, None)


class _Nested:
    """One of IPython's transformers of syntax trees."""

    def __init__(self, shell: Shell, body: Body) -> None:
        self._shell = shell
        self._body = body

    def visit(self, tree: ast.AST) -> ast.AST:
        if not isinstance(tree, ast.Module):
            return tree
        roles = roles_in(tree, self._shell.user_ns.get, self._shell.user_ns)
        self._body.plain.update(roles.plain)
        # Such code finds nothing but what is in the namespace.
        self._shell.user_ns.update(self._body.helpers.names)
        return rewritten(tree, roles)
