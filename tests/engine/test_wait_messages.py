"""Whoever waits for a run that is held is told what for, on standard error, at once and again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.reporting import wait_messages
from cascade_nb.errors import RunCancelledError, StateError
from cascade_nb.shortcuts.what_is_kept import use_state
from tests.engine.tools import PATIENCE, until


@cs.task
def give(x: int) -> int:
    return x


def _heard(capsys: pytest.CaptureFixture[str], times: int) -> str:
    heard = ""
    deadline = time.monotonic() + PATIENCE
    while heard.count("\n") < times and time.monotonic() < deadline:
        time.sleep(0.02)
        heard += capsys.readouterr().err
    return heard


@pytest.mark.parametrize("what", ["pause", "limit"])
def test_who_waits_in_a_script_is_told_what_holds_the_run(
    what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_messages, "AGAIN", 0.6)
    engine = Engine()
    if what == "pause":
        engine.pause(reason="the disk is busy")
    else:
        engine.limit("task:give", 0)
    run = engine.start(give(1))
    waits = threading.Thread(target=run.result)
    waits.start()
    heard = _heard(capsys, 2)
    engine.resume()
    engine.limit("task:give", None)
    waits.join(PATIENCE)
    heard += capsys.readouterr().err
    lines = heard.splitlines()
    words = "the disk is busy" if what == "pause" else "at most 0 of give tasks at once"
    assert all(line.startswith("give (run 1): ") and words in line for line in lines), lines
    assert len(lines) >= 2
    assert engine.start(give(2)).result() == 2
    assert capsys.readouterr().err == ""  # nothing holds that one
    engine.close()


async def test_who_awaits_it_is_told_too_and_once_a_minute_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = Engine()
    engine.pause(reason="lunch")
    waits = asyncio.ensure_future(_awaited(engine))
    heard = ""

    def said() -> int:
        nonlocal heard
        heard += capsys.readouterr().err
        return heard.count("lunch")

    await until(said)
    await asyncio.sleep(1.2)
    assert said() == 1
    engine.resume()
    assert await waits == 1
    await engine.aclose()


async def _awaited(engine: Engine) -> int:
    return int(await engine.start(give(1)))


def test_a_state_is_used_only_with_a_key_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text("short")
    key.chmod(0o600)
    monkeypatch.setenv("CASCADE_KEY_FILE", str(key))
    with pytest.raises(StateError, match="key"):
        use_state(f"sqlite:///{tmp_path}/results.db")
    # Named otherwise, it is said to who waits.
    engine = Engine(state_backend=f"sqlite:///{tmp_path}/results.db")
    run = engine.start(give(1))

    def wait() -> None:
        with contextlib.suppress(RunCancelledError):
            run.result()

    waits = threading.Thread(target=wait)
    waits.start()
    assert str(key) in _heard(capsys, 1)
    run.cancel()
    waits.join(PATIENCE)
    engine.close()
