"""Turns what a task raised into an error that says which task, where in its code, and why."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import linecache
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.raised import (
    args_of,
    class_name,
    is_raised_as,
    is_told_by_python,
    traceback_of,
)
from cascade_nb.control.gates import Ticket
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.run_core import OF_STOPPED, RunCore
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.dispatch.failure_classes import group, with_cause
from cascade_nb.engine.files.result_paths import PLAIN
from cascade_nb.engine.source_names import known_place, place_of
from cascade_nb.errors import RunError, RunFailures, TaskFailedError, TaskTimeoutError
from cascade_nb.events.thread_warnings import warn
from cascade_nb.graph.graph import Node, NodeKind
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.copying.read_only import COPY_FIRST, is_of_read_only
from cascade_nb.text import quoted, readable

_HOME: Final = str(Path(__file__).resolve().parents[2]) + os.sep
_LIBRARY: Final = (sys.prefix, sys.base_prefix, str(Path(os.__file__).parent))
_TEXT_WITHIN: Final = 1.0  # seconds in which an error has to say what it says
_MUTE: Final = "<its text cannot be had: it takes too long>"
_SHORT: Final = 80  # characters of an argument of what failed

# The numbers of errors that are being asked for their text: the thread that asks keeps them alive.
_mute: Final[set[int]] = set()

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class LeftBehindWarning(UserWarning):
    """A run ended without something that did not stop."""


class DoneCallbackWarning(UserWarning):
    """What was to be called at the end of a run raised."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """One node that failed for good.

    Attributes:
        task: its label, `scores[3]` for an item.
        task_id: its identity in the graph.
        attempt: the number of the attempt that failed last.
        error: what it raised.
        where: the user's file or cell and line, as far as the traceback tells.
        inputs: a short picture of each argument.
    """

    task: str
    task_id: str
    attempt: int
    error: BaseException
    where: str | None
    inputs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The error in one line."""
        return error_text(self.error)

    @property
    def traceback(self) -> str:
        """The whole traceback, without this library's frames."""
        text = self.text
        if id(self.error) in _mute:  # it would be asked again, and waited for
            return text
        lines = traceback.TracebackException.from_exception(self.error)
        lines.stack = traceback.StackSummary.from_list(
            [f for f in lines.stack if not f.filename.startswith(_HOME)]
        )
        return "".join(lines.format())

    def raised(self, target: str) -> TaskFailedError:
        """The error to raise for a run that wanted `target`, with the user's exception as its
        cause.
        """
        place = f", at {self.where}" if self.where else ""
        if self.task == target or self.task.startswith(f"{target}["):
            message = f"{self.task} failed: {self.text}{place}"
        else:
            message = (
                f"{target} could not be computed, because {self.task} failed: {self.text}{place}"
            )
        if is_raised_as(self.error, (TaskTimeoutError,)):
            return TaskTimeoutError(message, task=self.task, target=target, where=self.where)
        made = TaskFailedError(message, task=self.task, target=target, where=self.where)
        return with_cause(made, self.error)


def failure_of(core: RunCore, index: int, number: int, error: BaseException) -> Failure:
    """What is known of a node that has just failed for good at attempt `number`."""
    inputs = _inputs_in_words(core, index)
    return Failure(core.label(index), core.id_of(index), number, error, where_raised(error), inputs)


def together(failures: list[Failure], target: str) -> RunError | RunFailures:
    """One error for all failures of a run."""
    errors: list[RunError] = [failure.raised(target) for failure in failures]
    if len(errors) == 1:
        return errors[0]
    return group(f"{len(errors)} tasks of {target} failed", errors)


def in_a_line(interrupt: E, number: int, title: str) -> E:
    """`interrupt`, of which IPython shows a line: how a wait was made is nothing to read."""
    line = f"{type(interrupt).__name__}: run {number} of {title} was interrupted"
    interrupt._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
    return interrupt


