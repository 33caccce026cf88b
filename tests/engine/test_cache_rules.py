"""`.with_cache`: results that are too old, and those made of them; files that were written."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.reuse.expiry import floors
from cascade_nb.protocols.state_backend import Known
from cascade_nb.state.sqlite.backend import SqliteState
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.states import PaperState
from tests.engine.tools import started

HOUR = 3600.0


@cs.task(executor="inline")
def fetch(n: int = 1) -> int:
    return n


@cs.task(executor="inline")
def clean(x: int) -> int:
    return x


@cs.task(executor="inline")
def report(x: int, y: int = 0) -> tuple[int, int]:
    return x, y


class Wall(VirtualClock):
    """The time of day, which only passes where a test says so."""

    def pass_by(self, seconds: float) -> None:
        self.advance(seconds)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def engine(make_engine: MakeEngine, wall: Wall) -> Engine:
    return make_engine(clock=wall)


class Runs:
    """Says which nodes a run of a target runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._spy = SpySubscriber(engine.bus)
        self._seen = 0

    async def __call__(self, target: Any) -> list[str]:
        plan = await self._engine.plan(target)
        planned = [step.node for step in plan.steps if step.action == "run"]
        await self._engine.run(target)
        ran = started(self._spy)[self._seen :]
        self._seen += len(ran)
        assert sorted(planned) == sorted(ran)  # the plan knew
        return ran

    async def reason(self, target: Any, name: str) -> str:
        return (await self._engine.plan(target)).step(name).reason


@pytest.fixture
def runs(engine: Engine) -> Runs:
    return Runs(engine)


async def test_a_result_whose_time_is_over_is_made_anew_once(runs: Runs, wall: Wall) -> None:
    target = fetch().named("raw").with_cache(ttl="1d")
    assert await runs(target) == ["raw"]
    wall.pass_by(23 * HOUR)
    assert await runs(target) == []
    wall.pass_by(2 * HOUR)
    assert await runs.reason(target, "raw") == "its result was made 1 d 1 h ago and stands for 1 d"
    assert await runs(target) == ["raw"]
    wall.pass_by(23 * HOUR)
    assert await runs(target) == []


async def test_what_was_made_of_an_old_result_goes_with_it(runs: Runs, wall: Wall) -> None:
    # Its own key is the same, since code and arguments are; only time tells.
    raw = fetch().named("raw").with_cache(ttl=HOUR)
    beside = fetch(2).named("beside")
    target = report(clean(raw), beside).named("report")
    assert sorted(await runs(target)) == ["beside", "clean#1", "raw", "report"]
    wall.pass_by(HOUR / 2)
    assert await runs(target) == []
    wall.pass_by(HOUR)
    words = "it depends on raw, whose result was made 1 h 30 min ago and stands for 1 h"
    assert await runs.reason(target, "report") == words
    assert await runs(target) == ["raw", "clean#1", "report"]
    assert await runs(target) == []


async def test_what_was_made_of_the_result_before_the_last_goes_too(runs: Runs, wall: Wall) -> None:
    raw = fetch().named("raw").with_cache(ttl=HOUR)
    target = report(raw).named("report")
    assert await runs(target) == ["raw", "report"]
    wall.pass_by(2 * HOUR)
    assert await runs(raw) == ["raw"]  # another run brought it up to date
    wall.pass_by(60)
    assert (
        await runs.reason(target, "report") == "it reads raw, whose result was made anew 1 min ago"
    )
    assert await runs(target) == ["report"]
    assert await runs(target) == []


async def test_what_was_made_late_of_a_result_goes_with_it_too(runs: Runs, wall: Wall) -> None:
    # The reader itself is younger than the limit; what it was made of is not.
    raw = fetch().named("raw").with_cache(ttl=HOUR)
    await runs(raw)
    wall.pass_by(0.9 * HOUR)
    assert await runs(report(raw).named("late")) == ["late"]
    wall.pass_by(0.2 * HOUR)
    assert await runs(report(raw).named("late")) == ["raw", "late"]


async def test_a_limit_of_a_node_that_is_not_kept_counts_for_its_readers(
    runs: Runs, wall: Wall
) -> None:
    target = report(fetch().with_cache(ttl=HOUR)).named("report")
    assert await runs(target) == ["fetch#1", "report"]
    wall.pass_by(HOUR / 2)
    assert await runs(target) == []
    wall.pass_by(HOUR)
    assert await runs.reason(target, "report") == ("it reads fetch#1, whose result stands for 1 h")
    assert await runs(target) == ["fetch#1", "report"]


async def test_the_shorter_of_two_limits_counts(runs: Runs, wall: Wall) -> None:
    raw = fetch().named("raw").with_cache(ttl=10 * HOUR)
    target = report(raw).named("report").with_cache(ttl=HOUR)
    await runs(target)
    wall.pass_by(2 * HOUR)
    assert await runs(target) == ["report"]
    wall.pass_by(9 * HOUR)
    assert await runs(target) == ["raw", "report"]


