"""Tasks in processes, in a real kernel: suspended by a pause, heard in the panel, ended with it."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.engine.tools import until_blocking
from tests.support.kernels import NEWEST, RealKernel
from tests.support.leaks import is_running
from tests.support.panel_client import PanelClient

WORKFLOW = """%%cascade --quiet
import os, time

factor = 2

class Reading:
    def __init__(self, value): self.value = value

def _scaled(x): return x * factor

def read(n):
    print("reading", n)
    return Reading(_scaled(n))

def add(readings):
    return sum(one.value for one in readings), os.getpid()

def slow(path):
    open(path, "w").close()
    for n in range(30_000):
        time.sleep(.01)

def wrong(): return [][1]

added = add([read(1), read(2)])
waiting = slow(BEGUN)
broken = wrong()
"""

AWAIT = "import asyncio\nwhile not ({}): await asyncio.sleep(.01)"


@pytest.fixture(params=[NEWEST])
def kernel_label(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_notebooks_functions_and_classes_run_in_processes_that_end_with_the_kernel(
    kernel: RealKernel, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    kernel.check(f"%load_ext cascade_nb\nBEGUN = {str(begun)!r}")
    kernel.check(WORKFLOW)
    panel = PanelClient(kernel, kernel.check("run = %cascade run added --on processes"))
    value, pid = json.loads(kernel.check("import json; print(json.dumps(await run))").stdout)
    assert value == 6
    assert pid != kernel.pid
    panel.hello()
    panel.wait_until(lambda: "reading 1" in json.dumps([panel.shown, panel.patches]))
    told = kernel.check(
        "bad = %cascade run broken --on processes\n"
        "try: await bad\nexcept Exception as error: print(error)"
    ).stdout
    assert "IndexError" in told
    assert "cell [" in told
    assert "return [][1]" in told

    kernel.check("held = %cascade run waiting --on processes")
    until_blocking(begun.exists)
    kernel.check("held.pause()")
    kernel.check(AWAIT.format("'1 task suspended' in held.status.headline"))
    stopped = until_blocking(lambda: stopped_children(kernel))
    assert len(stopped) == 1
    kernel.kill()
    until_blocking(lambda: not any(is_running(child.pid) for child in stopped))


def stopped_children(kernel: RealKernel) -> list[psutil.Process]:
    """Those that the operating system calls stopped."""
    children = psutil.Process(kernel.pid).children()
    return [child for child in children if child.status() == psutil.STATUS_STOPPED]
