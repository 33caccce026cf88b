"""Starts runs of files in processes of their own, which go on when whoever has asked is gone, and
knows how they ended when nobody is left to ask.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cascade_nb.control.holders import VARIABLE, Holder
from cascade_nb.door.folder import folders, own_folder
from cascade_nb.errors import RunError, UsageError
from cascade_nb.text import quoted

PATIENCE: Final = 10.0  # seconds in which a run has begun, where its file is not slow to import
KEPT: Final = 7 * 86400.0  # seconds that what was said of a run is kept
_LOOK: Final = 0.02
_MOST: Final = 20  # runs that are remembered
_PART: Final = 16 * 1024  # bytes of what a process says: its beginning and its end
_SAID: Final = 600  # characters of what a process complained of
_ours: Final[list[subprocess.Popen[bytes]]] = []


def is_of_a_file(target: str) -> bool:
    """Whether this names something in a file or module, and not in a kernel."""
    return ":" in target or target.endswith((".py", ".ipynb"))


def start_file(target: str, params: Mapping[str, Any], holder: Holder) -> dict[str, Any]:
    """Run a target of a file, in the folder where this process works.

    Returns:
        Its `run`, None where it has not begun after `PATIENCE`, its `process`, and how it stands.

    Raises:
        RunError: it ended before anything began, and what it said.
    """
    _forget_old()
    said = own_folder() / f"started-{uuid.uuid4().hex}.jsonl"
    complaints = said.with_suffix(".txt")
    words = _command("run", target, params)
    with _opened(said) as out, _opened(complaints) as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command, and no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, VARIABLE: str(holder)},
        )
    _ours.append(process)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        over = process.poll() is not None
        begun = _begun(said)
        if begun is not None:
            return {"run": begun, "process": process.pid, "phase": "running"}
        if over:
            told = complaints.read_bytes()[-_PART:].decode(errors="replace").strip()
            raise RunError(f"{target} did not begin: {told[-_SAID:] or process.returncode}")
        time.sleep(_LOOK)
    return {"run": None, "process": process.pid, "phase": "starting"}


def plan_file(target: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a run of a target of a file would do.

    Raises:
        UsageError: it cannot be planned, and why.
    """
    words = _command("plan", target, params)
    done = subprocess.run(  # noqa: S603 - our own command, and no shell
        words, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    made = _json(done.stdout.splitlines()[-1] if done.stdout else b"")
    if made is None or not made.get("ok"):
        told = done.stderr.decode(errors="replace").strip()
        raise UsageError(str((made or {}).get("error") or told[-_SAID:]))
    return made


def ended() -> list[dict[str, Any]]:
    """How those ended that were started here or by another server of this user, latest first."""
    for process in _ours:
        process.poll()  # nobody else waits for it
    found = []
    for path in sorted(_files(), key=lambda one: -_changed(one))[:_MOST]:
        outcome = _outcome(path)
        if outcome is not None:
            found.append(
                {
                    "run": outcome.get("run_id"),
                    "phase": outcome.get("status"),
                    "headline": outcome.get("headline"),
                    "value": outcome.get("value"),
                }
            )
    return found


def _command(name: str, target: str, params: Mapping[str, Any]) -> list[str]:
    if target.startswith("-"):
        raise UsageError(f"a target is flow.py:report or study.ipynb:report, not {quoted(target)}")
    given = [
        f"--param={one}={value if isinstance(value, str) else repr(value)}"
        for one, value in params.items()
    ]
    return [sys.executable, "-m", "cascade_nb", name, target, "--json", *given]


def _opened(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _begun(path: Path) -> str | None:
    """The id of the run that a process says has begun."""
    with path.open("rb") as file:
        lines = file.read(_PART).split(b"\n")[:-1]
    events = [event for event in map(_json, lines) if event is not None]
    ids = (event.get("run_id") for event in events if event.get("event") == "RunStarted")
    return next((str(one) for one in ids if one), None)


def _outcome(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _PART))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError:  # it has just been removed
        return None
    said = _json(last)
    return said if said is not None and said.get("event") == "Outcome" else None


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _files() -> list[Path]:
    there = [folder for folder in folders() if folder.is_dir()]
    return [path for folder in there for path in folder.glob("started-*.jsonl")]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it has just been removed
        return 0.0


def _forget_old() -> None:
    for path in _files():
        if time.time() - _changed(path) > KEPT:
            for one in (path, path.with_suffix(".txt")):
                with contextlib.suppress(OSError):  # somebody else does the same
                    one.unlink()
