"""Makes errors of a run that `except` finds by the class of what the user's task raised, too.

``except ValueError`` around a run is meant for the task's `ValueError`. So the error that is raised
is of that class as well, made when it is first needed. Its text, `task`, `target` and `where` are
ours; every other attribute is that of the cause. Where that is a group of exceptions, it is one of
the same exceptions, and ``except*`` finds them.
"""

from __future__ import annotations

import pickle
import types
import weakref
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from cascade_nb.concurrency.raised import is_asked_by_python
from cascade_nb.errors import (
    CascadeError,
    ExceptionGroup,
    RunError,
    RunFailures,
    TaskFailedError,
    UsageError,
)

#: Raised again, these would end a coroutine or a generator that they pass through.
_NEVER: Final = (StopIteration, StopAsyncIteration)
_OF_HEAP: Final = 1 << 9  # the flag of a class that a `class` statement made
#: What else such classes have was given when one was made, and cannot be set.
_WHOLE: Final = (BaseException, ExceptionGroup.__mro__[1])
_FIELDS: Final = (types.MemberDescriptorType, types.GetSetDescriptorType)

#: What Python itself asks of any object: that class may answer otherwise, raise, or refuse.
_OURS: Final = (
    *("__str__", "__repr__", "__format__", "__eq__", "__ne__", "__hash__", "__dir__"),
    *("__lt__", "__le__", "__gt__", "__ge__", "__setattr__", "__delattr__", "__sizeof__"),
    *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"),
)

# A class holds the class that it is made of, so the number of that one is nobody else's meanwhile.
_made: Final[weakref.WeakValueDictionary[tuple[type, int], type]] = weakref.WeakValueDictionary()


def with_cause(error: TaskFailedError, cause: BaseException) -> TaskFailedError:
    """`error`, caused by `cause`, as an error of the cause's class too wherever Python allows it:
    not for what ends programs, loops and coroutines.
    """
    error.__cause__ = cause
    kind = _also(cause)
    if kind is None:
        return error
    try:
        return _like(error, cause, kind)
    except Exception:  # a class of somebody else's, which may be closed to others
        return error


def group(message: str, errors: list[RunError]) -> RunFailures:
    """The failures of a run as one error, of the class too that the causes of all of them share."""
    kinds = [_also(error.__cause__) for error in errors if error.__cause__ is not None]
    if len(kinds) == len(errors) and kinds[0] is not None:
        for kind in kinds[0].__mro__:
            if kind in _COMMON or not all(one and issubclass(one, kind) for one in kinds):
                continue
            if ExceptionGroup in kind.__mro__:
                break  # it is a group of failures, and no group of what they raised
            try:
                made: RunFailures = _class_of(RunFailures, kind)(message, errors)
            except Exception:  # as above
                break
            return made
    return RunFailures(message, errors)


_COMMON: Final = (CascadeError, UsageError, Exception, BaseException, object)


def _also(cause: BaseException) -> type[Exception] | None:
    """The class that an error caused by `cause` can be of."""
    kind = type(cause)
    if not is_asked_by_python(kind):
        return None  # it may never answer, and so would what is made of it
    if issubclass(kind, TaskFailedError):  # a run in a task's body failed
        also: type[Exception] | None = getattr(kind, "also", None)
        return also
    if issubclass(kind, RunFailures):  # several of its tasks did
        return ExceptionGroup
    if kind is Exception or not issubclass(kind, Exception) or issubclass(kind, _NEVER):
        return None
    if issubclass(kind, CascadeError) and not issubclass(kind, UsageError):
        return None
    return kind


def _class_of(base: type, kind: type[Exception]) -> Any:
    """`base` and `kind` in one class, the same each time."""
    key = (base, id(kind))
    made = _made.get(key)
    if made is None:
        body = {"__module__": base.__module__, "__qualname__": base.__qualname__, "also": kind}
        body["__doc__"] = base.__doc__
        body |= {name: getattr(base, name) for name in _OURS if hasattr(base, name)}
        body |= {"__bool__": _is_true, "__del__": _ends}
        if base is not RunFailures:
            body |= {"__getattr__": _of_cause, "__reduce__": _reduced}
            if issubclass(kind, ExceptionGroup):
                body |= {"derive": _derived, "message": property(_message)}
        made = types.new_class(base.__name__, (base, kind), {}, lambda names: names.update(body))
        _made[key] = made
    return made


def _like(error: TaskFailedError, cause: BaseException, kind: type[Exception]) -> TaskFailedError:
    """`error` as an object of `kind` too, whose constructor may want anything and is not called."""
    built_in: Any = next(one for one in kind.__mro__ if not one.__flags__ & _OF_HEAP)
    held = (cause.message, cause.exceptions) if isinstance(cause, ExceptionGroup) else ()
    made: TaskFailedError = built_in.__new__(_class_of(type(error), kind), *held)
    made.args = error.args
    for one in takewhile(lambda one: one not in _WHOLE, built_in.__mro__):
        for name, field in vars(one).items():
            if isinstance(field, _FIELDS) and not name.startswith("__"):
                _copy_field(made, cause, name)
    state = {name: value for name, value in vars(cause).items() if name != "__notes__"}
    made.__dict__.update(state | vars(error))
    made.__cause__ = cause
    return made


def _copy_field(made: BaseException, cause: BaseException, name: str) -> None:
    value = getattr(cause, name, None)
    if value is not None:
        setattr(made, name, value)


def _of_cause(self: TaskFailedError, name: str) -> Any:
    """What the cause has and its fields do not show, such as what its class keeps in slots."""
    if self.__cause__ is None or (name.startswith("__") and name.endswith("__")):
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
    return getattr(self.__cause__, name)


def _is_true(self: object) -> bool:
    """An error is no value of its cause's class, which may be empty or false."""
    return True


def _ends(self: object) -> None:
    """What ends with the cause is the cause's to end: it may go on beside this error."""


def _message(self: Any) -> Any:
    """What the group says; before Python 3.11 it would be taken from what the error says."""
    return self.__cause__.message


def _derived(self: Any, parts: Sequence[Exception]) -> Any:
    """The error itself where nothing is taken from the group that it is: `contextlib.suppress`
    splits every group that passes through it.
    """
    whole = tuple(parts) == self.exceptions
    return self if whole else type(self).also.derive(self, parts)


def _reduced(self: TaskFailedError) -> tuple[Any, ...]:
    """Without its cause where that cannot be pickled and read again, and then of no class but
    ours.
    """
    plain: type[TaskFailedError] = type(self).__mro__[1]
    made = plain(*self.args, task=self.task, target=self.target, where=self.where)
    try:
        pickle.loads(pickle.dumps(self.__cause__))  # noqa: S301 - it was here a moment ago
    except Exception:
        return tuple(made.__reduce__())
    return with_cause, (made, self.__cause__)
