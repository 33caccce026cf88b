"""A failure says which task, where in the user's code and why; several arrive together."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.errors import RunError, RunFailures, TaskFailedError
from cascade_nb.events import RunFinished, TaskExecutionFinished
from cascade_nb.testing import SpySubscriber
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import (
    Hold,
    finished,
    outcome,
    skips,
    started,
    until,
    until_blocking,
)


class UserError(Exception):
    """What a user's task raises."""


def fail(x: Any = 1) -> Any:
    raise UserError(f"no {x}")


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


@every_lane
async def test_the_error_names_the_task_keeps_the_cause_and_points_at_the_line(
    engine: Engine, lane: str
) -> None:
    target = give(task_for(lane, fail)(7)).named("report")
    with pytest.raises(TaskFailedError) as caught:
        await engine.run(target)
    error = caught.value
    assert isinstance(error.__cause__, UserError)
    assert (error.task, error.target) == ("fail", "report")
    assert str(error).startswith(
        "report could not be computed, because fail failed: UserError: no 7, at test_failure.py"
    )
    assert error.where is not None
    assert error.where.endswith('raise UserError(f"no {x}")')
    assert error.__cause__.__traceback__ is not None


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (lambda wrong: wrong(1), "fail"),
        (lambda wrong: wrong(1).named("mine"), "mine"),
        (lambda wrong: wrong.map(x=[1]), "map(fail)[0]"),
        (lambda wrong: give([wrong.map(x=[1])]), "map(fail)[0]"),
        (lambda wrong: give([wrong.map(x=[1]).named("all")]), "all[0]"),
    ],
)
async def test_a_failed_node_is_called_as_its_user_calls_it(
    engine: Engine, target: Any, task: str
) -> None:
    with pytest.raises(TaskFailedError, match=r"UserError: no 1") as caught:
        await engine.run(target(cs.task(fail)))
    assert caught.value.task == task


