"""Makes the key of a function's code, which changes with all code that its result could depend on.

A function counts by its normalised syntax tree, its defaults and closure values, and everything
that its body names in the user's namespace or in local modules, followed through: helpers, classes,
constants. Installed libraries count by name and version. Two runs of one notebook, in two kernels,
give one key.

What only runs can tell is not seen: names put together as text, `eval`, files that are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.graph.code.dependencies import CodeWalk
from cascade_nb.graph.code.origin import qualified_name
from cascade_nb.graph.code.reflection import identity_bytes
from cascade_nb.graph.code.source import carried
from cascade_nb.graph.code.titles import keyed, keyed_title
from cascade_nb.graph.values.atoms import CannotKeyError, digest, text
from cascade_nb.graph.values.short_repr import ValueSnapshot

_SCHEME: Final = b"code 3"


@dataclasses.dataclass(frozen=True)
class CodeKey:
    """The key of a function's code, and what it was made of.

    Attributes:
        digest: 32 hexadecimal digits.
        parts: digest by readable name: "function clean", "helper _trim", "class Model",
            "method Model.fit", "constant LIMIT", "default k", "closure n", "module mylib.util",
            "module numpy 2.4.6". Where only one of them differs, that is what was changed.
        sources: the text of those parts that have one, for showing a difference.
        values: those parts that are values (constants, defaults, closures) as they looked.
        unkeyed: why the key does not cover everything, in words; empty for a whole one. A result of
            code with such a gap must not be reused across runs.
        environment: whether it asks for environment variables.
        reflects: whether it asks functions and classes for their annotations or documentation.
    """

    digest: str
    parts: Mapping[str, str]
    sources: Mapping[str, str]
    unkeyed: tuple[str, ...] = ()
    values: Mapping[str, ValueSnapshot] = dataclasses.field(default_factory=dict)
    environment: bool = False
    reflects: bool = False


def code_key(thing: Any) -> CodeKey:
    """The key of anything that can be called, of a class, or of a task.

    What was worked out for a code object is kept as long as it lives; everything else is looked at
    anew, so a helper, a constant, or a `__code__` that was exchanged since is noticed. Never
    raises: what cannot be keyed is said in `CodeKey.unkeyed`.

    Args:
        thing: a function, lambda, partial, bound method, callable object, built-in, class or task.
            A bound method and a callable object count by their state too. The name of a function
            does not count, nor does that of its module unless code asks for it: one that was
            merely renamed, or moved, keeps its key. Those of a class do, and those of a function
            that code does not only call but keeps or gives back.
    """
    walk = CodeWalk()
    root = walk.run(thing)
    # under one name for all, so that renaming a function does not change its key
    renamed = "" if root.startswith("class ") else root
    named = {"function" if one == renamed else keyed(one): p for one, p in walk.parts.items()}
    said = b"".join(text(label) + named[label] for label in sorted(named))
    said += b"".join(map(text, walk.unkeyed))
    return CodeKey(
        digest(_SCHEME + said).hex(),
        {str(label): part.hex() for label, part in walk.parts.items()},
        walk.sources,
        tuple(walk.unkeyed),
        walk.values,
        walk.environment.asked,
        walk.reflection.asks,
    )


def carried_code(thing: Any) -> str:
    """A digest of code that is the same for a function and for what a pickle makes of it.

    It says less of what a person would call the same: a renamed local variable counts. It is for
    comparing a function with itself, in another kernel.
    """
    token = carried.set(True)
    try:
        return code_key(thing).digest
    finally:
        carried.reset(token)


def reference(thing: Any) -> bytes:
    """The bytes that stand for a function, class or module inside a value.

    Raises:
        CannotKeyError: its code cannot be keyed as a whole.
    """
    key = code_key(thing)
    if key.unkeyed:
        raise CannotKeyError(f"the code of {qualified_name(thing)}", key.unkeyed[0])
    # Who has it can ask for its name, and where it stands, and may hand it on to who asks.
    said = text(keyed_title(thing)) + identity_bytes(thing)
    return b"@" + digest(said + bytes.fromhex(key.digest))
