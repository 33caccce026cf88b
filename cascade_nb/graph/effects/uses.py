"""Lists the names that a code object uses, and how: read, called, assigned to."""

from __future__ import annotations

import dis
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from cascade_nb.graph.code.instructions import instructions_of

_GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_LOCAL_READS: Final = frozenset(
    {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF", "LOAD_CLASSDEREF"}
)
_ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"})
_ITEM_STORES: Final = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})
_SILENT: Final = frozenset({"EXTENDED_ARG", "CACHE", "PRECALL", "PUSH_NULL", "NOP", "RESUME"})
_CALLS: Final = frozenset({"CALL", "CALL_FUNCTION", "CALL_METHOD"})
_CALLS_BY_NAME: Final = frozenset({"CALL_KW", "CALL_FUNCTION_KW"})
_CONSTANT_READS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})
_PLAIN_LOADS: Final = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW"})
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

#: Kinds of what is given to a call.
CONSTANT: Final = "constant"
GLOBAL: Final = "global"
PARAMETER: Final = "parameter"
LOCAL: Final = "local"

OF_PATHS: Final = frozenset({"exists", "is_file", "is_dir", "is_symlink", "lstat", "stat"})
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
    """

    names: tuple[str, ...]
    module: tuple[str, str] | None
    how: str
    given: tuple[PlainArgument, ...] = ()


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
    parts = [(part, list(instructions_of(part))) for part in _nested(code)]
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
            for part in _nested(code)
            for use in _uses(part, list(instructions_of(part)), as_if)
            if use.module is not None
        )
        known[name] = tuple(dict.fromkeys(found))
    return known[name]


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


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
    there: dict[int, tuple[tuple[str, ...], tuple[str, str] | None]] = {}  # by place on the stack
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
            if name in ("STORE_ATTR", "DELETE_ATTR"):
                chain, how = (*chain, str(instruction.argval)), "="
            yield Use(chain, module, how, given.to_call(instruction))
            there[before] = chain, module
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Use((str(instruction.argval),), None, REBOUND)
        if name == "STORE_DEREF" and instruction.argval in code.co_freevars:
            yield Use((str(instruction.argval),), None, REBOUND_CELL)
        if name in _ITEM_STORES and before - 1 in there:  # below it lies the index
            yield Use(*there[before - 1], "=")
        kept = min(before, depth) - (name.startswith("BINARY_"))
        there = {place: what for place, what in there.items() if place <= kept}
        chain, module = (), None
        if name in _GLOBAL_READS:
            chain = (str(instruction.argval),)
            module = imported.get(chain[0]) if name == "LOAD_NAME" else None
        elif name in _LOCAL_READS and instruction.argval in imported:
            chain = (str(instruction.argval),)
            module = imported[chain[0]]
        elif name in _ATTRIBUTE_READS and instruction.argval in _TELLING:
            yield Use(
                (PATH_METHOD, str(instruction.argval)), None, "", given.to_method(instruction)
            )
    if chain:
        yield Use(chain, module, "")


class _Given:
    """What is given to the calls of one body, where it is plain."""

    def __init__(self, code: types.CodeType, instructions: list[dis.Instruction]) -> None:
        self._all = [one for one in instructions if one.opname not in _SILENT]
        self._place = {one.offset: n for n, one in enumerate(self._all)}
        self._stored = {one.argval for one in self._all if one.opname in _STORES}
        self._parameters = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    def to_call(self, first: dis.Instruction) -> tuple[PlainArgument, ...]:
        """The plain arguments from `first` on, of a call that follows; those before the first one
        that is worked out.
        """
        stack: list[PlainArgument | None] = []
        for one in self._all[self._place.get(first.offset, len(self._all)) :]:
            taken = _TAKEN.get(one.opname)
            if (given := self._plain(one)) is not None:
                stack.append(given)
            elif taken is not None:
                count = taken(one.arg or 0)
                if count > len(stack):
                    return ()
                stack[len(stack) - count :] = [None]
            elif one.opname in _CALLS_BY_NAME and stack and one.arg == len(stack) - 1:
                return _plain_ones(stack[:-1])  # without the names, which lie on top
            elif one.opname in _CALLS and one.arg == len(stack):
                return _plain_ones(stack)
            elif one.opname != "KW_NAMES":
                return ()
        return ()

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
        if one.opname not in _PLAIN_LOADS:
            return None
        known = one.argval in self._parameters and one.argval not in self._stored
        return PlainArgument(PARAMETER if known else LOCAL, str(one.argval))


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
