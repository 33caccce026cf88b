"""Shows an exception that comes out of a cell: what the user wrote, and nothing of ours.

IPython asks an exception for `_render_traceback_` before it makes a traceback of its own. The
exception stays what it is for code that catches it, and the cell fails, also for nbclient.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final

from cascade_nb.errors import CascadeError, RunError
from cascade_nb.graph.code.origin import is_followed
from cascade_nb.model.tasks.found_lazies import advice_on
from cascade_nb.notebook.shell import Shell
from cascade_nb.text import coloured, readable

#: Whose lines say nothing about what the user wrote, wherever they stand in a traceback.
_MACHINERY: Final = (
    __name__.partition(".")[0] + ".",
    "asyncio.",
    "nest_asyncio",
    "concurrent.futures.",
    "threading",
)
#: Whose lines say nothing where they stand above the user's first.
_ABOVE: Final = ("IPython.", "ipykernel.")


def in_words(shell: Shell, error: CascadeError) -> CascadeError:
    """`error`, shown as one sentence, below the traceback of its cause if it has one.

    What a magic was told wrongly is not found by reading how the magic works.
    """
    words = readable(f"{type(error).__name__}: {error}")
    cause = error.__cause__

    def render() -> list[str]:
        if cause is None or not _says_more(error, cause):
            return [words]
        return [*_rendered(shell, cause), "", words]

    error._render_traceback_ = render  # type: ignore[attr-defined]
    return error


def as_in_a_cell(shell: Shell, error: Exception) -> Exception:
    """`error`, which a line of a `%%cascade` cell raised, shown as in any other cell.

    Frames of this package stand above that line, and below it where the line called a task wrongly.
    """

    def render() -> list[str]:
        lines = _rendered(shell, error, below_us=True)
        said = advice_on(error)
        return lines if said is None else [*lines, "", said]

    error._render_traceback_ = render  # type: ignore[attr-defined]
    return error


def show_errors_cut(shell: Shell) -> Callable[[], object]:
    """Have our errors that come out of any cell shown by the user's lines; gives what undoes it."""

    def render(error: CascadeError) -> list[str]:
        return _rendered(shell, error)

    CascadeError._render_traceback_ = render  # type: ignore[attr-defined]

    def undo() -> None:
        if getattr(CascadeError, "_render_traceback_", None) is render:
            del CascadeError._render_traceback_  # type: ignore[attr-defined]

    return undo


def _rendered(shell: Shell, error: BaseException, *, below_us: bool = False) -> list[str]:
    """The lines of a traceback that has the user's frames only, also of what came before it.

    Args:
        below_us: whether those above our first frame only led to us, as a magic's do.
    """
    with _cut(error, below_us=below_us):
        # The offset is for IPython's own frame at the top, which is gone already.
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=0
        )
    # What the user's code raised is text of anybody's.
    return list(map(coloured, lines))


@contextmanager
def _cut(error: BaseException, *, below_us: bool) -> Iterator[None]:
    """Inside this, `error` and what it came of have no frames but the user's."""
    whole: dict[BaseException, TracebackType | None] = {}
    chained: list[tuple[BaseException, BaseException | None, bool]] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or one in whole:
            continue
        whole[one] = one.__traceback__
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if isinstance(one, CascadeError) and before and not _says_more(one, before):
            chained.append((one, one.__cause__, one.__suppress_context__))
        else:
            todo += [one.__cause__, one.__context__]
        todo += getattr(one, "exceptions", ())
    try:
        for one, _, _ in chained:
            one.__cause__ = None  # which hides the context too
        for one, shown in whole.items():
            is_below = below_us and one is error
            users = _users(_below_us(shown) if is_below else shown)
            # What came before needs no line, where a library has asked a lazy value for something.
            one.__traceback__ = users or (shown if one is error else None)
        yield
    finally:
        for one, shown in whole.items():
            one.__traceback__ = shown
        for one, cause, suppressed in chained:
            one.__cause__, one.__suppress_context__ = cause, suppressed


def _says_more(error: CascadeError, before: BaseException) -> bool:
    """Whether what led to `error` is the user's affair: their code raised it, or their task did.

    How a number was read, or a server was reached, says nothing that `error` does not.
    """
    frames = [frame for frame, _ in traceback.walk_tb(before.__traceback__)]
    if isinstance(error, RunError):
        return any(not _module(frame).startswith(_MACHINERY) for frame in frames)
    above = _MACHINERY + _ABOVE
    return any(
        is_followed(frame.f_globals) and not _module(frame).startswith(above) for frame in frames
    )


def _below_us(step: TracebackType | None) -> TracebackType | None:
    """What begins with this package's first frame; all of it if there is none."""
    whole = step
    while step is not None and not _module(step.tb_frame).startswith(_MACHINERY[0]):
        step = step.tb_next
    return step or whole


def _users(step: TracebackType | None) -> TracebackType | None:
    """A copy of a traceback without the frames of machinery; None if there are no others."""
    steps: list[TracebackType] = []
    while step is not None:
        above = () if steps else _ABOVE
        if not _module(step.tb_frame).startswith(_MACHINERY + above):
            steps.append(step)
        step = step.tb_next
    below = None
    for kept in reversed(steps):
        below = TracebackType(below, kept.tb_frame, kept.tb_lasti, kept.tb_lineno)
    return below


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
