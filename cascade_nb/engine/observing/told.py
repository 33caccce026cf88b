"""Says on the standard error stream what a run waits for, to whoever waits for the run.

In a notebook that is the cell's output, in a script the terminal or the log.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cascade_nb.engine.observing.observer import Watch
    from cascade_nb.engine.runs.run import Run

AGAIN: Final = 60.0  # seconds after which the same is said once more


class HeldInWords:
    """What is said while somebody waits for one run.

    Args:
        run: that is waited for. One that is told in lines anyway, or shown, is not spoken of.
        watch: what knows how it stands.
    """

    def __init__(self, run: Run, watch: Watch) -> None:
        self._run, self._watch = run, watch
        self._said: str | None = None
        self._again = 0.0

    def look(self) -> None:
        """Say what holds the run, if something does and it was not said within the last minute."""
        run = self._run
        if run.is_shown or run.orders.log is not None:
            return
        what = self._watch.blocked_by()
        now = time.monotonic()
        if what is None:
            self._said = None
        elif what != self._said or now >= self._again:
            self._said, self._again = what, now + AGAIN
            stream = sys.stderr
            if stream is not None:  # as under pythonw
                stream.write(f"{run.graph.title} (run {run.number}): {run.status.headline}\n")
                stream.flush()
