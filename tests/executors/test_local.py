"""Worker threads come when they are needed and go when they are not."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import pytest

from cascade_nb.errors import UsageError
from cascade_nb.executors import LocalExecutor, local
from tests.executors.test_contract import PATIENCE, OneJob, give


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("cascade-worker")]


def gone(before: int = 0) -> bool:
    deadline = time.monotonic() + PATIENCE
    while len(workers()) > before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


@pytest.mark.parametrize("wrong", [0, -1])
def test_fewer_than_one_thread_is_refused(wrong: int) -> None:
    with pytest.raises(UsageError, match=r"max_threads must be at least 1"):
        LocalExecutor(wrong)


def test_it_has_a_sensible_number_by_itself() -> None:
    assert 5 <= LocalExecutor().capacity <= 32


def test_idle_workers_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LINGER", 0.01)
    executor = LocalExecutor(4)
    for _ in range(4):
        executor.submit(OneJob(give()))
    assert gone()
    job = OneJob(give(3))
    executor.submit(job)
    job.wait()
    assert gone()


def test_closing_ends_idle_workers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LINGER", PATIENCE * 3)
    executor = LocalExecutor(2)
    job = OneJob(give())
    executor.submit(job)
    job.wait()
    deadline = time.monotonic() + PATIENCE
    while not executor._idle and time.monotonic() < deadline:
        time.sleep(0.001)
    executor.close()
    assert gone()


def test_no_job_is_lost_to_a_worker_that_is_just_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    # A worker that gives up waiting and a job that comes at that moment must see each other.
    monkeypatch.setattr(local, "LINGER", 0.0002)
    executor = LocalExecutor(2)
    for i in range(500):
        job = OneJob(give(i))
        executor.submit(job)
        job.wait()
        if i % 3 == 0:
            time.sleep(0.0002)
    assert gone()


def test_a_worker_keeps_nothing_of_a_job_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Big:
        pass

    kept: list[weakref.ref[Big]] = []

    def make() -> Any:
        big = Big()
        kept.append(weakref.ref(big))
        return big

    executor = LocalExecutor(1)
    job = OneJob(make)
    executor.submit(job)
    job.wait()
    job.log.clear()
    deadline = time.monotonic() + PATIENCE
    while kept[0]() is not None and time.monotonic() < deadline:
        gc.collect()
    assert kept[0]() is None
    executor.close()


def test_threads_are_daemons_so_that_none_holds_up_the_end_of_the_process() -> None:
    executor = LocalExecutor(1)
    job = OneJob(lambda: threading.current_thread().daemon)
    executor.submit(job)
    job.wait()
    assert job.log[-1] == ("end", True, None)
    executor.close()


def test_where_there_is_no_other_thread_a_job_waits_for_the_next_that_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "LINGER", PATIENCE)
    executor, begun, go = LocalExecutor(4), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(PATIENCE)

    first, second = OneJob(hold), OneJob(give(2))
    executor.submit(first)
    assert begun.wait(PATIENCE)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        executor.submit(second)
        go.set()
        second.wait()
    meet = threading.Barrier(2)
    both = [OneJob(lambda: meet.wait(PATIENCE)) for _ in range(2)]
    for job in both:
        executor.submit(job)
    for job in both:
        job.wait()
    assert not meet.broken
    executor.close()
    assert gone()


def test_of_two_that_find_no_thread_at_one_moment_each_has_its_own_job_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor = LocalExecutor(4)
    both = threading.Barrier(2)
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if not thread.name.startswith("cascade-worker"):
            return begin(thread)
        both.wait(PATIENCE)  # both jobs are in the queue by now
        raise RuntimeError("can't start new thread")

    began: list[str] = []

    class Noting:
        """A job that says when it begins."""

        def __init__(self, name: str) -> None:
            self.name = name

        def begin(self) -> None:
            began.append(self.name)

        def end(self, result: object, error: BaseException | None) -> None:
            raise AssertionError("it has no body")

    refused: list[str] = []

    def submit(name: str) -> None:
        try:
            executor.submit(Noting(name))
        except RuntimeError:
            refused.append(name)

    with monkeypatch.context() as scarcity:
        scarcity.setattr(threading.Thread, "start", start)
        submitters = [threading.Thread(target=submit, args=(name,)) for name in ("one", "two")]
        for one in submitters:
            one.start()
        for one in submitters:
            one.join(PATIENCE)
    assert sorted(refused) == ["one", "two"]
    executor.submit(Noting("three"))
    executor.submit(Noting("four"))
    deadline = time.monotonic() + PATIENCE
    while len(began) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    executor.close()
    assert sorted(began) == ["four", "three"]
