"""Workers of a cluster are told what was said of tasks, and those that do not fit are named."""

from __future__ import annotations

import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.reporting.report import summary_lines
from cascade_nb.errors import ClusterError, RunCancelledError, TaskTimeoutError
from cascade_nb.executors import DaskExecutor
from cascade_nb.executors.dask.fit import safe_link
from tests.support.dask_cluster import Scheduler
from tests.support.patience import PATIENCE, tries, until


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Scheduler]:
    with Scheduler.start() as started:
        yield started


def known_to(scheduler: Scheduler) -> dict[str, tuple[int, dict[str, float]]]:
    """By the name of a task that its scheduler has not ended, its priority there, and what it takes
    of its worker.
    """

    def look(dask_scheduler: Any = None) -> Any:
        return {
            key.rsplit("-", 2)[0]: (-task.priority[0], dict(task.resource_restrictions or {}))
            for key, task in dask_scheduler.tasks.items()
            if task.state == "processing"
        }

    with Client(scheduler.address, set_as_default=False) as client:
        found: dict[str, tuple[int, dict[str, float]]] = client.run_on_scheduler(look)
        return found


def test_priorities_and_what_is_taken_of_a_worker_are_told_to_dask(
    scheduler: Scheduler, tmp_path: pathlib.Path
) -> None:
    def wait(name: str) -> str:
        while not (tmp_path / "go").exists():
            time.sleep(0.005)
        return name

    def task(name: str, **options: Any) -> Any:
        return cs.task(wait, name=name, reuse=False, **options)(name)

    with scheduler.worker("--resources", "GPU=2", "--nthreads", "4"):
        engine = Engine(
            executor=DaskExecutor(scheduler.address), system_resources={"GPU": 9, "seats": 9}
        )
        until(lambda: has_workers(scheduler))
        run = engine.start(
            [
                task("plain"),
                task("first", priority=3).with_constraints(GPU=1, seats=1),
                task("last", priority=-2).with_constraints(seats=2),
            ]
        )
        urgent = engine.start(task("urgent"), priority=1)
        until(lambda: len(known_to(scheduler)) == 4)
        known = known_to(scheduler)
        # What the worker knows nothing of is shared out by the engine alone.
        assert {name: takes for name, (_, takes) in known.items() if takes} == {"first": {"GPU": 1}}
        in_order = sorted(known, key=lambda name: -known[name][0])
        assert in_order == ["urgent", "first", "plain", "last"]
        assert [known[name][0] for name in in_order[1:]] == [3, 0, -2]
        (page,) = run.status.dashboards
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/status", page)
        assert f"  Dask shows it at {page}" in summary_lines(run.status)
        (tmp_path / "go").touch()
        assert run.result() == ["plain", "first", "last"]
        assert urgent.result() == "urgent"
        assert not [line for line in summary_lines(run.status) if page in line]
        engine.close()


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("http://10.0.0.1:8787/status", True),
        ("https://hub/user/a/proxy/8787/status", True),
        ("javascript:alert(1)", False),
        ("http:///status", False),
        ("http://a/\u202ebla", False),
        ("http://a/ b", False),
        ("http://a/" + "b" * 3_000, False),
        (None, False),
    ],
)
def test_only_the_address_of_a_page_is_shown_as_one(given: str | None, safe: bool) -> None:
    assert safe_link(given) == (given if safe else None)


def test_a_worker_that_goes_on_with_what_was_given_up_is_named_and_can_be_restarted(
    tmp_path: pathlib.Path,
) -> None:
    def slow() -> None:
        (tmp_path / "begun").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.005)

    executor = DaskExecutor(workers=1)
    engine = Engine(executor=executor, reuse=False)
    given_up = cs.task(slow, name="slow")
    next_one = cs.task(os.getpid, name="next")
    offer = r"worker (tcp://\S+) goes on with it .*; `executor\.restart_worker\('\1'\)` ends it"

    # It ends by itself: until then nothing is handed over to wait behind it.
    run = engine.start(given_up())
    until((tmp_path / "begun").exists)
    run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()
    waiting = engine.start(next_one().named("waits"))
    until(lambda: "slow was given up and holds a worker" in waiting.status.headline)
    assert re.search(offer, waiting.why("waits")[0])
    assert not waiting.status.running
    (tmp_path / "go").touch()
    before = waiting.result(timeout=PATIENCE)

    # Or its worker is restarted.
    (tmp_path / "go").unlink()

    for attempt in tries(0.5):
        with attempt as limit:  # in which it has to begin there
            (tmp_path / "begun").unlink(missing_ok=True)
            late = engine.start(given_up().with_timeout(limit))
            with pytest.raises(TaskTimeoutError, match=r"slow took longer than"):
                late.result(timeout=PATIENCE)
            assert (tmp_path / "begun").exists()
    waiting = engine.start(next_one().named("waits"))
    # Its worker is asked whether it has begun; a slow answer is not waited for by the failure.
    found = until(lambda: re.search(offer, waiting.why("waits")[0]))
    executor.restart_worker(found[1])
    assert waiting.result(timeout=PATIENCE) != before
    with pytest.raises(ClusterError, match=f"no worker '{found[1]}' is there"):
        executor.restart_worker(found[1])
    engine.close()


