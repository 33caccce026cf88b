"""Finds what in a value it is that cannot be pickled, and by which name it is reached."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.errors import TransferError
from cascade_nb.executors.processes.pickles import packed
from cascade_nb.text import readable

_DEEPEST: Final = 8
_MOST: Final = 200  # parts of one thing that are tried


class Obstacle(NamedTuple):
    """What cannot be pickled.

    Attributes:
        path: how it is reached, `("config", "config['lock']")`; the first is the outermost.
        kind: the name of its class.
        why: what pickling says of it.
    """

    path: tuple[str, ...]
    kind: str
    why: str

    @property
    def text(self) -> str:
        """The obstacle in words: "`lock` (a _thread.lock: cannot pickle '_thread.lock' object)"."""
        way = ", of ".join(f"`{readable(name)}`" for name in reversed(self.path))
        return f"{way} ({_article(self.kind)} {self.kind}: {readable(self.why)})"


def obstacle_in(value: Any, name: str) -> Obstacle | None:
    """What in `value`, which is called `name`, cannot be pickled; None where all of it can be."""
    error = _refusal(value)
    if error is None:
        return None
    path = [name]
    seen = {id(value)}
    while len(path) < _DEEPEST:
        for part_name, part in _parts(value, path[-1]):
            if id(part) not in seen and (wrong := _refusal(part)) is not None:
                seen.add(id(part))
                path.append(part_name)
                value, error = part, wrong
                break
        else:
            break
    return Obstacle(tuple(path), type(value).__qualname__, str(error).splitlines()[0][:200])


def unsendable_result(result: Any, error: BaseException) -> TransferError:
    """The error of a body whose result has no pickle.

    Args:
        result: that.
        error: what pickling it raised.
    """
    found = obstacle_in(result, "result")
    words = found.text if found is not None else f"{type(error).__name__}: {error}"
    return TransferError(
        f"its result cannot come back from its process: {words}; return what can be pickled, or "
        "run the task in threads"
    )


def _refusal(value: Any) -> BaseException | None:
    try:
        packed(value)
    except RecursionError:
        return RecursionError("it is nested too deeply")
    except BaseException as error:  # whatever its class does
        return error if str(error) else type(error)("it has no pickle")
    return None


def _parts(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The parts of something, by how a person reaches them."""
    function = getattr(value, "__wrapped__", value)
    if isinstance(function, types.MethodType):
        yield f"{name}.__self__", function.__self__
        function = function.__func__
    if isinstance(function, types.FunctionType):
        yield from _of_function(function)
    elif isinstance(value, Mapping):
        for key in list(value)[:_MOST]:
            yield f"{name}[{key!r}]", value[key]
    elif isinstance(value, (list, tuple, set, frozenset)):
        for place, part in enumerate(list(value)[:_MOST]):
            yield f"{name}[{place}]", part
    elif isinstance(value, type):
        yield from ((f"{name}.{key}", part) for key, part in list(vars(value).items())[:_MOST])
    else:
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            yield from ((f"{name}.{key}", part) for key, part in list(own.items())[:_MOST])


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it is not set yet
            continue
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for place, default in enumerate(function.__defaults__ or ()):
        yield f"default {place + 1} of {function.__name__}", default
    for name, default in (function.__kwdefaults__ or {}).items():
        yield f"default of {name}", default
    yield from vars(function).items()


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"
