"""Notices which environment variables a task's code reads while it runs, under whatever name it
puts together.

Nobody is told of such a read. `os.environ` turns each name that it is asked for into bytes by a
function that it holds; what stands in that function's place here tells of the name first. What
libraries read for themselves does not count, as their code counts by its version.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.file_stamps import EVERY
from cascade_nb.graph.code.origin import is_followed

# Modules of what goes on to `os.environ`, which asks for another's sake.
_BETWEEN: Final = frozenset(
    {"os", "_collections_abc", "collections.abc", "posixpath", "ntpath", "pathlib"}
)
_CHANGES: Final = frozenset({"__setitem__", "__delitem__"})


def listen_to_environment(concerned: Callable[[], Iterable[OpenedFiles]]) -> None:
    """Note each variable that the user's code reads or changes. Once for the process.

    Args:
        concerned: where to note what happens here.
    """
    environ: Any = os.environ
    encode, decode = environ.encodekey, environ.decodekey

    def encodekey(name: Any) -> Any:
        here = concerned()
        if here and type(name) is str and _is_of_the_user(sys._getframe(1)):
            changes = sys._getframe(1).f_code.co_name in _CHANGES
            for files in here:
                (files.set_variable if changes else files.asked)(name)
        return encode(name)

    def decodekey(name: Any) -> Any:
        here = concerned()
        if here and _is_of_the_user(sys._getframe(1)):
            for files in here:
                files.asked(EVERY)
        return decode(name)

    environ.encodekey, environ.decodekey = encodekey, decodekey


def _is_of_the_user(frame: types.FrameType | None) -> bool:
    """Whether the user's code is what asks, on the way through the standard library's `os`."""
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    return frame is not None and is_followed(frame.f_globals)
