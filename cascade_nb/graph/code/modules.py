"""Digests whole modules: those that a body imports itself, or hands on as an object.

Such a module counts as its file says, and where somebody has set something else in it since, an
option in a module of settings, for instance, that counts too.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import os
import pathlib
import re
import sys
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.graph.code.origin import (
    CodeOwner,
    file_of_module,
    is_local_file,
    origin_of_module,
)
from cascade_nb.graph.code.source import Facts, Import
from cascade_nb.graph.code.syntax import Written, module_digest, written_in
from cascade_nb.graph.values.atoms import ATOMS, digest
from cascade_nb.graph.values.imported_state import ImportedState, state_of, watch_imports
from cascade_nb.graph.values.own_changes import OwnChanges, own_changes_in

IMPORTERS: Final = frozenset({"import_module", "__import__", "resolve_name"})
"""Names of what imports a module whose name is a text."""
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


_MISSING: Final = object()


class ModuleText(NamedTuple):
    """What a module's file says.

    Attributes:
        digest: of its normalised syntax tree; of its bytes where it is not Python source.
        imports: what it imports anywhere in it.
        source: its text, "" where it has none.
        written: what it binds; None where it may bind anything.
        own: what its functions may change in it.
    """

    digest: bytes
    imports: tuple[Import, ...] = ()
    source: str = ""
    written: Written | None = None
    own: OwnChanges = OwnChanges()

    def set_since(self, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The names that somebody has set in an imported module, or in a class of it, to something
        else than its file says, each after the module's namespace.

        Args:
            name: of the module whose file says this.
        """
        module = sys.modules.get(name)
        if not isinstance(module, types.ModuleType):
            return
        space, state = vars(module), state_of(module)
        for one in sorted(space.keys() | state.names()):
            value = space.get(one, _MISSING)
            if one.startswith("__") or issubclass(type(value), types.ModuleType):
                continue
            if self._says_else(one, value, space) or self._was_else(one, value, state):
                yield space, one

    def _says_else(self, name: str, value: Any, space: Mapping[str, Any]) -> bool:
        """Whether the text says something else than this."""
        if self.written is None:
            return False
        if name not in self.written.names:
            return type(value) in ATOMS or type(value) is types.FunctionType
        return _differs(name, value, self.written, space, self.own.stored)

    def _was_else(self, name: str, value: Any, state: ImportedState) -> bool:
        """Whether a name stood for something else when the module had been imported, be it worked
        out or another module's, and the module's own functions have not changed that.
        """
        if self.own.anything or name in self.own.rebound:
            return False
        if not state.has(name):
            return type(value) in ATOMS or type(value) is types.FunctionType
        if state.is_other(name, value):
            return True
        if self.own.any_part or name in self.own.touched:
            return False
        return state.is_altered(name, value, self.own.stored)


def _differs(
    name: str, value: Any, written: Written, space: Mapping[str, Any], stored: Collection[str]
) -> bool:
    if name in written.values:
        return not _is_same(value, written.values[name])
    if name in written.functions:
        return type(value) is not types.FunctionType or value.__globals__ is not space
    if name not in written.classes or type(value) is not type or issubclass(value, tuple):
        return False  # what a metaclass or a named tuple makes of literals is its own affair
    inner, held = written.classes[name], vars(value)
    said = (inner.values.keys() | inner.functions).difference(stored)
    said = {one for one in said if not one.startswith("__")}
    return any(_differs(one, held.get(one, _MISSING), inner, space, stored) for one in said)


def _is_same(value: Any, literal: Any) -> bool:
    if type(value) is not type(literal):
        return False
    if type(value) is dict:
        value, literal = list(value.items()), list(literal.items())
    if type(value) in (list, tuple):
        return len(value) == len(literal) and all(map(_is_same, value, literal))
    if type(value) in (set, frozenset):
        return bool(value == literal)
    return repr(value) == repr(literal)


class FileVersion(NamedTuple):
    """When a file was written last, and how long it is."""

    mtime_ns: int
    size: int


def module_text(name: str) -> ModuleText | None:
    """What the file of a module says now, or None if it has no file.

    A file is read again when its time or size has changed.
    """
    file = file_of_module(name)
    version = file_version(file) if file is not None else None
    if file is None or version is None:
        return None
    return _read(file, version) if not pathlib.Path(file).is_dir() else ModuleText(digest(b""))


def files_imported_by(file: str) -> Iterator[str]:
    """The files of the modules under edit that a file imports, and of those that these import."""
    seen: set[str] = set()
    todo = [("", file)]
    while todo:
        name, at = todo.pop()
        version = file_version(at)
        imports = () if version is None or not at.endswith(".py") else _read(at, version).imports
        for one in imports:
            said = within(name, one) if name else one.module
            for inner in {said, *(f"{said}.{part}" for part in one.names)} - seen:
                seen.add(inner)
                place = file_of_module(inner)
                if place is not None and origin_of_module(inner).owner is CodeOwner.LOCAL:
                    yield place
                    todo.append((inner, place))


