"""Tells the user's own files from those of Python, of libraries and of the system."""

from __future__ import annotations

import functools
import os
import pathlib
import sys
from typing import Final

from cascade_nb.graph.code.origin import code_folders

_SYSTEM: Final = ("/proc/", "/dev/", "/sys/")


def is_of_system(place: str) -> bool:
    """Whether a path is of Python, an installed library, the system or a cache, not of the user."""
    return place.startswith(_not_the_users()) or "__pycache__" in place


@functools.cache
def _not_the_users() -> tuple[str, ...]:
    home = pathlib.Path.home()
    caches = [pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")]
    if sys.platform == "darwin":
        caches.append(home / "Library" / "Caches")
    folders = [*code_folders(), *caches]
    return (*_SYSTEM, *_library_as_zip(), *(os.path.join(folder, "") for folder in folders))  # noqa: PTH118 - the separator is wanted


def _library_as_zip() -> tuple[str, ...]:
    """Where Python looks for its library in one file, which is nearly never there."""
    name = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return tuple(place for place in sys.path if pathlib.PurePath(place).name == name)
