"""Lists the names that a code object uses, and how: read, called, assigned to."""

from __future__ import annotations

import dis
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.instructions import instructions_of

_GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_LOCAL_READS: Final = frozenset(
    {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF", "LOAD_CLASSDEREF"}
)
_ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"})
# How far below the top of the stack that lies whose item is stored.
_ITEM_STORES: Final = {"STORE_SUBSCR": 1, "DELETE_SUBSCR": 1, "STORE_SLICE": 2}
_ATTRIBUTE_STORES: Final = frozenset({"STORE_ATTR", "DELETE_ATTR"})
_SILENT: Final = frozenset({"EXTENDED_ARG", "CACHE", "PRECALL", "PUSH_NULL", "NOP", "RESUME"})
_CALLS: Final = frozenset({"CALL", "CALL_FUNCTION", "CALL_METHOD"})
_CALLS_BY_NAME: Final = frozenset({"CALL_KW", "CALL_FUNCTION_KW"})
_TURNED: Final = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}
_CONSTANT_READS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})
# What puts one thing in the place of as many as this.
_TAKEN: Final[dict[str, Callable[[int], int]]] = {
    **dict.fromkeys(("BUILD_LIST", "BUILD_TUPLE", "BUILD_SET"), lambda count: count),
    **dict.fromkeys(("BINARY_OP", "BINARY_SUBSCR", "LIST_EXTEND", "SET_UPDATE"), lambda _: 2),
    **dict.fromkeys(_ATTRIBUTE_READS - {"LOAD_METHOD"}, lambda _: 1),
    "BUILD_MAP": lambda count: 2 * count,
    "BUILD_CONST_KEY_MAP": lambda count: count + 1,
}

REBOUND: Final = "global ="
REBOUND_CELL: Final = "nonlocal ="
"""How a variable of an enclosing function is used to which another value is bound."""

ITEM: Final = "[]"
"""Stands among the names of a use for an item of what the names before it lead to."""

#: Kinds of what is given to a call.
CONSTANT: Final = "constant"
GLOBAL: Final = "global"
PARAMETER: Final = "parameter"
LOCAL: Final = "local"

OF_PATHS: Final = frozenset(
    {
        "exists",
        "is_file",
        "is_dir",
        "is_symlink",
        "lstat",
        "stat",
        "readlink",
        "resolve",
        "samefile",
    }
)
"""Methods through which a path is asked what is there; they are seen of whatever object."""

OF_READERS: Final = frozenset(
    {"load_model", "open_input_file", "open_input_stream", "read_parquet", "scan_parquet"}
    | {"parquet", "orc"}
)
"""Methods through which libraries read files in compiled code; likewise."""

PATH_METHOD: Final = "Path"
"""What the object is called then."""

_TELLING: Final = OF_PATHS | OF_READERS


class PlainArgument(NamedTuple):
    """A plain argument of a call: something by its name, or a text.

    Attributes:
        kind: one of `CONSTANT`, `GLOBAL`, `PARAMETER`, `LOCAL`.
        name: of the variable.
    """

    kind: str
    name: str


class Use(NamedTuple):
    """A name that is used.

    Attributes:
        names: a global name, and the attributes that are read from it at once.
        module: what an import inside the body bound the first name to, instead of the global one.
        how: "" for read, "=" for assigned to, an attribute or an item of it, `REBOUND` or
            `REBOUND_CELL` for another value, "()" for called without arguments.
        given: the first arguments that it is called with, as far as they are plain. Of a path's
            method, the path. Empty where the first one is worked out on the spot.
        out: what it is given to write its result to, by the argument `out`.
    """

    names: tuple[str, ...]
    module: tuple[str, str] | None
    how: str
    given: tuple[PlainArgument, ...] = ()
    out: PlainArgument | None = None


_of_parameters: weakref.WeakKeyDictionary[types.CodeType, dict[str, tuple[Use, ...]]] = (
    weakref.WeakKeyDictionary()
)
_known: dict[int, tuple[weakref.ref[types.CodeType], tuple[Use, ...]]] = {}


