"""Finds the statements that a workspace's nodes and tasks need, in an order in which a module can
have them, and says what cannot stand in a module.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from cascade_nb.notebook.cells.needed_lines import python_lines
from cascade_nb.notebook.export.statements import Statement

# IPython adds to the builtins.
_OF_IPYTHON: Final = frozenset({"display", "get_ipython", "In", "Out"})
_ALWAYS: Final = frozenset({*vars(builtins), "__name__", "__file__", "__doc__"}) - _OF_IPYTHON
_WORKED_OUT: Final = (ast.Call, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)


class Needed:
    """What some names need.

    Args:
        statements: of all cells, in the order in which they were run.
        namespace: what names mean now.
        is_node: whether a value is lazy, or holds what is.
        owners: by name, the labels of the cells that have bound it, where that is known, each of
            which read what the one before it had bound.
        read: by the label of a cell and a name, the label of the cell whose binding it reads.

    Attributes:
        chosen: the statements, each behind those that it needs.
        problems: what cannot stand in a module, in words.
        told: what is otherwise in a module than in a notebook, in words.
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        namespace: Mapping[str, Any],
        is_node: Callable[[Any], bool],
        owners: Mapping[str, Sequence[str]],
        read: Mapping[tuple[str, str], str],
    ) -> None:
        self._statements = statements
        self._namespace = namespace
        self._is_node = is_node
        self._owners = owners
        self._read = read
        libraries: dict[str, set[str]] = defaultdict(set)
        for name, value in namespace.items():
            if isinstance(value, ModuleType):
                libraries[_library(value)].add(name)
        self._by_cell: dict[int, list[Statement]] = defaultdict(list)
        self._binding: dict[str, list[Statement]] = defaultdict(list)
        for one in statements:
            self._by_cell[one.order[0]].append(one)
            changed = [namespace.get(name) for name in one.changes]
            # What is set in a module holds in all of its library.
            also = [libraries[_library(it)] for it in changed if isinstance(it, ModuleType)]
            for name in one.binds.union(one.changes, *also):
                self._binding[name].append(one)
        self._touching = {name: set(them) for name, them in self._binding.items()}
        self._needed: dict[Statement, list[Statement]] = {}
        self.chosen: list[Statement] = []
        self.problems: dict[str, None] = {}
        self.told: dict[str, None] = {}

    def choose(self, names: Iterable[str], rank: Callable[[Statement], int]) -> None:
        """Choose what these names need.

        Args:
            names: of nodes and tasks.
            rank: of what need not stand before another, which goes first.
        """
        roots: dict[Statement, None] = {}
        for name in names:
            found = self._of_other_cells(name, -1)
            if not found:
                self.problems[
                    f"`{name}` was bound by no line of a cell that was run here: define it in a "
                    "cell"
                ] = None
            roots.update(dict.fromkeys(found))
        everything = self._closure(roots)
        for one in everything:
            self._judge_second_name(one, everything)
        self._put_readers_before_what_binds_anew(everything)
        taken: set[Statement] = set()
        for root in sorted(everything, key=lambda one: (rank(one), one.order)):
            self._take(root, taken)

    def _closure(self, roots: Iterable[Statement]) -> list[Statement]:
        found: dict[Statement, None] = dict.fromkeys(roots)
        todo = list(found)
        while todo:
            one = todo.pop()
            self._judge(one)
            for other in self._needs(one):
                if other not in found:
                    found[other] = None
                    todo.append(other)
        return list(found)

    def _take(self, root: Statement, taken: set[Statement]) -> None:
        """What a statement needs, and then itself; functions may need each other."""
        stack: list[tuple[Statement, list[Statement]]] = []

        def enter(one: Statement) -> None:
            taken.add(one)
            stack.append((one, sorted(self._needs(one), key=lambda it: it.order, reverse=True)))

        if root not in taken:
            enter(root)
        while stack:
            one, needs = stack[-1]
            if not needs:
                stack.pop()
                self.chosen.append(one)
            elif needs[-1] in taken:
                needs.pop()
            else:
                enter(needs.pop())

    def _needs(self, one: Statement) -> list[Statement]:
        if (known := self._needed.get(one)) is not None:
            return known
        found: dict[Statement, None] = {}
        own = self._by_cell[one.order[0]]
        for name in sorted(one.reads | one.changes):
            all_of_it = self._touching.get(name, ())
            touching = [it for it in own if it is not one and it in all_of_it]
            before = [it for it in touching if it.order < one.order]
            if any(map(_binder_of(name), before)):
                found.update(dict.fromkeys(before))
            elif one.is_definition and any(map(_binder_of(name), touching)):
                found.update(dict.fromkeys(touching))
            else:
                reads = not _binder_of(name)(one) or self._lies_on_top(name, one)
                others = self._of_other_cells(name, one.order[0]) if reads else []
                found.update(dict.fromkeys([*others, *before]))
            if found and all(it.is_import for it in filter(_binder_of(name), found)):
                found.update(dict.fromkeys(self._set_in_library(name, one)))
            if any(_adds_to(name)(it) for it in found):
                found.update(dict.fromkeys(filter(_adds_to(name), self._binding[name])))
        self._needed[one] = list(found)
        return self._needed[one]

    def _of_other_cells(self, name: str, cell: int) -> list[Statement]:
        """What gives a name its value: of the cell that bound it last all that touches it, and what
        later cells changed of it.
        """
        touching = [it for it in self._binding.get(name, ()) if it.order[0] != cell]
        binding = list(filter(_binder_of(name), touching))
        if not binding:
            return []
        owners, owner = self._owners.get(name, ()), self._owner_for(name, cell)
        owned = [it for it in binding if it.cell.label == owner]
        last = (owned or binding)[-1].order[0]
        later = [it for it in touching if it.order[0] >= last]
        if len(owners) < 2 or not owned:
            return later
        # Others that bind it lie on top, or are earlier runs of such.
        return [it for it in later if it.order[0] == last or not _binder_of(name)(it)]

    def _owner_for(self, name: str, cell: int) -> str | None:
        """The label of the cell whose binding of a name is read in a cell."""
        owners = self._owners.get(name, ())
        label = self._by_cell[cell][0].cell.label if self._by_cell.get(cell) else ""
        if label in owners and len(owners) > 1:
            below = owners.index(label) - 1
            return owners[below] if below >= 0 else None
        return self._read.get((label, name), owners[-1] if owners else None)

    def _lies_on_top(self, name: str, one: Statement) -> bool:
        """Whether a statement makes what it binds to a name of what another cell bound to it."""
        return name in one.reads and one.cell.label in self._owners.get(name, ())[1:]

    def _set_in_library(self, name: str, one: Statement) -> list[Statement]:
        """What lines of other cells have set in an imported module, which another import keeps."""

        def is_before(it: Statement) -> bool:
            return one.is_definition or it.order < one.order

        runs = {it.cell.key: it.order[0] for it in self._statements if is_before(it)}
        return [
            it
            for it in self._binding[name]
            if it is not one and is_before(it) and not _binder_of(name)(it)
            if not it.cell.key or runs[it.cell.key] == it.order[0]
        ]

    def _put_readers_before_what_binds_anew(self, everything: Sequence[Statement]) -> None:
        """Where cells have bound a name on top of each other, have each that reads it stand before
        the next that binds it.
        """
        for name, owners in self._owners.items():
            binders = [it for it in everything if _binder_of(name)(it)] if owners[1:] else []
            for one in everything if binders else ():
                read = {it.cell.label for it in self._needs(one) if it in binders} & set(owners)
                for place in map(owners.index, read):
                    for binder in binders:
                        anew = binder.cell.label in owners[place + 1 :] and binder is not one
                        if anew and one not in self._needed[binder]:
                            self._needed[binder].append(one)

    # ---- what cannot be ----------------------------------------------------------------------

    def _judge(self, one: Statement) -> None:
        if one.is_magic:
            self._refuse(one, "it is IPython's own, which a module cannot have: write it in Python")
        elif one.awaits:
            self._refuse(one, "it awaits at the top level: make it a task")
        if isinstance(one.node, ast.ImportFrom) and one.node.names[0].name == "*":
            self._refuse(one, "it imports what nobody can see: name what it imports")
        for name in sorted(one.reads - _ALWAYS) if not one.is_magic else ():
            missing = not any(name in it.binds for it in self._binding.get(name, ()))
            if missing and (name in self._namespace or name in _OF_IPYTHON):
                self._refuse(one, f"it reads `{name}`, which no line of a cell binds")
        self._judge_binding(one)

    def _judge_binding(self, one: Statement) -> None:
        node = one.node
        own = [it for it in self._by_cell[one.order[0]] if it.order < one.order]
        again = one.binds & one.reads if isinstance(node, (ast.Assign, ast.AnnAssign)) else ()
        for name in sorted(again):
            earlier = any(name in it.binds for it in own)
            on_top = self._lies_on_top(name, one)
            if not earlier and not on_top and self._of_other_cells(name, one.order[0]):
                self._refuse(
                    one,
                    f"it binds `{name}` anew and reads the `{name}` of another cell: give it "
                    "another name",
                )
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and not one.cell.defines:
            made = any(isinstance(it, _WORKED_OUT) for it in ast.walk(node))
            values = [self._namespace.get(name) for name in one.binds]
            if made and one.binds and not any(map(self._is_node, values)):
                names = ", ".join(f"`{name}`" for name in sorted(one.binds))
                self.told[
                    f"{names} ({one.place}) is worked out whenever the module is imported; a task "
                    "would be worked out once, and when it is needed"
                ] = None

    def _judge_second_name(self, one: Statement, everything: Sequence[Statement]) -> None:
        """``y = x`` makes a node of its own in a notebook, and a second name elsewhere."""
        node = one.node
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Name):
            return
        first = node.value.id
        read = any(one.binds & other.reads for other in everything if other is not one)
        if read and one.cell.defines and self._is_node(self._namespace.get(first)):
            self._refuse(one, f"in a notebook that is a node of its own: read `{first}` instead")

    def _refuse(self, one: Statement, why: str) -> None:
        line = python_lines(one.text)[-1 if not one.is_definition else 0].strip()
        self.problems[f"{one.place}, `{line:.60}`: {why}"] = None


def _library(module: ModuleType) -> str:
    return module.__name__.partition(".")[0]


def _adds_to(name: str) -> Callable[[Statement], bool]:
    """Whether a statement is ``import name.part``, which keeps what others import below `name`."""

    def adds(one: Statement) -> bool:
        node = one.node
        plain = isinstance(node, ast.Import) and node.names[0].asname is None
        return plain and name in one.binds

    return adds


def _binder_of(name: str) -> Callable[[Statement], bool]:
    """Whether a statement gives a name its value, and does not just change it."""
    return lambda one: name in one.binds and name not in one.changes
