"""Finds the calls of tasks whose values a cell needs, by way of the names that it gives them.

``x = f(1)`` makes a node. Where a later line of the same cell prints `x`, loops over it or hands it
to somebody else, the cell could only fail there; so that call runs at once, and with it whatever
call it is given the value of. What other cells do with `x` does not count: there, `x` is a node.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cascade_nb.notebook.roles.top_level import FUNCTIONS, Written

READ_ONCE: Final = "it is given what can be gone through only once"
_FILLERS: Final = {"append", "add", "insert", "extend", "update", "setdefault", "appendleft"}
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While, *_COMPREHENSIONS)

_Source = ast.Call | str


class Demand:
    """Which values a cell needs while it runs.

    Args:
        written: the cell.
        calls: its calls of tasks that would make nodes.
        reason: why the value of an expression has to be there, by what it stands in, for one that
            is, or is inside of, what it gives; None if it need not.
        is_kept: whether a name is treated as a node's, by what its occurrence stands in.
        texts: texts that somebody evaluates, with the names in them.
        reads: the names of the top level that the function of a call reads.
    """

    def __init__(
        self,
        written: Written,
        calls: set[ast.Call],
        reason: Callable[[ast.expr, bool], str | None],
        is_kept: Callable[[ast.Name], bool],
        texts: Mapping[ast.expr, set[str]],
        reads: Callable[[ast.Call], set[str]],
    ) -> None:
        self._reads = reads
        self._written = written
        self._calls = calls
        self._reason = reason
        #: What flows into each name; for a loop's own, what it goes through.
        self._sources: dict[str, list[tuple[_Source, ast.AST]]] = {}
        #: The names that hold containers of what flows into them.
        self._full: set[str] = set()
        self._loads: dict[str, list[ast.expr]] = {}
        for text, names in texts.items():
            for name in names:
                self._loads.setdefault(name, []).append(text)
        kept: set[str] = set()
        for node in written.parents:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._loads.setdefault(node.id, []).append(node)
                if is_kept(node):
                    kept.add(node.id)
        todo: list[_Source] = list(calls)
        seen: set[_Source] = set(todo)
        while todo:
            source = todo.pop()
            for name, place in self._fed_by(source):
                if name not in kept:
                    self._sources.setdefault(name, []).append((source, place))
                    if name not in seen:
                        seen.add(name)
                        todo.append(name)

    def at_once(
        self, known: Mapping[ast.Call, str], read_by: Mapping[str, str]
    ) -> dict[ast.Call, str]:
        """The calls whose values have to be there, with the reason.

        Args:
            known: such calls, and why.
            read_by: names whose values a function reads, with that.
        """
        found = dict(known)
        asked: set[str] = set()
        todo: list[tuple[_Source, str]] = list(known.items())
        for name in self._sources:
            line = self._first_use(name)
            if line:
                todo.append((name, f"its value is used at once, as `{name}` in line {line}"))
            elif name in read_by:
                todo.append((name, f"`{read_by[name]}` reads it as `{name}` and is not given it"))
        while todo:
            source, why = todo.pop()
            if isinstance(source, str):
                if source not in asked:
                    asked.add(source)
                    todo += [(one, why) for one, _ in self._sources[source]]
                continue
            if source in self._calls:
                found.setdefault(source, why)
            todo += [(name, why) for name in self._reads(source) & self._sources.keys()]
            for inner in (node for argument in _given(source) for node in ast.walk(argument)):
                if isinstance(inner, ast.Call) and inner in self._calls and inner not in found:
                    todo.append((inner, why))
                elif isinstance(inner, ast.Name) and inner.id in self._sources:
                    todo.append((inner.id, why))
        return found

    def _first_use(self, name: str) -> int:
        """The line of the first use of its value, where it may be of this cell; else 0."""
        places = [place for _, place in self._sources[name]]
        first = min(place.lineno for place in places)  # type: ignore[attr-defined]
        loops = {loop for place in places for loop in self._loops(place)}
        lines = [
            load.lineno
            for load in self._loads.get(name, [])
            if (load.lineno > first or not loops.isdisjoint(self._loops(load)))
            and self._reason(load, name in self._full)
        ]
        return min(lines, default=0)

    def _loops(self, node: ast.AST) -> Iterator[ast.AST]:
        return (outer for outer in self._written.above(node) if isinstance(outer, _LOOPS))

    def _fed_by(self, source: _Source) -> Iterator[tuple[str, ast.AST]]:
        """The names that a call, or what a name means, flows into, and where."""
        nodes = [source] if isinstance(source, ast.Call) else self._loads.get(source, [])
        for node in nodes:
            is_inside = isinstance(source, str) and source in self._full
            if not self._reason(node, is_inside):
                yield from self._flows(node, is_inside)

    def _flows(self, node: ast.expr, is_inside: bool) -> Iterator[tuple[str, ast.AST]]:
        inner: ast.AST = node
        for outer in self._written.above(node):
            targets: list[ast.expr] = []
            match outer:
                case ast.Assign():
                    targets = outer.targets if inner is outer.value else []
                case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
                    targets = [outer.target] if inner is outer.value else []
                case ast.For() | ast.AsyncFor() | ast.comprehension() if inner is outer.iter:
                    targets, is_inside = [outer.target], False
                case ast.Call(func=ast.Attribute(value=ast.Name() as filled, attr=attr)):
                    if attr in _FILLERS and inner is not outer.func:
                        self._full.add(filled.id)
                        yield filled.id, outer
                        return
                case ast.Call() if outer in self._calls:
                    return  # another task is given it
                case ast.Call() | ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
                    is_inside = True
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                    is_inside = True
                case ast.Lambda() | ast.ClassDef():
                    return
                case _ if isinstance(outer, FUNCTIONS):
                    return
            place = outer if hasattr(outer, "lineno") else node
            for target in targets:
                yield from ((name, place) for name in self._bound(target, is_inside))
            if isinstance(outer, ast.stmt):
                return
            inner = outer

    def _bound(self, target: ast.expr, is_inside: bool) -> Iterator[str]:
        if isinstance(target, ast.Name):
            if is_inside:
                self._full.add(target.id)
            yield target.id
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                starred = isinstance(part, ast.Starred)
                yield from self._bound(part.value if starred else part, starred)  # type: ignore[attr-defined]
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            self._full.add(target.value.id)
            yield target.value.id


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]
