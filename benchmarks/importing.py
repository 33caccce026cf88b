"""How long an import takes in a fresh interpreter, and what else came with it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: It imports nothing that the module might need: that would be time which does not show.
_SCRIPT: Final = """
import sys, time
began = time.perf_counter()
__import__(sys.argv[1])
taken = time.perf_counter() - began
print(taken, *(word for word in sys.argv[2:] if word in sys.modules))
"""


def import_of(module: str, words: Sequence[str]) -> Mapping[str, Any]:
    """Milliseconds that the import takes, and which of the `words` are modules afterwards.

    The first of two interpreters compiles what is not compiled yet, as an installation does, and
    fills the disk's cache.

    Raises:
        CalledProcessError: it cannot be imported.
    """
    command = [sys.executable, "-c", _SCRIPT, module, *words]
    with tempfile.TemporaryDirectory() as compiled:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(2):
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
            said = done.stdout.split()
    return {"milliseconds": 1000 * float(said[0]), "came with it": said[1:]}


PROBES: Final = {"import": import_of}
