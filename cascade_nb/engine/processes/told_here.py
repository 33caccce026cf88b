"""Has what a body logs and warns of in another process logged and warned of here."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from cascade_nb.engine.dispatch.attempt import Attempt
from cascade_nb.engine.dispatch.checkpoint import tell_progress


class ToldHere:
    """Hears what one body says, in the context of its attempt.

    Args:
        attempt: whose body it is.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._warned: dict[Any, Any] = {}

    def hear(self, kind: str, what: Any) -> None:
        """It logged or warned, or says how far it is."""
        if kind == "log":
            record = logging.makeLogRecord(what)
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(record)
        elif kind == "warning":
            text, category, file, line = what
            warnings.warn_explicit(text, category, file, line, registry=self._warned)
        elif kind == "progress":
            tell_progress(self._attempt, *what)
