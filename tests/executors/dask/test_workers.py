"""Workers of a cluster are told what was said of tasks, and those that do not fit are named."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import ClusterError
from cascade_nb.executors import DaskExecutor
from tests.executors.dask.test_faults import until
from tests.support.dask_cluster import Scheduler


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
        (tmp_path / "go").touch()
        assert run.result() == ["plain", "first", "last"]
        assert urgent.result() == "urgent"
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
        {"first": "import sys; sys.modules['cascade_nb'] = None"},
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
