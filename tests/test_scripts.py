"""Plain scripts: run at top level, in a thread, under Ctrl-C; nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0

HEAD = """
import builtins, sys, threading, time
import cascade_nb as cs
from cascade_nb.defaults import default_engine
from cascade_nb.events import RunFinished

line = threading.Lock()

def print(*words, flush=True):  # one line at a time, whichever thread it comes from
    with line:
        builtins.print(*words, flush=True)

def told(event):
    print("run", event.status, *event.still_running, flush=True)

default_engine().bus.subscribe(told, RunFinished)

@cs.task
def double(x):
    return 2 * x

@cs.task
async def total(*xs):
    return sum(xs)

def leave():
    default_engine().bus.flush()
    deadline = time.monotonic() + 60
    def threads():
        left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        return [name for name in left if name != "cascade-door"]  # which the process has
    while threads() != ["cascade-loop"] and time.monotonic() < deadline:
        time.sleep(0.01)
    print("threads", *threads(), flush=True)
"""


class Script:
    """A script in a process of its own."""

    def __init__(self, body: str, *options: str) -> None:
        text = HEAD + textwrap.dedent(body)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", *options, "-c", text],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, list[str], str]:
        """Its exit code, the rest of its lines, and what it complained of."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.splitlines(), err


@pytest.fixture
def start() -> Iterator[type[Script]]:
    made: list[Script] = []

    class Watched(Script):
        def __init__(self, body: str, *options: str) -> None:
            super().__init__(body, *options)
            made.append(self)

    yield Watched
    for script in made:
        if script.process.poll() is None:
            script.process.kill()
        script.process.communicate()


def test_a_script_runs_at_top_level_and_leaves_nothing_behind(start: type[Script]) -> None:
    script = start("""
        print(cs.run(total(double(1), *[double(i) for i in range(20)])))
        print(cs.run(double.map(x=[1, 2, 3])))
        leave()
    """)
    code, lines, complaints = script.end()
    assert complaints == ""
    assert code == 0
    assert sorted(lines) == sorted(
        ["382", "[2, 4, 6]", "run succeeded", "run succeeded", "threads cascade-loop"]
    )


def test_a_script_may_run_in_threads(start: type[Script]) -> None:
    script = start("""
        def work(n):
            value = cs.run(total(double(n), double(n)))
            print("thread", n, value)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        leave()
    """)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert sorted(line for line in lines if line.startswith("thread ")) == [
        f"thread {n} {4 * n}" for n in range(4)
    ]
    assert lines.count("run succeeded") == 4


def test_a_failure_is_an_exception_with_the_users_line(start: type[Script]) -> None:
    script = start("""
        @cs.task
        def fail():
            raise ValueError("no")

        cs.run(total(fail()))
    """)
    code, lines, complaints = script.end()
    assert code == 1
    assert "run failed" in lines
    assert (
        "TaskFailedError: total could not be computed, because fail failed: ValueError: no"
        in (complaints.splitlines()[-1])
    )
    assert complaints.count("Traceback") == 2  # the user's, and the run's


# A thread that looks whether it is to stop may get no turn for longer than the usual grace.
PATIENT = "default_engine().grace = 60"

INTERRUPTED = """
    {grace}

    @cs.task
    def work():
        print("working", flush=True)
        {body}

    @cs.task
    async def waiting():
        import asyncio
        await asyncio.Event().wait()

    try:
        cs.run(total(work(), waiting()))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    {after}
    leave()
"""


@pytest.mark.parametrize("where", ["at top level", "while a thread runs"])
def test_ctrl_c_cancels_the_run_and_leaves_no_thread(start: type[Script], where: str) -> None:
    body = "for _ in cs.track(range(10**6)): time.sleep(0.001)"
    script = start(INTERRUPTED.format(body=body, after="", grace=PATIENT))
    assert script.line() == "working"
    script.process.send_signal(signal.SIGINT)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert sorted(lines) == ["interrupted", "run cancelled", "threads cascade-loop"]


def test_ctrl_c_names_what_cannot_be_stopped_and_does_not_wait_for_it(
    start: type[Script],
) -> None:
    script = start(
        INTERRUPTED.format(body="time.sleep(10**6)", after="sys.exit(3)", grace="# the usual one")
    )
    assert script.line() == "working"
    began = time.monotonic()
    script.process.send_signal(signal.SIGINT)
    code, lines, complaints = script.end()
    assert (code, complaints) == (3, "")
    assert sorted(lines) == ["interrupted", "run cancelled work"]
    assert time.monotonic() - began < PATIENCE / 2  # its grace, and not the task's time


def test_ctrl_c_that_nobody_catches_ends_the_script(start: type[Script]) -> None:
    script = start(f"""
        {PATIENT}

        @cs.task
        def work():
            print("working", flush=True)
            for _ in cs.track(range(10**6)):
                time.sleep(0.001)

        cs.run(work())
    """)
    assert script.line() == "working"
    script.process.send_signal(signal.SIGINT)
    code, lines, complaints = script.end()
    assert code == -signal.SIGINT
    assert "run cancelled" in lines
    assert complaints.splitlines()[-1] == "KeyboardInterrupt"
    assert "RunCancelledError" not in complaints


