"""Digests a code object, by its source where that can be trusted, and lists the names that it
reads.

The digest is of the normalised syntax tree if the text that Python would show for the code really
compiles to it. Else (the file was edited after the import, the code was written by `exec`, several
lambdas share a line) it is of the bytecode, which always tells what runs.
"""

from __future__ import annotations
import __future__

import ast
import contextvars
import dis
import functools
import linecache
import textwrap
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.graph.code.environment import texts_in
from cascade_nb.graph.code.instructions import instructions_of
from cascade_nb.graph.code.syntax import (
    FUNCTIONS,
    Function,
    annotations_digest,
    dotted,
    expression_digest,
    function_digest,
    held_names,
)
from cascade_nb.graph.values.atoms import ATOMS, digest, frame, text

T = TypeVar("T")

_FUTURE: Final = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
_THIS_PACKAGE: Final = __name__.partition(".")[0]
_GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CONSTANT_READS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})


class Import(NamedTuple):
    """An import statement inside a body: ``from <level dots><module> import <names>``."""

    module: str
    level: int
    names: tuple[str, ...]


class WrittenDecorator(NamedTuple):
    """A decorator as it is written: the name it begins with, and a digest of the whole."""

    name: tuple[str, ...]
    digest: bytes


class Facts(NamedTuple):
    """What one code object says.

    Attributes:
        digest: of the body.
        references: global names that it reads, each with the attributes that are read from it at
            once: ``("mylib", "util", "clean")``.
        imports: the import statements in it.
        source: the text, where it is known to be the code's.
        annotations: digest of the function's annotations; empty where the text is not known.
        decorators: as they are written, the outermost first.
        names: every name that it uses for anything but its own variables.
        texts: the texts in it.
        held: those that it reads for more than to call them; None where that cannot be told.
    """

    digest: bytes
    references: tuple[tuple[str, ...], ...]
    imports: tuple[Import, ...]
    source: str | None = None
    annotations: bytes = b""
    decorators: tuple[WrittenDecorator, ...] = ()
    names: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    held: frozenset[tuple[str, ...]] | None = None

    def holds(self, *names: str) -> bool:
        """Whether it reads ``a.b.c`` for more than to call what that stands for."""
        return self.held is None or names in self.held


carried: contextvars.ContextVar[bool] = contextvars.ContextVar("cascade_carried", default=False)
"""Whether code counts without its text, which a function that was pickled leaves behind."""


def _once(look: Callable[[types.CodeType], T]) -> Callable[[types.CodeType], T]:
    """Have `look` look once at each code object, by its identity: code objects that are equal may
    still have been written differently.
    """
    found: dict[int, tuple[weakref.ref[types.CodeType], T]] = {}

    @functools.wraps(look)
    def known(code: types.CodeType) -> T:
        key = id(code)
        before = found.get(key)
        if before is not None and before[0]() is code:
            return before[1]
        made = look(code)
        found[key] = (weakref.ref(code, lambda _: found.pop(key, None)), made)
        return made

    known.knows = lambda code: id(code) in found and found[id(code)][0]() is code  # type: ignore[attr-defined]
    return known


def facts_of(code: types.CodeType) -> Facts:
    """What `code` says; worked out once for each code object."""
    return _without_text(code) if carried.get() else _with_text(code)


@_once
def names_in(code: types.CodeType) -> tuple[tuple[tuple[str, ...], ...], tuple[Import, ...]]:
    """The global names that `code` reads, and what it imports, without a look at its text."""
    references: dict[tuple[str, ...], None] = {}
    imports: dict[Import, None] = {}
    for part in _nested(code):
        _names(part, references, imports)
    return tuple(references), tuple(imports)


def _with_texts(code: types.CodeType, facts: Facts) -> Facts:
    """The same with all names that the code uses, and the texts in it."""
    parts = list(_nested(code))
    used = frozenset(name for part in parts for name in part.co_names)
    texts = [one for part in parts for value in part.co_consts for one in texts_in(value)]
    return facts._replace(names=used, texts=tuple(dict.fromkeys(texts)))


@_once
def _without_text(code: types.CodeType) -> Facts:
    return _with_texts(code, Facts(bytecode_digest(code), *names_in(code)))


@_once
def _with_text(code: types.CodeType) -> Facts:
    return _with_texts(code, _read(code))


def is_read(code: types.CodeType) -> bool:
    """Whether `facts_of` knows what `code` says, so that no file is read for it."""
    return _with_text.knows(code)  # type: ignore[attr-defined, no-any-return]


def _read(code: types.CodeType) -> Facts:
    names, imported = names_in(code)
    linecache.checkcache(code.co_filename)
    lines = _without_magic(linecache.getlines(code.co_filename))
    try:
        node = _text("".join(lines)).find(code) if lines else None
        if node is None:
            return _without_text(code)
        decorators = getattr(node, "decorator_list", [])
        return Facts(
            function_digest(node),
            names,
            imported,
            _source(lines, node),
            annotations_digest(node),
            tuple(WrittenDecorator(dotted(one), expression_digest(one)) for one in decorators),
            held=held_names(node),
        )
    except (SyntaxError, ValueError, RecursionError):  # a text that is not this Python, or too deep
        return _without_text(code)


