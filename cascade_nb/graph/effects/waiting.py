"""Tells code that only waits for a file: in a loop that does nothing but ask whether there is one,
and sleep. When it goes on, the file counts as it is then: as if it had been there at once.
"""

from __future__ import annotations

import builtins
import dis
import os
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cascade_nb.graph.uses.uses import nested

_ASKING: Final = frozenset(
    {"exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink", "access"}
)
_BESIDE: Final = frozenset(
    {"path", "sleep", "wait", "monotonic", "time", "perf_counter", "Path", "PurePath", "fspath"}
)
_GLOBAL_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"})
_ATTRIBUTE_READS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CHANGING: Final = ("STORE_", "DELETE_", "IMPORT_", "MAKE_", "INPLACE_")


def only_waits(code: types.CodeType, space: Mapping[str, Any]) -> bool:
    """Whether all that a body, or one inside it, asks of files is asked in such loops.

    Args:
        code: the body.
        space: its globals.
    """
    return all(_only_waits(part, space) for part in nested(code))


def _only_waits(code: types.CodeType, space: Mapping[str, Any]) -> bool:
    if _ASKING.isdisjoint(code.co_names):
        return True
    instructions = list(dis.get_instructions(code))
    asking, waiting = set[int](), set[int]()
    line = code.co_firstlineno
    lines: list[int] = []  # a test stands twice in what Python makes of a loop, in one line
    for one in instructions:
        line = _line_of(one, line)
        lines.append(line)
        if one.argval in _ASKING:
            asking.add(line)
    for first, last in _loops(instructions):
        if _is_idle(instructions[first : last + 1], space):
            waiting.update(lines[first : last + 1])
    return asking <= waiting


def _line_of(one: dis.Instruction, before: int) -> int:
    """In which line an instruction stands: each version of Python says it in another way."""
    positions = getattr(one, "positions", None)
    line = one.starts_line if positions is None else positions.lineno
    return before if line is None else int(line)


def _loops(instructions: list[dis.Instruction]) -> Iterator[tuple[int, int]]:
    """The first and the last place of each loop; one over items binds each, which is no waiting."""
    places = {one.offset: place for place, one in enumerate(instructions)}
    for last, one in enumerate(instructions):
        if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            first = places.get(one.argval, last)
            if first < last:
                yield first, last


def _is_idle(loop: list[dis.Instruction], space: Mapping[str, Any]) -> bool:
    """Whether a loop does nothing but ask and sleep."""
    for one, after in zip(loop, [*loop[1:], loop[-1]], strict=True):
        name, word = one.opname, one.argval
        if name.startswith(_CHANGING):
            return False
        if name in _ATTRIBUTE_READS and word not in _ASKING | _BESIDE:
            return False
        stands_alone = name in _GLOBAL_READS and after.opname not in _ATTRIBUTE_READS
        if stands_alone and not _is_of_waiting(word, space.get(word, vars(builtins).get(word))):
            return False
    return True


def _is_of_waiting(name: str, value: Any) -> bool:
    """Whether a global name may stand in such a loop: a path, a number, an error, who asks."""
    if isinstance(value, type) and issubclass(value, BaseException):
        return True
    if getattr(value, "__name__", name) in _ASKING | _BESIDE:
        return True
    return isinstance(value, (str, os.PathLike, int, float))
