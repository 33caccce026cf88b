"""In memory too a map that failed or was cancelled keeps the items that are there."""

from __future__ import annotations

import asyncio
import pathlib
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import CascadeError, UnknownNameError, UsageError
from cascade_nb.events import TaskExecutionFinished, TaskExecutionStarted
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import Hold, outcome, until
from tests.support.examples import examples


@cs.task(executor="inline")
def total(numbers: list[int]) -> int:
    return sum(numbers)


def edition(factor: int) -> Any:
    """A task whose code is another for another factor; it fails where a file says so."""

    def work(x: int, folder: str) -> int:
        if pathlib.Path(folder, str(x)).exists():
            raise ValueError(f"{x} is bad")
        return x * factor

    return cs.task(name="work")(work)


def places(events: list[Any], status: str = "") -> list[int]:
    """The positions of items that started, or that ended so."""
    kind = TaskExecutionFinished if status else TaskExecutionStarted
    found = [e for e in events if isinstance(e, kind) and e.task_id.endswith("]")]
    return sorted(
        int(e.task_id.rpartition("[")[2][:-1])
        for e in found
        if not status or e.status == status  # type: ignore[union-attr]
    )


VALUES = st.lists(st.integers(0, 6), max_size=7)
STEPS = st.lists(
    st.tuples(
        VALUES,
        st.frozensets(st.integers(0, 6), max_size=3),
        st.sampled_from((1, 1, 1, 2)),
        st.booleans(),
        st.sampled_from(("stop", "continue")),
    ),
    min_size=2,
    max_size=5,
)


def fail_for(folder: str, bad: Iterable[int]) -> None:
    """Of now only these fail."""
    for n in range(7):
        pathlib.Path(folder, str(n)).unlink(missing_ok=True)
    for n in bad:
        pathlib.Path(folder, str(n)).touch()


async def _history(steps: list[Any], folder: str) -> None:
    engine = Engine()
    spy = SpySubscriber(engine.bus)
    kept: set[tuple[int, int]] = set()
    whole: set[tuple[int, tuple[int, ...]]] = set()
    failed_before = False
    for values, bad, factor, summed, on_error in steps:
        await asyncio.to_thread(fail_for, folder, bad)
        node = edition(factor).map(x=values, folder=[folder] * len(values)).named("t")
        before = len(spy.events)
        try:
            got = await engine.run(total(node) if summed else node, on_error=on_error)
        except CascadeError:
            got = None
        new = spy.events[before:]
        began, done = places(new), [values[n] for n in places(new, "completed")]
        missing = [n for n, x in enumerate(values) if (factor, x) not in kept]
        if (factor, tuple(values)) in whole:
            missing = []
        wrong = bad.intersection(values[n] for n in missing)
        if not wrong:
            mine = [x * factor for x in values]
            assert got == (sum(mine) if summed else mine)
            whole.add((factor, tuple(values)))
        else:
            assert got is None
        if on_error == "continue" or not wrong:
            assert began == missing
        else:
            assert set(began) <= set(missing)
        if wrong or failed_before:
            kept.update((factor, x) for x in done)
        failed_before = failed_before or bool(wrong and (done or kept))
    await engine.aclose()


@settings(max_examples=examples(60))
@given(steps=STEPS)
def test_a_new_run_of_a_map_computes_what_is_missing_and_gives_what_a_fresh_one_gives(
    steps: list[Any],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_history(steps, folder))


async def test_a_failure_and_its_reasons_say_what_is_kept(
    engine: Engine, spy: SpySubscriber, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "7").touch()
    node = edition(3).map(x=list(range(20)), folder=[str(tmp_path)] * 20).named("t")
    run = engine.start(node, on_error="continue")
    assert await outcome(run) is not None
    words = "19 of 20 items of t are kept; a new run runs the 1 that is missing"
    assert words in run.status.headline
    assert words in run.why("t")
    assert words not in run.why("t[7]")
    (tmp_path / "7").unlink()
    before = len(spy.events)
    assert await engine.run(node) == [3 * x for x in range(20)]
    assert places(spy.events[before:]) == [7]


async def test_a_cancelled_map_keeps_what_was_done(engine: Engine, spy: SpySubscriber) -> None:
    hold = Hold()

    @cs.task(name="work", ignore="hold")
    async def work(x: int, hold: Any) -> list[int]:
        if x > 3 and hold is not None:
            await asyncio.Event().wait()
        return [x]

    run = engine.start(work.map(x=list(range(8)), hold=[hold] * 8).named("t"))
    await until(lambda: len(places(spy.events, "completed")) == 4)
    run.cancel()
    await outcome(run)
    assert "4 of 8 items of t are kept; a new run runs the 4 that are missing" in run.in_words
    before = len(spy.events)
    mine = await engine.run(work.map(x=list(range(8)), hold=[None] * 8).named("t"))
    assert mine == [[x] for x in range(8)]
    assert places(spy.events[before:]) == [4, 5, 6, 7]
    mine[0].append("mine")
    assert await engine.run(work.map(x=list(range(8)), hold=[None] * 8).named("t")) == [
        [x] for x in range(8)
    ]