def _without_magic(lines: list[str]) -> list[str]:
    """The text of a cell without the cell magics at its beginning, `%%time` above `%%cascade`. They
    stand there as typed so that tracebacks count lines as the notebook does; below comments, maybe.
    """
    left = list(lines)
    for place, line in enumerate(lines):
        if line.startswith("%%"):
            left[place] = "\n"
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return left


def bytecode_digest(code: types.CodeType) -> bytes:
    """The digest of what runs: of `code` and the code inside it, without file and line numbers."""
    constants = list(code.co_consts)
    if constants and isinstance(constants[0], str) and not _loads_first_constant(code):
        constants[0] = None  # a docstring
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    handlers = getattr(code, "co_exceptiontable", b"")
    return digest(
        frame(b"b", code.co_code)
        + frame(b"b", handlers)
        + text(repr(shape))
        + text(repr(names))
        + b"".join(map(_constant, constants))
    )


def _loads_first_constant(code: types.CodeType) -> bool:
    return any(
        instruction.arg == 0 and instruction.opcode in dis.hasconst
        for instruction in instructions_of(code)
    )


def _constant(value: object) -> bytes:
    if isinstance(value, types.CodeType):
        return b"C" + bytecode_digest(value)
    if isinstance(value, frozenset):
        return frame(b"Z", b"".join(sorted(map(_constant, value))))
    if isinstance(value, tuple):
        return frame(b"t", b"".join(map(_constant, value)))
    atom = ATOMS.get(type(value))
    return atom(value) if atom is not None else text(repr(value))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """`code` and the code of everything that is defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _names(
    code: types.CodeType, references: dict[tuple[str, ...], None], imports: dict[Import, None]
) -> None:
    """Add what `code` itself reads and imports.

    Names are taken from the instructions that read globals: `co_names` has the names of attributes
    too, and those mean nothing in the namespace.
    """
    chain: tuple[str, ...] = ()
    constants: list[object] = []
    for instruction in instructions_of(code):
        name = instruction.opname
        if name == "EXTENDED_ARG":
            continue
        if chain and name in _ATTRIBUTE_READS:
            chain = (*chain, str(instruction.argval))
            continue
        if chain:
            references[chain] = None
        chain = (str(instruction.argval),) if name in _GLOBAL_READS else ()
        if name in _CONSTANT_READS:
            constants.append(instruction.argval)
        elif name == "IMPORT_NAME":
            level, listed = constants[-2:]
            names = listed if isinstance(listed, tuple) else ()
            imports[Import(str(instruction.argval), int(str(level)), names)] = None


class _Text:
    """One text of source, with the functions in it by name and first line."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._codes: dict[tuple[int, bool], dict[tuple[str, int], list[types.CodeType]]] = {}
        self._nodes: dict[tuple[str, int], list[Function]] = {}
        for node in ast.walk(parse(source)):
            if isinstance(node, FUNCTIONS):
                self._nodes.setdefault(_place(node), []).append(node)

    def find(self, code: types.CodeType) -> Function | None:
        """The one function that compiles to `code`, on its line or, if lines moved, elsewhere."""
        return self._found(code, apart=False) or self._found(code, apart=True)

    def _found(self, code: types.CodeType, *, apart: bool) -> Function | None:
        compiled = self._compiled(code.co_flags & _FUTURE, apart)
        place = (code.co_name, code.co_firstlineno)
        for where in (place, *(other for other in self._nodes if other[0] == code.co_name)):
            nodes, codes = self._nodes.get(where, ()), compiled.get(where, ())
            if len(nodes) == 1 and len(codes) == 1 and _same(codes[0], code):
                return nodes[0]
        return None

    def _compiled(self, flags: int, apart: bool) -> dict[tuple[str, int], list[types.CodeType]]:
        """The codes of the text, by name and first line.

        Args:
            flags: of features of the future.
            apart: whether each statement was compiled by itself, as those of cells are: code knows
                then of no import of another statement, and calls what that brought otherwise.
        """
        known = self._codes.get((flags, apart))
        if known is None:
            known = self._codes[flags, apart] = {}
            mode = flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            tree = parse(self._source)
            pieces = [ast.Module([one], []) for one in tree.body] if apart else [tree]
            for piece in pieces:
                whole = compile(piece, "<text>", "exec", flags=mode, dont_inherit=True)
                for code in _nested(whole):
                    known.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        return known


@functools.lru_cache(maxsize=128)
def _text(source: str) -> _Text:
    return _Text(source)


def _place(node: Function) -> tuple[str, int]:
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    return node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _same(one: types.CodeType, other: types.CodeType) -> bool:
    return one.co_name == other.co_name and bytecode_digest(one) == bytecode_digest(other)


def _source(lines: list[str], node: Function) -> str:
    if isinstance(node, ast.Lambda):
        return ast.get_source_segment("".join(lines), node) or ""
    _, start = _place(node)
    return textwrap.dedent("".join(lines[start - 1 : node.end_lineno]))


def decorators_of(function: types.FunctionType) -> list[WrittenDecorator]:
    """The decorators of a function as written, without this package's own."""
    space = function.__globals__
    return [
        one
        for one in facts_of(function.__code__).decorators
        if not _ours(space.get(one.name[0]) if one.name else None)
    ]


def _ours(thing: Any) -> bool:
    of_module = isinstance(thing, types.ModuleType)
    name = thing.__name__ if of_module else getattr(thing, "__module__", "")
    return str(name).partition(".")[0] == _THIS_PACKAGE
