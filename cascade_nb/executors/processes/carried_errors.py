"""Carries an exception from a process to the one that asked, with its class, causes and traceback.

A traceback cannot be pickled, since frames cannot. What is carried is where each frame stands, and
on the other side frames that do nothing are made for the same places: so the user's cell and line
are found and shown as if the exception had been raised here.
"""

from __future__ import annotations

import types
from typing import Any, Final, NamedTuple

from cascade_nb.errors import TransferError
from cascade_nb.executors.processes.pickles import packed_whole, unpacked

_DEEPEST: Final = 20  # causes of causes
_LONGEST: Final = 200  # frames, of which the innermost are kept

Place = tuple[str, str, int]  # file, function, line


class CarriedError(NamedTuple):
    """An exception as it travels.

    Attributes:
        whole: its pickle; None where it has none that can be read again.
        name, text: its class and its words, for that case.
        why: why it has no pickle.
        places: of its frames, outermost first.
        cause, context: what it came of.
        suppressed: whether the context is not shown.
    """

    whole: bytes | None
    name: str
    text: str
    why: str
    places: tuple[Place, ...]
    cause: CarriedError | None
    context: CarriedError | None
    suppressed: bool


def carried(error: BaseException, skip: int = 0, depth: int = 0) -> CarriedError:
    """An exception, ready to be pickled.

    Args:
        error: any.
        skip: so many of its outermost frames are not the user's.
        depth: how many exceptions it is the cause of.
    """
    whole, why = _whole(error)
    deeper = depth < _DEEPEST
    cause, context = error.__cause__, error.__context__
    return CarriedError(
        whole,
        type(error).__qualname__,
        _text(error),
        why,
        _places(error.__traceback__, skip),
        carried(cause, depth=depth + 1) if cause is not None and deeper else None,
        carried(context, depth=depth + 1)
        if context is not None and context is not cause and deeper
        else None,
        error.__suppress_context__,
    )


def raised_here(one: CarriedError) -> BaseException:
    """The exception as it was, or one that says what it was and why it did not come itself."""
    error: BaseException | None = None
    why = one.why
    if one.whole is not None:
        try:
            error = unpacked([memoryview(one.whole)])
        except Exception as wrong:  # a class that only the other process can make
            why = f"{type(wrong).__name__}: {wrong}"
    if not isinstance(error, BaseException):
        said = f"{one.name}: {one.text}" if one.text else one.name
        error = TransferError(f"{said} (the exception itself cannot be pickled: {why})")
    error.__cause__ = None if one.cause is None else raised_here(one.cause)
    error.__context__ = None if one.context is None else raised_here(one.context)
    error.__suppress_context__ = one.suppressed
    return error.with_traceback(_traceback(one.places))


def _whole(error: BaseException) -> tuple[bytes | None, str]:
    try:
        stream = packed_whole(error)
        if type(unpacked([memoryview(stream)])) is type(error):
            return stream, ""
        why = "what its pickle gives is of another class"
    except BaseException as wrong:  # whatever its class does
        why = f"{type(wrong).__name__}: {_text(wrong)}"
    try:
        return packed_whole(_Bare(error)), ""
    except BaseException:
        return None, why


class _Bare:
    """Stands for an exception whose constructor wants other arguments than those that it keeps."""

    def __init__(self, error: BaseException) -> None:
        self._parts = type(error), error.args, dict(vars(error))
        _made_of(*self._parts)  # or it cannot be made there either

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_of, self._parts


def _made_of(kind: Any, args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    made = kind.__new__(kind)
    made.args = args
    vars(made).update(state)
    return made


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as wrong:
        return f"<its text cannot be had: {type(wrong).__name__}>"


def _places(trace: types.TracebackType | None, skip: int) -> tuple[Place, ...]:
    found: list[Place] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append((code.co_filename, code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    return tuple(found[skip:][-_LONGEST:])


def _traceback(places: tuple[Place, ...]) -> types.TracebackType | None:
    trace: types.TracebackType | None = None
    for file, name, line in reversed(places):
        # An index of -1 says that it is not known where in the line.
        trace = types.TracebackType(trace, _frame(file, name, line), -1, line)
    return trace


def _frame(file: str, name: str, line: int) -> types.FrameType:
    found: list[types.FrameType] = []
    note = "import sys; take(sys._getframe())"
    code = compile(note, file, "exec").replace(co_name=name, co_firstlineno=line)
    exec(code, {"take": found.append, "__name__": name, "__file__": file})  # noqa: S102 - the above
    return found[0]
