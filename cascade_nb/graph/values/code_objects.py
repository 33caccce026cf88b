"""Tells code from values: functions, classes, modules, and what stands for one of them; and code of
libraries from the user's, which may have been put into those.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cascade_nb.model.resources import Resource
from cascade_nb.model.tasks.task import Task

_CODE: Final = (
    types.FunctionType,
    type,
    types.ModuleType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    functools._lru_cache_wrapper,
    Task,
    Resource,
)


_THIS_PACKAGE: Final = __name__.partition(".")[0]
_LIBRARIES: Final = (os.path.dirname(os.__file__) + os.sep, "<frozen ")  # noqa: PTH120 - of texts


def is_code(value: object) -> bool:
    """Whether `value` is code, a class among it, or a module. It is judged by what it is and not by
    what it says: before Python 3.11 ``list[int]`` says that it is a class.
    """
    return is_kind_of_code(type(value))


def is_kind_of_code(kind: type) -> bool:
    """Whether what is of this type is code."""
    return issubclass(kind, _CODE)


def is_of_library(kind: type) -> bool:
    """Whether a class is of an installed library or of Python itself."""
    if kind.__module__ in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return file.startswith(_LIBRARIES) or "site-packages" in file


def put_into(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions of the user's that stand in a class of a library, or in those below it."""
    for base in filter(is_of_library, kind.__mro__):
        package = str(base.__module__).partition(".")[0]
        for name, held in list(vars(base).items()):
            part = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
            if type(part) is types.FunctionType and _is_put(part.__globals__, package):
                yield f"{base.__qualname__}.{name}", part


def put_beside(space: Mapping[str, Any]) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions of the user's that stand in a module of a library, or in classes of it."""
    package = str(space.get("__name__")).partition(".")[0]
    for name, held in list(space.items()):
        if type(held) is types.FunctionType:
            if _is_put(held.__globals__, package):
                yield name, held
        elif isinstance(held, type):
            yield from put_into(held)


def _is_put(space: Mapping[str, Any], package: str) -> bool:
    """Whether code in this namespace is the user's, and not of a package; what a library writes at
    run time stands in a namespace that is no module's.
    """
    name, file = str(space.get("__name__")), space.get("__file__")
    if name == "__main__":
        return True
    if not isinstance(file, str) or name.partition(".")[0] in (package, _THIS_PACKAGE):
        return False
    return not (file.startswith(_LIBRARIES) or "site-packages" in file)
