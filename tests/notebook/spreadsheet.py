"""What names should mean, worked out with lists and dicts: the oracle of the workspace's tests.

A formula is ``("f", tag, refs)``, ``("plain", value)`` or ``("same", ref)``. A ref is the number of
a layer, which means what that layer means today, or a formula.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

Formula = tuple[Any, ...]
Ref = int | Formula


class LostError(Exception):
    """Something that is read means nothing any more."""


class CircleError(Exception):
    """Something needs itself."""


class FailedError(Exception):
    """The cell raises.

    Attributes:
        laid: the layers that it had laid before, by name.
    """

    def __init__(self, laid: dict[str, int] | None = None) -> None:
        super().__init__()
        self.laid = laid or {}


@dataclass
class State:
    """Everything there is.

    Attributes:
        chains: by name, its layers, each above what it reads.
        cell, formula, heir: by layer.
        plain: what the namespace has that is none of the workspace's business.
        under: by name, the plain value that its only layer, a node's, was laid upon.
    """

    chains: dict[str, list[int]] = field(default_factory=dict)
    cell: dict[int, object] = field(default_factory=dict)
    formula: dict[int, Formula | None] = field(default_factory=dict)
    heir: dict[int, int] = field(default_factory=dict)
    plain: dict[str, int] = field(default_factory=dict)
    under: dict[str, int] = field(default_factory=dict)

    def name(self, layer: int) -> str:
        return next(name for name, chain in self.chains.items() if layer in chain)

    def last(self, layer: int) -> int:
        while layer in self.heir:
            layer = self.heir[layer]
        return layer

    def standing(self, layer: int) -> int | None:
        """The layer that is read where `layer` was."""
        layer = self.last(layer)
        chain = self.chains[self.name(layer)]
        below = chain[: chain.index(layer) + 1]
        return next((other for other in reversed(below) if self.formula[other] is not None), None)

    def top(self, name: str) -> int | None:
        return next((n for n in reversed(self.chains[name]) if self.formula[n] is not None), None)

    def value(self, ref: Ref, above: tuple[int, ...] = ()) -> Any:
        """What it comes to."""
        if isinstance(ref, int):
            layer = self.standing(ref)
            if layer is None:
                raise LostError
            if layer in above:
                raise CircleError
            formula = self.formula[layer]
            assert formula is not None
            return self.value(formula, (*above, layer))
        kind, *rest = ref
        if kind == "f":
            return (rest[0], *(self.value(part, above) for part in rest[1]))
        return rest[0] if kind == "plain" else self.value(rest[0], above)

    def check(self, ref: Ref, above: tuple[int, ...] = ()) -> None:
        """Make sure that it does not need itself; what means nothing any more needs nothing.

        Raises:
            CircleError: it does.
        """
        if isinstance(ref, int):
            layer = self.standing(ref)
            if layer in above:
                raise CircleError
            formula = None if layer is None else self.formula[layer]
            if layer is not None and formula is not None:
                self.check(formula, (*above, layer))
        elif ref[0] != "plain":
            for part in ref[2] if ref[0] == "f" else ref[1:]:
                self.check(part, above)

    def reads(self, ref: Ref, seen: set[int]) -> set[int]:
        """The layers that it reads, and their layers, also where they mean nothing any more."""
        if isinstance(ref, int):
            layer = self.standing(ref)
            found = self.last(ref) if layer is None else layer
            if found not in seen:
                seen.add(found)
                formula = self.formula[found]
                if formula is not None:
                    self.reads(formula, seen)
        elif ref[0] == "f":
            for part in ref[2]:
                self.reads(part, seen)
        elif ref[0] == "same":
            self.reads(ref[1], seen)
        return seen


class Spreadsheet:
    """Runs the same cells as the workspace."""

    def __init__(self) -> None:
        self.state = State()
        self.layers = 0

    def run(self, cell: object, lines: list[tuple[Any, ...]]) -> dict[str, int]:
        """Run a cell; the layers that it laid, by name.

        Raises:
            FailedError: it failed; what it had bound before stays, unless that is circular.
            CircleError: it did not, and what it would have changed is as it was.
        """
        before = copy.deepcopy(self.state)
        env = self._view(cell)
        seen = {name: self._seen(ref) for name, ref in env.items()}
        bound: dict[str, Ref] = {}
        failed = False
        try:
            for line in lines:
                self._line(cell, line, env, bound)
        except FailedError:
            failed = True
        try:
            laid = self._commit(cell, bound, failed)
            self._lay_upon(laid, seen)
            for name in self.state.chains:
                for layer in self.state.chains[name]:
                    self.state.check(layer)
            self._lift(cell, bound)
        except CircleError:
            self.state = before
            for name, ref in bound.items():
                known = name in before.chains
                if not known and not isinstance(ref, int) and ref[0] == "plain":
                    self.state.plain[name] = ref[1]
            if failed:
                raise FailedError from None
            raise
        for name in bound:
            if name in self.state.chains:
                self.state.plain.pop(name, None)
        if failed:
            raise FailedError(laid)
        return laid

    def drop(self, name: str) -> bool:
        if name not in self.state.chains or self.state.top(name) is None:
            return False
        for layer in self.state.chains[name]:
            self.state.formula[layer] = None
        self.state.under.pop(name, None)
        return True

    def _view(self, cell: object) -> dict[str, Ref]:
        state = self.state
        env: dict[str, Ref] = {}
        own = {layer for layer, owner in state.cell.items() if owner == cell}
        for name, chain in state.chains.items():
            live = [layer for layer in chain if state.formula[layer] is not None]
            free = [layer for layer in live if not state.reads(layer, set()) & own]
            if live and not free and name in state.under:
                env[name] = ("plain", state.under[name])
            elif live:
                env[name] = (free or live)[-1]
        env.update({name: ("plain", value) for name, value in state.plain.items()})
        return env

    def _line(
        self, cell: object, line: tuple[Any, ...], env: dict[str, Ref], bound: dict[str, Ref]
    ) -> None:
        kind, name, *rest = line
        if kind == "raise":
            raise FailedError
        if kind == "f":
            tag, names, *_ = rest
            if any(other not in env for other in names):
                raise FailedError
            ref: Ref = ("f", tag, tuple(self._seen(env[other]) for other in names))
        elif kind == "plain":
            ref = ("plain", rest[0])
        else:
            if rest[0] not in env:
                raise FailedError
            source = self._seen(env[rest[0]])
            plain = isinstance(source, tuple) and source[0] == "plain"
            ref = source if plain or name == rest[0] else ("same", source)
            if isinstance(ref, int):  # x = x: the name keeps what it has, or comes to read it
                formula = self.state.formula[ref]
                assert formula is not None
                ref = formula if self.state.cell[ref] == cell else ("same", ref)
        env[name] = ref
        bound.pop(name, None)
        bound[name] = ref

    def _seen(self, ref: Ref) -> Ref:
        """What Python sees under a name: a plain value is just that, and nobody follows it."""
        formula = self.state.formula.get(ref) if isinstance(ref, int) else ref
        return formula if formula is not None and formula[0] == "plain" else ref

    def _commit(self, cell: object, bound: dict[str, Ref], failed: bool) -> dict[str, int]:
        state = self.state
        fresh = {
            name: ref
            for name, ref in bound.items()
            if isinstance(ref, tuple) and (ref[0] != "plain" or name in state.chains)
        }
        read: set[int] = set()
        for ref in fresh.values():
            state.reads(ref, read)
        names_read = {state.name(layer) for layer in read}
        laid: dict[str, int] = {}
        numbers: dict[int, int] = {}
        for name, ref in fresh.items():
            chain = state.chains.setdefault(name, [])
            own = next((layer for layer in chain if state.cell[layer] == cell), None)
            if own is None and chain and name not in names_read:
                own, *above = chain
                state.heir.update(dict.fromkeys(above, own))
                state.under.pop(name, None)
                for layer in above:
                    state.formula[layer], state.cell[layer] = None, object()
                chain[:] = [own]
            elif own is None:
                self.layers += 1
                own = self.layers
                chain.append(own)
            numbers[id(ref)] = laid[name] = own
            state.cell[own], state.formula[own] = cell, ref
        for own in laid.values():
            # Where a line used what another line had bound, it reads that name's layer.
            written = state.formula[own]
            assert written is not None
            state.formula[own] = self._through_names(written, numbers)
        for name, chain in state.chains.items():
            for layer in chain:
                if state.cell[layer] == cell and name not in bound and not failed:
                    state.formula[layer] = None
                    if state.top(name) is None and name in state.under:
                        state.plain.setdefault(name, state.under[name])
        for name, now in bound.items():
            if name not in state.chains and isinstance(now, tuple):
                state.plain[name] = now[1]
        return laid

    def _lay_upon(self, laid: dict[str, int], seen: dict[str, Ref]) -> None:
        state = self.state
        for name, layer in laid.items():
            before, formula = seen.get(name), state.formula[layer]
            assert formula is not None
            if formula[0] == "plain":
                state.under.pop(name, None)
            elif len(state.chains[name]) == 1 and isinstance(before, tuple):
                state.under.update({name: before[1]} if before[0] == "plain" else {})

    def _through_names(self, formula: Formula, numbers: dict[int, int]) -> Formula:
        def through(ref: Ref) -> Ref:
            if isinstance(ref, int) or ref[0] == "plain":
                return ref
            return numbers.get(id(ref)) or self._through_names(ref, numbers)

        if formula[0] == "f":
            return ("f", formula[1], tuple(through(part) for part in formula[2]))
        return formula if formula[0] == "plain" else ("same", through(formula[1]))

    def _lift(self, cell: object, bound: dict[str, Ref]) -> None:
        """Lay layers of this cell on top that read one above them."""
        state = self.state
        for name in bound:
            chain = state.chains.get(name, [])
            for layer in [n for n in chain if state.cell[n] == cell]:
                above = chain[chain.index(layer) + 1 :]
                formula = state.formula[layer]
                if formula is not None and state.reads(formula, set()) & set(above):
                    chain.remove(layer)
                    chain.append(layer)
