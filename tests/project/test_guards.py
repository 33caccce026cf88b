"""The guards in conftest.py are themselves tested: each leak fails the test that made it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial

import pytest

from cascade_nb.concurrency.threads import run_in_thread
from tests.support import leaks
from tests.support.idle import IdleLoop
from tests.support.patience import PATIENCE
from tools.environments import ROOT

#: name of a test module -> its text, and what the guard says of its test.
LEAKS = {
    "thread": (
        """
        import threading
        gate = threading.Event()
        def test_it():
            threading.Thread(target=gate.wait, name="stray", daemon=True).start()
        """,
        "left behind thread 'stray'",
    ),
    "process": (
        """
        import subprocess
        def test_it():
            global child
            child = subprocess.Popen(["sleep", "60"])
        def teardown_module():
            child.kill()
            child.wait()
        """,
        "left behind process * sleep 60",
    ),
    "orphan": (
        """
        import os, signal, subprocess
        def test_it():
            # the shell ends at once, and its child is nobody's
            global pid
            command = "sleep 70 >/dev/null & echo $!"
            shell = subprocess.run(command, shell=True, stdout=subprocess.PIPE)
            pid = int(shell.stdout)
        def teardown_module():
            os.kill(pid, signal.SIGKILL)
        """,
        "left behind process * sleep 70",
    ),
    "task": (
        """
        import asyncio
        async def test_it():
            global kept
            kept = asyncio.ensure_future(asyncio.sleep(60))
        """,
        "left behind task <Task pending *",
    ),
    "task_of_asyncio_run": (
        """
        import asyncio
        async def main():
            global kept
            kept = asyncio.ensure_future(asyncio.sleep(60))
        def test_it():
            asyncio.run(main())
        """,
        "left behind task <Task pending *",
    ),
    "unread_failure": (
        """
        import asyncio, gc
        async def fail():
            raise ValueError("unread")
        async def test_it():
            task = asyncio.ensure_future(fail())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            del task
            gc.collect()
        """,
        "asyncio complained: Task exception was never retrieved",
    ),
    "run": (
        """
        import asyncio
        import cascade_nb as cs

        @cs.task
        async def for_long():
            await asyncio.sleep(600)

        def test_it():
            cs.start(for_long())
        """,
        "left behind run <run *for_long*",
    ),
    "engine": (
        """
        import cascade_nb as cs

        @cs.task
        def one():
            return 1

        def test_it():
            global engine
            engine = cs.Engine()
            assert engine.start(one()).result() == 1
        """,
        "left behind thread 'cascade-loop'",
    ),
    "blocked_loop": (
        """
        import time
        import pytest
        import cascade_nb as cs

        @cs.task
        async def blocks():
            time.sleep(0.01)

        def test_it():
            # the engine takes it for a failure of the task, and the test for what it looked for
            with pytest.raises(Exception):
                cs.run(blocks())
        """,
        "the loop was blocked by time.sleep",
    ),
}

FINE = """
    import asyncio, subprocess, threading, time
    import pytest
    from hypothesis.internal.scrutineer import Tracer
    import cascade_nb as cs

    @cs.task
    def sleeps():
        time.sleep(0.01)

    @cs.task
    async def blocks():
        time.sleep(0.01)

    def test_threads_and_processes_that_are_just_ending():
        threading.Timer(0.2, print).start()
        subprocess.Popen(["sleep", "0.2"]).wait()

    async def test_tasks_that_are_just_ending():
        global kept
        kept = asyncio.ensure_future(asyncio.sleep(0.1))
        await asyncio.to_thread(print)

    def test_a_run_that_is_just_ending_and_blocks_no_loop():
        cs.start(sleeps())

    async def test_a_run_on_the_loop_of_the_test():
        await cs.start(sleeps())

    async def test_a_run_of_whose_code_hypothesis_looks_where_it_is():
        with Tracer(should_trace=True):
            await cs.start(sleeps())

    def test_a_pause_of_the_default_engine():
        cs.pause()

    def test_the_next_test_does_not_see_it():
        cs.run(sleeps())

    @pytest.mark.may_block("to see that it is let through")
    def test_blocking_that_says_why():
        cs.run(blocks())
    """


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with this one's guards."""
    monkeypatch.setenv("COLUMNS", "400")  # the summary lines are cut to the terminal's width
    pytester.makeini(
        """
        [pytest]
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = function
        addopts = -ra -p no:cacheprovider
        markers =
            may_block(reason): see conftest.py
        """
    )
    pytester.makeconftest(
        f"""
        import sys
        sys.path.append({str(ROOT)!r})
        from tests.conftest import *
        """
    )
    return pytester


def test_each_leak_fails_the_test_that_made_it(project: pytest.Pytester) -> None:
    if sys.platform != "linux":
        LEAKS.pop("orphan")  # only Linux lets a process adopt its descendants' orphans
    texts = {f"test_{name}": textwrap.dedent(text) for name, (text, _) in LEAKS.items()}
    shorter = "\nleaks.PATIENCE = 1.0\n"  # it is waited for in vain
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text(encoding="utf-8") + shorter, encoding="utf-8")
    project.makepyfile(**texts)
    result = project.runpytest_subprocess()
    for name, (_, complaint) in LEAKS.items():
        result.stdout.fnmatch_lines_random([f"ERROR test_{name}.py::test_it*", f"*{complaint}*"])


def test_what_is_just_ending_or_says_why_passes(project: pytest.Pytester) -> None:
    project.makepyfile(textwrap.dedent(FINE))
    project.runpytest_subprocess().assert_outcomes(passed=8)


def test_a_process_that_waits_to_be_reaped_counts_as_ended() -> None:
    # Orphans that this process adopted stay zombies, and `pid_exists` would say they live.
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 60
    while leaks.is_running(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    ended = not leaks.is_running(child.pid)
    child.wait()
    assert ended


def test_a_loop_is_not_idle_while_something_is_done_beside_it() -> None:
    loop = IdleLoop()

    async def waits_until_idle() -> bool:
        gate = threading.Event()
        beside = asyncio.ensure_future(run_in_thread(partial(gate.wait, PATIENCE)))
        threading.Timer(0.05, gate.set).start()
        await loop.idle()
        return beside.done() and await beside

    try:
        assert loop.run_until_complete(waits_until_idle())
    finally:
        loop.close()
