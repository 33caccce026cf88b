"""Tells whose code something is, and so whether its content counts in a key or its version.

The user's namespace and modules under edit count by content. Installed libraries count by name and
version. The standard library and this package count by name alone: what they compute is theirs to
keep.
"""

from __future__ import annotations

import enum
import functools
import importlib.machinery
import pathlib
import site
import sys
import sysconfig
import types
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.model.found_by_name import MAIN

_HERE: Final = __name__.partition(".")[0]
_INSTALLED_FOLDERS: Final = frozenset({"site-packages", "dist-packages"})


class CodeOwner(enum.Enum):
    """Whose code it is."""

    USER = "user"  # the notebook's or script's own namespace
    LOCAL = "local"  # a module in a file that is nobody's package: it may be edited at any time
    INSTALLED = "installed"
    STANDARD = "standard"


class Origin(NamedTuple):
    """Where a piece of code comes from.

    Attributes:
        owner: whose it is.
        module: the dotted name of its module.
        version: of the installed package, "" where none is known or none counts.
        file: the module's file, where it has one.
    """

    owner: CodeOwner
    module: str
    version: str = ""
    file: str | None = None

    @property
    def followed(self) -> bool:
        """Whether what it says counts, not its version."""
        return self.owner in (CodeOwner.USER, CodeOwner.LOCAL)

    @property
    def part(self) -> str:
        """How an installed package is called among the parts of a key: "module numpy 2.4.6"."""
        return f"module {self.module.partition('.')[0]} {self.version}".rstrip()


_BUILTIN: Final = Origin(CodeOwner.STANDARD, "builtins")


def origin_of_namespace(namespace: Mapping[str, Any]) -> Origin:
    """Where the code comes from whose globals these are."""
    name = namespace.get("__name__")
    if not isinstance(name, str):
        return Origin(CodeOwner.USER, "__main__")
    return _origin(name, namespace.get("__file__"))


def origin_of_module(name: str) -> Origin:
    """Where the module of this dotted name comes from; it need not have been imported.

    What an import would find is looked for without importing anything.
    """
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        if file is None:  # a namespace package has folders only
            file = next(iter(getattr(module, "__path__", ())), None)
        return _origin(name, file)
    return _origin(name, _found(name))


def origin_of(thing: Any) -> Origin:
    """Where a function, a class or another named object comes from."""
    if isinstance(thing, types.ModuleType):  # which is not asked: see `_is_there`
        return _BUILTIN
    name = getattr(getattr(thing, "__objclass__", thing), "__module__", None)
    said = origin_of_module(name) if isinstance(name, str) else _BUILTIN
    if not isinstance(thing, types.FunctionType):
        return said
    real = origin_of_namespace(thing.__globals__)
    # A library's function may be wrapped by another one's decorator, and is named as it was. That a
    # library's decorator names its wrapper like the user's function must not make it the user's.
    return said if not (real.followed or said.followed) and _is_there(thing, said) else real


def qualified_name(thing: Any) -> str:
    """Its qualified name; that of its type if it has none."""
    if isinstance(thing, types.ModuleType):
        return thing.__name__
    for name in ("__qualname__", "__name__"):
        found = getattr(thing, name, None)
        if isinstance(found, str):  # some objects have every attribute that one asks for
            return found
    return type(thing).__qualname__


def is_of_user(thing: Any) -> bool:
    """Whether it is a function or a class of the user's, or an object of one."""
    if isinstance(thing, types.MethodType):
        thing = thing.__func__
    if isinstance(thing, types.FunctionType):
        return is_followed(thing.__globals__)
    kind = thing if isinstance(thing, type) else type(thing)
    return origin_of_module(str(kind.__module__)).followed


def counts(thing: Any, origin: Origin) -> bool:
    """Whether the content of a function or class counts.

    It does for the user's, and for what a library made at run time, which has no name of its own.
    """
    if not isinstance(thing, (types.FunctionType, type)):
        return False
    return origin.followed or not _is_there(thing, origin)


