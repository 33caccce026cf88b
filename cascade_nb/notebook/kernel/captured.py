"""Lets ipywidgets' `Output` work inside of tasks: what is written within one goes into it.

By itself it asks the browser to catch whatever comes for the cell that runs, which is right for a
cell and catches the wrong things for a task: its own output has gone to the panel already, and
what is caught is another's.
"""

from __future__ import annotations

import contextvars
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from cascade_nb.text import carryable, readable

Undo = Callable[[], None]

_inside: Final[contextvars.ContextVar[tuple[Any, ...]]] = contextvars.ContextVar(
    "cascade_output_widgets", default=()
)
_adding: Final = threading.Lock()


def catch_in_tasks(is_task: Callable[[], bool]) -> Undo:
    """From now on an `Output` that a task enters takes what that task writes.

    Args:
        is_task: whether a task with a panel is running here.
    """
    from ipywidgets import Output  # noqa: PLC0415 - it takes a while, and a panel has it already

    usual_enter, usual_leave = Output.__enter__, Output.__exit__

    def enter(widget: Any) -> Any:
        if not is_task():
            return usual_enter(widget)
        _inside.set((*_inside.get(), widget))
        return None

    def leave(
        widget: Any,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if widget not in _inside.get():
            return usual_leave(widget, kind, error, trace)  # type: ignore[no-any-return]
        _inside.set(_inside.get()[:-1])
        if error is None or not isinstance(error, Exception):
            return None
        _add(widget, _error_of(error))  # it is shown there and goes no further, as in a cell
        return True

    Output.__enter__, Output.__exit__ = enter, leave

    def undo() -> None:
        if Output.__enter__ is enter:
            Output.__enter__, Output.__exit__ = usual_enter, usual_leave

    return undo


def caught(output: dict[str, Any]) -> bool:
    """Whether a widget that the running task has entered took `output`, as nbformat has it."""
    widgets = _inside.get()
    if widgets:
        _add(widgets[-1], output)
    return bool(widgets)


def cleared() -> bool:
    """Whether a widget that the running task has entered was emptied."""
    widgets = _inside.get()
    if widgets:
        with _adding:
            widgets[-1].outputs = ()
    return bool(widgets)


def stream_of(name: str, text: str) -> dict[str, Any]:
    """Text of a stream as nbformat has it."""
    return {"output_type": "stream", "name": name, "text": readable(text)}


def _add(widget: Any, output: dict[str, Any]) -> None:
    output = carryable(output)
    with _adding:
        before = widget.outputs
        last = before[-1] if before else {}
        if output["output_type"] == last.get("output_type") == "stream" and (
            output["name"] == last["name"]
        ):
            output = {**last, "text": last["text"] + output["text"]}
            before = before[:-1]
        widget.outputs = (*before, output)


def _error_of(error: Exception) -> dict[str, Any]:
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "output_type": "error",
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": lines.splitlines(),
    }
