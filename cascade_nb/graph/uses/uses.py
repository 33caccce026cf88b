"""Lists the names that a code object uses, and how: read, called, assigned to."""

from __future__ import annotations

import dis
import types
import weakref
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cascade_nb.graph.code.instructions import instructions_of
from cascade_nb.graph.uses.aliases import LOCAL_READS, Aliases, Source
from cascade_nb.graph.uses.given import (
    ATTRIBUTE_READS,
    CALLS,
    GLOBAL_READS,
    NOTHING,
    SILENT,
    STORES,
    GivenArguments,
    PlainArgument,
    stack_effect,
)

# How far below the top of the stack that lies whose item is stored.
_ITEM_STORES: Final = {"STORE_SUBSCR": 1, "DELETE_SUBSCR": 1, "STORE_SLICE": 2}
_ATTRIBUTE_STORES: Final = frozenset({"STORE_ATTR", "DELETE_ATTR"})
_TURNED: Final = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}

REBOUND: Final = "global ="
REBOUND_CELL: Final = "nonlocal ="
"""How a variable of an enclosing function is used to which another value is bound."""

ITEM: Final = "[]"
"""Stands among the names of a use for an item of what the names before it lead to."""

IN_PLACE: Final = "__iadd__"
"""Stands at the end of the names of what another value is added to, or the like, where it is."""

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
"""What the object is called then, where it is told of."""

SOME_OBJECT: Final = "."
"""Stands among the names of a use for that object: no name of the user's, who may have a `Path`."""

OF_CHANCE: Final = {"sample": 1, "shuffle": 0}
"""Methods of tables and of what is like them that draw random numbers, and how many arguments
without a name they have at most: ``rng.shuffle(x)`` and ``rng.sample(x, 2)`` are of generators.
"""
_FIXES_CHANCE: Final = frozenset({"random_state", "seed", "rng", "generator", "k"})

_TELLING: Final = OF_PATHS | OF_READERS

_READING: Final = frozenset(
    {
        "open", "read_text", "read_bytes", "read_csv", "read_table", "read_json", "read_excel",
        "read_parquet", "read_feather", "read_pickle", "read_sql", "read_html", "read_xml",
        "scan_csv", "scan_parquet", "load", "loadtxt", "genfromtxt", "fromfile", "memmap", "imread",
        "connect", "listdir", "scandir", "iterdir", "glob", "rglob", "exists", "is_file", "getenv",
        "environ",
    }
)  # fmt: skip

_WRITING: Final = ("to_", "write", "sink", "save", "dump", "export", "store", "put", "copy", "move")


class Use(NamedTuple):
    """A name that is used.

    Attributes:
        names: a global name, and the attributes that are read from it at once.
        module: what an import inside the body bound the first name to, instead of the global one.
        how: "" for read, "=" for assigned to, an attribute or an item of it, `REBOUND` or
            `REBOUND_CELL` for another value, "()" for called without arguments, or with `None`.
        given: the first arguments that it is called with, as far as they are plain. Of a path's
            method, the path. Empty where the first one is worked out on the spot.
        out: what it is given to write its result to, by the argument `out`.
        number: of the arguments that it is called with, -1 where that cannot be told.
    """

    names: tuple[str, ...]
    module: tuple[str, str] | None
    how: str
    given: tuple[PlainArgument, ...] = ()
    out: PlainArgument | None = None
    number: int = -1


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
    found = tuple(dict.fromkeys(_uses_in(parts, imported)))
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None)), found)
    return found


def uses_of_parameter(code: types.CodeType, name: str) -> tuple[Use, ...]:
    """How a body, and all code inside it, uses one of its parameters, by that name; worked out once
    for each object.
    """
    known = _of_parameters.setdefault(code, {})
    if name not in known:
        as_if = {name: (name, "")}  # an import is told from other local names too
        parts = [(part, list(instructions_of(part))) for part in nested(code)]
        found = [use for use in _uses_in(parts, as_if) if use.module is not None]
        known[name] = tuple(dict.fromkeys(found))
    return known[name]


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object, and all code inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def used_to_read(code: types.CodeType) -> bool:
    """Whether a body, or one inside it, uses names by which files or the environment are read."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return not _READING.isdisjoint(code.co_names) or any(map(used_to_read, inner))


def may_write(code: types.CodeType) -> bool:
    """Whether a body, or one inside it, uses names by which files are written."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return any(name.startswith(_WRITING) for name in code.co_names) or any(map(may_write, inner))


def _imports(instructions: list[dis.Instruction], into: dict[str, tuple[str, str]]) -> None:
    """What import statements inside a body bind: local name to module and name in it."""
    module = part = None
    for instruction in instructions:
        name = instruction.opname
        if name == "IMPORT_NAME":
            module, part = str(instruction.argval), ""
        elif name == "IMPORT_FROM":
            part = str(instruction.argval)
        elif name in STORES and module is not None and part is not None:
            # `import a.b` binds `a`; `import a.b as c` and `from a import b` say what they take.
            whole = module if part or instruction.argval != module.partition(".")[0] else ""
            into[str(instruction.argval)] = (whole or module.partition(".")[0], part)
        elif name in ("POP_TOP", "SWAP", "ROT_TWO", "ROT_THREE") or name in SILENT:
            continue
        else:
            module = part = None