def test_subscribers_hear_the_last_word_of_a_script(start: type[Script]) -> None:
    script = start("""
        def slow(event):
            time.sleep(0.2)
            print("heard", event.status)

        default_engine().bus.subscribe(slow, RunFinished)
        cs.run(double(1))
    """)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert sorted(lines) == ["heard succeeded", "run succeeded"]


@pytest.mark.parametrize("lane", ["thread", "async"])
def test_a_script_that_does_not_wait_ends_at_once(start: type[Script], lane: str) -> None:
    body = "def" if lane == "thread" else "async def"
    sleep = "time.sleep" if lane == "thread" else "import asyncio; await asyncio.sleep"
    script = start(f"""
        go = threading.Event()

        @cs.task
        {body} work():
            go.set()
            {sleep}(10**6)

        cs.start(work())
        go.wait()
        print("end", flush=True)
    """)
    code, lines, complaints = script.end()
    assert (code, lines, complaints) == (0, ["end"], "")


def test_an_async_script_runs_on_its_own_loop(start: type[Script]) -> None:
    script = start("""
        import asyncio

        async def main():
            engine = cs.Engine()
            value = await engine.run(total(double(1), double(2)))
            await engine.aclose()
            return value

        print(asyncio.run(main()))
        print(asyncio.run(main()))
        print(sorted(t.name for t in threading.enumerate() if not t.daemon))
    """)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert lines == ["6", "6", "['MainThread']"]


def test_cs_run_inside_a_running_loop_blocks_and_gives_the_value(start: type[Script]) -> None:
    script = start("""
        import asyncio

        async def main():
            return cs.run(total(double(1), double(2)))

        print(asyncio.run(main()))
    """)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert "6" in lines


def test_the_log_of_a_script_is_complete_when_it_ends(start: type[Script]) -> None:
    script = start("""
        import asyncio
        engine = cs.Engine(log="human")
        print(asyncio.run(engine.run(double(4))))
    """)
    code, lines, complaints = script.end()
    assert (code, lines) == (0, ["8"])
    assert complaints.splitlines()[-1].partition(" ")[2].startswith("double · done in")


def test_importing_starts_no_thread_and_no_loop(start: type[Script]) -> None:
    code, lines, complaints = start("""
        print(threading.active_count(), "asyncio" in sys.modules)
        print(sorted(set(sys.modules) & {"IPython", "pandas", "numpy", "dask", "ipywidgets"}))
    """).end()
    assert (code, lines, complaints) == (0, ["1 True", "[]"], "")


@pytest.mark.parametrize(
    "use",
    ['",".join(["a", node])', 'json.dumps({"a": node})', '"a".split(node)', "isinstance(1, node)"],
)
def test_a_script_that_gives_a_node_to_other_code_ends_with_what_to_do(
    start: type[Script], use: str
) -> None:
    script = start(f"""
        import json
        node = double(1)
        def main():
            return {use}
        main()
    """)
    code, _, complaints = script.end()
    assert code == 1
    *_, error, advice = complaints.splitlines()
    assert error.startswith("TypeError: ")
    assert "as `node` is here: cs.run(…) gives its value now" in advice


def test_a_hook_for_errors_that_was_there_shows_them_as_before(start: type[Script]) -> None:
    script = start("""
        import json
        sys.excepthook = lambda kind, error, step: sys.stderr.write("hook " + kind.__name__)
        later = cs.task(len)
        json.dumps(double(1))
    """)
    code, _, complaints = script.end()
    assert code == 1
    assert complaints.splitlines() == ["hook TypeError"]


def test_an_interrupt_that_comes_up_through_the_loop_leaves_nothing_to_be_reported(
    start: type[Script],
) -> None:
    script = start("""
        import asyncio, gc

        @cs.task
        async def slow():
            await asyncio.sleep(300)

        def interrupt():
            raise KeyboardInterrupt

        async def main():
            for _ in range(3):
                asyncio.get_running_loop().call_later(0.2, interrupt)
                try:
                    cs.run(slow())
                except KeyboardInterrupt:
                    print("interrupted")
                gc.collect()
                await asyncio.sleep(0.3)
                gc.collect()

        asyncio.run(main())
    """)
    code, lines, complaints = script.end()
    assert (code, complaints) == (0, "")
    assert lines.count("interrupted") == 3


def test_a_script_that_writes_to_a_large_result_ends_with_what_to_do(start: type[Script]) -> None:
    script = start("""
        import numpy as np

        @cs.task
        def zeros(n):
            return np.zeros(n)

        mine = zeros.fn(10)
        mine.flags.writeable = False
        try:
            mine[0] = 1
        except ValueError:
            print("my own affair")
        large = cs.run(zeros(100_000))
        large += 1
    """)
    code, lines, complaints = script.end()
    assert code == 1
    assert "my own affair" in lines
    *_, error, advice = complaints.splitlines()
    assert error.startswith("ValueError: ")
    assert advice.startswith("`large`: a large array that a task returned")
    assert "x = x.copy()" in advice
