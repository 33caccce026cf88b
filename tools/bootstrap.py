"""Makes what a command of the Makefile needs, then becomes that command.

    python3 -m tools.bootstrap [--system] [--kernels] ENVIRONMENT COMMAND [ARGUMENT ...]

ENVIRONMENT is `test` or `notebook`; COMMAND is looked up in it first. `--system` sees to the system
programs of the tests, `--kernels` to the environments of the kernels they start.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 10)

if sys.version_info < OLDEST:
    sys.exit(
        "cascade_nb needs Python 3.10 or newer, and this is {}.{}. Name another one:\n"
        "    make test PYTHON=python3.12".format(*sys.version_info[:2])
    )

from tools.environments import (  # noqa: E402 - an older Python must reach the sentence above
    KERNELS,
    NOTEBOOK,
    ROOT,
    TEST,
    EnvironmentNotMadeError,
    kernel_environment,
    make_all,
    say,
)
from tools.system import ProgramsMissingError, require_programs  # noqa: E402

ENVIRONMENTS = {"test": TEST, "notebook": NOTEBOOK}


def main() -> NoReturn:
    """Read the command line, make what it asks for, run its command."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.bootstrap")
    parser.add_argument("--system", action="store_true", help="see to the tests' system programs")
    parser.add_argument("--kernels", action="store_true", help="make the kernels' environments")
    parser.add_argument("environment", choices=sorted(ENVIRONMENTS))
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run in it")
    arguments = parser.parse_args()
    try:
        if arguments.system:
            _see_to_programs()
        environment = ENVIRONMENTS[arguments.environment]
        kernels = [kernel_environment(label) for label in KERNELS] if arguments.kernels else []
        make_all([environment, *kernels])
    except (EnvironmentNotMadeError, ProgramsMissingError) as failure:
        sys.exit(f"[cascade_nb] {failure}")
    _become(arguments.command or ["python", "--version"], environment.python.parent)


def _see_to_programs() -> None:
    """Missing programs end the command only where a test that cannot run must not go unnoticed."""
    try:
        require_programs()
    except ProgramsMissingError as missing:
        if os.environ.get("CI") == "true":
            raise
        say(str(missing))


def _become(command: list[str], programs: Path) -> NoReturn:
    environment = dict(os.environ, VIRTUAL_ENV=str(programs.parent))
    environment["PATH"] = os.pathsep.join([str(programs), environment.get("PATH", os.defpath)])
    environment.pop("PYTHONHOME", None)
    os.chdir(ROOT)
    os.execvpe(command[0], command, environment)  # noqa: S606 - a shell would parse it again


if __name__ == "__main__":
    main()
