"""Finds the environment variables that code reads by name (`os.environ["X"]`, `os.getenv("X")` and
the like), and whether it asks for the current folder.

Which text is the name of one is not followed through the code. Where any of it asks for the
environment at all, every text in it that is the name of a variable that is set counts, with that
variable's value: a constant of a body, a global, a default, an argument of the call. A variable
that is not set does not count, so that it does when it is. What is read under a name that is put
together is noticed while it runs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from cascade_nb.graph.code.origin import is_of_user
from cascade_nb.graph.values.atoms import text
from cascade_nb.graph.values.registries import registered
from cascade_nb.graph.values.setting_reads import SettingReads

#: Names that code uses only when it asks for the environment.
ASKING: Final = frozenset({"environ", "environb", "getenv", "getenvb", "expandvars"})

#: Names that code uses when what it does depends on the current folder.
ASKING_FOR_FOLDER: Final = frozenset(
    {"getcwd", "getcwdb", "cwd", "abspath", "absolute", "realpath", "resolve", "relpath"}
)

#: Names that code uses when it looks for a program.
ASKING_FOR_PROGRAMS: Final = frozenset({"which"})

_ASKED: Final = tuple(
    value for name in sorted(ASKING - {"expandvars"}) if (value := getattr(os, name, None))
)
_ASKED_FOLDER: Final = (
    os.getcwd,
    os.getcwdb,
    os.path.abspath,
    os.path.realpath,
    os.path.relpath,
)
_BY_NAME: Final = (*_ASKED, *_ASKED_FOLDER, shutil.which)
_PROGRAM: Final = re.compile(r"[\w.+-]{1,64}")
_FOLDER_IN_TEXT: Final = re.compile(r"\b(?:getcwdb?|cwd|abspath)\b")
_DOLLAR: Final = re.compile(r"\$\{?(\w+)")
_QUOTED: Final = re.compile(r"""['"]([^'"\\\n]{1,200})['"]""")
_LOOKED_AT: Final = 200


class EnvironmentReads:
    """What one look at code finds of the environment.

    Attributes:
        asked: whether any of the code asks for it.
        settings: which settings of the process it goes by.
        folder: whether any asks for the current folder.
        programs: whether any looks for programs.
    """

    def __init__(self) -> None:
        self.asked = False
        self.folder = self.programs = False
        self.settings = SettingReads()
        self._texts: set[str] = set()
        self._names: set[str] = set()
        self._imports = False

    def code(self, names: Collection[str], texts: Iterable[str], *, imports: bool) -> None:
        """Take note of the names that a body uses, of the texts in it, and whether it imports."""
        self._names.update(names)
        self._imports = self._imports or imports
        self.settings.code(names)
        self.folder = self.folder or not ASKING_FOR_FOLDER.isdisjoint(names)
        self.programs = self.programs or not ASKING_FOR_PROGRAMS.isdisjoint(names)
        self.asked = self.asked or not ASKING.isdisjoint(names)
        self._texts.update(texts)

    def value(self, value: Any) -> None:
        """Take note of a value that a body reads: the environment itself, texts, a library."""
        self.settings.value(value)
        self.asked = self.asked or any(value is one for one in _ASKED)
        self.folder = self.folder or any(value is one for one in _ASKED_FOLDER)
        self.programs = self.programs or value is shutil.which
        self._texts.update(texts_in(value))

    def module(self, source: str) -> None:
        """Take note of a whole file."""
        self.settings.module(source)
        self.folder = self.folder or _FOLDER_IN_TEXT.search(source) is not None
        self.programs = self.programs or "which(" in source
        self.asked = self.asked or any(name in source for name in ASKING)
        if self.asked or self.programs:
            self._texts.update(_QUOTED.findall(source))

    def found(self) -> dict[str, str]:
        """Name and value of each variable that is set and that the code may read."""
        return set_ones(self._texts) if self.asked else {}

    def around(self) -> Iterator[tuple[str, Any]]:
        """What else counts of what is around the code, by the words for it."""
        if self.folder:
            yield "current folder", current_folder()
        if self.programs:
            words = sorted(filter(_PROGRAM.fullmatch, self._texts))
            yield "programs that are found", [(w, at) for w in words if (at := shutil.which(w))]
        yield from self.settings.found()
        uses, imports = self.settings.uses, self._imports
        yield from registered(self._names, self._texts, uses, is_of_user, imports=imports)


def is_asked(value: Any) -> bool:
    """Whether it is the environment itself, or a function that asks it or for the current folder,
    under whatever name code has it.
    """
    return any(value is one for one in _BY_NAME)


def current_folder() -> str:
    """The current folder; "" where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text is wanted
    except OSError:
        return ""


def texts_in(value: Any) -> Iterable[str]:
    """The texts that a value is, or holds at its surface."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bytes):
        return (os.fsdecode(value),)
    if isinstance(value, (tuple, list, set, frozenset, dict)) and len(value) <= _LOOKED_AT:
        inner = [*value, *value.values()] if isinstance(value, dict) else list(value)
        return [one for one in inner if isinstance(one, str)]
    return ()


def set_ones(texts: Iterable[str]) -> dict[str, str]:
    """Name and value of each environment variable that is set and named in `texts`."""
    names: set[str] = set()
    for one in texts:
        names.add(one)
        if "$" in one:
            names.update(_DOLLAR.findall(one))
    return {name: os.environ[name] for name in sorted(names & os.environ.keys())}


def environment_bytes(found: Mapping[str, str]) -> bytes:
    """The bytes of variables for the key of a call."""
    return b"".join([b"$" + text(name) + text(value) for name, value in found.items()])
