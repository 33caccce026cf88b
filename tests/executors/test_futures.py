"""A pool that is somebody's own: it stays so, and what it cannot is said."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import copy
import importlib
import multiprocessing
import os
import pathlib
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import (
    ExecutorError,
    RunCancelledError,
    TaskDefinitionError,
    TaskFailedError,
    TaskTimeoutError,
    UsageError,
)
from cascade_nb.events import TaskRetrying
from cascade_nb.executors import FuturesExecutor
from cascade_nb.testing import SpySubscriber
from tests.executors.pools import REMOTE, WIDTH, warm, warm_pool
from tests.support.patience import PATIENCE, tries, until, wait_for_file


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(grace=0.2)
    yield made
    made.close()


@pytest.fixture(scope="module", params=REMOTE)
def remote(request: pytest.FixtureRequest) -> Iterator[Any]:
    with warm_pool(request.param) as pool:
        yield pool


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WIDTH) as pool:
        warm(pool)
        yield pool


class Busy:
    """Takes every worker of a pool for work of its owner, until it is told to let go."""

    def __init__(self, pool: Any, folder: pathlib.Path) -> None:
        self._go = folder / "go"
        # A pool of processes takes some more than it has workers for out of its queue.
        self.work = [pool.submit(wait_for_file, str(self._go)) for _ in range(4 * WIDTH + 4)]

    def let_go(self) -> None:
        self._go.touch()
        concurrent.futures.wait(self.work, PATIENCE)


@contextlib.contextmanager
def busy_with(pool: Any, folder: pathlib.Path) -> Iterator[Busy]:
    busy = Busy(pool, folder)
    try:
        yield busy
    finally:
        busy.let_go()


def _say_there() -> None:
    os.environ["SAID_THERE"] = "yes"


def touch(path: str) -> int:
    pathlib.Path(path).touch()
    return os.getpid()


# It is its owner's.


def test_it_works_on_when_the_engine_is_closed(threads: ThreadPoolExecutor) -> None:
    engine = Engine(executor=threads)
    name = cs.task(lambda: threading.current_thread().name)
    assert engine.start(name()).result().startswith("ThreadPoolExecutor")
    engine.close()
    assert threads.submit(lambda: 1).result() == 1


def test_a_run_and_a_task_say_where_and_threads_are_told_from_processes(
    engine: Engine, threads: ThreadPoolExecutor, remote: Any
) -> None:
    where = cs.task(lambda n: (os.getpid(), threading.current_thread().name), reuse=False)
    there = cs.task(lambda n: (os.getpid(), threading.current_thread().name), executor=remote)
    mine, other = engine.start([where(1), there(1)], on=threads).result()
    assert mine[0] == os.getpid() != other[0]
    assert mine[1].startswith("ThreadPoolExecutor")
    here = cs.task(os.getpid, executor="thread")
    assert engine.start(here(), on=remote).result() == os.getpid()


def test_all_kinds_of_places_work_on_one_graph(
    engine: Engine, threads: ThreadPoolExecutor, remote: Any
) -> None:
    async def on_loop(xs: list[int]) -> list[int]:
        return [*xs, os.getpid()]

    def add(xs: list[int]) -> list[int]:
        return [*xs, os.getpid()]

    value: Any = []
    places = ("thread", threads, remote, "inline", remote, threads, "thread")
    for place in places:
        value = cs.task(add, executor=place)(value)
        value = cs.task(on_loop)(value)
    found = engine.start(value).result()
    own = [pid == os.getpid() for pid in found[::2]]
    assert own == [place is not remote for place in places]
    assert set(found[1::2]) == {os.getpid()}


def test_it_is_never_handed_more_than_it_has_workers(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    most = 0

    def look(n: int) -> None:
        nonlocal most
        most = max(most, threads._work_queue.qsize())
        time.sleep(0.001)

    engine.start(cs.task(look, executor=threads).map(n=list(range(50)))).result()
    assert most < WIDTH
    one = FuturesExecutor(threads, capacity=1)
    lock = threading.Lock()

    def alone(n: int) -> bool:
        if not lock.acquire(blocking=False):
            return False
        time.sleep(0.002)
        lock.release()
        return True

    assert all(engine.start(cs.task(alone, executor=one).map(n=list(range(20)))).result())


def test_what_waits_for_its_workers_says_so(engine: Engine, threads: ThreadPoolExecutor) -> None:
    go = threading.Event()
    work = cs.task(lambda n: go.wait(PATIENCE), executor=threads)
    run = engine.start([work(n).named(f"w{n}") for n in range(WIDTH + 1)])
    until(lambda: run.status.running == WIDTH)
    said = f"w{WIDTH} is queued: all {WIDTH} ThreadPoolExecutor workers are busy"
    assert said in run.why(f"w{WIDTH}")
    go.set()
    run.result()


def test_a_run_inside_of_a_body_needs_no_worker_of_its_pool(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        one = FuturesExecutor(pool)
        inner = cs.task(lambda n: n + 1, executor=one)
        outer = cs.task(lambda: cs.run(inner.lazy(1)), executor=one)
        assert engine.start(outer(), on=one).result() == 2


def test_no_worker_of_threads_is_kept_from_others(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        order: list[Any] = []
        holds = threading.Event()

        def work(n: int) -> None:
            if n == 0:
                pool.submit(order.append, "theirs")
                holds.set()
            order.append(n)

        engine.start(cs.task(work, executor=pool).map(n=list(range(5)))).result()
    assert order[0] == 0
    assert order.index("theirs") <= 2


# What goes wrong is the task's, in a sentence.


def test_of_a_pool_that_was_shut_down_each_task_says_so_and_is_tried_again(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    spy = SpySubscriber(engine.bus)
    there = cs.task(lambda: 1, executor=threads, retry=3, name="there")
    here = cs.task(lambda: 2, executor="thread")
    threads.shutdown()
    words = "there failed.*the ThreadPoolExecutor takes nothing any more: RuntimeError: cannot sch"
    run = engine.start([there(), here()], on_error="continue")
    with pytest.raises(TaskFailedError, match=words) as caught:
        run.result()
    assert isinstance(caught.value.__cause__, ExecutorError)
    assert (run.status.done, run.status.failed) == (1, 1)
    assert len(spy.events_of_type(TaskRetrying)) == 2


def test_what_gives_no_future_is_said_to_give_none(engine: Engine) -> None:
    class Forgetful(ThreadPoolExecutor):
        def submit(self, *args: Any) -> Any:  # type: ignore[override]
            return None

    with Forgetful(1) as pool:
        there = cs.task(lambda: 1, executor=pool, name="there")
        with pytest.raises(TaskFailedError, match=r"TypeError: its submit\(\) gave None, which is"):
            engine.start(there()).result()


@pytest.mark.parametrize("name", REMOTE)
def test_a_worker_that_dies_fails_its_task_and_a_function_gives_a_new_pool(
    engine: Engine, name: str, tmp_path: pathlib.Path
) -> None:
    pools: list[Any] = []
    with contextlib.ExitStack() as stack:

        def make() -> Any:
            pools.append(stack.enter_context(warm_pool(name, 1)))
            return pools[-1]

        healing = FuturesExecutor(make)

        def die(path: str) -> int:
            if not os.path.exists(path):  # noqa: PTH110
                pathlib.Path(path).touch()
                os._exit(7)
            return 1

        task = cs.task(die, executor=healing, retry=2, reuse=False, track_files=False)
        assert engine.start(task(str(tmp_path / "tried"))).result() == 1
        assert len(pools) == 2
        once = cs.task(die, executor=pools[1], name="once", reuse=False, track_files=False)
        with pytest.raises(TaskFailedError, match=r"once failed.*broke while it had it: \w+: A"):
            engine.start(once(str(tmp_path / "again"))).result()
        with pytest.raises(TaskFailedError, match=r"takes nothing any more.*FuturesExecutor\(lam"):
            engine.start(once(str(tmp_path / "again"))).result()


def test_what_somebody_cancels_in_a_pool_of_threads_has_failed(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    seen: list[Future[Any]] = []

    class Watched(ThreadPoolExecutor):
        def submit(self, *args: Any) -> Future[Any]:  # type: ignore[override]
            seen.append(super().submit(*args))
            return seen[-1]

    with Watched(WIDTH) as pool, busy_with(pool, tmp_path) as busy:
        run = engine.start(cs.task(touch, executor=pool)(str(tmp_path / "ran")))
        until(lambda: len(seen) > len(busy.work))
        assert seen[-1].cancel()
        with pytest.raises(TaskFailedError, match="somebody cancelled it in the Watched"):
            run.result()
    assert not (tmp_path / "ran").exists()


def test_what_somebody_cancels_in_a_pool_of_processes_has_failed(
    engine: Engine, remote: Any, tmp_path: pathlib.Path
) -> None:
    seen: list[Future[Any]] = []

    class Watched:
        _max_workers = 1

        def submit(self, *args: Any) -> Future[Any]:
            seen.append(remote.submit(*args))
            return seen[-1]

    with busy_with(remote, tmp_path):
        run = engine.start(cs.task(touch, executor=Watched())(str(tmp_path / "ran")))
        until(lambda: seen)
        assert seen[0].cancel()
        with pytest.raises(TaskFailedError, match="somebody cancelled it in the Watched"):
            run.result()
    assert not (tmp_path / "ran").exists()


def test_threads_that_count_as_processes_are_refused_with_the_way_out(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    wrong = FuturesExecutor(threads, remote=True)
    with pytest.raises(TaskFailedError, match=r"in this very process; say so.*remote=False"):
        engine.start(cs.task(lambda: 1, executor=wrong)()).result()


def test_processes_that_count_as_threads_are_refused_with_the_way_out(
    engine: Engine, remote: Any
) -> None:
    wrong = FuturesExecutor(remote, remote=False)
    with pytest.raises(TaskFailedError, match=r"did not run it: \w+Error.*remote=True"):
        engine.start(cs.task(lambda: 1, executor=wrong)()).result()


@pytest.mark.parametrize("what", [3, "cluster", ThreadPoolExecutor, object()])
def test_what_is_no_executor_is_refused_at_once(engine: Engine, what: Any) -> None:
    with pytest.raises(TaskDefinitionError, match="executor"):
        cs.task(lambda: 1, executor=what)
    with pytest.raises(UsageError, match="executor"):
        engine.start(cs.task(lambda: 1)(), on=what)
    with pytest.raises(UsageError, match="no method submit"):
        FuturesExecutor(lambda: what)


@pytest.mark.parametrize("capacity", [0, -1, 1.5, "2"])
def test_a_capacity_is_a_number_of_bodies(threads: ThreadPoolExecutor, capacity: Any) -> None:
    with pytest.raises(UsageError, match="capacity is a number of bodies"):
        FuturesExecutor(threads, capacity=capacity)


def test_what_cannot_go_there_is_named_before_anything_starts(engine: Engine, remote: Any) -> None:
    lock = threading.Lock()

    def locked() -> None:
        with lock:
            pass

    with pytest.raises(UsageError, match="locked cannot run in a process: `lock`"):
        engine.start(cs.task(locked)(), on=remote).result()


# Admission.


def test_what_has_not_begun_in_a_pool_of_threads_is_held_by_a_pause(
    engine: Engine, threads: ThreadPoolExecutor, tmp_path: pathlib.Path
) -> None:
    with busy_with(threads, tmp_path) as busy:
        task = cs.task(touch, executor=threads)
        run = engine.start([task(str(tmp_path / f"ran{n}")) for n in range(WIDTH + 1)])
        until(lambda: threads._work_queue.qsize() >= len(busy.work))
        run.pause()
    threads.submit(int).result()  # it has come to all that was before
    assert not list(tmp_path.glob("ran*"))
    assert run.status.headline.startswith("Paused")
    run.resume()
    assert run.result() == [os.getpid()] * (WIDTH + 1)


def test_what_has_not_begun_in_a_pool_of_processes_is_taken_back_by_a_pause(
    engine: Engine, remote: Any, tmp_path: pathlib.Path
) -> None:
    with busy_with(remote, tmp_path):
        task = cs.task(touch, executor=remote, track_files=False)
        run = engine.start([task(str(tmp_path / f"ran{n}")) for n in range(WIDTH)])
        until(lambda: run.status.running == WIDTH)
        run.pause()
        until(lambda: run.status.running == 0)
    list(remote.map(int, range(4)))
    assert not list(tmp_path.glob("ran*"))
    run.resume()
    assert len(run.result()) == WIDTH


def test_what_has_begun_in_processes_finishes_and_the_pause_says_that(
    engine: Engine, remote: Any, tmp_path: pathlib.Path
) -> None:
    go = tmp_path / "go"

    def work(n: int, came: str, path: str) -> int:
        pathlib.Path(came).touch()
        wait_for_file(path)
        return n

    task = cs.task(work, executor=remote, track_files=False)
    run = engine.start([task(n, str(tmp_path / f"came{n}"), str(go)) for n in range(4)])
    until(lambda: len(list(tmp_path.glob("came*"))) == WIDTH)
    run.pause(reason="look")
    words = run.status.headline
    assert words.startswith(f"Pausing… {WIDTH} finishing, which cannot be suspended · 2 tasks held")
    view = run._observer._view
    assert view is not None
    # Nor does a guard of memory take one for a process that it could suspend.
    assert [one.suspendable for one in view.in_flight.values()] == [None] * WIDTH
    go.touch()
    until(lambda: run.status.running == 0)
    assert run.status.done == WIDTH
    assert len(list(tmp_path.glob("came*"))) == WIDTH
    run.resume()
    assert run.result() == [0, 1, 2, 3]


def test_a_cancel_takes_back_what_has_not_begun_and_names_what_goes_on(
    engine: Engine, remote: Any, tmp_path: pathlib.Path
) -> None:
    patient = Engine(grace=PATIENCE)
    with busy_with(remote, tmp_path):
        task = cs.task(touch, executor=remote, track_files=False)
        run = patient.start([task(str(tmp_path / "ran0")), task(str(tmp_path / "ran1"))])
        until(lambda: run.status.running == WIDTH)
        run.cancel("enough")
        with pytest.raises(RunCancelledError, match="enough"):
            run.result()
        assert not run.still_running
    patient.close()
    list(remote.map(int, range(4)))
    assert not list(tmp_path.glob("ran*"))

    go, came = tmp_path / "on", tmp_path / "came"

    def work() -> None:
        came.touch()
        wait_for_file(str(go))

    run = engine.start(cs.task(work, executor=remote, name="work", track_files=False)())
    until(came.exists)
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.result()
    assert run.still_running == ("work",)
    go.touch()
    list(remote.map(int, range(4)))


def test_time_that_is_up_ends_the_attempt_and_says_that_its_body_goes_on(
    engine: Engine, remote: Any, tmp_path: pathlib.Path
) -> None:
    for attempt in tries(0.2):
        with attempt as limit:  # in which the pool has to take it
            go = tmp_path / f"go {limit}"
            slow = cs.task(
                wait_for_file, executor=remote, timeout=limit, name="slow", track_files=False
            )
            try:
                with pytest.raises(TaskTimeoutError, match=r"slow took.*PoolExecutor cannot end"):
                    engine.start(slow(str(go))).result()
            finally:
                go.touch()


# What a body finds there.


def test_what_its_initializer_has_set_stays(engine: Engine, tmp_path: pathlib.Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_say_there) as pool:

        def find(n: int) -> tuple[str | None, str | None]:
            found = os.environ.get("SAID_THERE"), os.environ.get("LEFT")
            os.environ["LEFT"] = "by a body"
            return found

        task = cs.task(find, executor=pool, reuse=False)
        assert engine.start([task(n) for n in range(3)]).result() == [("yes", None)] * 3


def test_a_module_that_was_edited_since_is_not_used_there(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "edited_in_between.py"
    module.write_text("VALUE = 1\n")

    def look(n: int, name: str) -> int:
        return int(importlib.import_module(name).VALUE)

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        task = cs.task(look, executor=pool, reuse=False)
        assert engine.start(task(1, module.stem)).result() == 1
        module.write_text("VALUE = 2222\n")
        with pytest.raises(TaskFailedError, match=r"edited since.*give a new pool"):
            engine.start(task(2, module.stem)).result()
    sys.modules.pop(module.stem, None)


def test_more_than_can_be_kept_of_what_it_prints_is_cut_and_said(
    engine: Engine, remote: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = cs.task(lambda: print("x" * 9_000_000), executor=remote)  # noqa: T201
    engine.start(talk()).result()
    heard = capsys.readouterr().out
    assert len(heard) < 10_000_000
    assert heard.endswith("[more than 8,000,000 characters: the rest does not come back]\n")


def test_the_plan_says_what_cannot_be_suspended_and_nothing_of_threads(
    engine: Engine, threads: ThreadPoolExecutor, remote: Any
) -> None:
    there = cs.task(lambda: os.chdir("/"), executor=remote, name="there")
    here = cs.task(lambda: os.chdir("/"), executor=threads, name="here")
    plan = asyncio.run(engine.plan([there(), here()]))
    words = {step.task: step.reason for step in plan.steps}
    assert "PoolExecutor can neither suspend nor end it" in words["there"]
    assert "one at a time" not in words["there"]
    assert "suspend" not in words["here"]
    assert "one at a time" in words["here"]


# A task that has one as an object.


def test_a_pool_stays_where_it_is_when_its_task_travels(
    engine: Engine, threads: ThreadPoolExecutor, remote: Any
) -> None:
    helper = cs.task(lambda n: n + 1, executor=threads)
    task = cs.task(lambda n: helper(n) * 2, executor=remote)
    assert engine.start(task(1)).result() == 4
    gone = pickle.loads(cloudpickle.dumps(helper))
    assert gone.given is None
    assert engine.start(gone(1)).result() == 2
    assert copy.deepcopy(helper).given is helper.given


def test_a_run_imports_nothing_for_the_pool_of_a_task() -> None:
    # It would do so on its loop, which is the kernel's, and the first time takes 45 ms.
    code = (
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import cascade_nb as cs\n"
        "with ThreadPoolExecutor(1) as pool:\n"
        "    task = cs.task(lambda n: n + 1, executor=pool)\n"
        "    assert 'cascade_nb.executors.futures' in sys.modules\n"
        "    assert cs.run(task(1)) == 2\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_tasks_of_one_pool_share_its_places(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(n: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now, WIDTH * (threads._work_queue.qsize() > 0) + now)
        time.sleep(0.002)
        with lock:
            now -= 1

    one, other = (cs.task(work, executor=threads, name=name) for name in ("one", "other"))
    engine.start([one.map(n=list(range(20))), other.map(n=list(range(20)))], on=threads).result()
    assert most <= WIDTH


def test_a_result_stands_wherever_its_task_runs(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    def body(n: int) -> int:
        return n + 1

    assert engine.start(cs.task(body, executor=threads)(1).named("x")).result() == 2
    run = engine.start(cs.task(body)(1).named("x"))
    assert run.result() == 2
    assert run.status.reused == 1