def uses_of(code: types.CodeType) -> tuple[Use, ...]:
    """The names that `code`, and all code inside it, uses; worked out once for each object."""
    key = id(code)
    known = _known.get(key)
    if known is not None and known[0]() is code:
        return known[1]
    imported: dict[str, tuple[str, str]] = {}
    parts = [(part, list(instructions_of(part))) for part in nested(code)]
    for _, instructions in parts:
        _imports(instructions, imported)
    found = tuple(dict.fromkeys(use for part in parts for use in _uses(*part, imported)))
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None)), found)
    return found


def uses_of_parameter(code: types.CodeType, name: str) -> tuple[Use, ...]:
    """How a body, and all code inside it, uses one of its parameters, by that name; worked out once
    for each object.
    """
    known = _of_parameters.setdefault(code, {})
    if name not in known:
        as_if = {name: (name, "")}  # an import is told from other local names too
        found = (
            use
            for part in nested(code)
            for use in _uses(part, list(instructions_of(part)), as_if)
            if use.module is not None
        )
        known[name] = tuple(dict.fromkeys(found))
    return known[name]


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object, and all code inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def _imports(instructions: list[dis.Instruction], into: dict[str, tuple[str, str]]) -> None:
    """What import statements inside a body bind: local name to module and name in it."""
    module = part = None
    for instruction in instructions:
        name = instruction.opname
        if name == "IMPORT_NAME":
            module, part = str(instruction.argval), ""
        elif name == "IMPORT_FROM":
            part = str(instruction.argval)
        elif name in _STORES and module is not None and part is not None:
            # `import a.b` binds `a`; `import a.b as c` and `from a import b` say what they take.
            whole = module if part or instruction.argval != module.partition(".")[0] else ""
            into[str(instruction.argval)] = (whole or module.partition(".")[0], part)
        elif name in ("POP_TOP", "SWAP", "ROT_TWO", "ROT_THREE") or name in _SILENT:
            continue
        else:
            module = part = None


def _uses(
    code: types.CodeType,
    instructions: list[dis.Instruction],
    imported: dict[str, tuple[str, str]],
) -> Iterator[Use]:
    chain: tuple[str, ...] = ()
    module: tuple[str, str] | None = None
    depth = 0  # of the stack, as far as it can be told without following jumps
    there: _Places = {}
    given = _Given(code, instructions)
    for instruction in instructions:
        name, before = instruction.opname, depth
        depth += _effect(instruction)
        if chain and (name in _SILENT or name in _ATTRIBUTE_READS):
            if name in _ATTRIBUTE_READS:
                chain = (*chain, str(instruction.argval))
            continue
        if chain:
            how = "()" if name in _CALLS and not instruction.arg else ""
            if name in _ATTRIBUTE_STORES:
                chain, how = (*chain, str(instruction.argval)), "="
            yield Use(chain, module, how, *given.to_call(instruction))
            there[before] = chain, module
        elif name in _ATTRIBUTE_STORES and before in there:
            yield Use(*there[before], "=")
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Use((str(instruction.argval),), None, REBOUND)
        if name == "STORE_DEREF" and instruction.argval in code.co_freevars:
            yield Use((str(instruction.argval),), None, REBOUND_CELL)
        container = before - _ITEM_STORES.get(name, 0)
        if name in _ITEM_STORES and container in there:  # above it lies the index
            yield Use(*there[container], "=")
        there = _moved(there, instruction, before, depth)
        chain, module = (), None
        if name in _GLOBAL_READS:
            chain = (str(instruction.argval),)
            module = imported.get(chain[0]) if name == "LOAD_NAME" else None
        elif name in _LOCAL_READS and instruction.argval in imported:
            chain = (str(instruction.argval),)
            module = imported[chain[0]]
        elif name in _ATTRIBUTE_READS and there.get(before, _NOTHING)[0][-1:] == (ITEM,):
            names, module = there[before]
            yield Use((*names, str(instruction.argval)), module, "")
            module = None
        elif name in _ATTRIBUTE_READS and instruction.argval in _TELLING:
            yield Use(
                (PATH_METHOD, str(instruction.argval)), None, "", given.to_method(instruction)
            )
    if chain:
        yield Use(chain, module, "")


