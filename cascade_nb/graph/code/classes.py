"""Reads what a class consists of from the class itself, since its source is not always found."""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.annotations import annotations_of

# Of the names with underscores on both sides, these say something about the class: where libraries
# make classes out of fields, they keep the fields there.
_TELLING: Final = frozenset(
    {"__slots__", "__pydantic_fields__", "__attrs_attrs__", "__orig_bases__"}
)
# What Python says of a class by itself; other such names that have plain values were given it.
_BY_ITSELF: Final = frozenset({"__module__", "__doc__", "__firstlineno__", "__static_attributes__"})
# What Python itself puts into a class, for its slots and for `abc`.
_OF_ANNOTATIONS: Final = frozenset(
    {"__annotate__", "__annotate_func__", "__annotations_cache__", "__conditional_annotations__"}
)  # since 3.14, instead of the annotations themselves
_MACHINERY: Final = (types.MemberDescriptorType, types.GetSetDescriptorType)
_ABC: Final = "_abc_impl"
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


class Member(NamedTuple):
    """One name of a class: functions, or else a value.

    Attributes:
        name: as the class has it.
        role: "def", "staticmethod", "property", …; "value" for an attribute.
        functions: the functions behind it.
        value: what is behind it, where that is no function.
    """

    name: str
    role: str
    functions: tuple[types.FunctionType, ...] = ()
    value: Any = None


class ClassContent(NamedTuple):
    """What makes a class what it is.

    Attributes:
        bases: its bases and its metaclass, without `object` and `type`, and what was registered
            with an abstract one.
        annotations: name and type of what it annotates, in order, as text.
        fields: what `dataclass` knows of it, in plain values.
        members: its own names, sorted.
    """

    bases: tuple[type, ...]
    annotations: tuple[tuple[str, str], ...]
    fields: tuple[Any, ...]
    members: tuple[Member, ...]


def class_content_of(cls: type) -> ClassContent:
    """What makes `cls` what it is but its name: not its documentation, nor where it stands."""
    own = cls.__dict__
    bases = tuple(base for base in (*cls.__bases__, type(cls)) if base not in (object, type))
    bases += tuple(registered_with(cls))
    return ClassContent(
        bases,
        tuple((str(name), type_text(kind)) for name, kind in annotations_of(cls).items()),
        tuple(_fields(cls)) if "__dataclass_fields__" in own else (),
        tuple(sorted(_members(cls), key=lambda member: member.name)),
    )


def registered_with(cls: type) -> list[type]:
    """The classes that somebody has registered with an abstract one."""
    if _ABC not in vars(cls):
        return []
    dump: Any = vars(abc).get("_get_dump")  # of CPython; others keep it where nobody sees it
    found = [one for ref in (dump(cls)[0] if dump else ()) if (one := ref()) is not None]
    return sorted(found, key=lambda one: (one.__module__, one.__qualname__))


def _members(cls: type) -> Iterator[Member]:
    own = cls.__dict__
    is_enum, is_dataclass = isinstance(cls, enum.EnumMeta), "__dataclass_fields__" in own
    if isinstance(cls, enum.EnumMeta):
        members: Mapping[str, enum.Enum] = cls.__members__
        boundary = str(own.get("_boundary_", ""))  # what a flag does with bits that it has not
        told = [(name, one.value) for name, one in members.items()]
        yield Member("", "value", value=[told, boundary] if boundary else told)
    for name, value in own.items():
        if name in _OF_ANNOTATIONS:
            continue
        role, parts = _parts(value)
        special = name.startswith("__") and name.endswith("__")
        functions = tuple(part for part in parts if isinstance(part, types.FunctionType))
        if functions:
            if not (is_dataclass and _written_by_dataclass(functions[0])):
                yield Member(name, role, functions)
        elif name in _TELLING or not (
            (special and not _plainly_given(name, value, is_dataclass))
            or is_enum
            or name == _ABC
            or isinstance(value, _MACHINERY)
        ):
            yield Member(name, role, value=parts)


def _plainly_given(name: str, value: object, is_dataclass: bool) -> bool:
    """Whether a name with underscores on both sides is something like ``__hash__ = None``."""
    if (
        name in _BY_ITSELF
        or (name == "__match_args__" and is_dataclass)
        or name.startswith(("__pydantic", "__dataclass"))
    ):
        return False
    parts = value if isinstance(value, tuple) else (value,)
    return all(type(part) in ATOMS for part in parts)


def _written_by_dataclass(function: types.FunctionType) -> bool:
    """Whether it follows from the fields anyway; its code differs from Python to Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)  # its `__repr__` is wrapped
    from_text = isinstance(code, types.CodeType) and code.co_filename == "<string>"
    return from_text or function.__globals__.get("__name__") == dataclasses.__name__


def _parts(value: Any) -> tuple[str, tuple[Any, ...]]:
    """How an attribute of a class is reached, and what is behind it."""
    role = type(value).__name__
    if isinstance(value, (staticmethod, classmethod)):
        return role, (value.__func__,)
    if isinstance(value, property):
        return role, (value.fget, value.fset, value.fdel)
    if isinstance(value, functools.cached_property):
        return role, (value.func,)
    return ("value", (value,)) if not isinstance(value, types.FunctionType) else ("def", (value,))


def _fields(cls: Any) -> Iterator[Any]:
    yield repr(cls.__dataclass_params__)
    for field in dataclasses.fields(cls):
        default = None if field.default is dataclasses.MISSING else (field.default,)
        factory = None if field.default_factory is dataclasses.MISSING else (field.default_factory,)
        shown = (field.init, field.repr, field.hash, field.compare, field.kw_only)
        told = (field.name, type_text(field.type), shown, default, factory)
        yield (*told, dict(field.metadata)) if field.metadata else told


def type_text(kind: object) -> str:
    """An annotation as text."""
    if isinstance(kind, str):
        return kind
    plain = isinstance(kind, type) and not hasattr(kind, "__origin__")  # list[int] is both
    return str(getattr(kind, "__qualname__", "")) if plain else _ADDRESS.sub("", repr(kind))