def file_of_module(name: str) -> str | None:
    """The file that an import of `name` would read, or has read; None if there is none."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else _found(name)


def is_local_file(name: str, file: str) -> bool:
    """Whether the file of a module is nobody's package, and may be edited at any time. It imports
    nothing, since it is asked in the middle of imports.
    """
    top = name.partition(".")[0]
    if name in MAIN or top == _HERE or top in sys.stdlib_module_names:
        return False
    return _owner_of(file) is CodeOwner.LOCAL


def is_followed(namespace: Mapping[str, Any]) -> bool:
    """Whether the code whose globals these are is the user's, by its names alone."""
    name, file = namespace.get("__name__"), namespace.get("__file__")
    if not isinstance(name, str) or name in MAIN:
        return True
    top = name.partition(".")[0]
    if top == _HERE:
        return False
    if not isinstance(file, str):
        return top not in sys.stdlib_module_names
    return _owner_of(file) is CodeOwner.LOCAL


def code_folders() -> tuple[pathlib.Path, ...]:
    """Where the standard library and installed packages lie."""
    return (*_standard_folders(), *_library_folders())


def _origin(name: str, file: object) -> Origin:
    top = name.partition(".")[0]
    if name in MAIN:
        return Origin(CodeOwner.USER, "__main__")
    if top == _HERE:
        return Origin(CodeOwner.STANDARD, name)
    if not isinstance(file, str):
        owner = CodeOwner.STANDARD if top in sys.stdlib_module_names else CodeOwner.USER
        return Origin(owner, name)
    owner = _owner_of(file)
    version = _version(top) if owner is CodeOwner.INSTALLED else ""
    return Origin(owner, name, version, file)


def _is_there(thing: Any, origin: Origin) -> bool:
    """Whether the module has it under its own name."""
    found: Any = sys.modules.get(origin.module)
    for name in thing.__qualname__.split("."):
        # A module is not asked: its own `__getattr__` may import, or raise anything.
        is_module = isinstance(found, types.ModuleType)
        found = vars(found).get(name) if is_module else getattr(found, name, None)
    return found is thing


@functools.lru_cache(maxsize=4096)
def _owner_of(file: str) -> CodeOwner:
    path = pathlib.Path(file).absolute()
    if _INSTALLED_FOLDERS.intersection(path.parts) or _below(path, _library_folders()):
        return CodeOwner.INSTALLED
    if _below(path, _standard_folders()) or file.startswith("<frozen"):
        return CodeOwner.STANDARD
    return CodeOwner.LOCAL


def _below(path: pathlib.Path, folders: tuple[pathlib.Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


@functools.cache
def _library_folders() -> tuple[pathlib.Path, ...]:
    # Not sys.prefix: where that is /usr, a user's project may well lie below it.
    user = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    places = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), user]
    return tuple(pathlib.Path(place).absolute() for place in places if place)


@functools.cache
def _standard_folders() -> tuple[pathlib.Path, ...]:
    places = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    return tuple(pathlib.Path(place).absolute() for place in places if place)


def _version(top: str) -> str:
    """What the imported package says, else what is installed: a late import changes nothing."""
    said = vars(sys.modules[top]).get("__version__") if top in sys.modules else None
    return said if isinstance(said, str) else _installed_version(top)


@functools.lru_cache(maxsize=1024)
def _installed_version(top: str) -> str:
    import importlib.metadata  # noqa: PLC0415 - it brings half a mail program along

    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:  # it is called otherwise than its module
        names = importlib.metadata.packages_distributions().get(top)
    return importlib.metadata.version(names[0]) if names else ""


def _found(name: str) -> str | None:
    """The file of a module that is not imported, looked up folder by folder as an import would."""
    places: list[str] | None = None
    file: str | None = None
    so_far = ""
    for part in name.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        spec = importlib.machinery.PathFinder.find_spec(so_far, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
        file = spec.origin or next(iter(places), None)
        if not places and so_far != name:
            return None
    return file
