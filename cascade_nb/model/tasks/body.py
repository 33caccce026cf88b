"""Tells whether a task is a plain function here: in a body, and in code said to be like one."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any, Final
from weakref import ref

_inside: Final = contextvars.ContextVar("cascade_body", default=False)

in_body: Final = _inside.get
"""Whether the code that asks belongs to the body of a task. True in threads and coroutines too that
the body started with a copy of its context, as `asyncio.to_thread` and `create_task` do."""

_value_types: Final[set[type]] = {
    *(int, float, complex, bool, str, bytes, type(None)),
    *(list, tuple, dict, set, frozenset, FunctionType),
}
_LEARNED: Final = ("numpy", "pandas", "cascade_nb.model.tasks")  # classes that are there for good

ARE_VALUES: Final = _value_types.issuperset
"""Whether what is of these types is known to be neither lazy nor a resource."""

_identity: Final = object.__hash__  # as `id`, which tells every audit hook that it was called

#: By its identity, every code in which tasks are plain functions though it is no task's; mostly
#: none, so that a call of a task asks no more than whether there is any.
plain_codes: Final[dict[int, ref[CodeType]]] = {}

#: What `eval`, `exec` and doctest call the code that they run for somebody.
_EVALUATED: Final = ("<string>", "<doctest")


def learned(values: Iterable[Any]) -> bool:
    """Remember the types of arguments that are neither lazy nor a resource, where a simulation may
    give some a million times; always True.
    """
    _value_types.update(cls for cls in map(type, values) if cls.__module__.startswith(_LEARNED))
    return True


def enter_body() -> None:
    """From here on, in this context, a task's body is running; for whatever runs bodies."""
    _inside.set(True)


def tasks_are_plain_in(codes: Iterable[CodeType]) -> None:
    """From now on a task is a plain function in these, in what is written inside of them and in
    what they call, whoever calls them; as long as there are functions with that code.
    """
    for code in _with_inner(codes):
        place = _identity(code)
        plain_codes[place] = ref(code, lambda _, place=place: plain_codes.pop(place, None))  # type: ignore[misc]


def tasks_are_nodes_in(codes: Iterable[CodeType]) -> None:
    """Take `tasks_are_plain_in` back for these codes, as far as it was said of them."""
    for code in _with_inner(codes):
        plain_codes.pop(_identity(code), None)


def _with_inner(codes: Iterable[CodeType]) -> Iterator[CodeType]:
    todo = list(codes)
    while todo:
        code = todo.pop()
        yield code
        todo += [inner for inner in code.co_consts if isinstance(inner, CodeType)]


def is_plain_code(code: CodeType) -> bool:
    """Whether tasks are plain functions in it though it is no task's."""
    return _identity(code) in plain_codes


def in_plain_code(task: Any) -> bool:
    """Whether what called the caller runs for such code, up to the cell or module that runs it.

    Args:
        task: what is called. The code of a `def` that is nothing but a task counts as such code
            from then on: what it calls, and recursion, need not look as far for it.
    """
    asks = sys._getframe(2)
    frame: FrameType | None = asks
    while frame is not None:
        code = frame.f_code
        if _identity(code) in plain_codes:
            if frame is not asks:
                _mark(task)
            return True
        if code.co_name == "<module>" and not code.co_filename.startswith(_EVALUATED):
            return False
        frame = frame.f_back
    return False


def _mark(task: Any) -> None:
    function = task.fn
    code = getattr(function, "__code__", None)
    if (
        code is not None
        and _identity(code) not in plain_codes
        and function.__globals__.get(function.__name__) is task
    ):
        tasks_are_plain_in([code])
