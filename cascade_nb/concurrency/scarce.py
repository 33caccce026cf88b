"""Says what to do where the machine gives this process no more threads, files or memory, and lets
who can do without a thread do without.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator

from cascade_nb.errors import CascadeError


def scarce(error: BaseException) -> str:
    """What to do where the machine gives this process no more of something; else nothing."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "; close files and connections, or let it have more (ulimit -n)"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "; end threads, or let it have more of them or of memory (ulimit -u, ulimit -v)"
    return "; free memory, or let it have more" if isinstance(error, MemoryError) else ""


@contextlib.contextmanager
def told_where_scarce(kind: type[CascadeError], what: str) -> Iterator[None]:
    """What is done inside and fails since there is no more of something fails in words.

    Args:
        kind: of the error.
        what: cannot be done then, as the beginning of a sentence.

    Raises:
        CascadeError: of that kind.
    """
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        advice = "" if isinstance(error, CascadeError) else scarce(error)
        if not advice:
            raise
        raise kind(f"{what}: {type(error).__name__}: {error}{advice}") from error


def has_begun(thread: threading.Thread) -> bool:
    """Begin a thread; False where there are no more of them, or Python is about to end, and who
    asks has to be as it was before.
    """
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
