"""What is asked of every engine holds for those that are made later; bare names in calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import cascade_nb as cs
from cascade_nb.defaults import default_engine
from cascade_nb.engine import Engine
from cascade_nb.errors import ConstraintError, HolderError
from cascade_nb.testing import InProcessConnector
from tests.engine.tools import outcome, until


@cs.task(executor="inline")
def everywhere_step(x: int = 1) -> int:
    return x


@pytest.fixture(autouse=True)
def nothing_in_force() -> Iterator[None]:
    yield
    for constraint in default_engine().constraints.constraints():
        default_engine().constraints.lift(constraint.scope, constraint.type)


async def test_a_pause_of_everything_holds_an_engine_that_is_made_later() -> None:
    cs.pause(reason="lunch")
    engine = Engine()
    run = engine.start(everywhere_step())
    await until(lambda: run.status.phase.value == "paused")
    assert "lunch" in run.status.headline
    assert cs.resume()
    assert await run == 1
    assert Engine().constraints.constraints() == []
    await engine.aclose()


def test_limits_and_rates_are_taken_over_and_what_was_lifted_is_not() -> None:
    cs.limit("everywhere_step", 2)
    cs.rate("task:everywhere_step", "10/m", capacity=3)
    later = {(str(one.scope), one.type): one.params for one in Engine().constraints.constraints()}
    assert later["task:everywhere_step", "concurrency"] == {"limit": 2}
    assert later["task:everywhere_step", "rate_limit"]["capacity"] == 3
    cs.limit("everywhere_step", None)
    default_engine().rate("everywhere_step", None)
    assert Engine().constraints.constraints() == []


def test_what_two_hold_is_taken_over_and_both_have_to_go() -> None:
    cs.pause("everywhere_step", by="agent:claude", reason="looking")
    cs.pause("everywhere_step", ttl=600)
    later = Engine()
    own = Engine()
    own.pause("everywhere_step", by="agent:x")
    assert [one.by for one in later.constraints.standing("task:everywhere_step")] == [
        "you",
        "the agent claude",
    ]
    with pytest.raises(HolderError, match=r"by the agent claude: looking.*; the program p lifts"):
        cs.resume("everywhere_step", by="program:p")
    assert cs.resume("everywhere_step", by="agent:x")  # in one engine, and no other has any
    assert cs.resume("everywhere_step", by="agent:claude")
    assert [one.by for one in later.constraints.constraints()] == ["you"]
    cs.limit("global", 2)
    with pytest.raises(HolderError, match="everything: limited by you"):
        cs.limit("global", None, by="agent:claude")
    cs.limit("global", None)
    assert cs.resume("everywhere_step")
    assert not cs.resume("everywhere_step", by="agent:claude")


async def test_a_breaker_is_taken_over_and_what_tripped_it_is_not() -> None:
    @cs.task(name="everywhere_step")
    def broken() -> int:
        raise ConnectionError("no")

    cs.pause("task:everywhere_step")
    cs.resume("task:everywhere_step")
    cs.breaker("task:everywhere_step", "1/1h", probe_after=60, reason="the server", ttl=3600)
    await outcome(default_engine().start(broken()))
    assert [one.type for one in default_engine().constraints.constraints()] == ["breaker", "pause"]
    (later,) = Engine().constraints.constraints()
    assert later.params == {"failures": 1, "within": 3600.0, "probe_after": 60.0}
    assert later.reason == "the server"
    cs.breaker("everywhere_step", None)
    assert default_engine().constraints.constraints() == []
    assert Engine().constraints.constraints() == []


def test_an_own_constraint_of_one_engine_is_no_other_engines() -> None:
    default_engine().pause("everywhere_step")
    assert Engine().constraints.constraints() == []


def test_a_bare_name_that_nothing_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConstraintError, match="did you mean 'everywhere_step'"):
        cs.limit("everywhere_stepp", 2)
    with pytest.raises(ConstraintError, match="a scope is text"):
        cs.pause(3)  # type: ignore[arg-type]


def test_what_is_there_instead_is_told_shortly_whatever_it_is_called() -> None:
    made = [cs.task(name=f"{letter}{'x' * 110}")(len) for letter in "abcdefghijklm"]
    with pytest.raises(ConstraintError, match=r"there is .* and .* more; a scope is") as told:
        cs.pause("nowhere at all")
    assert len(str(told.value)) < 450
    assert made


async def test_a_run_and_its_engine_take_bare_names_too(engine: Engine) -> None:
    engine.pause("everywhere_step")
    run = engine.start(everywhere_step().named("everywhere_node"))
    await until(lambda: run.status.held)
    run.resume("everywhere_step")
    assert await run == 1


async def test_a_payload_may_be_a_mapping() -> None:
    connector = InProcessConnector()
    heard: list[bytes] = []

    async def hear(_topic: str, payload: bytes) -> None:
        heard.append(payload)

    await connector.subscribe("a/#", hear)
    await connector.publish("a/b", {"n": 1, "text": "\u00e9"})
    assert heard == [b'{"n": 1, "text": "\\u00e9"}']
    with pytest.raises(cs.errors.UsageError, match="JSON, which cannot carry it"):
        await connector.publish("a/b", {"n": object()})


async def test_the_status_of_all_runs_prints_as_lines(engine: Engine) -> None:
    before = cs.status()
    assert str(before).startswith("Nothing is running.")
    engine.pause()
    run = engine.start(everywhere_step())
    await until(lambda: run.status.phase.value == "paused")
    told = cs.status()
    assert [status.run_id for status in told.runs] == [run.id]
    assert "In force:" in told.lines
    assert any(line.startswith("  global: paused") for line in told.lines)
    engine.resume()
    await run


async def test_times_count_failed_attempts_too(engine: Engine) -> None:
    tries: list[int] = []

    @cs.task(executor="inline")
    def third_time(x: int) -> int:
        tries.append(x)
        if len(tries) < 3:
            raise OSError("not yet")
        return x

    run = engine.start(third_time(1).with_retry(3))
    await run
    (kind,) = run.status.kinds
    assert (kind.attempts, kind.done) == (3, 1)
    assert 0 < kind.longest <= kind.seconds
