"""Lists the instructions of a code object one by one, on every Python.

Since 3.13 one instruction may stand for two, such as ``STORE_FAST_LOAD_FAST`` for ``x = …; x``.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from typing import Final

_PAIRS: Final = {
    first + "_" + second: (first, second)
    for first, second in (
        ("LOAD_FAST", "LOAD_FAST"),
        ("LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
        ("STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST", "STORE_FAST"),
    )
}


def instructions_of(code: types.CodeType) -> Iterator[dis.Instruction]:
    """The instructions of `code` itself, without those of functions defined in it.

    Of what stands for two, the second has the offset after that of the first, where no instruction
    begins.
    """
    for one in dis.get_instructions(code):
        pair = _PAIRS.get(one.opname)
        if pair is None:
            yield one
            continue
        for place, (name, variable) in enumerate(zip(pair, one.argval, strict=True)):
            yield one._replace(
                opname=name,
                opcode=dis.opmap[name],
                arg=code.co_varnames.index(variable) if variable in code.co_varnames else 0,
                argval=variable,
                argrepr=variable,
                offset=one.offset + place,
            )
