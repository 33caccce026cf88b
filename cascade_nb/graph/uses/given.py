"""Tells what a body gives to the calls in it, where that is plain: a name, a text."""

from __future__ import annotations

import dis
import types
from collections.abc import Callable
from typing import Final, NamedTuple

from cascade_nb.graph.uses.aliases import JUMPS, LOCAL_READS, Aliases

GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"})
SILENT: Final = frozenset({"EXTENDED_ARG", "CACHE", "PRECALL", "PUSH_NULL", "NOP", "RESUME"})
"""Kinds of instructions, by what they do."""
CALLS: Final = frozenset({"CALL", "CALL_FUNCTION", "CALL_METHOD"})
_CALLS_BY_NAME: Final = frozenset({"CALL_KW", "CALL_FUNCTION_KW"})
_CONSTANT_READS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})
# What puts one thing in the place of as many as this.
_TAKEN: Final[dict[str, Callable[[int], int]]] = {
    **dict.fromkeys(("BUILD_LIST", "BUILD_TUPLE", "BUILD_SET"), lambda count: count),
    **dict.fromkeys(("BINARY_OP", "BINARY_SUBSCR", "LIST_EXTEND", "SET_UPDATE"), lambda _: 2),
    **dict.fromkeys(ATTRIBUTE_READS - {"LOAD_METHOD"}, lambda _: 1),
    "BUILD_MAP": lambda count: 2 * count,
    "BUILD_CONST_KEY_MAP": lambda count: count + 1,
}

#: Kinds of what is given to a call.
CONSTANT: Final = "constant"
NOTHING: Final = "None"
GLOBAL: Final = "global"
PARAMETER: Final = "parameter"
LOCAL: Final = "local"


class PlainArgument(NamedTuple):
    """A plain argument of a call: something by its name, or a text.

    Attributes:
        kind: one of `CONSTANT`, `NOTHING`, `GLOBAL`, `PARAMETER`, `LOCAL`.
        name: of the variable; of a constant that is a text, the text.
    """

    kind: str
    name: str


class CallShape(NamedTuple):
    """How many arguments a call has.

    Attributes:
        by_place: those without a name.
        names: of the others.
    """

    by_place: int
    names: tuple[str, ...]


class GivenArguments:
    """What is given to the calls of one body, where it is plain.

    Args:
        code, instructions: of the body.
        aliases: for what its variables stand where one is about to call.
    """

    def __init__(
        self, code: types.CodeType, instructions: list[dis.Instruction], aliases: Aliases
    ) -> None:
        self._aliases = aliases
        self._instructions = instructions
        self._all = [one for one in instructions if one.opname not in SILENT]
        self._place = {one.offset: n for n, one in enumerate(self._all)}
        self._stored = {one.argval for one in self._all if one.opname in STORES}
        self._constants = code.co_consts
        self._parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    def to_call(
        self, first: dis.Instruction
    ) -> tuple[tuple[PlainArgument, ...], PlainArgument | None, int]:
        """The plain arguments from `first` on, of a call that follows; those before the first one
        that is worked out. Then what is given as `out`, and how many arguments there are, -1 where
        that cannot be told.
        """
        stack: list[PlainArgument | None] = []
        names: tuple[str, ...] = ()
        for one in self._all[self._place.get(first.offset, len(self._all)) :]:
            taken = _TAKEN.get(one.opname)
            if (given := self._plain(one)) is not None:
                stack.append(given)
            elif taken is not None:
                count = taken(one.arg or 0)
                if count > len(stack):
                    return (), None, -1
                stack[len(stack) - count :] = [None]
            elif one.opname in _CALLS_BY_NAME and stack and one.arg == len(stack) - 1:
                stack.pop()  # the names, which lie on top
                return _plain_ones(stack), _named(stack, names, "out"), len(stack)
            elif one.opname in CALLS and one.arg == len(stack):
                return _plain_ones(stack), _named(stack, names, "out"), len(stack)
            elif one.opname != "KW_NAMES":
                return (), None, -1
            if one.opname in ("KW_NAMES", "LOAD_CONST"):
                names = self._texts(one.arg or 0)
        return (), None, -1

    def shape(self, callee: dis.Instruction) -> CallShape | None:
        """Of the call of an attribute that is read here; None where it is not called at once."""
        names: tuple[str, ...] = ()
        place = self._instructions.index(callee)
        depth = 0  # of the stack, beside what was there before the call and what it gives
        for one in self._instructions[place:]:
            depth += stack_effect(one)
            if one.opcode in JUMPS or depth < -1:
                return None
            if one.opname == "CALL_FUNCTION_EX" and depth <= 0:
                return CallShape(0, ())
            if one.opname in CALLS | _CALLS_BY_NAME:
                if depth <= 0:
                    return CallShape((one.arg or 0) - len(names), names)
                names = ()
            elif one.opname in ("KW_NAMES", "LOAD_CONST"):
                names = self._texts(one.arg or 0)
            elif one.opname not in SILENT:
                names = ()
        return None

    def _texts(self, place: int) -> tuple[str, ...]:
        constant = self._constants[place]
        return constant if isinstance(constant, tuple) else ()

    def to_method(self, method: dis.Instruction) -> tuple[PlainArgument, ...]:
        """The path of which a method is read: ``p.exists``, or ``Path(p).exists``."""
        place = self._place[method.offset]
        before = self._all[place - 1] if place else method
        if before.opname in CALLS and before.arg == 1 and place >= 3:
            made = self._all[place - 3]
            before = self._all[place - 2] if made.argval in ("Path", "PurePath") else method
        given = self._plain(before)
        return () if given is None else (given,)

    def _plain(self, one: dis.Instruction) -> PlainArgument | None:
        if one.opname in _CONSTANT_READS:
            said = one.argval if type(one.argval) is str else ""
            return PlainArgument(NOTHING if one.argval is None else CONSTANT, said)
        if one.opname in GLOBAL_READS:
            return PlainArgument(GLOBAL, str(one.argval))
        if one.opname not in LOCAL_READS:
            return None
        names, module = self._aliases.of(str(one.argval))
        if len(names) == 1 and module is None:
            return PlainArgument(GLOBAL, names[0])
        variable = self._aliases.first(str(one.argval))
        known = variable in self._parameters and variable not in self._stored
        return PlainArgument(PARAMETER if known else LOCAL, variable)


def _named(
    given: list[PlainArgument | None], names: tuple[str, ...], name: str
) -> PlainArgument | None:
    """What is given under a name; the names are those of the last."""
    return given[names.index(name) - len(names)] if name in names[-len(given) :] else None


def _plain_ones(given: list[PlainArgument | None]) -> tuple[PlainArgument, ...]:
    """Those before the first that is none."""
    plain = []
    for one in given:
        if one is None:
            break
        plain.append(one)
    return tuple(plain)


def stack_effect(instruction: dis.Instruction) -> int:
    """By how much the stack grows."""
    try:
        argument = instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
        return dis.stack_effect(instruction.opcode, argument, jump=False)
    except ValueError:  # what only the interpreter itself writes
        return 0
