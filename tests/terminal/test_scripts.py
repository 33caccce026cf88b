"""The terminal and a script that has no kernel: asked at its socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from cascade_nb.door.callers import new_request
from tests.support.doors import Place, place, until
from tests.terminal.conftest import Terminal

SCRIPT = """
run = cs.start(work().named("report"))
time.sleep(600)
"""

Script = subprocess.Popen[str]


@pytest.fixture(scope="module")
def script(here: Place) -> Iterator[Script]:
    with here.script(SCRIPT) as running:
        here.wait_for_more()
        until(lambda: len(list((here.folder / "doors").glob("*.sock"))))
        yield running


@pytest.fixture(autouse=True)
def nothing_held(script: Script, terminal: Terminal) -> Iterator[None]:
    yield
    terminal.type("resume", "global")
    terminal.type("resume", "part")
    terminal.type("limit", "part", "off")
    terminal.type("rate", "part", "off")
    terminal.type("breaker", "part", "off")
    terminal.type("guard", "off")


@pytest.fixture
def script_is_at_work(here: Place, script: Script) -> None:
    here.wait_for_more(here.begun())


at_work = pytest.mark.usefixtures("script_is_at_work")


@at_work
@pytest.mark.parametrize("words", [["pause"], ["pause", "part"], ["pause", "--run", "1"]])
def test_nothing_starts_after_a_pause_is_acknowledged(
    here: Place, terminal: Terminal, words: list[str]
) -> None:
    said = terminal.type(*words)
    assert said.code == 0
    assert here.starts_nothing()
    assert "paused" in said.out
    before = here.begun()
    assert terminal.type("resume").code == 0
    here.wait_for_more(before)


@at_work
def test_what_it_says_as_json_is_what_the_engine_applied(here: Place, terminal: Terminal) -> None:
    said = terminal.type(
        "pause", "--scope", "task:part", "--for", "10m", "--reason", "the GPU is busy", "--json"
    ).json
    (answer,) = said["answers"]
    (applied,) = answer["applied"]
    assert applied["scope"] == "task:part"
    assert applied["type"] == "pause"
    assert applied["reason"] == "the GPU is busy"
    assert 590 < applied["expires_in"] <= 600
    assert said["exit"] == 0
    status = terminal.type("status", "--json").json["answers"][0]
    assert [one["type"] for one in status["constraints"]] == ["pause"]
    assert "the GPU is busy" in terminal.type("status").out
    assert here.starts_nothing()
    assert "cascade-nb resume task:part" in terminal.type("why", "map(part)").out


@at_work
def test_a_limit_of_none_lets_nothing_start_and_off_lifts_it(
    here: Place, terminal: Terminal
) -> None:
    assert terminal.type("limit", "part", "0").code == 0
    assert here.starts_nothing()
    assert "task:part: at most 0 at once" in terminal.type("limit").out
    before = here.begun()
    assert "no limit" in terminal.type("limit", "part", "off").out
    here.wait_for_more(before)
    assert "There is none." in terminal.type("limit").out


@at_work
def test_a_rate_lets_so_many_start(here: Place, terminal: Terminal) -> None:
    assert "at most 1 starts a minute" in terminal.type("rate", "part", "1/m").out
    assert here.starts_nothing()
    assert "task:part" in terminal.type("rate").out
    before = here.begun()
    terminal.type("rate", "part", "off")
    here.wait_for_more(before)


@at_work
def test_a_program_lifts_no_more_than_its_own_and_a_person_everything(
    here: Place, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminal.type("pause", "part", "--reason", "lunch").code == 0
    monkeypatch.setenv("CASCADE_HOLDER", "program:nightly")
    refused = terminal.type("resume", "part")
    assert refused.code == 1
    assert (
        "part tasks: paused by you in a terminal: lunch; the program nightly lifts" in refused.err
    )
    assert terminal.type("cancel").code == 1
    assert "by the program nightly" in terminal.type("pause", "part").out
    agent = terminal.type("limit", "part", "2", "--as", "agent:claude", "--reason", "looking").out
    assert "at most 2 of part tasks at once, by the agent claude (looking)" in agent
    assert terminal.type("limit", "part", "off").code == 1
    status = terminal.type("status", "--json").json["answers"][0]
    assert [one["holder"]["kind"] for one in status["constraints"]] == [
        "person",
        "program",
        "agent",
    ]
    assert (
        "by you in a terminal: lunch, and by the program nightly"
        in terminal.type("why", "map(part)").out
    )
    assert "task:part" in terminal.type("resume", "part").out  # the person's stands
    assert here.starts_nothing()
    monkeypatch.delenv("CASCADE_HOLDER")
    terminal.type("pause", "part", "--as", "program:nightly")
    said = terminal.type("resume", "part").out
    assert "part tasks: resumed (paused by you in a terminal: lunch)" in said
    assert "part tasks: resumed (paused by the program nightly)" in said
    here.wait_for_more(here.begun())


@pytest.mark.parametrize("holder", ["claude", "agent:", "robot:x"])
def test_who_is_no_holder_is_refused_before_anybody_is_asked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    assert terminal.type("pause", "--as", holder).code == 2
    monkeypatch.setenv("CASCADE_HOLDER", holder)
    said = terminal.type("resume")
    assert said.code == 2
    assert "CASCADE_HOLDER" in said.err


@at_work
def test_a_memory_guard_is_set_listed_and_lifted(terminal: Terminal) -> None:
    said = terminal.type("guard", "memory", "99.5%", "--suspend", "--for", "10m", "--json").json
    (applied,) = said["answers"][0]["applied"]
    assert applied["type"] == "guard"
    assert applied["params"] == {"memory": 0.995, "suspend": True}
    told = "nothing starts while more than 99.5% of the memory is used"
    assert f"everything: {told}" in terminal.type("guard", "memory", "99.5%").out
    assert f"global: {told}, since" in terminal.type("guard").out
    assert "everything: no memory guard" in terminal.type("guard", "off").out
    assert "there was no memory guard of everything" in terminal.type("guard", "off").out
    assert "There is none." in terminal.type("guard").out


@at_work
def test_a_breaker_is_set_listed_and_lifted(terminal: Terminal) -> None:
    said = terminal.type("breaker", "part", "3/1m", "--probe", "5m", "--for", "10m", "--json").json
    (applied,) = said["answers"][0]["applied"]
    assert applied["type"] == "breaker"
    assert applied["params"] == {"failures": 3, "within": 60.0, "probe_after": 300.0}
    told = "3 failures within 1 min hold it, with a probe after 5 min"
    assert f"part tasks: {told}" in terminal.type("breaker", "part", "3/1m", "--probe", "5m").out
    assert f"task:part: {told}, since" in terminal.type("breaker").out
    assert "part tasks: no breaker" in terminal.type("breaker", "part", "off").out
    assert "there was no breaker of part" in terminal.type("breaker", "part", "off").out
    assert "There is none." in terminal.type("breaker").out


@at_work
def test_a_breakpoint_is_set_and_taken_away(terminal: Terminal) -> None:
    said = terminal.type("pause", "--before", "report", "--for", "10m", "--json").json
    (applied,) = said["answers"][0]["applied"]
    assert (applied["type"], applied["scope"]) == ("breakpoint", "node:report")
    told = terminal.type("pause", "part", "--before").out
    assert "a breakpoint before part tasks: what would start is held" in told
    assert "task:part: held before it starts, since" in terminal.type("status").out
    assert "part tasks: no breakpoint" in terminal.type("resume", "--before", "part").out
    assert "no breakpoint before part" in terminal.type("resume", "--before", "part").out
    assert "part was not paused" in terminal.type("resume", "part").out
    assert "no breakpoint" in terminal.type("resume", "--before").out  # the only one


def test_status_runs_and_why_say_how_it_stands(script: Script, terminal: Terminal) -> None:
    status = terminal.type("status")
    assert "report · run 1" in status.out
    assert f"process {script.pid}" in status.out
    runs = terminal.type("runs", "--json").json["answers"][0]["runs"]
    assert [(one["title"], one["started"]) for one in runs] == [("report", None)]
    number, name = runs[0]["number"], runs[0]["run_id"]
    for called in (str(number), name, name[:4]):
        assert "report · run 1" in terminal.type("status", called).out
    assert "report waits for map(part)" in terminal.type("why", "report").out
    assert "map(part)[0]" in terminal.type("why", "map(part)[0]").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pausee"], 2, "did you mean 'pause'?"),
        (["pause", "--reson", "x"], 2, "did you mean '--reason'"),
        (["pause", "part", "--scope", "part"], 2, "the scope is given twice"),
        (["pause", "--for", "soon"], 2, "no length of time"),
        (["pause", "tusk:part"], 2, "did you mean 'task'?"),
        (["pause", "--run", "99"], 2, "there is no run '99'"),
        (["limit", "part", "many"], 2, "a limit is a whole number or off"),
        (["rate", "part", "fast"], 2, "is no rate"),
        (["breaker", "part", "often"], 2, "is no breaker"),
        (["guard", "memory", "lots"], 2, "is no part of the memory"),
        (["guard", "85%"], 2, "takes what it guards and how much"),
        (["breaker", "part", "3/1m", "--probe", "soon"], 2, "no length of time"),
        (["status", "99"], 2, "there is no run '99'"),
        (["pause", "parts"], 1, "did you mean 'part'?"),
        (["limit", "part", "-3"], 2, "below zero"),
        (["why", "repart"], 1, "did you mean 'report'"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one_and_an_exit_code(
    here: Place, terminal: Terminal, words: list[str], code: int, told: str
) -> None:
    said = terminal.type(*words)
    assert told in said.err
    assert said.code == code
    before = here.begun()
    here.wait_for_more(before)  # and nothing was held
    as_json = terminal.type(*words, "--json")
    assert as_json.code == code
    assert as_json.json["exit"] == code
    assert not as_json.json["ok"]


def test_what_was_not_paused_is_said(terminal: Terminal) -> None:
    said = terminal.type("resume", "part")
    assert said.code == 0
    assert "part was not paused (1 process answered)" in said.out


def script_name(script: Script) -> str:
    return f"script-{script.pid}"


def test_what_was_given_up_before_it_was_read_is_not_done(
    here: Place, script: Script, terminal: Terminal
) -> None:
    # Whoever gave it up was told that nobody answered, and may have asked for something else.
    os.kill(script.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, script.pid, os.WSTOPPED)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(here.folder / "doors" / f"{script_name(script)}.sock"))
            asked = new_request("pause", {"scope": "part"}).within(0.1)
            peer.sendall(json.dumps(asked.as_dict()).encode() + b"\n")
            time.sleep(0.2)
            os.kill(script.pid, signal.SIGCONT)
            peer.settimeout(60)
            told = json.loads(peer.makefile().readline())
    finally:
        os.kill(script.pid, signal.SIGCONT)
    assert (told["ok"], told["error"]) == (False, "its time was over before it came")
    assert terminal.type("status", "--json").json["answers"][0]["constraints"] == []


def test_a_script_that_is_stopped_is_named_and_not_waited_for(
    here: Place, script: Script, terminal: Terminal
) -> None:
    os.kill(script.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, script.pid, os.WSTOPPED)
    try:
        for words in (["status"], ["pause", "part"]):
            said = terminal.type(*words)
            assert said.code == 3
            stopped = f"is stopped, as by Ctrl-Z, and hears nothing; `kill -CONT {script.pid}`"
            assert stopped in said.err
            # That nothing runs is not known.
            assert "nobody answered; ask again when those who are there can listen" in said.err
        assert stopped in terminal.type("watch").err
        assert (
            f"there is no run '1'; but {script_name(script)} is stopped"
            in terminal.type("status", "1").err
        )
    finally:
        os.kill(script.pid, signal.SIGCONT)
    assert "report" in terminal.type("status").out
    here.wait_for_more(here.begun())  # the pause was told to nobody


def test_a_task_that_no_run_has_is_said_to_be_none_and_held_all_the_same(
    terminal: Terminal,
) -> None:
    said = terminal.type("pause", "task:pat")
    assert said.code == 0
    assert "pat tasks paused" in said.out
    assert "no task of what runs is called so; did you mean 'part'?" in said.out
    assert terminal.type("resume", "task:pat").code == 0
    for known in ("task:part", "task:pa*"):
        assert "is called so" not in terminal.type("limit", known, "1").out
        terminal.type("limit", known, "off")


def test_cancel_ends_the_run_and_then_nothing_runs(
    here: Place, script: Script, terminal: Terminal
) -> None:
    said = terminal.type("cancel", "1", "--reason", "enough")
    assert said.code == 0
    late = "was told to end, and has not heard it yet"  # where its loop gets no turn for long
    assert "nothing of it starts any more" in said.out or late in said.out
    until(lambda: "cancelled" in terminal.type("runs", "--json").out)
    assert here.starts_nothing()
    until(lambda: not terminal.type("runs", "--json").json["answers"][0]["live"])
    nothing = terminal.type("pause")
    assert nothing.code == 3
    assert "nothing is running, so nothing was paused" in nothing.err
    status = terminal.type("status")
    assert "nothing is running; the last run:" in status.out
    assert "Cancelled after" in status.out
    assert "did not finish: the run was cancelled" in terminal.type("why", "report").out
    assert script.poll() is None


def test_the_socket_goes_with_the_script(here: Place, script: Script, terminal: Terminal) -> None:
    script.terminate()
    script.wait(60)
    # It had no chance to take its socket away: that is said, once.
    said = terminal.type("status")
    assert said.code == 3
    assert "is gone; what it left was removed" in said.err
    again = terminal.type("status", "--json")
    assert again.json == {
        "ok": False,
        "answers": [],
        "skipped": [],
        "error": again.json["error"],
        "exit": 3,
    }
    assert again.json["error"].startswith("nobody answered")
    assert json.dumps(again.json)


#: What the loop of a script does meanwhile.
BUSY = {
    "awaiting": "await asyncio.sleep(100)",
    "blocked": "time.sleep(1.2); await asyncio.sleep(100)",
}


@pytest.mark.parametrize("how", BUSY)
def test_nothing_starts_after_a_pause_while_the_loop_of_a_script_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    body = f"""
    import asyncio
    async def main():
        run = cs.start(work())
        await asyncio.sleep(0.5)
        note("busy")
        {BUSY[how]}
    asyncio.run(main())
    """
    with place() as there, there.script(body):
        monkeypatch.setenv("CASCADE_RUNTIME_DIR", there.environment["CASCADE_RUNTIME_DIR"])
        until(lambda: b"busy" in there.ledger.read_bytes() if there.ledger.exists() else 0)
        until(lambda: len(list((there.folder / "doors").glob("*.sock"))))
        assert terminal.type("pause", "part").code == 0
        time.sleep(1.3 if how == "blocked" else 0)
        assert there.starts_nothing()
        before = there.begun()
        assert terminal.type("resume").code == 0
        there.wait_for_more(before)


def test_where_there_is_no_room_for_a_socket_a_port_with_a_token_serves(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place() as there:
        doors = there.folder / ("x" * 90)
        there.environment["CASCADE_RUNTIME_DIR"] = str(doors)
        monkeypatch.setenv("CASCADE_RUNTIME_DIR", str(doors))
        with there.script("cs.start(work())\ntime.sleep(600)"):
            until(lambda: len(list(doors.glob("*.json"))) if doors.exists() else 0)
            assert terminal.type("pause").code == 0
            assert there.starts_nothing()
