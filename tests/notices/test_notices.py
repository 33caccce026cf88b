"""Who looks elsewhere is told: bounded, never in the way, and with no secret in what is said."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import StateError, UsageError
from cascade_nb.events import NoticeFailed
from cascade_nb.notices import notifier, targets
from cascade_nb.notices.notifier import VARIABLE, Notices, NoticeWarning
from cascade_nb.testing import SpySubscriber
from tests.engine.states import SlowState
from tests.engine.tools import until_blocking

SECRET = "T0K3N-s3cret"


class Hook:
    """A webhook that writes down what it is told.

    Attributes:
        told: that.
        status: what it answers.
        held: set, it does not answer before `go` is.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.go = threading.Event()
        self.go.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.told.append(json.loads(body))
                hook.paths.append(self.path)
                hook.go.wait(60)
                self.send_response(hook.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hooks/{SECRET}?key={SECRET}"

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nobody_is_told_afterwards() -> Iterator[None]:
    yield
    for one in list(notifier._there):
        one.flush(30)
        one.close()
    assert not notifier._heard


@cs.task
def give(x: Any) -> Any:
    return x


@cs.task
def fails(x: Any) -> Any:
    raise ValueError(f"no {x}\x1b[2J\u202e\nforged: all is well")


def told(hook: Hook, notices: Notices, count: int) -> list[str]:
    """The lines of so many notices."""
    until_blocking(lambda: len(hook.told) >= count)
    assert notices.flush(30)
    assert len(hook.told) == count
    return [one["text"] for one in hook.told]


def test_a_run_that_ends_fails_or_asks_is_told_with_what_it_says(
    hook: Hook, engine: Engine
) -> None:
    notices = cs.notify(hook.url)
    assert engine.start(give(3).named("report")).result() == 3
    with pytest.raises(ValueError, match="no 3"):
        engine.start(fails(3).named("bad")).result()
    lines = told(hook, notices, 2)
    assert lines[0].startswith("report: done after")
    assert lines[1].startswith("bad: failed after")
    assert not {"\x1b", "\n"} & set(lines[1])
    assert [one["kind"] for one in hook.told] == ["done", "failed"]
    run = engine.start(cs.ask("Go on?").named("q"))
    until_blocking(lambda: run.questions)
    assert told(hook, notices, 3)[2] == "q: q asks: Go on? (yes or no)"
    run.answer("q", True)
    run.result()
    assert all(path == hook.paths[0] for path in hook.paths)


def test_a_breaker_that_holds_is_told_and_a_person_who_does_is_not(
    hook: Hook, engine: Engine
) -> None:
    notices = cs.notify(hook.url, on="held")
    engine.breaker("task:fails", "1/1m")
    engine.pause("task:give")
    run = engine.start(fails(1).with_retry(3))
    until_blocking(lambda: run.status.held)
    [line] = told(hook, notices, 1)
    assert "fails tasks paused by the breaker" in line
    run.cancel()
    until_blocking(run.done)


def test_a_state_that_cannot_be_used_is_told_of(hook: Hook) -> None:
    notices = cs.notify(hook.url, on="held")
    full = StateError("the disk that holds results.db is full; free some space")
    state: Any = SlowState(lambda entry: full)  # keeps results, and is asked for nothing else
    engine = Engine(state_backend=state)
    run = engine.start(give(1).named("report"))
    until_blocking(lambda: hook.told)
    [line] = told(hook, notices, 1)
    assert "paused by the state backend: the disk that holds results.db is full" in line
    run.cancel()
    until_blocking(run.done)
    engine.close()


def test_what_is_asked_faster_than_it_is_told_is_told_together(hook: Hook, engine: Engine) -> None:
    notices = cs.notify(hook.url, on=["asks"])
    hook.go.clear()
    run = engine.start(cs.ask.map(question=[f"{n}?" for n in range(200)]).named("each"))
    until_blocking(lambda: run.status.asking == 200 and hook.told)
    engine.bus.flush()
    hook.go.set()
    lines = told(hook, notices, 2)
    more = [re.search(r"\(and (\d+) more\)", line) for line in lines]
    assert sum(1 if one is None else 1 + int(one[1]) for one in more) == 200
    run.cancel()
    until_blocking(run.done)


@pytest.mark.parametrize("status", [404, 500, 302])
def test_what_cannot_be_told_is_one_event_without_a_secret(
    hook: Hook, engine: Engine, status: int
) -> None:
    spy = SpySubscriber(engine.bus)
    notices = cs.notify(hook.url)
    hook.status = status
    for n in range(3):
        assert engine.start(give(n)).result() == n
    told(hook, notices, 3)
    [failed] = spy.events_of_type(NoticeFailed)
    assert failed.error == f"it answered {status}"
    assert failed.target == "the webhook at 127.0.0.1"
    hook.status = 200
    engine.start(give(7)).result()
    told(hook, notices, 4)
    hook.status = 500
    engine.start(give(8)).result()
    told(hook, notices, 5)
    assert len(spy.events_of_type(NoticeFailed)) == 2
    everything = repr((spy.events, notices, notices._target, vars(notices)))
    assert SECRET not in everything


def test_a_place_that_is_not_there_or_does_not_answer_holds_up_no_run(
    hook: Hook, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "PATIENCE", 0.2)
    spy = SpySubscriber(engine.bus)
    gone = cs.notify("http://127.0.0.1:1/x")
    hook.go.clear()
    slow = cs.notify(hook.url)
    assert engine.start(give(1)).result() == 1  # while both are tried
    assert gone.flush(30)
    assert slow.flush(30)
    errors = sorted(one.error for one in spy.events_of_type(NoticeFailed))
    assert len(errors) == 2
    assert all("cannot be reached" in one for one in errors)


def test_only_so_many_wait_and_what_is_more_is_counted(
    hook: Hook, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "MOST", 3)
    spy = SpySubscriber(engine.bus)
    notices = cs.notify(hook.url)
    hook.go.clear()
    engine.start(give("first")).result()
    until_blocking(lambda: hook.told)
    for n in range(10):
        engine.start(give(n)).result()
    engine.bus.flush()
    hook.go.set()
    told(hook, notices, 4)
    [failed] = spy.events_of_type(NoticeFailed)
    assert "7 more were not told" in failed.error


def test_a_command_gets_the_line_and_the_json_and_no_shell_reads_it(
    engine: Engine, tmp_path: Path
) -> None:
    script = tmp_path / "told.py"
    script.write_text(
        "import sys, pathlib\n"
        "pathlib.Path(sys.argv[1]).write_text(sys.argv[-1] + '\\n' + sys.stdin.read())\n"
    )
    out = tmp_path / "out"
    notices = cs.notify([sys.executable, str(script), str(out)])
    engine.start(give(1).named("$(touch owned); --help")).result()
    until_blocking(out.exists)
    assert notices.flush(30)
    line, content = out.read_text().splitlines()
    assert line.startswith("Cascade: $(touch owned); --help: done after")
    assert json.loads(content)["kind"] == "done"
    assert not (tmp_path / "owned").exists()
    assert str(script) not in repr(notices)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["false"], "it ended with code 1"),
        (["no-such-program-here"], "it cannot be started"),
        (["sleep", "60"], "it took longer than 0.2 s"),
    ],
)
def test_a_command_that_fails_is_one_event(
    engine: Engine, words: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0] == "sleep":
        monkeypatch.setattr(targets, "PATIENCE", 0.2)
        words = [sys.executable, "-c", "import time; time.sleep(60)"]
    spy = SpySubscriber(engine.bus)
    notices = cs.notify(words)
    engine.start(give(1)).result()
    engine.bus.flush()
    assert notices.flush(30)
    [failed] = spy.events_of_type(NoticeFailed)
    assert why in failed.error


