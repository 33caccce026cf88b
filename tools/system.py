"""Finds the system programs that the tests need, and installs them where that is ours to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Debian keeps servers here, and it is not on every user's PATH.
EXTRA_PATH = (Path("/usr/sbin"), Path("/usr/local/sbin"), Path("/sbin"))


@dataclass(frozen=True)
class Program:
    """A program the tests start.

    Args:
        debian: the Debian package that brings it.
        executables: the names it goes by, the first found is used.
        elsewhere: how to get it on other systems.
    """

    debian: str
    executables: tuple[str, ...]
    elsewhere: str

    def find(self) -> str | None:
        """Its path, or None where it is not installed."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, EXTRA_PATH)])
        found = (shutil.which(name, path=path) for name in self.executables)
        return next(filter(None, found), None)


PROGRAMS = {
    "chromium": Program(
        "chromium",
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "install Chromium or Chrome",
    ),
    "redis-server": Program("redis-server", ("redis-server",), "brew install redis"),
    "mosquitto": Program("mosquitto", ("mosquitto",), "brew install mosquitto"),
    "dot": Program("graphviz", ("dot",), "brew install graphviz"),
}


class ProgramsMissingError(Exception):
    """Programs the tests need are missing; the message names them and how to get them."""


def debian_root() -> bool:
    """Whether packages can be installed here without asking: root on Debian or a child of it."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return root and Path("/etc/debian_version").exists() and bool(shutil.which("apt-get"))


def missing_programs() -> list[Program]:
    """The programs of the tests that are not installed."""
    return [program for program in PROGRAMS.values() if program.find() is None]


def install_debian(packages: Sequence[str]) -> None:
    """Install Debian packages without asking; tried twice, since a mirror may fail once.

    Raises:
        ProgramsMissingError: apt-get failed both times; the message carries its output.
    """
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    commands = (
        ["apt-get", "-q", "update"],
        ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages],
    )
    for _ in range(2):
        runs = [
            subprocess.run(
                command,
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            for command in commands
        ]
        # `update` may complain about a source that has nothing to do with these packages.
        if runs[-1].returncode == 0:
            return
    raise ProgramsMissingError(
        f"apt-get could not install {' '.join(packages)}:\n{runs[-1].stdout}{runs[-1].stderr}"
    )


def require_programs() -> None:
    """See that the programs of the tests are there.

    Raises:
        ProgramsMissingError: some are not, and they cannot be installed here without asking.
    """
    missing = missing_programs()
    if missing and debian_root():
        install_debian([program.debian for program in missing])
        missing = missing_programs()
    if missing:
        lines = [f"    {p.executables[0]:<14} {p.elsewhere}" for p in missing]
        raise ProgramsMissingError(
            "the tests that need these programs cannot run:\n" + "\n".join(lines) + "\n"
            f"On Debian and Ubuntu: sudo apt-get install {' '.join(p.debian for p in missing)}"
        )
