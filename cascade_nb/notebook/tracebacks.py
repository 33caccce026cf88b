"""How an exception is shown that comes out of a magic: what the user wrote, and nothing of ours.

IPython asks an exception for `_render_traceback_` before it makes a traceback of its own. The
exception stays what it is for code that catches it, and the cell fails, also for nbclient.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final

from cascade_nb.errors import CascadeError
from cascade_nb.notebook.shell import Shell
from cascade_nb.text import encodable, readable

_PACKAGE: Final = __name__.partition(".")[0] + "."


def in_words(shell: Shell, error: CascadeError) -> CascadeError:
    """`error`, shown as one sentence, below the traceback of its cause if it has one.

    What a magic was told wrongly is not found by reading how the magic works.
    """
    words = f"{type(error).__name__}: {error}"
    cause = error.__cause__

    def render() -> list[str]:
        told = readable(words)
        return [told] if cause is None else [*_rendered(shell, cause), "", told]

    error._render_traceback_ = render  # type: ignore[attr-defined]
    return error


def as_in_a_cell(shell: Shell, error: Exception) -> Exception:
    """`error`, which a line of a `%%cascade` cell raised, shown as in any other cell.

    Frames of this package stand above that line, and below it where the line called a task wrongly.
    """
    if isinstance(error, CascadeError):
        _cut_after(error.__traceback__)
    error._render_traceback_ = lambda: _rendered(shell, error)  # type: ignore[attr-defined]
    return error


def _rendered(shell: Shell, error: BaseException) -> list[str]:
    """The lines of a traceback that begins with the user's first frame."""
    below = _beyond(error.__traceback__, _is_ours)
    # The offset is for IPython's own frame at the top, which is gone already.
    lines: list[str] = shell.InteractiveTB.structured_traceback(
        type(error), error, below, tb_offset=0
    )
    return list(map(encodable, lines))


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame is this package's."""
    return str(frame.f_globals.get("__name__", "")).startswith(_PACKAGE)


def _beyond(
    step: TracebackType | None, skipped: Callable[[FrameType], bool]
) -> TracebackType | None:
    """What follows the first row of frames that are `skipped`; all of it if there is none."""
    whole, seen = step, False
    while step is not None:
        if skipped(step.tb_frame):
            seen = True
        elif seen:
            return step
        step = step.tb_next
    return whole


def _cut_after(step: TracebackType | None) -> None:
    """Take what this package did below the user's last line out of the traceback."""
    last = None
    while step is not None:
        if not _is_ours(step.tb_frame):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