@pytest.mark.parametrize(
    "to",
    [
        "", [], [3], "ftp://x/y", "https://", "https://user:pw@host/x", "http://example.org/x",
        "https://host:99999/", "https://host/a b\n", "'", ["a\0b"], 3,
    ],
)  # fmt: skip
def test_what_nothing_can_be_sent_to_is_refused_without_saying_it(to: Any) -> None:
    with pytest.raises((UsageError, TypeError)) as refused:
        cs.notify(to)
    assert "pw" not in str(refused.value)
    with pytest.raises(UsageError):
        cs.notify("https://host/x", on=["done", "faild"])


def test_the_environment_says_where_too_and_a_wrong_word_there_is_a_warning(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "_asked", False)
    monkeypatch.setenv(VARIABLE, hook.url)
    engine = Engine()
    try:
        engine.start(give(1).named("by variable")).result()
        until_blocking(lambda: hook.told)
        assert hook.told[0]["title"] == "by variable"
    finally:
        engine.close()
    monkeypatch.setattr(notifier, "_asked", False)
    monkeypatch.setenv(VARIABLE, f"ftp://host/{SECRET}")
    with pytest.warns(NoticeWarning) as warned:
        Engine().close()
    assert SECRET not in str(warned[0].message)
    assert os.environ[VARIABLE]
