"""Reads Python source, in whatever thread that is safe; nothing else in this package parses.

CPython 3.11.0 to 3.11.7 counts the depth of all parses of a process in one place
(https://github.com/python/cpython/issues/106905): while one thread parses, another's parse, that of
a user's cell for instance, may fail with a `SystemError`. There a thread that works aside has its
parsing done by the thread of the loop, which is also the one that parses cells. A parse that failed
so all the same, because some other thread of the user's parsed meanwhile, is made again.
"""

from __future__ import annotations

import ast
import contextvars
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

SAFE_ANYWHERE: Final = not (3, 11, 0) <= sys.version_info[:3] < (3, 11, 8)
TRIES: Final = 50
_FAULT: Final = "recursion depth mismatch"

elsewhere: contextvars.ContextVar[Callable[[Callable[[], Any]], Any] | None] = (
    contextvars.ContextVar("cascade_parse_elsewhere", default=None)
)
"""What calls a function in the thread that parses; None where this one may."""


def parse(source: str | bytes, mode: str = "exec") -> Any:
    """`ast.parse`, without harm to other threads or by them.

    Raises:
        SyntaxError, ValueError, RecursionError: as `ast.parse`.
    """
    return safely(lambda: ast.parse(source, mode=mode))


def literal(source: str | ast.expr) -> Any:
    """`ast.literal_eval`, as safe as `parse`.

    Raises:
        SyntaxError, ValueError, TypeError, RecursionError: as `ast.literal_eval`.
    """
    return safely(lambda: ast.literal_eval(source))


def safely(parsing: Callable[[], T]) -> T:
    """What a function gives that parses: in the thread that may, and again where another thread's
    parse made it fail.

    Raises:
        BaseException: whatever it raises.
    """
    call = elsewhere.get()
    if call is None:
        return _tried(parsing)
    found: T = call(lambda: _tried(parsing))
    return found


def _tried(parsing: Callable[[], T]) -> T:
    for left in reversed(range(TRIES)):
        try:
            return parsing()
        except SystemError as error:
            if _FAULT not in str(error) or not left:
                raise
            time.sleep(0.001)  # whoever else parses comes to an end sooner than we do again
    raise AssertionError("the last try gives or raises")
