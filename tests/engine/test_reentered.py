"""A finalizer or the handler of a signal may ask for anything in the middle of whatever its own
thread does here, under any lock: nothing hangs, and no move is changed behind its back.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from tests.engine.tools import until
from tests.support.patience import PATIENCE
from tools.environments import ROOT

BEGIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import asyncio, contextlib, faulthandler, os, random, signal, threading, time
import cascade_nb as cs
faulthandler.dump_traceback_later({PATIENCE / 2}, exit=True)

@cs.task
def f(x): return x

@cs.task
async def later(x):
    await asyncio.sleep(0)
    return x

@cs.task
def more(x): return g(x)

@cs.task
def g(x): return x

engine, rng, asked, wrong, started = cs.Engine(), random.Random(1), [0], [], []

def ask():
    asked[0] += 1
    which = rng.randrange(7)
    try:
        if which == 0:
            engine.pause("task:f")
            engine.resume("task:f")
        elif which == 1:
            engine.limit("task:g", 1)
            engine.limit("task:g", None)
        elif which == 2:
            engine.pause("task:later", before=True)
            engine.resume("task:later")
            engine.resume("task:later", before=True)
        elif which == 3:
            str(cs.status())
        elif which == 4 and len(started) < 50:
            started.append(engine.start(f(asked[0]), fresh=True))
        elif which == 5:
            [str(run.status) for run in engine.runs]
        elif which == 6:
            engine.pause(reason="all")
            engine.resume()
    except BaseException as error:
        wrong.append(repr(error))

def target(k):
    whole = [f.map(x=list(range(5))), later.map(x=list(range(5))), more(k), g(f(k)).with_retry(2)]
    return [*whole, g(k).run_if(f(True))]

def end():
    for run in started:
        with contextlib.suppress(cs.errors.RunCancelledError):  # its loop has ended
            run.result()
    numbers = [run.number for run in started]
    assert len(set(numbers)) == len(numbers)
    while engine.runs:  # the last may be on its way out
        time.sleep(0.01)
    print(asked[0], engine.constraints.constraints(), engine.runs, wrong)
    os._exit(0)

async def on_a_loop(times):
    return [await engine.start(target(k), fresh=True) for k in range(times)]
"""

PLANTED = """
inside, seen = threading.local(), 0

def at_calls(frame, event, arg):
    global seen
    if getattr(inside, "on", False) or event not in ("call", "c_call"):
        return
    if "cascade_nb" not in frame.f_code.co_filename or rng.randrange(40) or asked[0] > 300:
        return
    inside.on = True
    ask()
    inside.on = False

threading.setprofile(at_calls)
sys.setprofile(at_calls)
WORK
sys.setprofile(None)
threading.setprofile(None)
end()
"""

SIGNALLED = """
def handle(number, frame):
    ask()
    again()

def again():  # after so much of the processor's time, or nothing else would ever go on
    if asked[0] < 200:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.002)

signal.signal(signal.SIGVTALRM, handle)
again()
asyncio.run(on_a_loop(30))
end()
"""


@cs.task
def nothing() -> None: ...


async def test_what_is_asked_in_the_middle_of_a_move_is_in_force_after_it(engine: Engine) -> None:
    await engine.run(nothing())
    manager = engine.constraints
    with manager.lock:  # as in a finalizer that comes in a move
        assert engine.pause("task:nothing").scope.value == "nothing"
        engine.limit("task:nothing", 2)
        assert not manager.constraints()
    await until(lambda: len(manager.constraints()) == 2)
    with manager.lock:
        assert engine.resume("task:nothing")
        engine.limit("task:nothing", None)
        assert len(manager.constraints()) == 2
    await until(lambda: not manager.constraints())


def _said(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "work",
    [
        "[engine.start(target(k), fresh=True).result() for k in range(4)]",
        "asyncio.run(on_a_loop(4))",
    ],
)
def test_what_is_asked_at_any_call_here_neither_hangs_nor_breaks_a_run(
    work: str,
) -> None:
    said = _said(BEGIN + PLANTED.replace("WORK", work))
    asked, rest = said.split(" ", 1)
    assert rest == "[] [] []\n"
    assert int(asked) > 100


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such timers here")
def test_what_the_handler_of_a_signal_asks_neither_hangs_nor_breaks_a_run() -> None:
    asked, rest = _said(BEGIN + SIGNALLED).split(" ", 1)
    assert rest == "[] [] []\n"
    assert int(asked) > 3
