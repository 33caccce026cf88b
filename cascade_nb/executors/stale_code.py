"""Notices that a module which this process has imported was written anew since.

The process that asks has reloaded it, or will; this one would go on with what it was. So it ends,
and a new one takes its place.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Final

from cascade_nb.model.found_by_name import MAIN

_LOOK: Final = 0.02  # seconds in which it is not looked at again, among calls …
_AT_ONCE: Final = 0.0001  # … that follow each other so soon that nothing was reloaded between them


class LoadedModules:
    """The files of the user's modules that were imported here."""

    def __init__(self) -> None:
        self._versions: dict[str, tuple[int, int]] = {}
        self._known = 0
        self._looked = self._taken = 0.0
        libraries = {sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)}  # noqa: PTH120
        own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
        self._not_the_users = (*(os.path.join(one, "") for one in libraries), os.path.join(own, ""))  # noqa: PTH118
        self.look()

    def look(self) -> None:
        """A call is over: what it imported counts from now on as it is."""
        if len(sys.modules) == self._known:
            return
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or file in self._versions or name in MAIN:
                continue
            if not file.startswith(self._not_the_users) and (version := _version(file)) is not None:
                self._versions[file] = version
        self._known = len(sys.modules)

    def are_stale(self) -> bool:
        """Whether one of them is not what was imported; asked as a call is taken."""
        now, before = time.monotonic(), self._taken
        self._taken = now
        if now - before < _AT_ONCE and now - self._looked < _LOOK:
            return False
        self._looked = now
        return any(_version(file) != version for file, version in self._versions.items())


def _version(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - one call instead of a Path for each look
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
