"""The terminal answers what a script asks, at its door and over a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
from cascade_nb.door.known_runs import live_runs
from cascade_nb.engine import Engine
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.terminal import broker as terminal_broker
from cascade_nb.terminal import running
from cascade_nb.terminal.running import progress_line
from tests.engine.tools import until_blocking
from tests.support.doors import Place
from tests.support.mosquitto import Mosquitto
from tests.terminal.conftest import Terminal

SCRIPT = """
questions = [
    cs.ask("Approve {:,} rows?", 1204).named("approve"),
    cs.ask("How many\\x1b[2J?", type=int).named("how many"),
    cs.ask("Never?").named("never"),
]
print(cs.run(questions))
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto.start() as started:
        yield started


def test_a_script_that_asks_is_answered_from_a_terminal(here: Place, terminal: Terminal) -> None:
    with here.script(SCRIPT) as script:
        until_blocking(lambda: "never" in terminal.type("answer").out)
        listed = terminal.type("answer").out
        assert "approve: Approve 1,204 rows? (yes or no), asked" in listed
        assert "\x1b" not in listed
        wrong = terminal.type("answer", "approve", "perhaps")
        assert wrong.code == 1
        assert "the question takes yes or no, and 'perhaps' is none" in wrong.err
        agent = terminal.type("answer", "approve", "yes", "--as", "agent:claude")
        assert (agent.code, "asked of people" in agent.err) == (1, True)
        done = terminal.type("answer", "approve", "yes")
        assert (done.code, "approve gets yes" in done.out) == (0, True)
        second = terminal.type("answer", "approve", "no")
        assert second.code == 1
        assert "approve was answered by" in second.err
        said = terminal.type("answer", "how many", "3", "--json").json
        assert said["answers"][0]["answered"] == [{"node": "how many", "answer": "3"}]
        assert terminal.type("answer", "nothing", "3").code == 1
        assert "never asks: Never?" in terminal.type("why", "never").out
        status = terminal.type("status").out
        assert "? never asks: Never? (yes or no), asked" in status
        assert terminal.type("answer", "never", "n").code == 0
        out, err = script.communicate(timeout=60)
    assert out.strip() == "[True, 3, False]"
    assert "\x1b" not in err


def test_words_that_are_missing_are_asked_for(terminal: Terminal) -> None:
    assert terminal.type("answer", "approve").code == 2
    assert terminal.type("answer", "approve", "--broker", "mqtt://localhost").code == 2


def test_a_run_on_another_machine_is_answered_over_a_broker(
    broker: Mosquitto, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(connector=MqttConnector(broker.url))
    run = engine.start(cs.ask("Go / on?").named("go on"))
    other = engine.start(cs.ask("Go / on?").named("go on"))
    try:
        until_blocking(lambda: run.questions and other.questions)
        over = ("--broker", broker.url)
        monkeypatch.setattr(terminal_broker, "WAIT", 2.0)
        # What is sent before the engine listens is lost: a broker keeps no answers.
        until_blocking(
            lambda: "several runs ask" in terminal.type("answer", "go on", "yes", *over).err
        )
        monkeypatch.setattr(terminal_broker, "WAIT", 20.0)
        assert terminal.type("answer", "go on", "maybe", "--run", run.id, *over).code == 1
        done = terminal.type("answer", "go on", "yes", "--run", run.id, *over)
        assert (done.code, "go on has its answer" in done.out) == (0, True)
        assert run.result(60) is True
        assert not other.done()
        assert terminal.type("answer", "go on", "no", *over).code == 0
        assert other.result(60) is False
    finally:
        for one in (run, other):
            one.cancel()
        until_blocking(lambda: run.done() and other.done())
        engine.close()


def test_a_run_from_the_terminal_says_how_its_question_is_answered(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[RunStatus] = []

    def progress(status: RunStatus) -> str:
        """As it is; the question is answered when it was seen five times."""
        if status.questions:
            looks.append(status)
            if len(looks) == 5:
                (run,) = live_runs()
                run.answer("go on", "yes", by="ada")
        return progress_line(status)

    monkeypatch.setattr(running, "EVERY", 0.01)
    monkeypatch.setattr(running, "progress_line", progress)
    flow = tmp_path / "flow.py"
    flow.write_text("import cascade_nb as cs\ngo = cs.ask('Go on?').named('go on')\n")
    said = terminal.type("run", f"{flow}:go")
    assert said.code == 0
    told = "go on asks: Go on? (yes or no); `cascade-nb answer 'go on' VALUE` answers it"
    assert said.err.count(told) == 1
