"""A task's call as canonical bytes: the same whether an argument was given by place or by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.graph.atoms import CannotKeyError, digest, frame, text
from cascade_nb.graph.code import CodeKey, code_key
from cascade_nb.graph.encoder import Encoder
from cascade_nb.graph.files import files_bytes
from cascade_nb.model.caching import Cache
from cascade_nb.model.task import Task

_SCHEME: Final = b"call 1"
_GAP: Final = object()


class TaskKey(NamedTuple):
    """What all calls of one task share.

    Attributes:
        code: the key of its code.
        prefix: the digest of code and version, with which the bytes of each call begin.
        names: of the parameters that can be given by place.
        places: of those among them that can be given by name.
        most: how many may be given by place; below zero if the code has no key, so that no call
            fits.
    """

    code: CodeKey
    prefix: bytes
    names: tuple[str, ...]
    places: Mapping[str, int]
    most: int


# Of a parameter or a router, which run no code of a task.
NO_TASK: Final = TaskKey(CodeKey("", {}, {}), b"", (), {}, -1)


def task_key(task: Task[..., Any]) -> TaskKey:
    """What all calls of `task` share, by its code as it is now."""
    code = code_key(task)
    version = b"" if task.version is None else text(task.version)
    names: list[str] = []
    places: dict[str, int] = {}
    for name, parameter in task.signature.parameters.items():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                places[name] = len(names)
            names.append(name)
    prefix = digest(_SCHEME + bytes.fromhex(code.digest) + version)
    return TaskKey(code, prefix, tuple(names), places, -1 if code.unkeyed else len(names))


def call_bytes(
    key: TaskKey, encoder: Encoder, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bytes:
    """The bytes of one call.

    Raises:
        CannotKeyError: an argument has no content.
    """
    slots, rest = _sorted_out(key, args, kwargs)
    encode = encoder.encode
    parts = [key.prefix]
    parts += [b"_" if value is _GAP else encode(value) for value in slots]
    for name, value in rest:
        parts += (b"|", text(name), encode(value))
    return b"".join(parts)


def arguments(
    key: TaskKey, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Name and value of each argument of a call, in the order of the signature."""
    slots, rest = _sorted_out(key, args, kwargs)
    for name, value in zip(key.names, slots, strict=False):
        if value is not _GAP:
            yield name, value
    yield from rest


def check(key: TaskKey) -> None:
    """Refuse a task whose code cannot be keyed.

    Raises:
        CannotKeyError: there is a gap in the key of its code.
    """
    if key.code.unkeyed:
        raise CannotKeyError("its code", key.code.unkeyed[0])


def with_rules(raw: bytes, cache: Cache | None) -> bytes:
    """The key of a node whose result has rules of its own: `raw` is that of its call."""
    if cache is None or (cache.version is None and not cache.files):
        return raw
    version = b"" if cache.version is None else text(cache.version)
    return digest(b"rules" + raw + frame(b"v", version) + files_bytes(cache.files))


def _sorted_out(
    key: TaskKey, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], list[tuple[str, Any]]]:
    """The arguments that have a place, in it, and the others by name."""
    many = len(key.names)
    slots = list(args[:many])
    rest: list[tuple[str, Any]] = []
    if len(args) > many:
        rest.append(("*", tuple(args[many:])))
    for name, value in kwargs.items():
        place = key.places.get(name)
        if place is None:
            rest.append((name, value))
            continue
        if place >= len(slots):
            slots += [_GAP] * (place + 1 - len(slots))
        slots[place] = value
    if len(rest) > 1:
        rest.sort(key=_name)
    return slots, rest


def _name(item: tuple[str, Any]) -> str:
    return item[0]