async def test_what_only_comes_after_a_node_ages_with_it(runs: Runs, wall: Wall) -> None:
    raw = fetch().named("raw").with_cache(ttl=HOUR)
    target = report(1).named("report").after(raw)
    await runs(target)
    assert await runs(target) == []
    wall.pass_by(2 * HOUR)
    assert await runs(target) == ["raw", "report"]


async def test_a_condition_with_a_limit_is_asked_again(runs: Runs, wall: Wall) -> None:
    asked = fetch().named("asked").with_cache(ttl=HOUR)
    target = report(clean(1).run_if(asked)).named("report")
    await runs(target)
    wall.pass_by(2 * HOUR)
    assert sorted(await runs(target)) == ["asked", "clean#1", "report"]


async def test_a_written_file_makes_what_reads_it_run_again(
    runs: Runs, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rows.csv"
    file.write_text("1")
    raw = fetch().named("raw").with_cache(files="*.csv")
    target = report(raw).named("report")
    assert await runs(target) == ["raw", "report"]
    assert await runs(target) == []
    file.write_text("1, 2")
    words = "file rows.csv changed just now"
    assert await runs.reason(target, "raw") == f"its {words}"
    assert await runs.reason(target, "report") == f"it reads raw, whose {words}"
    assert await runs(target) == ["raw", "report"]
    (tmp_path / "more.csv").write_text("1")
    assert await runs.reason(target, "raw") == "its files at *.csv are others now"
    assert await runs(target) == ["raw", "report"]
    assert await runs(target) == []


async def test_another_version_runs_again(runs: Runs) -> None:
    assert await runs(fetch().named("raw").with_cache(version=1)) == ["raw"]
    assert await runs(fetch().named("raw").with_cache(version=1)) == []
    target = fetch().named("raw").with_cache(version=2)
    assert await runs.reason(target, "raw") == "its cache version changed: 1 → 2"
    assert await runs(target) == ["raw"]


async def test_a_node_that_is_never_reused_takes_its_readers_along(runs: Runs) -> None:
    target = report(fetch().named("raw").with_cache(reuse=False)).named("report")
    assert await runs(target) == ["raw", "report"]
    assert await runs.reason(target, "raw") == "its results are new each time (reuse=False)"
    assert await runs.reason(target, "report") == (
        "it reads raw, and raw's results are new each time (reuse=False), so no earlier result can "
        "stand for it"
    )
    assert await runs(target) == ["raw", "report"]


def test_without_a_limit_nothing_is_looked_at() -> None:
    graph = cs.build_graph(report(clean(fetch())))
    assert floors(graph, {0: "a"}, {"a": Known(1.0, 0.0)}, 1e9) == {}


async def test_items_that_are_too_old_are_made_anew_where_each_is_kept(
    make_engine: MakeEngine, wall: Wall, tmp_path: pathlib.Path
) -> None:
    state = SqliteState(tmp_path / "results.db", key=b"k" * 32)
    engine = make_engine(state_backend=state, clock=wall)
    spy, seen = SpySubscriber(engine.bus), list[Any]()

    def target(*numbers: int) -> Any:
        first = fetch.map(n=list(numbers)).named("first")
        return clean.map(x=first).named("items").with_cache(ttl=HOUR)

    async def ran(target: Any) -> list[str]:
        run = engine.start(target)
        await run
        new = started(spy)[len(seen) :]
        seen.extend(new)
        return sorted(new)

    assert await ran(target(1, 2)) == ["first[0]", "first[1]", "items[0]", "items[1]"]
    wall.pass_by(HOUR / 2)
    assert await ran(target(1, 2, 3)) == ["first[2]", "items[2]"]
    wall.pass_by(3 * HOUR / 4)
    # The third is not an hour old yet.
    assert await ran(target(1, 2, 3, 4)) == ["first[3]", "items[0]", "items[1]", "items[3]"]


async def test_a_result_that_a_wrong_clock_dated_ahead_ages_from_now_on(
    make_engine: MakeEngine, tmp_path: pathlib.Path
) -> None:
    state = f"sqlite:///{tmp_path / 'results.db'}"
    target = fetch().named("raw").with_cache(ttl=HOUR)
    ahead = Wall(epoch=2_000_000_000.0)
    await make_engine(state_backend=state, clock=ahead).run(target)
    today = Wall(epoch=1_000_000_000.0)
    runs = Runs(make_engine(state_backend=state, clock=today))
    assert await runs(target) == []
    assert await runs(report(target).named("report")) == ["report"]
    assert await runs(report(target).named("report")) == []


async def test_what_another_kernel_shares_is_not_older_than_the_limit(
    make_engine: MakeEngine, wall: Wall
) -> None:
    state = PaperState()
    target = fetch().named("raw").with_cache(ttl=HOUR)
    engine = make_engine(state_backend=state, clock=wall)
    spy = SpySubscriber(engine.bus)
    for _ in range(2):
        await engine.run(target, share="wait")
        wall.pass_by(2 * HOUR)
    assert started(spy) == ["raw", "raw"]
    entries = list(state.entries.values())
    assert len(entries) == 1
    assert entries[0].dated == wall.wall() - 2 * HOUR
