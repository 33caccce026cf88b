"""Refuses what cannot be done with a lazy value before its result is there, with advice."""

from __future__ import annotations

import contextlib
import contextvars
import dis
import sys
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, NoReturn

from cascade_nb.errors import LazyAttributeError, LazyValueError
from cascade_nb.text import kind_and_value

Ways = Callable[[Any], str]


class LazyValueWarning(UserWarning):
    """A lazy value was used as if its result were there, where no error comes through."""


def ways_in_scripts(lazy: Any) -> str:
    """The three ways to go on from here, where a script is read."""
    return (
        "cs.run(…) gives its value now; a task that is given it gets the value when it is there; "
        "a function without @cs.task runs at once"
    )


_ways: Ways = ways_in_scripts


def use_ways(ways: Ways) -> Callable[[], object]:
    """Have every refusal end with what `ways` says for its lazy value, in words that work where
    they are read; gives what undoes it. A notebook does.
    """
    global _ways  # a process has one place where its errors are read
    before, _ways = _ways, ways

    def undo() -> None:
        global _ways  # noqa: PLW0603 - as above
        _ways = before

    return undo


def ways_out_of(lazy: Any) -> str:
    """The ways to go on that a refusal of `lazy` ends with; None for any lazy value."""
    return _ways(lazy)


def refused(lazy: Any, what: str) -> LazyValueError:
    """The error for a use of `lazy` that needs its value; `what` ends a sentence: "it has no
    length".
    """
    return _noted(LazyValueError(_sentence(lazy, what)), sys._getframe(2))


_Note = Callable[[Exception, FrameType], None]
_note: contextvars.ContextVar[_Note | None] = contextvars.ContextVar("cascade_note", default=None)


@contextlib.contextmanager
def refusals_noted(note: _Note) -> Iterator[None]:
    """Call `note` inside this with each refusal and the frame of what was refused: nobody but it
    sees one that is caught.
    """
    token = _note.set(note)
    try:
        yield
    finally:
        _note.reset(token)


def _noted(error: LazyValueError, frame: FrameType) -> LazyValueError:
    note = _note.get()
    if note is not None:
        note(error, frame)
    return error


_NOT_YET: Final = ": it is the call of a task, and cs.run(…) gives what it computes"


