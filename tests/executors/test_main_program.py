"""The program itself has two names with multiprocessing, and no other process finds either."""

from __future__ import annotations

import pathlib
import subprocess
import sys

PROGRAM = """
import contextvars
import multiprocessing
import os
import pathlib
from concurrent.futures import ProcessPoolExecutor

import cascade_nb as cs
from cascade_nb.executors import ProcessExecutor

who = contextvars.ContextVar("who", default="nobody")


@cs.task
def told():
    return who.get()


if __name__ == "__main__":
    who.set("somebody")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for executor in (ProcessExecutor(1), pool):
            engine = cs.Engine(executor=executor, reuse=False)
            assert engine.start(told()).result() == "somebody"
            with open(__file__, "a") as file:  # as who goes on writing while it runs
                file.write("# edited\\n")
            assert engine.start(told()).result() == "somebody"
            engine.close()
"""


# A variable was looked for in `__mp_main__`, which is this program again, and that failed every
# task there; and who edited the program had a pool that was of no use any more.
def test_variables_and_edits_of_the_program_itself_harm_no_task_elsewhere(
    tmp_path: pathlib.Path,
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
