"""A notebook's namespace without a notebook: cells whose source Python can find again."""

from __future__ import annotations

import ast
import importlib
import linecache
import os
import pathlib
import sys
import textwrap
import types
import zlib
from typing import Any

from cascade_nb.graph.code.code_key import CodeKey, code_key


class Cells:
    """The user's namespace, filled cell by cell as IPython does it.

    Args:
        source: whether the text of the cells can be found afterwards.
    """

    def __init__(self, source: bool = True) -> None:
        self.source = source
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}

    def run(self, *cells: str) -> Cells:
        """Run cells one after the other, each under a file name made of its text."""
        for cell in cells:
            source = textwrap.dedent(cell).strip("\n") + "\n"
            name = f"<cell {zlib.crc32(source.encode()):08x}>"
            lines = source.splitlines(keepends=True)
            if self.source:
                linecache.cache[name] = (len(source), None, lines, name)
            else:
                name = "<string>"
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            exec(compile(source, name, "exec", flags=flags, dont_inherit=True), self.names)
        return self

    def key(self, name: str = "f") -> CodeKey:
        return code_key(self.names[name])


class Folder:
    """A folder on `sys.path` with modules that a user edits."""

    def __init__(self, place: pathlib.Path) -> None:
        self.place = place
        self._age = 0

    def write(self, name: str, source: str) -> pathlib.Path:
        """Write a module, always with a time of its own."""
        path = self.place / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        package = path.parent
        while package != self.place:
            (package / "__init__.py").touch()
            package = package.parent
        path.write_text(textwrap.dedent(source))
        self._age += 1
        when = 1_700_000_000 + self._age * 10
        os.utime(path, (when, when))
        importlib.invalidate_caches()
        return path

    def load(self, name: str) -> types.ModuleType:
        return importlib.import_module(name)

    def forget(self) -> None:
        """As in a new process: nothing of it was imported."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if file.startswith(str(self.place)) or name.partition(".")[0] in self._tops():
                del sys.modules[name]
        importlib.invalidate_caches()

    def _tops(self) -> set[str]:
        return {path.stem for path in self.place.iterdir()}
