"""Tells files that are read as code, to be run or shown, from those that a task reads itself.

The modules that a body names in import statements count in the key of its code. What it loads in
another way, by a loader, by `runpy`, as lines of text, and what a pickle leads to, counts as a file
that it reads.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from cascade_nb.graph.code.modules import changed_since_import, files_imported_by
from cascade_nb.graph.code.origin import file_of_module, is_followed, is_local_file

#: Modules that go through all folders of `sys.path`, the current one among them, for code or for
#: what is installed: libraries have it done when they are first used.
_MACHINERY: Final = frozenset(
    {
        "importlib._bootstrap_external", "importlib.metadata", "importlib_metadata", "zipimport",
        "linecache", "tokenize", "pkgutil",
    }
)  # fmt: skip
_LOADERS: Final = frozenset({"importlib", "importlib._bootstrap", "importlib.util", "runpy"})
_RUNNING: Final = frozenset({"importlib._bootstrap_external", "runpy"})  # the others show lines
_CODE: Final = (".py", ".pyc")
_THIS_PACKAGE: Final = __name__.partition(".")[0]
_IMPORTS: Final = "_find_and_load"  # a function of Python's that each import statement calls


def files_unpickled(frame: FrameType, module: str) -> Iterator[str]:
    """The files of the user's code behind a class or a function that a pickle names: no name in a
    body leads to it.

    Args:
        frame: who unpickles.
        module: where that is.
    """
    if str(_module_of(frame)).partition(".")[0] == _THIS_PACKAGE:  # a result, an argument
        return
    place = file_of_module(module)
    if place is not None and module != "__main__" and is_local_file(module, place):
        yield place
        yield from files_imported_by(place)


def is_outdated(file: str) -> bool:
    """Whether a file was changed after a module had been imported from it."""
    modules = [name for name, one in list(sys.modules.items())
               if getattr(one, "__dict__", {}).get("__file__") == file]  # fmt: skip
    return any(map(changed_since_import, modules))


def lists_for_import(frame: FrameType) -> bool:
    """Whether a folder is listed for an import, or to find what is installed."""
    return _module_of(frame) in _MACHINERY


def files_read(frame: FrameType, path: Any) -> Iterator[Any]:
    """What counts as read where a file is opened: that file; nothing for an import; of a module
    that is loaded otherwise its source, and those of the modules under edit that it imports.

    Args:
        frame: who opens it.
        path: which.
    """
    module, name = _module_of(frame), os.fsdecode(path)
    if not name.endswith(_CODE) or module not in _MACHINERY | {"runpy"}:
        yield path
    elif _is_asked_for(frame):
        source = importlib.util.source_from_cache(name) if "__pycache__" in name else name
        yield source
        if module in _RUNNING:
            yield from files_imported_by(source)


def _is_asked_for(frame: FrameType) -> bool:
    """Whether the user's code has this read, and not by an import."""
    asking: FrameType | None = frame
    while asking is not None and _module_of(asking) in _MACHINERY | _LOADERS:
        if asking.f_code.co_name == _IMPORTS:
            return False
        asking = asking.f_back
    return asking is not None and is_followed(asking.f_globals)


def _module_of(frame: FrameType) -> object:
    return frame.f_globals.get("__name__")
