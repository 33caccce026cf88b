"""Tells code from values: functions, classes, modules, and what stands for one of them."""

from __future__ import annotations

import functools
import types
from typing import Final

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


def is_code(value: object) -> bool:
    """Whether `value` is code, a class among it, or a module. It is judged by what it is and not by
    what it says: before Python 3.11 ``list[int]`` says that it is a class.
    """
    return is_kind_of_code(type(value))


def is_kind_of_code(kind: type) -> bool:
    """Whether what is of this type is code."""
    return issubclass(kind, _CODE)
