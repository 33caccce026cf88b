"""IPython in a terminal: no kernel, a prompt, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from cascade_nb.text import readable
from tests.support.patience import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
STEPS = """
import asyncio
import sys
import threading
import time
from pathlib import Path
import cascade_nb as cs

WAITING = ("selectors.py", "engine/runs/loop_binding.py")

def somebody_waits():
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and not frame.f_code.co_filename.endswith(WAITING):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name in ("select", "wait")

@cs.task
def slow(file):
    for _ in cs.track(range(20_000)):
        if somebody_waits():
            Path("waited").touch()
        if Path(file).exists():
            return 1.5
        time.sleep(0.02)

@cs.task
async def coroutine(seconds):
    await asyncio.sleep(seconds)

async def later(lazy):
    return await cs.start(lazy)

short = slow("go")
long = slow("never")
"""


class Terminal:
    """A session of IPython, and somebody who types.

    Args:
        folder: where it works.
        simple: without prompt_toolkit, which paints its prompt again and again.
    """

    def __init__(self, folder: Path, *, simple: bool) -> None:
        (folder / "steps.py").write_text(STEPS, encoding="utf-8")
        arguments = ["-m", "IPython", "--no-banner", "--colors=NoColor", "--no-confirm-exit"]
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(folder / "ipython"),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here would say where the cursor is
        }
        self.child = pexpect.spawn(
            sys.executable,
            [*arguments, *(["--simple-prompt"] if simple else [])],
            encoding="utf-8",
            timeout=60,
            cwd=str(folder),
            env=env,
            dimensions=(60, 250),
        )
        self.folder = folder
        self._shown = ""
        self._number = 1
        self.prompt()
        for line in ("%load_ext cascade_nb", "from steps import *", "import asyncio"):
            self.type(line)

    def prompt(self) -> str:
        """What is shown until the next prompt is there."""
        shown = self.until(rf"In \[{self._number}\]:")
        self._number += 1
        return shown

    def until(self, pattern: str) -> str:
        """What is shown until this is there, without what moves the cursor."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._shown)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._shown!r}"
            with contextlib.suppress(pexpect.TIMEOUT):
                self._shown = readable(self._shown + self.child.read_nonblocking(65536, 0.1))
        shown, self._shown = self._shown[: found.end()], self._shown[found.end() :]
        return shown

    def type(self, line: str) -> str:
        """What a line shows until the next prompt."""
        self.child.send(line + "\r")
        return self.prompt()

    def interrupted(self, line: str) -> str:
        """What a line shows that Ctrl-C is pressed in, when it waits for its task or what else."""
        waited = self.folder / "waited"
        waited.unlink(missing_ok=True)
        self.child.send(line + "\r")
        until(waited.exists, line)
        self.child.sendintr()
        return self.prompt()


@pytest.fixture(params=[True, False], ids=["simple", "prompt_toolkit"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, simple=request.param)
    yield made
    made.child.close(force=True)


@pytest.mark.may_block("a terminal is waited for")
def test_a_run_gives_the_prompt_back_and_ctrl_c_ends_one_that_is_waited_for(
    terminal: Terminal,
) -> None:
    shown = terminal.type("run = %cascade run short")
    assert re.search(r"Run 1 of slow goes on in the background\. `%cascade status`", shown)
    assert re.search("Starting|Running 1 task", terminal.type("%cascade status"))
    (terminal.folder / "go").touch()
    terminal.until("1 of 1 done")  # by itself, when it is over
    assert "1.5" in terminal.type("run.result()")
    assert "1.5" in terminal.type("await run")

    assert "<run 2 of slow: " in terminal.type("%cascade run long")  # no panel says it
    shown = terminal.type("%cascade cancel")
    assert "Cancelling run 2 of slow" in shown
    if "Cancelled" not in shown:  # it may be over before the prompt is back
        terminal.until("Cancelled")

    shown = terminal.interrupted("run = %cascade run long --wait")
    assert "KeyboardInterrupt: run 3 of slow was interrupted" in shown
    assert "selectors.py" not in shown
    assert "<run 3 of slow: Cancelled" in terminal.type("run")
    assert "nothing is running" in terminal.type("%cascade cancel")

    # IPython's loop runs only while a cell awaits: nothing may hang on it, nor be left on it.
    for number, cell in enumerate(("cs.run(long)", "await cs.start(long)", "await later(long)"), 4):
        shown = terminal.interrupted(cell)
        assert f"run {number} of slow was interrupted" in shown, cell
        assert "selectors.py" not in shown, cell
    assert "selectors.py" not in terminal.interrupted(
        "asyncio.get_running_loop().call_later(0.1, Path('waited').touch); await asyncio.sleep(400)"
    )
    terminal.type("other = cs.start(coroutine(0.1)); await asyncio.sleep(0)")
    assert "None" in terminal.type("repr(other.result(60))")
    assert "Done" in terminal.type("other.status.headline")
    assert "gives the prompt back" in " ".join(terminal.type("%cascade run -h").split())
