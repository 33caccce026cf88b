"""Opens JupyterLab on the quickstart, with the kernel of the environment that this runs in.

python -m tools.lab [ARGUMENT ...]        arguments go to `jupyter lab`
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tools.demo import QUICKSTART
from tools.environments import ROOT


def main() -> NoReturn:
    """Become JupyterLab."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}"]
    command += [str(QUICKSTART.relative_to(ROOT))]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # it refuses to start as root otherwise
    # A "python3" kernel that the user installed elsewhere must not stand in for this one.
    environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1")
    os.execve(sys.executable, [*command, *sys.argv[1:]], environment)  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
