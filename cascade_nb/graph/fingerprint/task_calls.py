"""Turns a task's call into canonical bytes, the same for arguments by place and by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.file_stamps import FileStamp, files_at, in_json, stamp_of
from cascade_nb.graph.code.code_key import CodeKey, code_key
from cascade_nb.graph.code.environment import environment_bytes, set_ones, texts_in
from cascade_nb.graph.code.reflection import reflected_bytes
from cascade_nb.graph.effects.effects import effects_of
from cascade_nb.graph.values.atoms import ATOMS, CannotKeyError, digest, frame, text
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.arguments.collections import HOW
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.options.caching import Cache
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.resources import Injected

_SCHEME: Final = b"call 2"
_GAP: Final = object()
_NONE: Final = inspect.Parameter.empty


class TaskKey(NamedTuple):
    """What all calls of one task share.

    Attributes:
        code: the key of its code.
        prefix: the digest of code and version, with which the bytes of each call begin.
        names: of the parameters that can be given by place.
        places: of those among them that can be given by name.
        most: how many may be given by place in a call of the usual kind; below zero where there is
            none: its code has no key, arguments do not count, or it reads the environment or the
            documentation of functions.
        tails: by how many arguments are given by place, the bytes of the others; empty where none
            can be left out.
        defaults: the bytes of each parameter that can be given by place, where it is left out.
        named: the same of those that are given by name alone, in the order of the signature.
        ignored: the parameters that do not count.
        doubtful: whether equal calls may give other results: it draws, or reads the clock.
    """

    code: CodeKey
    prefix: bytes
    names: tuple[str, ...]
    places: Mapping[str, int]
    most: int
    tails: tuple[bytes, ...] = ()
    defaults: tuple[bytes, ...] = ()
    named: Mapping[str, bytes] = NOTHING
    ignored: frozenset[str] = frozenset()
    doubtful: bool = False


# Of a parameter or a router, which run no code of a task.
NO_TASK: Final = TaskKey(CodeKey("", {}, {}), b"", (), {}, -1)


def task_key(task: AnyTask, encoder: Encoder) -> TaskKey:
    """What all calls of `task` share, by its code as it is now."""
    code, ignored = code_key(task), task.ignore
    version = b"" if task.version is None else text(task.version)
    names: list[str] = []
    places: dict[str, int] = {}
    defaults: list[bytes] = []
    named: dict[str, bytes] = {}
    for name, parameter in task.signature.parameters.items():
        default = _default(
            encoder, inspect.Parameter.empty if name in ignored else parameter.default
        )
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                places[name] = len(names)
            names.append(name)
            defaults.append(default)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = default
    prefix = digest(_SCHEME + bytes.fromhex(code.digest) + version)
    rest = [_named(name, said) for name, said in named.items()]
    tails = [b"".join([*defaults[n:], *rest]) for n in range(len(names) + 1)]
    usual = not (code.unkeyed or code.environment or code.reflects or ignored)
    return TaskKey(
        code,
        prefix,
        tuple(names),
        places,
        len(names) if usual else -1,
        tuple(tails) if task.optional or named else (),
        tuple(defaults),
        named,
        ignored,
        bool(effects_of(task).doubts),
    )


def call_bytes(
    key: TaskKey, encoder: Encoder, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bytes:
    """The bytes of one call: what is left out counts as if its default had been given.

    Args:
        key: of the task.
        encoder: makes the bytes of values.
        args, kwargs: of the call.

    Raises:
        CannotKeyError: an argument has no content.
    """
    slots, named, extra = _sorted_out(key, args, kwargs)
    encode, ignored = encoder.encode, key.ignored
    parts = [key.prefix]
    for name, default, value in zip(key.names, key.defaults, slots, strict=True):
        parts.append(default if value is _GAP or name in ignored else encode(value))
    for name, default in key.named.items():
        left_out = name not in named or name in ignored
        parts.append(_named(name, default if left_out else encode(named[name])))
    for name, value in extra.items():
        if name not in ignored:
            parts.append(_named(name, encode(value)))
    if len(args) > len(key.names):
        parts.append(b"*" + encode(tuple(args[len(key.names) :])))
    if sum(value.__class__ not in ATOMS for value in (*args, *kwargs.values())) > 1:
        parts.append(encoder.across(value for _, value in arguments(key, args, kwargs)))
    if key.code.environment:
        parts.append(environment_bytes(named_variables(key, args, kwargs)))
    if key.code.reflects:
        parts.append(_reflected_in([value for _, value in arguments(key, args, kwargs)]))
    return b"".join(parts)


def map_bytes(
    key: TaskKey,
    encoder: Encoder,
    collections: Mapping[str, Any],
    fixed: Mapping[str, Any],
    how: str,
) -> bytes:
    """The bytes of a mapped call, in the manner of `call_bytes`.

    Args:
        key: of the task.
        encoder: makes the bytes of values.
        collections, fixed: by parameter name, what is gone through and what is the same for all.
        how: it is gone through. Of a product the order of the collections is that of its items.

    Raises:
        CannotKeyError: an argument has no content.
    """
    encode = encoder.encode
    parts = [b"map", key.prefix]
    if how != HOW[0]:
        parts.append(text(how) + b"".join(map(text, collections)))
    given = {**fixed, **collections}
    defaults = {**dict(zip(key.names, key.defaults, strict=True)), **key.named}
    for name in (*defaults, *(name for name in given if name not in defaults)):
        if name in key.ignored:
            continue
        which = b"each" if name in collections else b"all"
        said = encode(given[name]) if name in given else defaults[name]
        parts.append(which + _named(name, said))
    if key.code.environment:
        parts.append(environment_bytes(named_variables(key, (), given)))
    if key.code.reflects:
        parts.append(_reflected_in([given[name] for name in sorted(given.keys() - key.ignored)]))
    return b"".join(parts)


def _reflected_in(values: list[Any]) -> bytes:
    """What functions and classes in values say of themselves; nothing where there is none."""
    found: list[bytes] = []

    def refer(thing: Any) -> bytes:
        found.append(reflected_bytes(thing))
        return found[-1]

    said = Encoder(refer, lambda _: b"").encode(values)
    return b"reflected" + digest(said) if any(found) else b""


def arguments(
    key: TaskKey, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Name and value of each argument that counts, in the order of the signature."""
    if not kwargs and not key.ignored and len(args) <= len(key.names):
        yield from zip(key.names, args, strict=False)  # nearly always
        return
    slots, named, extra = _sorted_out(key, args, kwargs)
    for name, value in (*zip(key.names, slots, strict=True), *named.items(), *extra.items()):
        if value is not _GAP and name not in key.ignored:
            yield name, value
    if len(args) > len(key.names):
        yield "*", tuple(args[len(key.names) :])


