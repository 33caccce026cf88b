"""How the tests are spread over several processes: what stays together, what begins first.

Tests of one file stay together, since they share what their file's fixtures start, and those of a
real kernel's version apart from those of another. What takes long is begun first, so that no
process is left with it at the end; what is held against a clock comes last, when the others have
little left to do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.kernels import LABELS

#: Files whose tests take long and share nothing: each test goes where there is room.
APART = (
    "tests/engine/machine/test_state_machine.py",
    "tests/engine/test_faults_at_every_point.py",
    "tests/engine/test_killed_processes.py",
    "tests/kernel/test_killed_kernels.py",
    "tests/state/test_taken_over.py",
)

#: What is begun first: starts of node ids, longest first.
FIRST = (
    "tests/engine/test_killed_processes.py",
    "tests/kernel/test_killed_kernels.py",
    "tests/state/test_taken_over.py",
    "tests/browser/",
    "tests/notebooks/",
    "tests/executors/processes/test_random_kills.py",
    "tests/kernel/",
    "tests/notebook/",
    "tests/engine/machine/",
    "tests/project/test_benchmarks.py",
    "tests/project/test_docs.py",
    "tests/connectors/test_mqtt_broker_trouble.py",
)

#: What is held against a clock.
LAST: tuple[str, ...] = ()

#: What starts a kernel, a browser or a server: a file of tests that has something of it needs one.
OUTSIDE = frozenset(
    f"tests.support.{name}"
    for name in ("kernels", "killing", "lab", "mosquitto", "panel_page", "redis_server")
)


class Spread(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Gives a process one unit of work after another, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # the order is that of `in_order`
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """What a test is run together with: its file, and its kernel's version where it has one."""
    if nodeid.startswith(APART):
        return nodeid
    if nodeid.startswith(LAST):
        return "clocked"
    file, _, test = nodeid.partition("::")
    values = test.partition("[")[2]
    return next((f"{file}[{label}]" for label in LABELS if label in values), file)


def mark_outside(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of files that need a kernel, a browser or a server."""
    for item in items:
        module = getattr(item, "module", None)
        if any(
            getattr(one, "__module__", "") in OUTSIDE for one in vars(module or object).values()
        ):
            item.add_marker(pytest.mark.outside)


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests as they are to be begun, whatever order their files were read in; what stays
    together is not torn.
    """
    return sorted(items, key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> tuple[int, str]:
    file = nodeid.partition("::")[0]
    if nodeid.startswith(LAST):
        return len(FIRST) + 1, file
    turns = (turn for turn, start in enumerate(FIRST) if nodeid.startswith(start))
    return next(turns, len(FIRST)), file


def workers(waiting: bool) -> int:
    """How many processes pay: one for a core, and as many again and one more where tests wait, for
    kernels, browsers, servers and timers.
    """
    cores = os.cpu_count() or 1
    return 2 * cores + 1 if waiting else cores
