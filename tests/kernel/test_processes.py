"""Tasks in processes, in a real kernel: suspended by a pause, heard in the panel, ended with it."""

from __future__ import annotations

import json
import time

import psutil
import pytest

from tests.support.kernels import NEWEST, RealKernel
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

def slow():
    for n in range(3_000):
        time.sleep(.01)

def wrong(): return [][1]

added = add([read(1), read(2)])
waiting = slow()
broken = wrong()
"""

AWAIT = "import asyncio\nwhile not ({}): await asyncio.sleep(.01)"


@pytest.fixture(params=[NEWEST])
def kernel_label(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_notebooks_functions_and_classes_run_in_processes_that_end_with_the_kernel(
    kernel: RealKernel,
) -> None:
    kernel.check("%load_ext cascade_nb")
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
    kernel.check(AWAIT.format("held.status.running"))
    kernel.check("time.sleep(1)")
    kernel.check("held.pause()")
    assert "1 task suspended" in kernel.check("print(held.status.headline)").stdout
    stopped = [p for p in psutil.Process(kernel.pid).children() if p.status() == "stopped"]
    assert len(stopped) == 1
    kernel.kill()
    deadline = time.monotonic() + 30
    while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in stopped):
        assert time.monotonic() < deadline
        time.sleep(0.05)
