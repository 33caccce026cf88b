"""Checks what is to be a task: functions, and what can be called like one."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterable
from typing import Any, Final

from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.options.checks import checked_name
from cascade_nb.text import quoted

EXECUTORS: Final = ("thread", "processes", "dask", "async", "inline")
#: How an executor is called that a task was given as an object.
GIVEN: Final = "given"


def check_function(fn: Any) -> None:
    """Refuse what cannot be a task.

    Raises:
        TaskDefinitionError: it is a class, or cannot be called.
    """
    if isinstance(fn, type):
        raise TaskDefinitionError(
            f"{fn.__name__} is a class, and a task is made of a function: mark one that makes the "
            f"object, `def make_{fn.__name__.lower()}(…): return {fn.__name__}(…)`"
        )
    if not callable(fn) or isinstance(fn, Lazy):
        raise TaskDefinitionError(f"a task is made of a function, and {quoted(fn)} is none")


def name_of(fn: Any, name: str | None) -> str:
    """How a task of `fn` is called: `name`, or like the function inside of partials.

    Raises:
        UsageError: it cannot be the name of a task.
    """
    if name is not None:
        return checked_name(name, "task name")
    bare = _bare(fn)
    own = getattr(bare, "__name__", None) or type(bare).__name__
    return "lambda" if own == "<lambda>" else checked_name(own, "task name")


def executor_for(fn: Any, wanted: str | Submits | None, name: str) -> str:
    """Where the body of a task of `fn` runs.

    Args:
        fn: what the task is made of.
        wanted: what its user says: a name, or an executor; None for what fits the function.
        name: of the task, for the message.

    Raises:
        TaskDefinitionError: it is a generator, or the executor does not fit it.
    """
    code = _code_of(fn)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise TaskDefinitionError(
            f"{name} is a generator, whose values nothing here would ask for; return a list"
        )
    is_async = inspect.iscoroutinefunction(code)
    if wanted is None:
        return "async" if is_async else "thread"
    if not isinstance(wanted, str):
        if isinstance(wanted, type) or not callable(getattr(wanted, "submit", None)):
            raise TaskDefinitionError(
                f"{name}: {quoted(wanted)} is no executor: give a name ({', '.join(EXECUTORS)}), "
                "or an object that has a method submit()"
            )
        wanted = GIVEN
    elif wanted not in EXECUTORS:
        raise TaskDefinitionError(
            f"{name}: there is no executor {wanted!r}; there is {', '.join(EXECUTORS)}"
        )
    if is_async != (wanted == "async"):
        kind = "an async def runs on the loop" if is_async else "only an async def runs as 'async'"
        raise TaskDefinitionError(f"{name}: {kind}, so executor={wanted!r} does not fit it")
    return wanted


def wrap(task: object, fn: Any) -> None:
    """Give a task the name and the docstring of its function, and a function's attributes; those of
    an object that can be called are its own, and could hide the task's methods.
    """
    attributes = functools.WRAPPER_UPDATES if inspect.isroutine(fn) else ()
    functools.update_wrapper(task, fn, updated=attributes)  # type: ignore[arg-type]


def no_such_option(word: str, known: Iterable[str]) -> str:
    """What to say of an option that a task does not have."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    fix = f"did you mean `{close[0]}=`?" if close else f"there is {', '.join(known)}"
    return f"a task has no option {word!r}; {fix}"


def _bare(fn: Any) -> Any:
    """The function inside of partials."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def _code_of(fn: Any) -> Any:
    """What runs when `fn` is called: of an object, its class's `__call__`."""
    bare = _bare(fn)
    return bare if inspect.isroutine(bare) else type(bare).__call__