# By place on the stack, from 1 on: the names that lead to what is there.
_Places = dict[int, tuple[tuple[str, ...], Any]]
_NOTHING: Final[tuple[tuple[str, ...], Any]] = (), None


def _moved(there: _Places, instruction: dis.Instruction, before: int, depth: int) -> _Places:
    """Where all lies after an instruction.

    Args:
        there: where it was.
        before, depth: how deep the stack was, and is.
    """
    name, count = instruction.opname, instruction.arg or 0
    moves: dict[int, int] = {}  # by place, from where it comes
    if name == "COPY":
        moves = {before + 1: before - count + 1}
    elif name == "SWAP":
        moves = {before: before - count + 1, before - count + 1: before}
    elif name == "DUP_TOP":
        moves = {before + 1: before}
    elif name == "DUP_TOP_TWO":
        moves = {before + 1: before - 1, before + 2: before}
    elif name in _TURNED:
        lowest = before - _TURNED[name] + 1
        moves = {lowest: before, **{at: at - 1 for at in range(lowest + 1, before + 1)}}
    if moves:
        others = {at: what for at, what in there.items() if at not in moves}
        return others | {at: there[come] for at, come in moves.items() if come in there}
    if name == "BINARY_SUBSCR" or (name == "BINARY_OP" and instruction.argrepr == "[]"):
        of = there.get(depth)
    else:
        of = None
    kept = min(before, depth) - name.startswith("BINARY_")
    left = {place: what for place, what in there.items() if place <= kept}
    if of is not None:
        left[depth] = (of[0] if of[0][-1:] == (ITEM,) else (*of[0], ITEM)), of[1]
    return left


class _Given:
    """What is given to the calls of one body, where it is plain."""

    def __init__(self, code: types.CodeType, instructions: list[dis.Instruction]) -> None:
        self._all = [one for one in instructions if one.opname not in _SILENT]
        self._place = {one.offset: n for n, one in enumerate(self._all)}
        self._stored = {one.argval for one in self._all if one.opname in _STORES}
        self._constants = code.co_consts
        self._parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    def to_call(
        self, first: dis.Instruction
    ) -> tuple[tuple[PlainArgument, ...], PlainArgument | None]:
        """The plain arguments from `first` on, of a call that follows; those before the first one
        that is worked out. And what is given as `out`.
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
                    return (), None
                stack[len(stack) - count :] = [None]
            elif one.opname in _CALLS_BY_NAME and stack and one.arg == len(stack) - 1:
                stack.pop()  # the names, which lie on top
                return _plain_ones(stack), _named(stack, names, "out")
            elif one.opname in _CALLS and one.arg == len(stack):
                return _plain_ones(stack), _named(stack, names, "out")
            elif one.opname != "KW_NAMES":
                return (), None
            if one.opname in ("KW_NAMES", "LOAD_CONST"):
                names = self._texts(one.arg or 0)
        return (), None

    def _texts(self, place: int) -> tuple[str, ...]:
        constant = self._constants[place]
        return constant if isinstance(constant, tuple) else ()

    def to_method(self, method: dis.Instruction) -> tuple[PlainArgument, ...]:
        """The path of which a method is read: ``p.exists``, or ``Path(p).exists``."""
        place = self._place[method.offset]
        before = self._all[place - 1] if place else method
        if before.opname in _CALLS and before.arg == 1 and place >= 3:
            made = self._all[place - 3]
            before = self._all[place - 2] if made.argval in ("Path", "PurePath") else method
        given = self._plain(before)
        return () if given is None else (given,)

    def _plain(self, one: dis.Instruction) -> PlainArgument | None:
        if one.opname in _CONSTANT_READS:
            return PlainArgument(CONSTANT, "")
        if one.opname in _GLOBAL_READS:
            return PlainArgument(GLOBAL, str(one.argval))
        if one.opname not in _LOCAL_READS:
            return None
        known = one.argval in self._parameters and one.argval not in self._stored
        return PlainArgument(PARAMETER if known else LOCAL, str(one.argval))


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


def _effect(instruction: dis.Instruction) -> int:
    """By how much the stack grows."""
    try:
        argument = instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
        return dis.stack_effect(instruction.opcode, argument, jump=False)
    except ValueError:  # what only the interpreter itself writes
        return 0
