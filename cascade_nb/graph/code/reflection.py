"""Keys annotations, documentation, subclasses and modules, for code that reads them at run time.

They do nothing, so they do not count, but for who asks for them at run time.
"""

from __future__ import annotations
import __future__

import functools
import types
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from cascade_nb.graph.code.classes import type_text
from cascade_nb.graph.code.origin import origin_of_module, origin_of_namespace
from cascade_nb.graph.code.source import Facts
from cascade_nb.graph.code.titles import Label, plain_of
from cascade_nb.graph.values.atoms import digest, text
from cascade_nb.model.annotations import annotations_of
from cascade_nb.model.tasks.task import Task

_ASKS_FOR_TYPES: Final = frozenset(
    {"__annotations__", "get_type_hints", "get_annotations", "signature", "getfullargspec"}
)
_ASKS_FOR_DOCS: Final = frozenset({"__doc__", "getdoc"})
# In which module a function stands, of which its file is another sign.
_ASKS_FOR_MODULES: Final = frozenset(
    {"__module__", "__globals__", "f_globals", "getmodule"}
    | {"co_filename", "getfile", "getsourcefile"}
)
_FUTURE: Final = __future__.annotations.compiler_flag


class Reflection:
    """What one look at code finds of this, and whether any of the code reads it."""

    def __init__(self) -> None:
        self._types_asked = self._docs_asked = self._subclasses_asked = False
        self._modules_asked = False
        self._modules: dict[Label, bytes] = {}
        self._classes: dict[Label, type] = {}
        self._types: dict[Label, bytes] = {}
        self._docs: dict[Label, str] = {}

    @property
    def asks(self) -> bool:
        """Whether any of the code reads annotations or documentation."""
        return self._types_asked or self._docs_asked

    def code(self, names: Collection[str], texts: Collection[str]) -> None:
        """Take note of the names that a body uses, and of the texts in it."""
        self._types_asked = self._types_asked or not _ASKS_FOR_TYPES.isdisjoint(names)
        self._docs_asked = self._docs_asked or not _ASKS_FOR_DOCS.isdisjoint(names)
        self._subclasses_asked = self._subclasses_asked or "__subclasses__" in names
        used = (*names, *texts)  # texts as in `getattr(f, "__module__")`
        self._modules_asked = self._modules_asked or not _ASKS_FOR_MODULES.isdisjoint(used)

    def function(self, label: Label, function: types.FunctionType, facts: Facts) -> None:
        """Take note of what a function says."""
        kind = b"text" if function.__code__.co_flags & _FUTURE else b"value"
        said = facts.annotations
        if not said:  # there is no source that could tell
            found = annotations_of(function).items()
            said = text(repr([(name, type_text(one)) for name, one in found]))
        self._types[label] = kind + said
        self._doc(label, function.__doc__)
        self._modules[label] = _module_bytes(function)

    def cls(self, label: Label, cls: type) -> None:
        """Take note of a class, and of what it says."""
        self._classes[label] = cls
        self._doc(label, vars(cls).get("__doc__"))

    def subclasses(self, refer: Callable[[type], bytes]) -> Iterator[tuple[Label, bytes]]:
        """Name and digest of the subclasses of each class that was noted since this was last asked,
        where code goes through those.
        """
        if self._subclasses_asked:
            new, self._classes = self._classes, {}
            for label, cls in new.items():
                found = b"".join(map(refer, type.__subclasses__(cls)))
                yield label.told("subclasses"), digest(found)

    def parts(self) -> Iterator[tuple[Label, bytes]]:
        """Name and digest of what counts."""
        if self._types_asked:
            yield from ((label.told("annotations"), digest(t)) for label, t in self._types.items())
        if self._modules_asked:
            yield from ((label.told("module"), digest(m)) for label, m in self._modules.items())
        if self._docs_asked:
            for label, doc in self._docs.items():
                yield label.told("documentation"), digest(text(doc))

    def _doc(self, label: Label, doc: Any) -> None:
        if isinstance(doc, str):
            self._docs[label] = doc


def identity_bytes(thing: Any) -> bytes:
    """What a function that is handed on says of itself beside its code: what it is called, where it
    stands, and whether it is a task; of others nothing.
    """
    plain = plain_of(thing)
    if not isinstance(plain, (types.FunctionType, functools._lru_cache_wrapper)):
        return b""
    task = text(thing.name) + text(str(thing.version)) if isinstance(thing, Task) else b""
    return text(str(getattr(plain, "__name__", ""))) + _module_bytes(plain) + task


def reflected_bytes(thing: Any) -> bytes:
    """The annotations and the documentation of a function or a class; of others nothing."""
    plain = plain_of(thing)
    if not isinstance(plain, (types.FunctionType, functools._lru_cache_wrapper, type)):
        return b""
    found = [(name, type_text(one)) for name, one in annotations_of(plain).items()]
    return text(repr(found)) + text(repr(plain.__doc__))


def _module_bytes(thing: Any) -> bytes:
    """In which module a function says that it stands, and in which it does."""
    said = text(origin_of_module(str(getattr(thing, "__module__", None))).module)
    if not isinstance(thing, types.FunctionType):
        return said
    return said + text(origin_of_namespace(thing.__globals__).module)