@every_lane
async def test_with_stop_nothing_new_starts_and_what_runs_finishes(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    hold = Hold()

    @cs.task
    async def come() -> None:
        await until(lambda: hold.came)

    running = cs.task(name="running")(hold.rest)()
    later = give(running).named("later")
    run = engine.start([later, task_for(lane, fail)(1).after(come())])
    await until(lambda: run.failures)
    assert not run.done()
    hold.let_go()
    assert isinstance(await outcome(run), TaskFailedError)
    assert "running#1" in finished(spy)
    assert "later" not in started(spy)
    assert run.states()["later"] is NodeState.CANCELLED


@pytest.mark.may_block("a tiny function is held up on purpose, to see what happens meanwhile")
async def test_what_runs_in_a_slice_on_the_loop_may_finish_too(
    engine: Engine, spy: SpySubscriber
) -> None:
    # A thread fails while a tiny function is at work: it must not be cancelled under its own feet.
    hold = Hold()

    @cs.task
    def fail_meanwhile() -> None:
        hold.wait()
        raise UserError("no")

    @cs.task(executor="inline")
    def tiny() -> str:
        hold.let_go()
        until_blocking(lambda: run.failures)
        return "kept"

    run = engine.start([fail_meanwhile(), tiny().after(come_first(hold))])
    assert isinstance(await outcome(run), TaskFailedError)
    assert "tiny#1" in finished(spy)
    assert run.states()["tiny#1"] is NodeState.DONE


def come_first(hold: Hold) -> Any:
    """Something that is over when somebody has come to `hold`."""

    @cs.task
    async def come() -> None:
        await until(lambda: hold.came)

    return come()


async def test_with_continue_all_goes_on_that_does_not_need_the_failed_one(
    engine: Engine, spy: SpySubscriber
) -> None:
    wrong = cs.task(fail)
    chain = give(give(give(1)))
    run = engine.start(
        {"bad": give(wrong(1)).named("lost"), "good": chain, "other": wrong(2)}, on_error="continue"
    )
    error = await outcome(run)
    assert isinstance(error, RunFailures)
    assert [e.task for e in error.exceptions] == ["fail", "fail"]  # type: ignore[union-attr]
    assert len(finished(spy)) == 3
    assert skips(spy) == {"lost": "UpstreamFailed"}
    status = run.status
    assert (status.phase, status.done, status.failed, status.skipped) == (Phase.FAILED, 3, 2, 1)


async def test_several_failures_arrive_together_with_exception_group_semantics(
    engine: Engine,
) -> None:
    def other() -> None:
        raise KeyError("gone")

    target = [cs.task(fail)(1), cs.task(other)(), cs.task(fail)(2)]
    error = await outcome(engine.start(target, on_error="continue"))
    assert isinstance(error, RunFailures)
    assert isinstance(error, BaseException)
    assert all(isinstance(e, RunError) and e.__cause__ is not None for e in error.exceptions)
    by_cause = error.split(lambda e: isinstance(e.__cause__, UserError))
    assert [type(part) for part in by_cause] == [RunFailures, RunFailures]
    assert [len(part.exceptions) for part in by_cause if part is not None] == [2, 1]
    assert error.subgroup(TaskFailedError) is not None
    assert "3 tasks of" in str(error)


async def test_except_star_takes_them_apart(engine: Engine) -> None:
    taken: list[str] = []

    def take(group: Any) -> None:
        taken.extend(error.task for error in group.exceptions)

    run = engine.start([cs.task(fail)(1), cs.task(fail)(2)], on_error="continue")
    await until(run.done)
    if sys.version_info < (3, 11):  # which has no syntax for it, but a function
        from exceptiongroup import catch

        with catch({TaskFailedError: take}):
            await run
    else:
        space: dict[str, Any] = {"TaskFailedError": TaskFailedError, "take": take}
        exec(EXCEPT_STAR, space)
        await space["take_apart"](run)
    assert taken == ["fail", "fail"]


EXCEPT_STAR = """
async def take_apart(run):
    try:
        await run
    except* TaskFailedError as group:
        take(group)
"""


async def test_run_failures_list_node_attempt_inputs_and_traceback(engine: Engine) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    def clean(rows: Any, odd: Any, *, limit: int) -> None:
        fail(len(rows))

    task = cs.task(clean).partial(limit=3)
    run = engine.start(task(give([1, 2]), Odd()).named("tidy").with_retry(2))
    await outcome(run)
    (failure,) = run.failures
    assert (failure.task, failure.task_id, failure.attempt) == ("tidy", "tidy", 2)
    assert failure.inputs == ("[1, 2]", "<Odd>", "limit=3")
    assert failure.text == "UserError: no 2"
    assert "fail(len(rows))" in failure.traceback
    assert 'raise UserError(f"no {x}")' in failure.traceback
    assert "cascade_nb" not in failure.traceback
    assert run.status.failures[0].error == "UserError: no 2"


async def test_an_error_whose_text_cannot_be_had_is_told_all_the_same(
    engine: Engine, spy: SpySubscriber
) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def mute() -> None:
        raise MuteError

    with pytest.raises(TaskFailedError, match=r"MuteError: <its text cannot be had: RuntimeError>"):
        await engine.run(cs.task(mute)())
    assert "its text cannot be had" in str(spy.events_of_type(TaskExecutionFinished)[0].error)


@every_lane
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
async def test_what_is_no_exception_fails_its_task_too(
    engine: Engine, spy: SpySubscriber, lane: str, kind: type[BaseException]
) -> None:
    def leave() -> None:
        raise kind("out")

    run = engine.start(task_for(lane, leave)())
    error = await outcome(run)
    assert isinstance(error, TaskFailedError)
    assert spy.events_of_type(RunFinished)[0].status == "failed"


async def test_a_group_raised_by_a_task_is_its_cause(engine: Engine) -> None:
    def group() -> None:
        raise RunFailures("several", [RunError("a"), RunError("b")])

    with pytest.raises(TaskFailedError) as caught:
        await engine.run(cs.task(group)())
    # `match=` would look at the group's own message alone
    assert str(caught.value).startswith("group failed: RunFailures: several (2 sub-exceptions)")
    assert isinstance(caught.value.__cause__, RunFailures)


async def test_a_run_can_be_awaited_by_many_and_each_hears_of_the_failure(engine: Engine) -> None:
    run = engine.start(cs.task(fail)(1))
    errors = await asyncio.gather(*[_awaited(run) for _ in range(3)], return_exceptions=True)
    assert all(isinstance(error, TaskFailedError) for error in errors)


async def _awaited(run: cs.Run) -> Any:
    return await run


async def test_failures_do_not_keep_the_engine_from_the_next_run(engine: Engine) -> None:
    for _ in range(3):
        with pytest.raises(TaskFailedError):
            await engine.run([cs.task(fail)(1), give(2)])
        assert await engine.run(give(3)) == 3
