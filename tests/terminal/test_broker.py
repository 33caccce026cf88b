"""The terminal and engines elsewhere: asked over a broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.connectors import MqttConnector
from cascade_nb.control.remote import remote_constraints
from cascade_nb.control.remote.envelope import KEY_VARIABLE
from cascade_nb.engine import Engine, Run
from cascade_nb.terminal import broker as terminal_broker
from cascade_nb.terminal.output import NOBODY
from tests.engine.tools import until_blocking
from tests.support.mosquitto import Mosquitto
from tests.terminal.conftest import Terminal


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto.start() as started:
        yield started


@cs.task
def step(i: int) -> int:
    time.sleep(0.01)
    return i


@pytest.fixture
def run(broker: Mosquitto) -> Iterator[Run]:
    engine = Engine(connector=MqttConnector(broker.url))
    going = engine.start(step.map(i=list(range(100_000))).named("part"))
    until_blocking(lambda: going.status.running)
    yield going
    going.cancel()
    until_blocking(going.done)
    engine.close()


def in_force(run: Run) -> set[tuple[str, str, Any]]:
    found = run._engine.constraints.constraints()
    return {(str(one.scope), one.type, tuple(one.params.values())[:1]) for one in found}


def test_it_holds_and_lets_go_and_says_who_did(
    broker: Mosquitto, run: Run, terminal: Terminal
) -> None:
    over = ["--broker", broker.url]
    said = terminal.type("pause", "step", "--reason", "GPU is busy", "--for", "10m", *over)
    assert said.code == 0, said
    assert "the pause of step tasks is in force" in said.out
    (constraint,) = run._engine.constraints.constraints()
    assert constraint.reason == "GPU is busy"
    assert "@" in constraint.by
    assert constraint.expires is not None
    assert terminal.type("limit", "step", "3", *over).code == 0
    assert terminal.type("rate", "tag:x", "10/m", *over).code == 0
    assert {(scope, type_) for scope, type_, _ in in_force(run)} == {
        ("task:step", "pause"),
        ("task:step", "concurrency"),
        ("tag:x", "rate_limit"),
    }
    agent = terminal.type("resume", "step", "--as", "agent:claude", *over)
    assert agent.code == 1
    assert "the agent claude lifts only what is its own, and a person lifts anything" in agent.err
    assert ("task:step", "pause") in {one[:2] for one in in_force(run)}
    said = terminal.type("resume", "step", *over, "--json")
    assert said.json["ok"]
    assert said.json["lift"]
    (answer,) = said.json["answers"]
    (lifted,) = answer["lifted"]
    assert (lifted["scope"], lifted["reason"]) == ("task:step", "GPU is busy")
    assert "step tasks: no limit (" in terminal.type("limit", "step", "off", *over).out
    assert "no rate limit (" in terminal.type("rate", "tag:x", "off", *over).out
    assert in_force(run) == set()


def test_where_there_was_nothing_to_lift_nothing_is_said_to_be_lifted(
    broker: Mosquitto, run: Run, terminal: Terminal
) -> None:
    over = ["--broker", broker.url]
    run._engine.constraints.apply("task:other", "pause")
    source = run._engine.supervisor._source
    for words, what in (
        (["resume", "step"], "pause of step tasks"),
        (["resume"], "pause of everything"),
        (["resume", "--before", "step"], "breakpoint of step tasks"),
        (["limit", "step", "off"], "limit of step tasks"),
        (["rate", "off"], "rate limit of everything"),
        (["breaker", "step", "off"], "breaker of step tasks"),
        (["guard", "off"], "memory guard of everything"),
    ):
        said = terminal.type(*words, *over)
        assert (said.code, said.out) == (0, f"{source}: there was no {what} to lift\n")
    said = terminal.type("resume", "--as", "program:nightly", *over)
    assert "no pause of everything to lift of the program nightly" in said.out
    assert terminal.type("resume", *over, "--json").json["answers"][0]["lifted"] == []
    assert in_force(run) == {("task:other", "pause", ())}


def test_what_is_refused_is_said_with_the_reason_and_not_as_done(
    broker: Mosquitto, run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_constraints, "MOST", 1)
    over = ["--broker", broker.url]
    assert terminal.type("pause", "tag:x", *over).code == 0
    said = terminal.type("pause", "tag:y", *over)
    assert (said.code, said.out) == (1, "")
    assert "refused: 1 constraints from outside are in force already" in said.err
    for tag in ("tag:x", "tag:y"):
        terminal.type("resume", tag, *over)


@pytest.mark.parametrize("words", [["step"], [], ["from:part"]])
def test_a_pause_of_one_run_is_that_runs_and_is_lifted_as_such(
    broker: Mosquitto, run: Run, terminal: Terminal, words: list[str]
) -> None:
    over = ["--broker", broker.url, "--run"]
    assert terminal.type("pause", *words, *over, run.id).code == 0
    until_blocking(lambda: run.status.held)
    assert terminal.type("resume", *words, *over, run.id).code == 0
    until_blocking(lambda: run.status.running)
    assert not run.status.held
    terminal.type("resume", *words, "--broker", broker.url)


@pytest.mark.parametrize("words", [["step"], [], ["from:part"]])
def test_that_no_engine_has_the_run_is_said_and_what_was_kept_for_it_is_lifted(
    broker: Mosquitto, run: Run, terminal: Terminal, words: list[str]
) -> None:
    over = [*words, "--broker", broker.url, "--run", "another"]
    said = terminal.type("pause", *over)
    assert (said.code, said.out) == (NOBODY, "")
    assert "no run another goes on at " in said.err
    assert "the broker keeps it until one comes" in said.err
    said = terminal.type("pause", *over, "--json")
    assert (said.code, said.json["ok"]) == (NOBODY, False)
    assert [one["run"] for one in said.json["answers"]] == ["elsewhere"]
    lifted = terminal.type("resume", *over)
    assert lifted.code == 0, lifted
    assert ": resumed (paused by " in lifted.out
    again = terminal.type("resume", *over)
    assert (again.code, again.out) == (NOBODY, "")
    assert "there is nothing to lift" in again.err
    assert not run.status.held


def test_a_breaker_is_sent_and_lifted(broker: Mosquitto, run: Run, terminal: Terminal) -> None:
    over = ["--broker", broker.url]
    assert terminal.type("breaker", "step", "3/1m", "--probe", "5m", *over).code == 0
    (found,) = run._engine.constraints.constraints()
    assert str(found.scope) == "task:step"
    assert found.params == {"failures": 3, "within": 60.0, "probe_after": 300.0}
    said = terminal.type("breaker", "step", "off", *over)
    assert "step tasks: no breaker (set by " in said.out
    assert in_force(run) == set()


def test_a_memory_guard_is_sent_and_lifted(broker: Mosquitto, run: Run, terminal: Terminal) -> None:
    over = ["--broker", broker.url]
    assert terminal.type("guard", "step", "memory", "99%", "--suspend", *over).code == 0
    (found,) = run._engine.constraints.constraints()
    assert (str(found.scope), found.params) == ("task:step", {"memory": 0.99, "suspend": True})
    assert "step tasks: no memory guard (" in terminal.type("guard", "step", "off", *over).out
    assert in_force(run) == set()


def test_with_a_key_it_signs(
    broker: Mosquitto, run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = ["--broker", broker.url]
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    assert terminal.type("pause", "step", *over).code == 0
    until_blocking(lambda: run.status.held)
    assert "step tasks: resumed (paused by " in terminal.type("resume", "step", *over).out
    until_blocking(lambda: not run.status.held)
    assert "there was no pause of step tasks to lift" in terminal.type("resume", "step", *over).out


def test_a_password_is_not_among_the_words_that_all_users_of_a_machine_see(
    broker: Mosquitto, run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_BROKER", broker.url)
    monkeypatch.setenv("MY_BROKER", "mqtt://u:sesame@elsewhere")
    assert terminal.type("pause", "step", "--broker", "CASCADE_BROKER").code == 0
    until_blocking(lambda: run.status.held)
    assert terminal.type("status", "--broker", "CASCADE_BROKER").code == 0
    assert terminal.type("resume", "step", "--broker", "CASCADE_BROKER").code == 0
    said = terminal.type("status", "--broker", "MY_BROKER")
    assert (said.code, "sesame" in said.err) == (2, False)
    assert "elsewhere is another machine" in said.err
    said = terminal.type("status", "--broker", "NO_BROKER")
    assert said.code == 2
    assert "has no variable NO_BROKER" in said.err


def test_that_nobody_answered_is_said(
    broker: Mosquitto, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_broker, "WAIT", 0.2)
    said = terminal.type("pause", "step", "--broker", broker.url)
    assert said.code == 3
    assert "has the same CASCADE_CONTROL_KEY, or none; the broker keeps it" in said.err
    said = terminal.type("resume", "step", "--broker", broker.url, "--json")
    assert said.code == 3
    assert said.json["answers"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pause", "--broker", "mqtt://127.0.0.1:1"], 1, "cannot be reached"),
        (["pause", "--broker", "mqtt://u:sesame@elsewhere"], 2, "is another machine"),
        (["pause", "--broker", "localhost"], 2, "begins with mqtt://"),
        (["pause", "tusk:x", "--broker", "mqtt://localhost"], 2, "no scope"),
        (["limit", "--broker", "mqtt://127.0.0.1:1"], 1, "cannot be reached"),
        (["rate", "step", "often", "--broker", "mqtt://localhost"], 2, "rate"),
        (["pause", "--run", "1", "--broker", "mqtt://127.0.0.1:1"], 2, "by its whole id"),
        (["status", "--broker", "mqtt://127.0.0.1:1"], 1, "cannot be reached"),
        (["why", "x", "--broker", "mqtt://u:sesame@elsewhere"], 2, "is another machine"),
        (["plan", "x:y", "--broker", "mqtt://localhost"], 2, "--broker"),
    ],
)
def test_what_cannot_be_is_said_and_has_its_exit_code(
    terminal: Terminal, words: list[str], code: int, told: str
) -> None:
    said = terminal.type(*words)
    assert (said.code, told in said.err) == (code, True), said
    assert "sesame" not in said.err


def test_a_loop_that_is_there_already_does_not_matter(broker: Mosquitto, run: Run) -> None:
    thread = LoopThread("elsewhere")
    connector = MqttConnector(broker.url)
    thread.submit(connector.connect()).result(20)
    thread.submit(connector.publish("t", b"x")).result(20)
    asyncio.run(connector.publish("t", b"x"))
    thread.submit(connector.disconnect()).result(20)
    thread.stop()
    assert not run.done()