async def unharmed(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `work` gives; where the user's code is asked about a value it may raise anything, and
    `SystemExit` in a task of asyncio ends the loop.

    Args:
        work: called when this is awaited: a task that is cancelled before it began leaves no
            coroutine behind that nobody awaited.

    Raises:
        RunError: it raised what is no `Exception`.
    """
    try:
        return await work()
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        if isinstance(error, GeneratorExit) and asyncio._get_running_loop() is None:
            raise  # nobody's error: its loop was closed under it, and now it goes
        raise RunError(f"the run could not begin: {error_text(error)}") from error


def call_unharmed(callback: Callable[[T], object], given: T, when: str) -> None:
    """Call back; what it raises, whatever it is, is a warning."""
    try:
        callback(given)
    except BaseException as error:
        name = getattr(callback, "__qualname__", quoted(callback))
        warn(f"{name} raised {quoted(error, 200)} {when}", DoneCallbackWarning, error)


def error_text(error: BaseException) -> str:
    """An exception in one line of bounded length."""
    words = _words_of(error)
    first = words.strip().splitlines()[0] if words.strip() else ""
    told = readable(first[:300])
    if is_of_read_only(error, first):
        told = f"{told} ({COPY_FIRST})"
    return f"{class_name(error)}: {told}" if told else class_name(error)


def _words_of(error: BaseException) -> str:
    """What it says. A class of the user's is asked in a thread, and not waited for without end:
    whoever asks holds the engine's lock.
    """
    if is_told_by_python(error) and all(type(one) in PLAIN for one in args_of(error)):
        with contextlib.suppress(ValueError):  # Python writes no number of very many digits
            return str(error)
    if id(error) in _mute:
        return _MUTE
    found: list[str] = []

    def ask() -> None:
        try:
            found.append(str(error))
        except BaseException as inner:
            found.append(f"<its text cannot be had: {type(inner).__name__}>")
        finally:
            _mute.discard(id(error))

    thread = threading.Thread(target=ask, name="cascade-error-text", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # there is no thread left to ask in
        return _MUTE
    thread.join(_TEXT_WITHIN)
    if not found:
        _mute.add(id(error))
        if found:  # just now
            _mute.discard(id(error))
    return found[0] if found else _MUTE


def came_to(error: BaseException, stopped: bool) -> str:
    """What an attempt came to that did not come through: ``"failed"`` or ``"cancelled"``.

    Args:
        error: what it raised.
        stopped: whether it was asked to end.
    """
    return "cancelled" if stopped and is_raised_as(error, OF_STOPPED) else "failed"


def note_failure(
    manager: ConstraintManager,
    core: RunCore,
    ticket: Ticket,
    error: BaseException,
    stopped: bool = False,
) -> None:
    """Tell the breakers that an attempt has failed; what that trips is held when this returns.

    Under the lock, when all that follows from the end is carried out, and before `ticket` is
    released.

    Args:
        stopped: whether it was asked to end, which is no failure where it did.
    """
    failed = came_to(error, stopped) == "failed"
    manager.failed(ticket, f"{core.label(ticket.key)} {error_text(error)}" if failed else None)


def where_raised(error: BaseException) -> str | None:
    """The innermost line of the user's own code in the traceback: ``cell [4], line 7: x / 0``."""
    best: tuple[str, int] | None = None
    step = traceback_of(error)
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if is_users(name):
            best = (name, step.tb_lineno)
        step = step.tb_next
    if best is None:
        return None
    name, line = best
    code = linecache.getline(name, line).strip()
    return f"{place_of(name)}, line {line}" + (f": {readable(code[:120])}" if code else "")


def is_of_ours(filename: str) -> bool:
    """Whether a file of code belongs to this library."""
    return filename.startswith(_HOME)


def is_users(filename: str) -> bool:
    """Whether a file of code is the user's own: a cell, or none of a library's."""
    foreign = (_HOME, *_LIBRARY, "<frozen")
    return not filename.startswith(foreign) or known_place(filename) is not None


def _inputs_in_words(core: RunCore, index: int) -> tuple[str, ...]:
    """A short picture of each argument of a node that failed."""
    work = core.results.work[index]
    if isinstance(work, Node) and work.kind is not NodeKind.TASK:
        return ()  # it calls nothing itself
    if any(core.scheduler.state[i] < DONE for i in core.node_of(index).inputs):
        return ()  # it failed before it asked for them
    try:
        call = core.call_of(index)
    except BaseException as error:
        return (f"its arguments cannot be put together: {error}",)
    show = partial(short_repr, limit=_SHORT, results=call.inside)
    named = (f"{name}={show(value)}" for name, value in call.kwargs.items())
    return (*map(show, call.args), *named)