def named_variables(key: TaskKey, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables that arguments of a call name, where its code reads any."""
    if not key.code.environment:
        return {}
    return set_ones(one for value in (*args, *kwargs.values()) for one in texts_in(value))


def check(key: TaskKey) -> None:
    """Refuse a task whose code cannot be keyed.

    Raises:
        CannotKeyError: there is a gap in the key of its code.
    """
    if key.code.unkeyed:
        raise CannotKeyError("its code", key.code.unkeyed[0])


def with_rules(raw: bytes, cache: Cache | None, task: object) -> bytes:
    """The key of a node whose result has rules of its own.

    Files are looked at where a task begins and ends, since it may make some of them; only what has
    no task, as a router, is keyed by them.

    Args:
        raw: the key without the rules.
        cache: the rules.
        task: what the node calls; None for a router.
    """
    files = () if cache is None or task is not None else cache.files
    if cache is None or (cache.version is None and not files):
        return raw
    version = b"" if cache.version is None else text(cache.version)
    stamps = {
        FileStamp(name, stamp_of(name, young=False)) for rule in files for name in files_at(rule)
    }
    return digest(b"rules" + raw + frame(b"v", version) + text(in_json(stamps)))


def obstacle(encoder: Encoder, value: Any) -> CannotKeyError | None:
    """Why `value` has no content, or None where it has."""
    try:
        encoder.encode(value)
    except CannotKeyError as error:
        return error
    return None


def _sorted_out(
    key: TaskKey, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """The arguments that have a place, in it, those that have a name alone, and the others, whose
    order a body can see.
    """
    many = len(key.names)
    slots = [*args[:many], *[_GAP] * (many - len(args))]
    named: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in kwargs.items():
        place = key.places.get(name)
        if place is not None:
            slots[place] = value
        elif name in key.named:
            named[name] = value
        else:
            extra[name] = value
    return slots, named, extra


def _named(name: str, said: bytes) -> bytes:
    return b"|" + text(name) + said


def _default(encoder: Encoder, default: Any) -> bytes:
    """The bytes of a parameter that is left out."""
    if default is _NONE or isinstance(default, (Lazy, Injected)):
        return b"_"  # it is never left out
    try:
        return encoder.encode(default)
    except CannotKeyError:  # it is a gap in the key of the code too
        return b"_"
