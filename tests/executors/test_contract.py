"""What every executor keeps to. Another adapter adds its name and how to make it to `ADAPTERS`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import TaskFailedError
from cascade_nb.executors import FuturesExecutor, LocalExecutor
from cascade_nb.protocols.execution import Executor, Job


@contextlib.contextmanager
def in_a_pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as pool:
        yield FuturesExecutor(pool)


ADAPTERS: dict[str, Callable[[], contextlib.AbstractContextManager[Executor]]] = {
    "local threads": lambda: contextlib.nullcontext(LocalExecutor(max_threads=3)),
    "a pool of threads": in_a_pool,
}
PATIENCE = 60.0


@pytest.fixture(params=ADAPTERS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with ADAPTERS[request.param]() as made:
        yield made
        made.close()


class OneJob:
    """A job that notes what happens to it; `then` is what its worker goes straight on with."""

    def __init__(
        self,
        call: Callable[[], Any] | None = None,
        then: Job | None = None,
        log: list[Any] | None = None,
    ) -> None:
        self.call = call
        self.then = then
        self.log = log if log is not None else []
        self.over = threading.Event()

    def begin(self) -> Callable[[], Any] | None:
        self.log.append("begin")
        if self.call is None:
            self.over.set()
        return self.call

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        self.log.append(("end", result, error))
        self.over.set()
        return self.then

    def wait(self) -> None:
        assert self.over.wait(PATIENCE)


def give(value: Any = 1) -> Any:
    return lambda: value


def test_a_job_is_begun_called_and_ended_with_its_result(executor: Executor) -> None:
    job = OneJob(give(5))
    executor.submit(job)
    job.wait()
    assert job.log == ["begin", ("end", 5, None)]


def test_what_a_job_raises_is_handed_in(executor: Executor) -> None:
    for kind in (ValueError, KeyboardInterrupt, SystemExit, StopIteration):
        error = kind("no")

        def fail(error: BaseException = error) -> None:
            raise error

        job = OneJob(fail)
        executor.submit(job)
        job.wait()
        ((_, result, raised),) = job.log[1:]
        assert result is None
        assert type(raised) is kind


def test_a_job_that_may_not_begin_after_all_is_forgotten(executor: Executor) -> None:
    job = OneJob(None)
    executor.submit(job)
    job.wait()
    after = OneJob(give(1))
    executor.submit(after)
    after.wait()
    assert job.log == ["begin"]


def test_a_worker_goes_straight_on_with_what_comes_back(executor: Executor) -> None:
    log: list[Any] = []
    last = OneJob(give("c"), log=log)
    chain = OneJob(give("a"), OneJob(give("b"), last, log), log)
    executor.submit(chain)
    last.wait()
    assert [entry[1] for entry in log if entry != "begin"] == ["a", "b", "c"]


def test_submitting_never_waits_and_all_of_its_capacity_works_at_once(executor: Executor) -> None:
    assert executor.capacity >= 1
    together = threading.Barrier(executor.capacity + 1)
    jobs = [OneJob(lambda: together.wait(PATIENCE)) for _ in range(executor.capacity)]
    began = time.monotonic()
    for job in jobs:
        executor.submit(job)
    assert time.monotonic() - began < PATIENCE / 4
    together.wait(PATIENCE)
    for job in jobs:
        job.wait()


def test_workers_are_used_again_and_again(executor: Executor) -> None:
    for _ in range(200):
        job = OneJob(give(1))
        executor.submit(job)
        job.wait()


def test_closing_lets_a_busy_worker_finish_and_can_be_done_twice(executor: Executor) -> None:
    go = threading.Event()
    job = OneJob(lambda: go.wait(PATIENCE))
    executor.submit(job)
    executor.close()
    executor.close()
    go.set()
    job.wait()
    assert job.log[-1] == ("end", True, None)


def test_it_serves_again_after_it_was_closed(executor: Executor) -> None:
    executor.close()
    job = OneJob(give(2))
    executor.submit(job)
    job.wait()
    assert job.log[-1] == ("end", 2, None)


async def test_an_engine_runs_on_it(executor: Executor) -> None:
    engine = Engine(executor=executor)
    square = cs.task(
        lambda x: x * x,
    )
    assert await engine.run(square.map(x=list(range(50)))) == [x * x for x in range(50)]

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(TaskFailedError, match=r"ValueError: no"):
        await engine.run(cs.task(fail)())
    await engine.aclose()


async def test_an_engine_never_gives_it_more_than_it_can_do_at_once(executor: Executor) -> None:
    engine = Engine(executor=executor)
    lock, now, most = threading.Lock(), 0, 0

    @cs.task
    def work(x: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return x

    assert len(await engine.run([work(i) for i in range(30)])) == 30
    assert most <= executor.capacity
    await engine.aclose()