def has_workers(scheduler: Scheduler, several: int = 1) -> bool:
    with Client(scheduler.address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"]) >= several


def dist_info(folder: pathlib.Path, name: str, version: str) -> dict[str, str]:
    """What a process needs around it to believe that a package has another version."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return {"PYTHONPATH": str(folder)}


NEWER = """
from distributed import versions
told = versions.get_package_info
versions.get_package_info = lambda names: {**told(names), "python": "3.99.0.final.0"}
"""
WITHOUT = "import sys; sys.modules['cascade_nb'] = None"
SAME = "start the cluster from the same environment"
MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "another Python": (
        {"first": NEWER},
        rf"worker tcp://\S+ has python 3\.99\.0\S*, and this process 3\.\S+: .*{SAME}",
    ),
    "another cloudpickle": (
        {"of": ("cloudpickle", "1.2.3")},
        rf"worker tcp://\S+ has cloudpickle 1\.2\.3, and this process \S+: .*{SAME}",
    ),
    "another version of this package": (
        {"of": ("cascade_nb", "99.1")},
        rf"worker tcp://\S+ has cascade-nb 99\.1, and this process \S+: .*{SAME}",
    ),
    "without this package": (
        {"first": WITHOUT},
        r"worker tcp://\S+ cannot import cascade_nb \(.*No module named.*\): install it there, in",
    ),
}


@pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")  # Dask's own
@pytest.mark.parametrize("what", MISFITS)
def test_a_worker_that_does_not_fit_is_named_before_anything_starts(
    scheduler: Scheduler, tmp_path: pathlib.Path, what: str
) -> None:
    how, said = MISFITS[what]
    other = dict(how)
    if "of" in other:
        other["environment"] = dist_info(tmp_path, *other.pop("of"))
    with scheduler.worker(**other):
        until(lambda: has_workers(scheduler))
        engine = Engine(executor=DaskExecutor(scheduler.address))
        with pytest.raises(ClusterError, match=f"does not fit: {said}"):
            engine.start(cs.task((tmp_path / "ran").touch, name="ran")()).result()
        assert not (tmp_path / "ran").exists()
        engine.close()


def test_without_workers_a_run_says_so_and_goes_on_with_the_first_that_fits(
    scheduler: Scheduler, tmp_path: pathlib.Path
) -> None:
    def work(n: int) -> int:
        (tmp_path / f"begun {n}").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.005)
        return n

    engine = Engine(executor=DaskExecutor(scheduler.address), reuse=False)
    with scheduler.worker():
        until(lambda: has_workers(scheduler))
        run = engine.start([cs.task(work, name="work")(n).named(f"w{n}") for n in range(3)])
        until(lambda: any(tmp_path.iterdir()))
    lacks = (
        f"no worker of the Dask cluster at {scheduler.address} is left; this goes on when one "
        f"comes: `dask worker {scheduler.address}`"
    )
    said = until(lambda: lacks in (status := run.status).headline and status)
    assert said.headline.startswith("Nothing is running: 3 tasks queued")
    assert run.why("w1")[0] == f"w1 is queued: {lacks}"
    for file in tmp_path.iterdir():
        file.unlink()
    with scheduler.worker(first=WITHOUT):
        # One that came later and does not fit is given nothing, and named with what to do.
        until(lambda: "cannot import cascade_nb" in run.why("w1")[0])
        assert "install it there, in the version that is here" in run.status.headline
        assert not list(tmp_path.iterdir())
        with scheduler.worker():
            (tmp_path / "go").touch()
            assert run.result(timeout=PATIENCE) == [0, 1, 2]
    engine.close()
