"""`cascade-nb watch`: lines where nobody sits, a picture in place where somebody does."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pexpect
import psutil
import pytest
from rich.console import Console

from cascade_nb.terminal.live_view import live_view
from cascade_nb.terminal.seen_runs import Rates, SeenRun
from cascade_nb.text import readable
from tests.support.doors import Place, place, until
from tests.support.hostile_texts import HOSTILE
from tests.terminal.conftest import Terminal
from tests.terminal.test_run import command
from tools.environments import ROOT

#: Two runs, one of which fails in the end, when they may end; the process stays.
SCRIPT = """
cs.limit("part", 1)
cs.pause("total")
cs.pause("task:fails")
@cs.task
def fails(xs):
    raise ValueError("in the end")
run = cs.start(total(part.map(i=list(range(4)))).named("report"))
other = cs.start(fails(part.map(i=list(range(4)))).named("other"))
print("started", flush=True)
time.sleep(600)
"""

Started = Callable[[], None]


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as found:
        yield found


@pytest.fixture
def start(here: Place) -> Iterator[Started]:
    """Starts the script, and waits until it can be asked."""
    with contextlib.ExitStack() as running:

        def begin() -> None:
            script = running.enter_context(here.script(SCRIPT))
            assert script.stdout is not None
            assert script.stdout.readline() == "started\n"  # both runs
            until(lambda: len(list((here.folder / "doors").glob("*.sock"))))

        yield begin


def lines_until(child: subprocess.Popen[str], words: str) -> list[str]:
    """What it says, up to a line with these words."""
    assert child.stdout is not None
    lines = [child.stdout.readline()]
    while words not in lines[-1]:
        assert lines[-1], lines
        lines.append(child.stdout.readline())
    return lines


def let_them_end(terminal: Terminal) -> None:
    for task in ("total", "task:fails"):
        assert terminal.type("resume", task).code == 0


def test_what_changes_is_told_in_lines_until_all_is_over(
    here: Place, start: Started, terminal: Terminal
) -> None:
    start()
    child = command(here, "watch", "--every", "0.2s")
    lines = lines_until(child, "report (run 1, ")
    let_them_end(terminal)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    lines += out.splitlines()
    reports = [line for line in lines if "report (run 1, " in line]
    assert "of 5 done" in reports[0]
    assert "Done in" in reports[-1]
    assert any("other (run 2" in line and "Failed after" in line for line in lines)
    assert any("in force: task:part: at most 1 at once" in line for line in lines)
    assert terminal.type("watch").code == 3


def test_one_that_is_named_gives_its_outcome_as_exit_code(
    start: Started, terminal: Terminal
) -> None:
    start()
    let_them_end(terminal)
    as_json = terminal.type("watch", "2", "--every", "0.2s", "--json")
    assert as_json.code == 1
    told = [json.loads(line) for line in as_json.out.splitlines()]
    assert told[0]["runs"]
    assert terminal.type("watch", "1").code == 0
    assert "Done in" in terminal.type("watch", "1").out
    wrong = terminal.type("watch", "7")
    assert wrong.code == 2
    assert "there is no run '7'" in wrong.err


@pytest.mark.parametrize(("last", "code"), [("n", 0), ("1 / (n - 3)", 1)])
def test_how_a_run_ended_is_heard_of_a_process_that_ends_with_it(
    here: Place, last: str, code: int
) -> None:
    # A look every second would come too late: the process is asked to say when the run is over.
    go = here.folder / "go"
    body = f"""
    @cs.task
    def late(n):
        note("late")
        while not os.path.exists({str(go)!r}):
            time.sleep(0.01)
        return {last}
    run = cs.start(late(3))
    run.exception() or run.result()
    """
    with here.script(body) as script:
        until(lambda: len(list((here.folder / "doors").glob("*.sock"))))
        here.wait_for_more()
        child = command(here, "watch", "1", "--every", "30s")
        assert child.stdout is not None
        assert "Running 1 task" in child.stdout.readline()
        # What it has said it asked before; what it asks now is to be told of the end.
        until(lambda: psutil.Process(child.pid).net_connections("unix"))
        go.touch()
        out, err = child.communicate(timeout=60)
        script.wait(60)
    assert child.returncode == code, (out, err)
    assert ("Done in" if code == 0 else "ZeroDivisionError") in out


def test_that_a_process_was_killed_is_said(here: Place, start: Started) -> None:
    start()
    child = command(here, "watch", "1", "--every", "30s")
    assert child.stdout is not None
    assert "report (run 1" in child.stdout.readline()
    (door,) = (here.folder / "doors").glob("*.sock")
    os.kill(int(door.stem.rpartition("-")[2]), signal.SIGKILL)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 3
    assert "is gone; how the run ended is not known" in err


def seen(**more: Any) -> SeenRun:
    kind = {
        "name": "part", "total": 40, "done": 10, "running": 2, "queued": 5, "held": 0, "failed": 1,
        "paused": True, "asking": 0, "limit": 2, "attempts": 10, "seconds": 20.0, "longest": 3.0,
    }  # fmt: skip
    run: dict[str, Any] = {
        "run_id": "3f2a", "number": 1, "title": "report", "phase": "running", "headline": "Running",
        "total": 41, "done": 10, "reused": 0, "failed": 1, "skipped": 0, "cancelled": 0,
        "running": 2, "waiting": 1, "queued": 5, "held": 0, "elapsed": 5.0, "remaining": 12.0,
        "asking": 0, "kinds": [kind], "failures": [], "retries": [],
    }  # fmt: skip
    return SeenRun("script x", {**run, **more}, {"part": 30.0}, ["task:part: paused, since 3 s"])


def painted(*runs: SeenRun, width: int = 160) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=60)
    with live_view(console) as view:
        view.show(list(runs))
        view.show(list(runs))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_has_kinds_rates_what_is_left_and_what_holds_it() -> None:
    text = readable(painted(seen()))
    for words in (
        "report · run 1 (3f2a)", "10 of 41 done, 1 failed, 2 running, 1 waiting, 5 queued",
        "5 s, about 10 s left", "10 of 40 nodes", "2 running, 5 queued, 1 failed",
        "2 s each · 30 a minute", "paused, at most 2", "in force:", "task:part: paused, since 3 s",
    ):  # fmt: skip
        assert words in text, text


@pytest.mark.parametrize("width", [1, 10, 30, 80, 100, 160])
def test_on_a_narrow_terminal_words_come_before_bars_and_no_line_is_broken(width: int) -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", painted(seen(), width=width))
    lines = [line.rstrip() for line in text.splitlines()]
    assert all(len(line) <= width for line in lines), lines
    if width >= 30:
        (part, *_) = [line for line in lines if "part" in line and "of 40" in line]
        assert "10 of 40 nodes" in part
    if width >= 80:
        assert "2 s each · 30 a minute" in part
        assert "1 waiting, 5 queued · 5 s, about 10 s left" in text
    assert ("━" in text) is (width > 120)


@pytest.mark.parametrize("text", [*HOSTILE, "[red]x[/red]", "[link=file:///x]y[/link]"])
def test_the_picture_shows_no_text_as_a_command(text: str) -> None:
    plain = painted(seen())
    shown = painted(
        seen(title=text, headline=text, failures=[{"task": text, "error": text}], retries=[text])
    )
    own = set(pieces(plain)) | {"\x1b[31m"}
    assert set(pieces(shown)) <= own
    if text.startswith("["):
        assert text in shown


def pieces(painted_text: str) -> list[str]:
    """What of it a terminal obeys."""

    return re.findall(
        r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", painted_text
    )


def test_a_rate_is_what_ends_a_minute_lately() -> None:
    rates = Rates()

    def at(now: float, attempts: int) -> dict[str, float]:
        return rates.of({"run_id": "a", "kinds": [{"name": "t", "attempts": attempts}]}, now)

    assert at(0.0, 0) == {}
    assert at(10.0, 5) == {"t": 30.0}
    assert at(20.0, 10) == {"t": 30.0}
    for second in range(21, 60):
        last = at(float(second), 10)
    assert last == {}


def test_where_somebody_sits_it_is_painted_in_place(
    here: Place, start: Started, terminal: Terminal
) -> None:
    start()
    child = pexpect.spawn(
        sys.executable,
        ["-m", "cascade_nb", "watch", "--every", "0.2s"],
        encoding="utf-8",
        timeout=60,
        env={**os.environ, **here.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        dimensions=(40, 160),
    )
    child.expect("report · run 1")
    let_them_end(terminal)
    child.expect("Done in")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
