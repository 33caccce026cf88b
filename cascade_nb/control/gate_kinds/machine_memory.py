"""Reads how much memory the machine has and uses, or the container around this process, and who
uses it.

The only reader of `/proc/meminfo` and of control groups here, of both versions; see proc(5) and the
kernel's documentation of control groups. What it reads of files that can be had back at once, the
page cache, counts as free.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cascade_nb.errors import ConstraintError

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MACHINE: Final = "the machine"
_GROUP: Final = "the control group"


class Reading(NamedTuple):
    """How much memory is used, where it is scarcest.

    Attributes:
        used, total: bytes.
        where: "the machine", or "the control group" that this process is in.
    """

    used: int
    total: int
    where: str = _MACHINE

    @property
    def fraction(self) -> float:
        """The part that is used, from 0 to 1."""
        return self.used / self.total if self.total else 0.0


class User(NamedTuple):
    """A process and the bytes of memory that it uses."""

    pid: int
    name: str
    size: int


def check_readable() -> None:
    """Refuse to guard what cannot be read.

    Raises:
        ConstraintError: this system does not say it as Linux does.
    """
    if sys.platform != "linux":
        raise ConstraintError(
            f"a memory guard reads /proc, which there is on Linux alone, not on {sys.platform}; "
            "limit how many run at once instead"
        )


def read_memory(root: str = "/") -> Reading:
    """How it stands just now.

    Args:
        root: the folder below which `proc` and `sys` are.

    Raises:
        OSError: it cannot be read.
    """
    below = Path(root)
    known = {}
    for line in (below / "proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in {"MemTotal", "MemAvailable"}:
            known[name] = int(rest.split()[0]) * 1024
    if len(known) < 2:
        raise OSError("/proc/meminfo does not say how much memory is available")
    total = known["MemTotal"]
    found = [Reading(total - known["MemAvailable"], total)]
    found += [one for one in _groups(below) if 0 < one.total < total]
    return max(found, key=lambda one: one.fraction)


def users_of_memory(root: str = "/") -> list[User]:
    """The processes that can be seen from here, the largest first."""
    found = []
    with contextlib.suppress(OSError), os.scandir(Path(root) / "proc") as folder:
        for one in folder:
            if one.name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
                    size = int(Path(one.path, "statm").read_text().split()[1]) * _PAGE
                    name = Path(one.path, "comm").read_text(errors="replace").strip()
                    found.append(User(int(one.name), name, size))
    return sorted(found, key=lambda user: -user.size)


def _groups(root: Path) -> Iterator[Reading]:
    """What the control groups allow that this process is in, and those around them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a kernel without them
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names = "memory.max", "memory.current", "inactive_file"
            bases = [mounted, mounted / "unified"]
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            bases = [mounted / "memory"]
        else:
            continue
        for base in bases:
            yield from _upwards(base, path.lstrip("/"), *names)


def _upwards(base: Path, path: str, limit: str, usage: str, cache: str) -> Iterator[Reading]:
    """A group and those around it; inside of a container its own stands at the top."""
    parts = [part for part in path.split("/") if part not in {"", "..", "."}]
    for depth in range(len(parts), -1, -1):
        folder = base.joinpath(*parts[:depth])
        try:
            most = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
            stat = dict(
                line.split()[:2] for line in (folder / "memory.stat").read_text().splitlines()
            )
        except (OSError, ValueError):  # there is no such group, or it has no limit ("max")
            continue
        yield Reading(max(0, used - int(stat.get(cache, 0))), most, _GROUP)
