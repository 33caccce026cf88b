"""Where the machine gives this process no more threads, files or memory, runs end and say so, or do
with what there is; when there is more again, so is everything else.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from tests.support.patience import PATIENCE
from tools.environments import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems limit otherwise")

BEGIN: Final = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import asyncio, resource, threading, time
import cascade_nb as cs

@cs.task
def give(x): return x

@cs.task
def take_a_while(x):
    time.sleep(0.05)
    return x

def told(work):
    try:
        return work()
    except cs.errors.RunError as error:
        return str(error)

def workers():
    return [one for one in threading.enumerate() if one.name.startswith("cascade-worker")]

def room(more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more if more else most, most))
"""

FILES: Final = """
engine = cs.Engine()
print(engine.start(give(1)).result())
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
try:
    while True:
        held.append(open("/dev/null"))
except OSError:
    pass
print(engine.start(give(2)).result())  # it has what it needs
other = cs.Engine()
print(told(lambda: other.start(give(3)).result()))
held.clear()
print(other.start(give(3)).result())
"""

FILES_SAID: Final = (
    "no run can begin: OSError: [Errno 24] Too many open files; close files and connections, or "
    "let it have more (ulimit -n)"
)

THREADS: Final = """
async def main():
    engine = cs.Engine()
    print(await engine.start(give(1)))
    while workers():
        time.sleep(0.05)
    threading.stack_size(1 << 30)
    room(1 << 29)
    try:
        await engine.start(give(2))
    except cs.errors.RunError as error:
        print(error)
    room(0)
    threading.stack_size(0)
    print(await engine.start(give(2)))
    print(await engine.start(give.map(x=list(range(40)))) == list(range(40)))

asyncio.run(main())
"""

THREADS_SAID: Final = (
    "give could not go on: RuntimeError: can't start new thread; end threads, or let it have more "
    "of them or of memory (ulimit -u, ulimit -v)"
)

FEW: Final = """
engine = cs.Engine()
print(engine.start(give(1)).result())
threading.stack_size(1 << 28)
room(5 << 28)
run = engine.start(take_a_while.map(x=list(range(12))))
print(run.result() == list(range(12)))
"""


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (
            FILES,
            [
                "1",
                "2",
                FILES_SAID,
                "3",
            ],
        ),
        (
            THREADS,
            [
                "1",
                THREADS_SAID,
                "2",
                "True",
            ],
        ),
        (FEW, ["1", "True"]),
    ],
    ids=["files", "threads", "few threads"],
)
def test_what_the_machine_does_not_give_is_said_or_done_without(
    script: str, lines: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines() == lines, done.stderr