class Refusals:
    """Every use of a lazy value as a value, refused with advice.

    It is equal to itself alone; to compare it with what is no lazy value is refused like all the
    rest. A set may be written of them, to be handed to a task or returned from one. To look one up
    is refused: no key is found in a dictionary by what is not computed yet.
    """

    __slots__ = ()

    def __copy__(self) -> Any:
        return self  # it cannot be changed, and another one would be another piece of work

    def __deepcopy__(self, memo: object) -> Any:
        return self

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Refusals):
            return False
        _warn_where_errors_are_lost(self, sys._getframe(1))
        raise refused(self, f"it cannot be compared with {kind_and_value(other)}")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        asks = sys._getframe(1)
        if _is_by_identity(asks) or _writes_a_set(asks):
            return object.__hash__(self)
        _warn_where_errors_are_lost(self, asks)
        raise refused(
            self,
            "it has no hash, by which it could be a key of a dictionary or be looked up in one (in "
            "a list, or a set that is written `{a, b}`, it can be given to a task)",
        )

    def __bool__(self) -> NoReturn:
        raise refused(
            self,
            "it is neither true nor false (to branch on it while a run goes on, use .run_if(…) or "
            "cs.Router)",
        )

    def __iter__(self) -> Any:
        raise refused(
            self,
            "it cannot be looped over (to run a task for each of its items, use "
            "task.map(parameter=…); to unpack it, say how many there are: @cs.task(outputs=2))",
        )

    def __len__(self) -> NoReturn:
        raise refused(self, "it has no length")

    def __contains__(self, item: object) -> NoReturn:
        raise refused(self, "nothing can be looked for in it")

    def __str__(self) -> str:
        raise refused(self, "it has no text (repr() shows what it stands for)")

    def __format__(self, spec: str) -> str:
        raise refused(self, "it has no text (`!r` shows what it stands for)")

    def __await__(self) -> Any:
        raise refused(self, "it cannot be awaited")

    def __array__(self, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        if getattr(dtype, "kind", "") != "O" and not _compares_arrays(sys._getframe(1)):
            raise refused(self, "it is no array")
        # An array that was said to hold objects holds it, as a list would. One that is to be
        # compared meets `__eq__`, whose error is not lost.
        box = sys.modules["numpy"].empty((), dtype=object)
        box[()] = self
        return box

    def __array_function__(self, function: Any, *_args: object) -> NoReturn:
        raise refused(self, f"numpy.{function.__name__} cannot take it")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise refused(self, "nothing can be put into it")

    def __delitem__(self, key: object) -> NoReturn:
        raise refused(self, "nothing can be taken out of it")

    def __getattr__(self, name: str) -> NoReturn:
        # An AttributeError it must be: pickle and every display protocol probe for attributes.
        if name in ("options", "task"):  # asked of one that is only being made: it has no label
            raise AttributeError(f"{type(self).__name__} has no {name} yet")
        if name.startswith("_"):  # mostly a probe, whose answer nobody reads
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{_NOT_YET}")
        error = LazyAttributeError(_sentence(self, f"it has no attribute {name!r}"))
        raise _noted(error, sys._getframe(1))


def _is_by_identity(frame: FrameType) -> bool:
    """Whether whoever asks for a hash in this frame means the lazy value itself: this package, or a
    weak dictionary, which asks in its own name.
    """
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith(_OURS) or name == "weakref"


def _writes_a_set(frame: FrameType) -> bool:
    """Whether what this frame does now is `{a, b}`, `{*a}` or `{f(x) for x in y}`."""
    return frame.f_code.co_code[frame.f_lasti] in _SETS


def _compares_arrays(frame: FrameType) -> bool:
    """Whether NumPy asks for an array only to say False where it gets none."""
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("numpy.") and frame.f_code.co_name in ("array_equal", "array_equiv")


def _warn_where_errors_are_lost(lazy: Any, frame: FrameType) -> None:
    """Tables of pandas' own take an error for "is not in it": there, at least a warning says it."""
    if not frame.f_globals.get("__name__", "").startswith("pandas."):
        return
    level, at = 3, frame.f_back
    while at is not None and at.f_globals.get("__name__", "").startswith("pandas."):
        level, at = level + 1, at.f_back
    what = f"pandas' {frame.f_code.co_name} finds nothing by it"
    warnings.warn(_sentence(lazy, what), LazyValueWarning, stacklevel=level + 1)


def refuse_change(lazy: Any, name: str, *value: object) -> NoReturn:
    """What setting and deleting attributes does."""
    raise LazyAttributeError(
        f"a lazy value cannot be changed; its .with_…(…) methods give a new one; {_ways(lazy)}"
    )


def _sentence(lazy: Any, what: str) -> str:
    return f"{lazy.label} is not computed yet, so {what}; {_ways(lazy)}"


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *_args: object) -> NoReturn:
        raise refused(self, what)

    return refuse


_OURS: Final = __name__.partition(".")[0] + "."
_SETS: Final = frozenset(map(dis.opmap.get, ("BUILD_SET", "SET_ADD", "SET_UPDATE")))
_NO_NUMBER: Final = "it is no number"
_NO_DIVMOD: Final = "divmod() cannot take it (`//` and `%` can)"
_NO_SHIFT: Final = "its bits cannot be shifted"
_NO_CONTEXT: Final = "it cannot be entered by `with`"
_MORE: Final = {
    **dict.fromkeys(
        ("int", "float", "complex", "index", "round", "trunc", "floor", "ceil"), _NO_NUMBER
    ),
    **dict.fromkeys(("divmod", "rdivmod"), _NO_DIVMOD),
    **dict.fromkeys(("lshift", "rlshift", "rshift", "rrshift"), _NO_SHIFT),
    **dict.fromkeys(("enter", "exit", "aenter", "aexit"), _NO_CONTEXT),
    "aiter": "it cannot be looped over",
    "bytes": "it has no bytes",
    "call": "it cannot be called",
    "fspath": "it is no path",
    "reversed": "it cannot be looped over",
}
for _name, _what in _MORE.items():
    setattr(Refusals, f"__{_name}__", _refusing(_what))
