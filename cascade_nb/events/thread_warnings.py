"""Warns from threads on which somebody else's work goes on, so that a warning that is an error ends
none of it.
"""

from __future__ import annotations

import threading
import warnings


def warn(text: str, category: type[Warning], cause: BaseException | None = None) -> None:
    """Warn without ever raising.

    Where warnings are errors, one raised here would end a delivering or writing thread, and with it
    everything that the thread had still to do: it goes to `threading.excepthook` instead.
    """
    try:
        warnings.warn(text, category, stacklevel=3, source=cause)
    except category as raised:
        raised.__cause__ = cause
        threading.excepthook(
            threading.ExceptHookArgs((category, raised, None, threading.current_thread()))
        )
