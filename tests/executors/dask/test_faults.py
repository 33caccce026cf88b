"""Addresses that answer nothing, clusters that do not fit, workers and schedulers that end."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import ClusterError, RunCancelledError, TaskFailedError, UsageError
from cascade_nb.events import ConstraintApplied, TaskRetrying
from cascade_nb.executors import DaskExecutor
from cascade_nb.executors.dask import own_process
from cascade_nb.testing import SpySubscriber
from tests.support.patience import PATIENCE, until, wait_for_file


@pytest.fixture
def own() -> Iterator[Engine]:
    """An engine whose cluster nobody else uses."""
    before = set(threading.enumerate())
    made = Engine(executor=DaskExecutor(workers=2), reuse=False)
    yield made
    made.close()
    # What was connected to a scheduler that is dead ends its thread when it has given up.
    until(lambda: not [t for t in set(threading.enumerate()) - before if t.name == "IO loop"])


def test_an_address_where_nobody_listens_is_said_at_once_and_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    engine = Engine(executor=DaskExecutor(f"tcp://127.0.0.1:{port}", timeout=0.5))
    run = engine.start(cs.task(lambda: 1)())
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at tcp://127.0.0.1:{port}"):
        run.result(timeout=PATIENCE)
    engine.close()


def test_one_that_takes_a_connection_and_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ClusterError, match=r"within 0\.5 s"):
            DaskExecutor(address, timeout=0.5).connect()


@pytest.mark.parametrize("on", ["tcp://", "nonsense://127.0.0.1:1", "dusk"])
def test_an_address_that_cannot_be_one_is_refused(on: str) -> None:
    engine = Engine()
    with pytest.raises((ClusterError, UsageError)):
        engine.start(cs.task(lambda: 1)(), on=on).result()
    engine.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time; time.sleep(600)", r"it did not answer within 0\.5 s"),
        (
            "import subprocess; subprocess.run(['sleep', '600'])",  # it has the same output
            r"it did not answer within 0\.5 s",
        ),
        ("raise SystemExit(7)", "its process ended with 7"),
    ],
)
def test_a_cluster_of_this_machine_that_does_not_start_is_said(
    monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr(own_process, "_HOST", code)
    if "sleep" in code:
        monkeypatch.setattr(own_process, "STARTING", 0.5)
    engine = Engine(executor=DaskExecutor(workers=1))
    with pytest.raises(ClusterError, match=f"no local Dask cluster can be started: {said}"):
        engine.start(cs.task(lambda: 1)()).result()
    engine.close()


def test_a_broken_interpreter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(ClusterError, match=r"/nowhere/python cannot be run: .*No such file"):
        DaskExecutor(workers=1).connect()


def test_a_pause_takes_back_what_no_worker_has_begun(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    go = tmp_path / "go"

    def short(n: int) -> int:
        (tmp_path / str(n)).touch()
        if n >= 100:
            wait_for_file(str(go))
        time.sleep(0.002)
        return n

    def begun() -> int:
        return len([file for file in tmp_path.iterdir() if file != go])

    work = cs.task(short, name="short", reuse=False)
    run = engine.start([work(n) for n in range(300)])
    until(lambda: begun() > 60)  # by now they are known to be short
    run.pause()
    until(lambda: run.status.running <= 2)  # what each of the workers is at
    go.touch()
    until(lambda: not run.status.running)
    there = begun()
    time.sleep(0.2)
    assert begun() == there < 300
    run.resume()
    assert run.result() == list(range(300))
    assert begun() == 300


def test_long_tasks_do_not_wait_on_workers(engine: Engine, tmp_path: pathlib.Path) -> None:
    go = tmp_path / "go"

    def long(n: int) -> int:
        time.sleep(0.2)
        if n >= 2:
            wait_for_file(str(go))
        return n

    work = cs.task(long, name="long", reuse=False)
    run = engine.start([work(n) for n in range(12)])
    until(lambda: run.status.done >= 2)
    assert run.status.running <= 2
    run.cancel("enough")
    go.touch()
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()


def test_a_cancel_waits_for_nobody_and_what_tracks_stops_there(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    def slow() -> None:
        for n in cs.track(range(600)):
            (tmp_path / "at").write_text(str(n))
            time.sleep(0.05)

    run = engine.start(cs.task(slow, name="slow")())
    until((tmp_path / "at").exists)
    began = time.monotonic()
    run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()
    assert time.monotonic() - began < PATIENCE / 3

    def stands_still() -> bool:
        before = (tmp_path / "at").read_text()
        time.sleep(0.5)
        return (tmp_path / "at").read_text() == before

    until(stands_still)


def test_a_lost_result_is_made_again_with_what_it_was_made_of(
    own: Engine, tmp_path: pathlib.Path
) -> None:
    calls = tmp_path / "calls"

    def note(word: str) -> None:
        with calls.open("a") as out:
            out.write(f"{word} {os.getpid()}\n")

    def load() -> Any:
        note("load")
        return np.arange(100_000)

    def double(a: Any) -> Any:
        note("double")
        return a * 2

    def total(a: Any, ready: int) -> int:
        return int(a.sum()) + ready

    loaded = cs.task(load, name="load")()
    doubled = cs.task(double, name="double")(loaded)
    go = threading.Event()
    gate = cs.task(lambda: int(go.wait(PATIENCE)), executor="thread", name="gate")()
    run = own.start(cs.task(total, name="total")(doubled, gate))
    until(lambda: run.status.done == 2)
    lines = calls.read_text().splitlines()
    run.pause("task:double")
    for pid in {int(line.split()[1]) for line in lines}:
        os.kill(pid, signal.SIGKILL)
    until(lambda: run.status.held)  # double is to be made again, and may not now
    time.sleep(0.3)
    assert [line.split()[0] for line in calls.read_text().splitlines()].count("double") == 1
    run.resume("task:double")
    go.set()
    assert run.result(timeout=PATIENCE) == 2 * sum(range(100_000)) + 1
    words = [line.split()[0] for line in calls.read_text().splitlines()]
    assert words.count("double") == 2
    assert words.count("load") == 2


def test_what_ends_its_workers_again_and_again_fails_itself(own: Engine) -> None:
    spy = SpySubscriber(own.bus)
    run = own.start(cs.task(lambda: os._exit(3), name="deadly")())
    with pytest.raises(TaskFailedError, match=r"deadly failed: .*it may be its own doing"):
        run.result(timeout=PATIENCE)
    assert len(spy.events_of_type(TaskRetrying)) == 3


def test_a_lost_scheduler_pauses_the_run_which_goes_on_when_there_is_one_again(
    own: Engine, tmp_path: pathlib.Path
) -> None:
    def work(n: int, file: str) -> int:
        with pathlib.Path(file).open("a") as out:
            out.write(f"{n}\n")
        time.sleep(0.02)
        if n >= 30:
            wait_for_file(f"{file}.go")
        return n

    spy = SpySubscriber(own.bus)
    executor: Any = own.adapters.executors("dask")
    task = cs.task(work, name="work")
    file = str(tmp_path / "ledger")
    run = own.start([task(n, file) for n in range(60)])
    until(lambda: run.status.done > 10)
    os.killpg(executor._session.cluster._process.pid, signal.SIGKILL)
    pathlib.Path(f"{file}.go").touch()
    assert run.result(timeout=PATIENCE) == list(range(60))
    held = [one.reason for one in spy.events_of_type(ConstraintApplied)]
    assert any("does not answer any more" in reason for reason in held)
    again = len(pathlib.Path(file).read_text().splitlines()) - 60
    assert 0 <= again <= 40  # what was under way


def test_a_cluster_of_this_machine_can_be_reached_from_this_machine_alone(
    cluster: DaskExecutor,
) -> None:
    executor: Any = cluster
    host = psutil.Process(executor._session.cluster._process.pid)
    found = [
        one.laddr.ip
        for process in (host, *host.children(recursive=True))
        for one in process.net_connections()
        if one.status == psutil.CONN_LISTEN
    ]
    assert found
    assert set(found) == {"127.0.0.1"}


def test_a_worker_whose_first_question_stays_unanswered_is_asked_again(own: Engine) -> None:
    own.start(cs.task(lambda: 1)()).result(timeout=PATIENCE)
    executor: Any = own.adapters.executors("dask")
    session = executor._session
    ask, asked = session.cluster.misfit, []

    def misfit(worker: str) -> str | None:
        asked.append(worker)
        if len(asked) == 1:
            raise ClusterError(f"{worker} does not answer: it was busy")
        found: str | None = ask(worker)
        return found

    session.cluster.misfit = misfit
    one = session.cluster.workers()[0]
    session._fitting.discard(one.ident)
    session.look_at_workers()
    until(lambda: one.ident in session._fitting)
    assert asked == [one.address] * 2


pid = cs.task(os.getpid, name="pid", reuse=False)


def begun(own: Engine) -> tuple[Any, dict[int, str]]:
    """The client of an engine's own cluster, and the addresses of its workers by process id."""
    own.start(pid()).result(timeout=PATIENCE)
    executor: Any = own.adapters.executors("dask")
    client = executor._session.cluster._client
    return client, {process: address for address, process in client.run(os.getpid).items()}


def test_workers_of_this_machine_that_end_with_their_nannies_are_replaced(own: Engine) -> None:
    client, before = begun(own)
    client.retire_workers(list(before.values()), close_workers=True)
    there = {*before.values()}
    until(lambda: not there & client.scheduler_info(n_workers=-1)["workers"].keys())
    assert own.start(pid()).result(timeout=PATIENCE) not in before


def test_workers_of_this_machine_that_dask_gives_up_are_replaced(own: Engine) -> None:
    client, before = begun(own)

    async def give_up(dask_scheduler: Any = None) -> None:
        """As it does when a worker that ended takes more than 15 seconds to start anew."""
        import gc

        from distributed import LocalCluster

        (cluster,) = [one for one in gc.get_objects() if isinstance(one, LocalCluster)]
        nannies = list(cluster.workers.values())
        cluster.workers.clear()
        for one in nannies:
            await one.close()

    client.run_on_scheduler(give_up)
    assert own.start(pid()).result(timeout=PATIENCE) not in before
