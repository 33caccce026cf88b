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

DOORS: Final = """
import os, tempfile
os.chdir(tempfile.mkdtemp())
mode, held = "MODE", []

def take():
    if mode == "threads":
        threading.stack_size(1 << 30)
        room(1 << 29)
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True:
            held.append(open("/dev/null"))
    except OSError:
        pass

def give_back():
    held.clear()
    if mode == "threads":
        room(0)
        threading.stack_size(0)

async def wait(engine, call):
    return await engine.start(call)

@cs.task
async def give_later(x): return x

def subscribed():
    engine = cs.Engine()
    heard = []
    engine.bus.subscribe(lambda event: heard.append(event))
    return engine.start(give(11)).result()

doors = {
    "use memory": lambda: cs.use_state("memory:"),
    "clean": lambda: cs.clean(0),
    "plan": lambda: str(cs.plan(give(1))),
    "picture": lambda: cs.visualize(give(1))._repr_mimebundle_(),
    "value": lambda: give.lazy(5).value,
    "runs": cs.runs,
    "attach": cs.attach,
    "status": lambda: str(cs.status()),
    "pause": lambda: (cs.pause("task:nobody"), cs.resume("task:nobody")),
    "guard": lambda: (cs.guard(memory="99%"), cs.run(give(12)), cs.guard(memory=None)),
    "run": lambda: cs.run(give(3)),
    "run of coroutines": lambda: cs.run(give_later(3)),
    "run with a log": lambda: cs.run(give(4), log="human"),
    "run in processes": lambda: cs.run(give(5), on="processes"),
    "run that is heard": subscribed,
    "engine at a file": lambda: cs.Engine(state_backend="sqlite:///a.db").start(give(7)).result(),
    "the same on a loop": lambda: asyncio.run(
        wait(cs.Engine(state_backend="sqlite:///b.db"), give(8))
    ),
    "engine at a server": lambda: cs.Engine(state_backend="redis://localhost:1/0").close(),
    "engine at a broker": lambda: cs.Engine(connector="mqtt://localhost:1").close(),
    "use a file": lambda: cs.use_state("sqlite:///c.db"),
    "ask again": lambda: cs.ask_again(cs.ask("q")),
    "engine that closes": lambda: cs.Engine().close(),
    "engine with a log": lambda: cs.Engine(log="json").start(give(10)).result(),
}
for number, (name, door) in enumerate(doors.items()):
    take()
    try:
        door()
    except cs.errors.CascadeError as error:
        if "ulimit" not in str(error) and "run is written" not in str(error):
            print(name, "says", error)
    except BaseException as error:
        print(name, "raises", repr(error))
    give_back()
    time.sleep(0.01)
    if left := [run for engine in cs.Engine.alive() for run in engine.runs]:
        print(name, "leaves", left)
    if cs.run(give(100 + number)) != 100 + number:
        print(name, "is in the way of what comes after")
print("over")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("mode", ["threads", "files"])
@pytest.mark.parametrize("warm", [False, True], ids=["first", "after a run"])
def test_whatever_is_asked_where_there_is_no_more_works_or_says_so(mode: str, warm: bool) -> None:
    begin = "cs.run(give(0))\n" if warm else ""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + begin + DOORS.replace("MODE", mode)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines() == ["over"], done.stderr
    assert "Exception in thread" not in done.stderr, done.stderr


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