_Parts = list[tuple[types.CodeType, list[dis.Instruction]]]


def _uses_in(parts: _Parts, imported: Mapping[str, tuple[str, str]]) -> Iterator[Use]:
    """The names that code, and all code inside it, uses; the outer code comes first."""
    of_outer: dict[str, list[Source]] = {}
    for code, instructions in parts:
        number, most = 0, 1
        while number < most:  # a variable may stand for one thing or for another
            aliases = Aliases(code, instructions, of_outer, number)
            yield from _uses(code, instructions, imported, aliases)
            number, most = number + 1, aliases.most
        of_outer.update(aliases.ever)


def _uses(
    code: types.CodeType,
    instructions: list[dis.Instruction],
    imported: Mapping[str, tuple[str, str]],
    aliases: Aliases,
) -> Iterator[Use]:
    chain: tuple[str, ...] = ()
    module: tuple[str, str] | None = None
    depth = 0  # of the stack, as far as it can be told without following jumps
    there: _Places = {}
    given = GivenArguments(code, instructions, aliases)
    for instruction in instructions:
        name, before = instruction.opname, depth
        depth += stack_effect(instruction)
        if chain and (name in SILENT or name in ATTRIBUTE_READS):
            if name in ATTRIBUTE_READS:
                chain = (*chain, str(instruction.argval))
            continue
        if chain:
            how = "()" if name in CALLS and not instruction.arg else ""
            if name in _ATTRIBUTE_STORES:
                chain, how = (*chain, str(instruction.argval)), "="
            arguments, out, count = given.to_call(instruction)
            if [one.kind for one in arguments] == [NOTHING]:
                how = "()"
            yield Use(chain, module, how, arguments, out, count)
            there[before] = chain, module
        elif name in _ATTRIBUTE_STORES and before in there:
            names, where = there[before]
            yield Use((*names, str(instruction.argval)), where, "=")
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Use((str(instruction.argval),), None, REBOUND)
        if name == "STORE_DEREF" and instruction.argval in code.co_freevars:
            yield Use((str(instruction.argval),), None, REBOUND_CELL)
        container = before - _ITEM_STORES.get(name, 0)
        if name in _ITEM_STORES and container in there:  # above it lies the index
            yield Use(*there[container], "=")
        changed = there.get(before - 1, _NOTHING)
        if aliases.step(instruction, there.get(before)) and changed[0] and ITEM not in changed[0]:
            yield Use((*changed[0], IN_PLACE), changed[1], "")
        there = _moved(there, instruction, before, depth)
        chain, module = (), None
        if name in GLOBAL_READS:
            chain = (str(instruction.argval),)
            module = imported.get(chain[0]) if name == "LOAD_NAME" else None
        elif name in LOCAL_READS and instruction.argval in imported:
            chain = (str(instruction.argval),)
            module = imported[chain[0]]
        elif name in LOCAL_READS:
            chain, module = aliases.of(str(instruction.argval))
        elif name in ATTRIBUTE_READS and before in there:
            names, module = there[before]  # with that attribute
            yield Use(names, module, "")
            module = None
            if ITEM in names and _draws(instruction, given):
                yield Use((SOME_OBJECT, str(instruction.argval)), None, "")
        elif name in ATTRIBUTE_READS and instruction.argval in _TELLING:
            yield Use(
                (SOME_OBJECT, str(instruction.argval)), None, "", given.to_method(instruction)
            )
        elif name in ATTRIBUTE_READS and _draws(instruction, given):
            yield Use((SOME_OBJECT, str(instruction.argval)), None, "")
    if chain:
        yield Use(chain, module, "")


def _draws(method: dis.Instruction, given: GivenArguments) -> bool:
    """Whether a method is called that draws from what its object has, and nothing fixes it."""
    most = OF_CHANCE.get(str(method.argval))
    shape = None if most is None else given.shape(method)
    if most is None or shape is None:
        return False
    return shape.by_place <= most and _FIXES_CHANCE.isdisjoint(shape.names)


# By place on the stack, from 1 on: the names that lead to what is there.
_Places = dict[int, Source]
_NOTHING: Final[Source] = (), None
_SLICE: Final[Source] = ("slice",), None


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
        of = there.get(depth) if there.get(before) != _SLICE else None  # that is a copy
    else:
        of = None
    kept = min(before, depth) - name.startswith("BINARY_")
    left = {place: what for place, what in there.items() if place <= kept}
    if name in ATTRIBUTE_READS and before in there:
        names, module = there[before]
        left[before] = (*names, str(instruction.argval)), module
    if of is not None:
        left[depth] = (of[0] if of[0][-1:] == (ITEM,) else (*of[0], ITEM)), of[1]
    if name == "BUILD_SLICE":
        left[depth] = _SLICE
    return left