async def test_items_of_an_unnamed_map_that_retried_are_kept_and_what_an_item_read_counts(
    engine: Engine, spy: SpySubscriber, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = pathlib.Path(__file__).parents[2] / ".venvs"
    folder = pathlib.Path(tempfile.mkdtemp(dir=here if here.is_dir() else None))
    try:
        for n in range(3):
            (folder / f"{n}.txt").write_text(str(n))

        @cs.task(retry=2)
        def read(n: int, folder: str) -> str:
            with pathlib.Path(folder, f"{n}.txt").open(encoding="utf-8") as file:
                text = file.read()
            if text == "1":
                raise ValueError("one")
            return text

        def target() -> Any:
            return joined(read.map(n=[0, 1, 2], folder=[str(folder)] * 3))

        @cs.task
        def joined(parts: list[str]) -> str:
            return " ".join(parts)

        assert await outcome(engine.start(target(), on_error="continue")) is not None
        (folder / "1.txt").write_text("new")
        (folder / "2.txt").write_text("other")
        before = len(spy.events)
        assert await engine.run(target()) == "0 new other"
        assert places(spy.events[before:]) == [1, 2]
    finally:
        shutil.rmtree(folder)


async def test_items_that_were_continued_are_kept_though_what_continued_another_failed(
    engine: Engine, spy: SpySubscriber, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "2").touch()
    work = edition(5)

    @cs.task
    def level(xs: list[int], folder: str) -> Any:
        return work.map(x=xs, folder=[folder] * len(xs))

    def target() -> Any:
        return level.map(xs=[[0, 1], [2, 3]], folder=[str(tmp_path)] * 2).named("u")

    run = engine.start(target(), on_error="continue")
    await outcome(run)
    assert "1 of 2 items of u is kept; a new run runs the 1 that is missing" in run.in_words
    (tmp_path / "2").unlink()
    before = len(spy.events)
    assert await run.retry_failed() == [[0, 5], [10, 15]]
    assert await engine.run(target()) == [[0, 5], [10, 15]]
    began = [e for e in spy.events[before:] if isinstance(e, TaskExecutionStarted)]
    assert [e.task_id for e in began if e.task_name == "level"] == ["u[1]"]


async def test_a_map_that_goes_well_looks_nothing_up_and_keys_no_item(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    from cascade_nb.graph.fingerprint.fingerprint import Fingerprints

    asked: list[int] = []
    of_items = Fingerprints.of_items

    def counted(self: Any, index: int, items: Any) -> Any:
        asked.append(len(items))
        return of_items(self, index, items)

    monkeypatch.setattr(Fingerprints, "of_items", counted)
    work = edition(2)
    await engine.run(work.map(x=[1, 2], folder=[str(tmp_path)] * 2).named("t"))
    assert asked == []
    (tmp_path / "2").touch()
    other = work.map(x=[1, 2, 3], folder=[str(tmp_path)] * 3).named("t")
    await outcome(engine.start(other, on_error="continue"))
    assert asked  # for those that were done
    assert max(asked) <= 2


async def test_what_is_there_can_be_had_and_what_is_not_cannot_be_mistaken_for_it(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "1").touch()
    node = edition(2).map(x=[0, 1, 2], folder=[str(tmp_path)] * 3).named("t")
    run = engine.start(total(node), on_error="continue")
    await outcome(run)
    first, second, third = run.partial("t")
    assert (first, third) == (0, 4)
    assert isinstance(second, cs.Missing)
    assert second == cs.Missing("t[1]", "failed: ValueError: 1 is bad")
    whole = run.partial()
    assert isinstance(whole, cs.Missing)
    assert "was not started: t failed" in whole.why
    assert repr(whole).startswith("<no result: total")
    with pytest.raises(UsageError, match=r"isinstance\(x, cs.Missing\)"):
        bool(second)
    with pytest.raises(UnknownNameError):
        run.partial("nothing")
    (tmp_path / "1").unlink()
    again = engine.start([node, total(node)])
    assert await again == again.partial() == [[0, 2, 4], 6]
    again.partial()[0].append("mine")
    assert again.partial() == [[0, 2, 4], 6]
