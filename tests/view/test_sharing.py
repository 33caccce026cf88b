"""Layouts that are shared, kept, cancelled: what lives how long."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cascade_nb.view.graphviz import child
from cascade_nb.view.graphviz.layout import Rendered, aside, lay_out, lay_out_now
from cascade_nb.view.graphviz.layout_cache import LayoutCache
from cascade_nb.view.picture.picture import picture_of
from cascade_nb.view.picture.states import Marks
from tests.support.leaks import is_running
from tests.view.conftest import FOR_EVER, FakeDot, MakeDot
from tests.view.graphs import every_kind, layered, pipeline


def _until(go: Path) -> str:
    """What a `dot` does that waits for a file before it answers."""
    return f'while [ ! -e "{go}" ]; do sleep 0.01; done; exec $DOT "$@"'


async def until_started(dot: FakeDot) -> int:
    """The process id of the first one, as soon as there is one."""
    deadline = time.monotonic() + 60
    while not dot.starts:
        assert time.monotonic() < deadline, "no child was started"
        await asyncio.sleep(0.01)
    return dot.starts[0]


async def test_what_was_laid_out_once_needs_no_child(fake_dot: MakeDot) -> None:
    dot = fake_dot('exec $DOT "$@"')
    first = await lay_out(picture_of(pipeline()))
    assert len(dot.starts) == 2  # one for the places, one for the PNG
    again = await lay_out(picture_of(pipeline()))  # built anew, yet the same
    assert len(dot.starts) == 2
    assert (again.svg, again.png) == (first.svg, first.png)


async def test_new_states_on_a_known_picture_need_no_layout(fake_dot: MakeDot) -> None:
    dot = fake_dot('exec $DOT "$@"')
    picture = picture_of(pipeline())
    before = await lay_out(picture)
    after = await lay_out(picture, marks=Marks({"raw": "failed"}))
    assert len(dot.starts) == 3  # only the PNG is painted anew
    assert after.geometry == before.geometry
    assert after.png != before.png


async def test_many_who_ask_at_once_share_one_child(fake_dot: MakeDot) -> None:
    dot = fake_dot('sleep 0.3; exec $DOT "$@"')
    asked = [lay_out(picture_of(every_kind()), ["svg"]) for _ in range(8)]
    rendered = await asyncio.gather(*asked)
    assert len(dot.starts) == 1
    assert len({r.svg for r in rendered}) == 1


def test_threads_and_loops_share_one_child_too(fake_dot: MakeDot) -> None:
    dot = fake_dot('sleep 0.3; exec $DOT "$@"')
    picture = picture_of(every_kind())

    def in_a_loop() -> Rendered:
        return asyncio.run(lay_out(picture, ["svg"]))

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(in_a_loop) for _ in range(3)]
        jobs += [pool.submit(lay_out_now, picture, ["svg"]) for _ in range(3)]
        assert all(job.result(60).svg for job in jobs)
    assert len(dot.starts) == 1


async def test_the_shelf_is_bounded_and_keeps_what_was_asked_for_last() -> None:
    made: list[str] = []
    cache: LayoutCache[str] = LayoutCache(room=2, keeps=lambda result: result != "d")

    async def ask(key: str) -> None:
        def make(_: child.Child) -> str:
            made.append(key)
            return key

        assert await cache.ask(key, make) == key

    for key in ("a", "b", "a", "c", "a", "d", "a"):
        await ask(key)
    assert made == ["a", "b", "c", "d"]
    await ask("b")  # the one that had not been asked for longest is gone
    await ask("d")  # and what is not worth keeping never was there
    assert made == ["a", "b", "c", "d", "b", "d"]


async def test_the_loop_is_free_while_a_child_works(fake_dot: MakeDot, tmp_path: Path) -> None:
    go = tmp_path / "go"
    dot = fake_dot(_until(go))
    work = asyncio.create_task(lay_out(picture_of(layered(100, 100)), ["svg"]))
    await until_started(dot)
    for _ in range(20):
        await asyncio.sleep(0.005)
        assert not work.done(), "its time was up while something waited for the child on the loop"
    go.touch()
    assert (await work).svg


@pytest.mark.parametrize("line", FOR_EVER)
async def test_a_cancelled_layout_leaves_no_child(fake_dot: MakeDot, line: str) -> None:
    dot = fake_dot(line)
    work = asyncio.create_task(lay_out(picture_of(pipeline())))
    pid = await until_started(dot)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    # Not a moment later: who awaits the cancellation may end the process next.
    assert not is_running(pid)


async def test_a_child_lives_while_somebody_still_waits_for_it(fake_dot: MakeDot) -> None:
    dot = fake_dot('sleep 0.5; exec $DOT "$@"')
    picture = picture_of(pipeline())
    first, second = (asyncio.create_task(lay_out(picture, ["svg"])) for _ in range(2))
    await until_started(dot)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).svg is not None
    assert len(dot.starts) == 1


async def test_who_asks_after_a_cancellation_gets_a_child_of_his_own(fake_dot: MakeDot) -> None:
    # The one that is being killed must not answer for the next.
    dot = fake_dot('sleep 0.3; exec $DOT "$@"')
    picture = picture_of(pipeline())
    first = asyncio.create_task(lay_out(picture, ["svg"]))
    await until_started(dot)
    first.cancel()
    second = asyncio.create_task(lay_out(picture, ["svg"]))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).svg is not None
    assert len(dot.starts) == 2


async def test_a_layout_cancelled_before_it_begins_leaves_nothing(fake_dot: MakeDot) -> None:
    dot = fake_dot("exec sleep 1000")
    work = asyncio.create_task(lay_out(picture_of(pipeline())))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not any(map(is_running, dot.starts))


async def test_a_loop_that_closes_early_is_not_called_any_more(
    fake_dot: MakeDot, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    # One thread's loop is gone when the child that it shared with another answers.
    go = tmp_path / "go"
    dot = fake_dot(_until(go))
    picture = picture_of(pipeline())
    mine = asyncio.create_task(lay_out(picture, ["svg"]))
    await until_started(dot)

    def short() -> None:
        async def briefly() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(lay_out(picture, ["svg"]), 0.05)

        asyncio.run(briefly())

    thread = threading.Thread(target=short)
    thread.start()
    await asyncio.to_thread(thread.join)
    go.touch()
    assert (await mine).svg is not None
    assert not [line for line in caplog.messages if "callback" in line]


async def test_an_error_of_our_own_reaches_who_waits() -> None:
    def fails() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        await aside(fails)


def test_the_end_of_the_interpreter_ends_the_child(fake_dot: MakeDot) -> None:
    # A kernel is shut down while a layout is under way; a child left behind would run on.
    dot = fake_dot("exec sleep 1000")
    script = (
        "import threading, time, sys\n"
        "from cascade_nb.view.graphviz.layout import lay_out_now\n"
        "from cascade_nb.view.picture.picture import picture_of\n"
        "from tests.view.graphs import pipeline\n"
        "picture = picture_of(pipeline())\n"
        "threading.Thread(target=lay_out_now, args=(picture,), daemon=True).start()\n"
        "from pathlib import Path\n"
        "log = Path(sys.argv[1])\n"
        "while not (log.exists() and log.read_text()): time.sleep(0.01)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(dot.log)], cwd=root, timeout=60, check=True
    )
    assert done.returncode == 0
    assert len(dot.starts) == 1
    assert not is_running(dot.starts[0])


async def test_an_interrupt_of_the_group_does_not_reach_the_child(
    fake_dot: MakeDot, tmp_path: Path
) -> None:
    # A notebook's interrupt goes to the kernel's whole process group.
    go = tmp_path / "go"
    dot = fake_dot(_until(go))
    work = asyncio.create_task(lay_out(picture_of(pipeline()), ["svg"]))
    pid = await until_started(dot)
    group = await asyncio.to_thread(
        subprocess.check_output, ["ps", "-o", "pgid=", "-p", str(pid)], text=True
    )
    assert int(group) == pid
    go.touch()
    assert (await work).svg is not None
