"""Large results stay on the cluster, for the tasks there; what is read here comes here, once."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.processes import told_here
from cascade_nb.errors import TaskFailedError, UsageError
from cascade_nb.executors import DaskExecutor
from cascade_nb.executors.dask.executor import DaskExecutor as Executor
from tests.support.redis_server import RedisServer


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was brought here from a cluster."""
    found: list[Any] = []
    gather = Executor.gather

    def noted(self: Executor, future: Any) -> Any:
        found.append(future)
        return gather(self, future)

    monkeypatch.setattr(Executor, "gather", noted)
    return found


big = cs.task(lambda n: np.full(200_000, n), name="big")
small = cs.task(lambda n: n, name="small")
total = cs.task(lambda a: int(a.sum()), name="total")
pid = cs.task(lambda a: (os.getpid(), int(a[0])), name="pid", reuse=False)


def test_what_only_tasks_of_the_cluster_read_never_comes_here(
    engine: Engine, gathered: list[Any]
) -> None:
    made = big(3).named("made")
    double = cs.task(lambda a: a * 2, name="double")
    assert engine.start([total(made), total(double(made))]).result() == [600_000, 1_200_000]
    assert not gathered


def test_what_is_asked_for_comes_once(engine: Engine, gathered: list[Any]) -> None:
    made = big(4).named("made")
    found = engine.start([made, total(made)]).result()
    assert found[0].sum() == found[1] == 800_000
    assert len(gathered) == 1


def test_what_a_local_task_reads_comes_once(engine: Engine, gathered: list[Any]) -> None:
    here = cs.task(lambda a, b: int(a.sum()) + b, executor="thread", name="here")
    made = big(5)
    assert engine.start([here(made, 1), here(made, 2)]).result() == [1_000_001, 1_000_002]
    assert len(gathered) == 1


def test_a_named_result_stays_there_and_is_used_again_by_its_fingerprint(
    engine: Engine, gathered: list[Any]
) -> None:
    first = engine.start(total(big(6).named("made")))
    assert first.result() == 1_200_000
    other = cs.task(lambda a: int(a[0]), name="first")
    again = engine.start(other(big(6).named("made")))
    assert again.result() == 6
    assert again.status.reused == 1
    assert not gathered
    third = engine.start(big(6).named("made"))
    assert third.result()[0] == 6
    assert third.status.reused == 1
    assert len(gathered) == 1


def test_a_result_that_went_with_its_cluster_is_made_anew(cluster: DaskExecutor) -> None:
    executor = DaskExecutor(cluster.address)
    engine = Engine(executor=executor)
    assert engine.start(total(big(7).named("made"))).result() == 1_400_000
    executor.attach(cluster.address)  # another connection: what was kept is not its own
    again = engine.start(pid(big(7).named("made")))
    assert again.result()[1] == 7
    assert again.status.reused == 0
    engine.close()


@pytest.fixture(params=["sqlite", "redis"])
def lasting(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL of a place for results that outlives an engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'results.db'}"
        return
    with RedisServer.start() as server:
        yield server.url


def test_a_state_that_lasts_has_what_was_made_there_and_what_it_has_is_used_there(
    cluster: DaskExecutor, lasting: str, gathered: list[Any]
) -> None:
    there = Engine(executor=DaskExecutor(cluster.address), state_backend=lasting)
    made = big(8).named("made")
    assert there.start(total(made)).result() == 1_600_000
    there.close()
    assert len(gathered) == 1  # on its way to where it is kept

    local = Engine(state_backend=lasting)
    run = local.start([made, total(made), small(3).named("little")])
    assert run.result()[1:] == [1_600_000, 3]
    assert run.status.reused == 2
    large_here = big(9).named("large_here")
    local.start(large_here).result()
    local.close()

    again = Engine(executor=DaskExecutor(cluster.address), state_backend=lasting)
    run = again.start([pid(made), pid(large_here), small(3).named("little")])
    (first, eight), (second, nine), little = run.result()
    assert (eight, nine, little) == (8, 9, 3)
    assert os.getpid() not in {first, second}
    assert run.status.reused == 3
    again.close()


def test_a_large_argument_goes_there_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from cascade_nb.executors.dask.cluster import Cluster

    sent: list[Any] = []
    scatter = Cluster.scatter

    def noted(self: Cluster, value: Any) -> Any:
        sent.append(value)
        return scatter(self, value)

    monkeypatch.setattr(Cluster, "scatter", noted)
    data = np.arange(100_000)
    pick = cs.task(lambda a, n: int(a[n]), name="pick")
    here = cs.task(lambda: data, executor="thread", name="data")()
    found = engine.start([pick(here, n) for n in range(20)]).result()
    assert found == list(range(20))
    assert len(sent) == 1


def test_a_large_result_that_cannot_travel_is_refused_when_it_is_to(engine: Engine) -> None:
    def make() -> Any:
        import threading

        return [threading.Lock(), *range(100_000)]

    with pytest.raises(TaskFailedError, match="cannot come back from its process: `result\\[0\\]`"):
        engine.start(cs.task(make)()).result()


def test_what_cannot_go_there_is_named_before_anything_starts(engine: Engine) -> None:
    import threading

    lock = threading.Lock()
    locked = cs.task(lambda: lock, name="locked")
    with pytest.raises(UsageError, match="locked cannot run on a cluster: `lock`"):
        engine.start(locked()).result()


def test_what_a_body_displays_and_draws_is_told_here(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []  # what a panel shows of processes, too
    monkeypatch.setattr(told_here, "show_here", shown.append)

    @cs.task(reuse=False)
    def paint() -> None:
        import matplotlib as mpl

        mpl.use("module://matplotlib_inline.backend_inline")
        import matplotlib.pyplot as plt
        from IPython import display

        shows: Any = display
        shows.display(shows.HTML("<b>1</b>"), display_id=True).update(shows.HTML("<b>2</b>"))
        plt.plot([2, 1])

    engine.start(paint()).result()
    texts = [data.get("text/html") for data, *_ in shown]
    assert texts == ["<b>1</b>", "<b>2</b>", None]
    assert "image/png" in shown[2][0]
    assert [update for *_, update in shown] == [False, True, False]
