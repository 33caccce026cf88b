"""Has what a body logs, warns of and displays in another process logged, told and shown here."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from cascade_nb.engine.dispatch.attempt import Attempt
from cascade_nb.engine.dispatch.checkpoint import tell_progress
from cascade_nb.engine.processes.displays import show_here


class ToldHere:
    """Hears what one body says, in the context of its attempt.

    Args:
        attempt: whose body it is.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._warned: dict[Any, Any] = {}

    def hear(self, kind: str, what: Any) -> None:
        """It logged, warned or displayed, or says how far it is."""
        if kind == "log":
            record = logging.makeLogRecord(what)
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(record)
        elif kind == "warning":
            text, category, file, line = what
            warnings.warn_explicit(text, category, file, line, registry=self._warned)
        elif kind == "display":
            show_here(what)
        elif kind == "progress":
            tell_progress(self._attempt, *what)
