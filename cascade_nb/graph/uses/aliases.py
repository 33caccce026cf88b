"""Follows the variables of a body that stand for what a global, or a parameter, leads to: after
``a = rows`` what is done to one is done to the other.

Instructions are gone through in the order in which they stand. What a variable stands for after a
branch is what it may stand for on any way to there.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Mapping
from typing import Final

Source = tuple[tuple[str, ...], tuple[str, str] | None]
"""What a variable stands for: names, and what an import bound the first of them to."""

_NOTHING: Final[Source] = (), None
LOCAL_READS: Final = frozenset(
    {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF", "LOAD_CLASSDEREF"}
)
"""Instructions that read a variable of a body or of a function around it."""
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF"})
JUMPS: Final = frozenset((*dis.hasjrel, *dis.hasjabs))
"""Codes of instructions that may go elsewhere."""


class Aliases:
    """Those of one body.

    Args:
        code: the body.
        instructions: its own.
        of_outer: what variables of the functions around it stand for.
        number: of those things that a variable may stand for, which one is looked at.

    Attributes:
        most: for how many things a variable may stand.
        ever: all of them, by variable.
    """

    def __init__(
        self,
        code: types.CodeType,
        instructions: list[dis.Instruction],
        of_outer: Mapping[str, list[Source]],
        number: int,
    ) -> None:
        self._number = number
        self._of = {name: of_outer[name] for name in code.co_freevars if name in of_outer}
        self._straight: set[str] = set()  # bound since the last jump
        self._in_place = False
        self._read = ""  # the variable that was read just now
        self._same: dict[str, str] = {}
        self._stores = {i.offset: str(i.argval) for i in instructions if i.opname in _STORES}
        self.ever: dict[str, list[Source]] = {}
        self.most = max(map(len, self._of.values()), default=1)

    def of(self, variable: str) -> Source:
        """What a variable stands for here; no names where it is a value of its own."""
        found = self._of.get(variable)
        return found[min(self._number, len(found) - 1)] if found else _NOTHING

    def first(self, variable: str) -> str:
        """The variable whose value this one has, from the one to which it was bound."""
        return self._same.get(variable, variable)

    def step(self, instruction: dis.Instruction, top: Source | None) -> bool:
        """Go past an instruction.

        Args:
            instruction: it.
            top: what lies on top of the stack before it, as far as that is known.

        Returns:
            Whether it changes what lies below that in place, if it can be.
        """
        name = instruction.opname
        if instruction.opcode in JUMPS:
            self._straight.clear()
            if top is not None and (variable := self._stores.get(instruction.argval)):
                self._bind(variable, top)  # one of the values of `a = x if y else z`
                self._straight.clear()
        elif name in _STORES:
            self._same.pop(instruction.argval, None)
            if self._read:
                self._same[instruction.argval] = self.first(self._read)
            if top is not None:
                self._bind(str(instruction.argval), top)
            elif not self._in_place and instruction.argval in self._straight:
                self._of.pop(instruction.argval, None)
        if name != "CACHE":
            self._read = str(instruction.argval) if name in LOCAL_READS else ""
            symbol = instruction.argrepr if name == "BINARY_OP" else ""
            self._in_place = name.startswith("INPLACE_") or symbol.endswith("=")
        return self._in_place

    def _bind(self, variable: str, source: Source) -> None:
        known = [] if variable in self._straight else self._of.get(variable, [])
        self._of[variable] = known if source in known else [*known, source]
        self.most = max(self.most, len(self._of[variable]))
        self._straight.add(variable)
        before = self.ever.setdefault(variable, [])
        if source not in before:
            before.append(source)