def set_in(name: str) -> list[str]:
    """The names that somebody has set in a module to something else than its file says; none where
    that file was changed since the import.
    """
    found = module_text(name)
    if found is None or changed_since_import(name):
        return []
    return [one for _, one in found.set_since(name)]


# By module name: the spec of the import that made it what it is, and what its file was then.
_imported: dict[str, tuple[object, FileVersion | None]] = {}
_CHANGED: Final = (
    "was changed on disk after it was imported, so what runs is not what it says: reload it, or "
    "let %autoreload do so"
)


def changed_since_import(name: str) -> str:
    """In words, that the file of an imported module was changed and the module not reloaded, "" of
    others.

    What runs is then not what the file says. The file's time and size at the import are those that
    the compiled file recorded; where there is none, those when the module was first looked at. What
    was looked at before the import must not have changed until then.
    """
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    if module is None and (place := file_of_module(name)) is not None:
        _imported[name] = (None, file_version(place))
    if spec is None or not isinstance(file, str):
        return ""
    now = file_version(file)
    known = _imported.get(name)
    if known is None or known[0] is not spec:  # a reload makes a new spec
        compiled = _compiled_from(getattr(spec, "cached", None))
        same = known is None or known[0] is not None or known[1] == now
        if compiled is not None and now is not None:
            same = compiled == _seconds(now)
        _imported[name] = known = (spec, now if same else None)
    return _CHANGED if known[1] != now else ""


def imports_of(facts: Facts, namespace: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a body imports: the absolute name of each module, and the names that it takes out of it.

    Args:
        facts: what the body says.
        namespace: its globals.
    """
    yield from ((resolved(one, namespace), one.names) for one in facts.imports)
    if not IMPORTERS.isdisjoint(facts.names):
        for one in facts.texts:
            name = one.partition(":")[0]
            if _DOTTED.fullmatch(name) and origin_of_module(name).owner is CodeOwner.LOCAL:
                yield name, ()


def resolved(found: Import, namespace: Mapping[str, Any]) -> str:
    """The absolute name of the module that an import statement in this namespace names."""
    if not found.level:
        return found.module
    package = namespace.get("__package__")
    if not isinstance(package, str):
        package = str(namespace.get("__name__", "")).rpartition(".")[0]
    return relative(found, package)


def within(name: str, found: Import) -> str:
    """The absolute name of what `found` names inside the module, or the package, `name`."""
    is_package = (file_of_module(name) or "").endswith("__init__.py")
    return relative(found, name if is_package else name.rpartition(".")[0])


def relative(found: Import, package: str) -> str:
    """The absolute name of what `found` names inside `package`."""
    if not found.level:
        return found.module
    parents = package.split(".")
    parents = parents[: len(parents) - found.level + 1]
    return ".".join([*parents, found.module] if found.module else parents)


@functools.lru_cache(maxsize=512)
def _read(file: str, version: FileVersion) -> ModuleText:
    path = pathlib.Path(file)
    data = path.read_bytes()
    if path.suffix != ".py":
        return ModuleText(digest(data))
    try:
        tree = parse(data)
        imports: dict[Import, None] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imports.update(dict.fromkeys(Import(one.name, 0, ()) for one in node.names))
            elif isinstance(node, ast.ImportFrom):
                names = tuple(one.name for one in node.names)
                imports[Import(node.module or "", node.level, names)] = None
        source = data.decode("utf-8", "replace")
        written, own = written_in(tree, source), own_changes_in(tree)
        return ModuleText(module_digest(tree), tuple(imports), source, written, own)
    except (SyntaxError, ValueError, RecursionError):
        return ModuleText(digest(data))  # nothing that could be imported, but content all the same


def file_version(file: str) -> FileVersion | None:
    """Time and size of a file now; None where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 - one call instead of a Path for each look
    except OSError:
        return None
    return FileVersion(found.st_mtime_ns, found.st_size)


def _seconds(version: FileVersion) -> tuple[int, int]:
    return version.mtime_ns // 1_000_000_000 & 0xFFFFFFFF, version.size & 0xFFFFFFFF


def _compiled_from(cached: object) -> tuple[int, int] | None:
    """Time (seconds) and size of the source of a compiled file, as its header says (PEP 552)."""
    if not isinstance(cached, str):
        return None
    try:
        with pathlib.Path(cached).open("rb") as file:
            header = file.read(16)
    except OSError:
        return None
    if len(header) < 16 or any(header[4:8]):  # cut short, or made by hash
        return None
    return int.from_bytes(header[8:12], "little"), int.from_bytes(header[12:16], "little")


def _look_at_once(name: str) -> None:
    """Look at a file when its import is over, so that one that is changed later is known to be
    another; not on a loop, which must not wait for a disk.
    """
    if asyncio._get_running_loop() is None:
        changed_since_import(name)


watch_imports(is_local_file, _look_at_once)
