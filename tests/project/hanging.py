"""A benchmark that starts a process and hangs, for the test of who ends both."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final


def hang(note: str) -> Mapping[str, float]:
    """Write the id of the process that was started to `note`."""
    program = "import time; time.sleep(600)"
    started = subprocess.Popen([sys.executable, "-c", program])
    Path(note).write_text(str(started.pid))
    time.sleep(600)
    return {}


PROBES: Final = {"hang": hang}
