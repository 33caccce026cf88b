"""Reads Python source, in whatever thread that is safe.

CPython 3.11.0 to 3.11.7 counts the depth of all parses of a process in one place
(https://github.com/python/cpython/issues/106905): while one thread parses, another's parse, that of
a user's cell for instance, may fail with a `SystemError`. There a thread that works aside has its
parsing done by the thread of the loop, which is also the one that parses cells.
"""

from __future__ import annotations

import ast
import contextvars
import sys
from collections.abc import Callable
from typing import Any, Final

SAFE_ANYWHERE: Final = not (3, 11, 0) <= sys.version_info[:3] < (3, 11, 8)

elsewhere: contextvars.ContextVar[Callable[[Callable[[], Any]], Any] | None] = (
    contextvars.ContextVar("cascade_parse_elsewhere", default=None)
)
"""What calls a function in the thread that parses; None where this one may."""


def parse(source: str | bytes) -> ast.Module:
    """`ast.parse`, without harm to other threads.

    Raises:
        SyntaxError, ValueError: as `ast.parse`.
    """
    call = elsewhere.get()
    if call is None:
        return ast.parse(source)
    tree: ast.Module = call(lambda: ast.parse(source))
    return tree
