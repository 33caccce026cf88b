"""A run tells itself in lines, and says why nothing moves when nothing moves."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.reporting import run_log as log
from cascade_nb.errors import TaskFailedError, UsageError
from cascade_nb.events import RunFinished, RunStarted, event_from_json
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, outcome, until


@cs.task
async def give(x: Any = 1) -> Any:
    return x


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Reads the lines so far, without their clock."""
    heard: list[str] = []

    def read() -> list[str]:
        text = capsys.readouterr().err
        heard.extend(re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in text.splitlines())
        return heard

    return read


async def test_a_run_is_told_from_its_start_to_its_end(make_engine: MakeEngine, lines: Any) -> None:
    engine = make_engine(log="human")
    tries: list[int] = []

    @cs.task
    async def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return 1

    gone = give(3).named("gone").run_if(False)

    @cs.task
    async def report(x: Any, y: Any = 0) -> Any:
        return x

    await engine.run(report(flaky().with_retry(2, delay=0.01), gone).named("report"))
    await until(lambda: "report · done in" in "".join(lines()))
    times = re.compile(r"\d+(\.\d+)? ms$")
    assert [times.sub("n ms", line) for line in lines()] == [
        "report · started, 3 tasks",
        "report · gone skipped (ConditionFalse): its condition is false",
        "report · flaky#1 started",
        "report · flaky#1 failed: OSError: not yet; retry 2 of 2 in 10 ms".replace("10", "n"),
        "report · flaky#1 started, attempt 2",
        "report · flaky#1 completed in n ms",
        "report · report started",
        "report · report completed in n ms",
        "report · done in n ms",
    ]


async def test_a_failure_and_a_cancel_are_told_in_words(
    make_engine: MakeEngine, lines: Any
) -> None:
    engine = make_engine(log="human")

    @cs.task
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(TaskFailedError):
        await engine.run(fail())
    await until(lambda: any("fail · failed after" in line for line in lines()))
    assert any(re.search(r"fail#1 failed after \d+ ms: ValueError: no", line) for line in lines())

    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)())
    await until(lambda: hold.came)
    run.cancel("enough")
    await outcome(run)
    await until(lambda: any("cancelled after" in li and "enough" in li for li in lines()))
    assert any("work#1 cancelled after" in line for line in lines())


async def test_it_says_why_nothing_moves_when_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, make_engine: MakeEngine, lines: Any
) -> None:
    monkeypatch.setattr(log, "QUIET", 0.05)
    engine = make_engine(log="human")
    engine.pause(reason="lunch", by="Ann")
    run = engine.start(give([give(i) for i in range(3)]))
    await until(lambda: any("nothing moves" in line for line in lines()))
    still = [line for line in lines() if "nothing moves" in line]
    assert still == [
        "give · nothing moves: Paused just now by Ann: lunch · 4 tasks held · nothing is running"
    ]
    engine.resume()
    assert await run == [0, 1, 2]
    await until(lambda: any("done in" in line for line in lines()))


async def test_it_says_that_a_breakpoint_holds(make_engine: MakeEngine, lines: Any) -> None:
    engine = make_engine(log="human")
    run = engine.start(give(1).named("x").pause_before())
    await until(lambda: any("x is held: at a breakpoint before x by the" in li for li in lines()))
    run.resume()
    assert await run == 1


async def test_it_says_once_what_a_constraint_holds_and_what_becomes_of_the_constraint(
    make_engine: MakeEngine, lines: Any
) -> None:
    engine = make_engine(log="human")
    hold = Hold()
    work = cs.task(name="work")(hold.rest)
    run = engine.start([work(i) for i in range(4)])
    engine.limit("task:work", 1, reason="few", by="ops", ttl=3600)
    await until(lambda: run.status.queued == 3)
    engine.limit("task:work", None)
    engine.rate("task:other", "10/m", by="")
    hold.let_go()
    await run
    await until(lambda: any("done in" in line for line in lines()))
    told = [line.partition(" · ")[2] for line in lines()]
    assert "at most 1 of work tasks at once by ops: few, for 1 h" in told
    assert sum("is queued: at most 1 of work tasks" in line for line in told) == 1
    assert "work tasks: no limit" in told
    assert "other tasks: 10 starts a minute" in told


async def test_the_connector_and_refused_messages_are_told(
    make_engine: MakeEngine, connector: InProcessConnector, lines: Any
) -> None:
    engine = make_engine(log="human", connector=connector)
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)())
    await until(lambda: hold.came)
    await ControllerTestApp(connector).pause("task:other", reason="look", ttl=60)
    await connector.publish("cascade/constraints/global/paus", b"{}")
    hold.let_go()
    await run
    await until(lambda: any("done in" in line for line in lines()))
    told = [line.partition(" · ")[2] for line in lines()]
    assert told[0] == "connected"
    assert any(
        re.match(r"other tasks paused by controller: look, for \d+ s|.*1 min", t) for t in told
    )
    assert any(
        t.startswith("a message on cascade/constraints/global/paus was refused") for t in told
    )


async def test_lines_of_json_are_the_events(
    make_engine: MakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = make_engine(log="json")
    spy = SpySubscriber(engine.bus)
    await engine.run(give.map(x=[1, 2]))
    text: list[str] = []
    await until(lambda: text.append(capsys.readouterr().err) or "RunFinished" in "".join(text))  # type: ignore[func-returns-value]
    events = [event_from_json(line) for line in "".join(text).splitlines()]
    assert events == spy.events
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert all(json.loads(e.to_json())["run_id"] for e in events)


async def test_each_run_is_told_by_itself_and_only_if_asked(engine: Engine, lines: Any) -> None:
    quiet = engine.start(give(1).named("quiet"))
    await engine.run(give(2).named("loud"), log="human")
    await quiet
    await until(lambda: "loud · done in" in "".join(lines()))
    assert not any("quiet" in line for line in lines())
    assert not [t for t in threading.enumerate() if t.name == "cascade-log" and t.is_alive()]


def test_when_cs_run_returns_its_last_line_is_written(lines: Any) -> None:
    assert cs.run(give(1), log="human") == 1
    assert "give · done in" in lines()[-1]


@pytest.mark.parametrize("wrong", ["", "xml", True, 3])
async def test_an_unknown_log_is_refused_and_starts_nothing(engine: Engine, wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"a log is for 'human' or 'json'"):
        engine.start(give(1), log=wrong)
    with pytest.raises(UsageError, match=r"a log is for 'human' or 'json'"):
        Engine(log=wrong)
    assert engine.runs == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_stream_that_is_gone_stops_the_log_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, make_engine: MakeEngine
) -> None:
    engine = make_engine(log="human")
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    assert await engine.run(give(1)) == 1
    await until(lambda: not [t for t in threading.enumerate() if t.name == "cascade-log"])
    assert not engine.bus.listening  # it has let go
