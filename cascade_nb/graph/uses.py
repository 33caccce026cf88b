"""Which names one code object uses, and how: read, called, assigned to."""

from __future__ import annotations

import dis
import types
import weakref
from collections.abc import Iterator
from typing import Final, NamedTuple

_GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_LOCAL_READS: Final = frozenset(
    {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF", "LOAD_CLASSDEREF"}
)
_ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"})
_ITEM_STORES: Final = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})
_SILENT: Final = frozenset({"EXTENDED_ARG", "CACHE", "PRECALL", "PUSH_NULL", "NOP", "RESUME"})
_CALLS: Final = frozenset({"CALL", "CALL_FUNCTION", "CALL_METHOD"})


class Use(NamedTuple):
    """A name that is used.

    Attributes:
        names: a global name, and the attributes that are read from it at once.
        module: what an import inside the body bound the first name to, instead of the global one.
        how: "" for read, "=" for assigned to, as a whole or an item of it, "()" for called without
            arguments.
    """

    names: tuple[str, ...]
    module: tuple[str, str] | None
    how: str


_known: dict[int, tuple[weakref.ref[types.CodeType], tuple[Use, ...]]] = {}


def uses_of(code: types.CodeType) -> tuple[Use, ...]:
    """The names that `code`, and all code inside it, uses; worked out once for each object."""
    key = id(code)
    known = _known.get(key)
    if known is not None and known[0]() is code:
        return known[1]
    imported: dict[str, tuple[str, str]] = {}
    parts = list(_nested(code))
    for part in parts:
        _imports(part, imported)
    found = tuple(dict.fromkeys(use for part in parts for use in _uses(part, imported)))
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None)), found)
    return found


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _imports(code: types.CodeType, into: dict[str, tuple[str, str]]) -> None:
    """What import statements inside a body bind: local name to module and name in it."""
    module = part = None
    for instruction in dis.get_instructions(code):
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


def _uses(code: types.CodeType, imported: dict[str, tuple[str, str]]) -> Iterator[Use]:
    chain: tuple[str, ...] = ()
    module: tuple[str, str] | None = None
    depth = 0  # of the stack, as far as it can be told without following jumps
    there: dict[int, tuple[tuple[str, ...], tuple[str, str] | None]] = {}  # by place on the stack
    for instruction in dis.get_instructions(code):
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
            yield Use(chain, module, how)
            there[before] = chain, module
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
    if chain:
        yield Use(chain, module, "")


def _effect(instruction: dis.Instruction) -> int:
    """By how much the stack grows."""
    try:
        argument = instruction.arg if instruction.opcode >= dis.HAVE_ARGUMENT else None
        return dis.stack_effect(instruction.opcode, argument, jump=False)
    except ValueError:  # what only the interpreter itself writes
        return 0
