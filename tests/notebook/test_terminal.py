"""IPython in a terminal: no kernel, a prompt, and Ctrl-C."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = """
import time
import cascade_nb as cs

@cs.task
def slow(seconds):
    time.sleep(seconds)
    return seconds

short = slow(1.5)
long = slow(40)
"""


class Terminal:
    """A session of IPython, and somebody who types."""

    def __init__(self, folder: Path) -> None:
        (folder / "steps.py").write_text(STEPS, encoding="utf-8")
        arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython")}
        self.child = pexpect.spawn(
            sys.executable, arguments, encoding="utf-8", timeout=20, cwd=str(folder), env=env
        )
        self.child.setecho(False)
        self.prompt()
        for line in ("%load_ext cascade_nb", "from steps import *"):
            self.type(line)

    def prompt(self) -> str:
        self.child.expect(r"In \[\d+\]: ")
        return str(self.child.before)

    def type(self, line: str) -> str:
        """What a line shows until the next prompt."""
        self.child.sendline(line)
        return self.prompt()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.child.close(force=True)


@pytest.mark.may_block("a terminal is waited for")
def test_a_run_gives_the_prompt_back_and_ctrl_c_ends_one_that_is_waited_for(
    terminal: Terminal,
) -> None:
    shown = terminal.type("run = %cascade run short")
    assert re.search(r"Run 1 of slow goes on in the background\. `%cascade status`", shown)
    assert "Running 1 task" in terminal.type("%cascade status")
    terminal.child.expect("1 of 1 done")  # by itself, when it is over
    assert "1.5" in terminal.type("run.result()")
    assert "1.5" in terminal.type("await run")

    terminal.type("%cascade run long")
    assert "Cancelling run 2 of slow" in terminal.type("%cascade cancel")
    terminal.child.expect("Cancelled")

    terminal.child.sendline("%cascade run long --wait")
    terminal.child.expect(pexpect.TIMEOUT, timeout=1.0)
    terminal.child.sendintr()
    shown = terminal.prompt()
    assert "KeyboardInterrupt: run 3 of slow was interrupted" in shown
    assert "selectors.py" not in shown
    assert "nothing is running" in terminal.type("%cascade cancel")
