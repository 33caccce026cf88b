"""What a tool's cache is worth: a second run in a new process, and one after a helper was edited.

The pipeline is a file in a folder of its own. Every run is a process, which imports it as it then
is, and a tool finds of the runs before only what it kept in that folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import pipeline
from benchmarks.child import WrongResultError
from tools.environments import ROOT

BEFORE: Final = "return 3 * value + 1\n"
AFTER: Final = "return 5 * value + 11\n"


class Folder:
    """The user's folder: the pipeline, and what a tool keeps.

    Args:
        path: of the folder, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tally = path / "tally"
        self._text = Path(pipeline.__file__).read_text(encoding="utf-8")
        self.write(self._text)

    def write(self, text: str) -> None:
        """Write the pipeline down."""
        (self._path / "pipeline.py").write_text(text, encoding="utf-8")

    def edit(self) -> None:
        """Edit the helper, and nothing else."""
        assert self._text.count(BEFORE) == 1, "the helper has another body"
        self.write(self._text.replace(BEFORE, AFTER))

    def run(self, tool: str) -> tuple[float, int, list[int]]:
        """Seconds, how many tasks ran, and the results.

        Raises:
            ChildProcessError: it failed.
        """
        self._tally.write_bytes(b"")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cached", tool, str(self._path)],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "BENCHMARK_TALLY": str(self._tally),
                "CASCADE_KEY_FILE": str(self._path / "key"),
                # an edit in the same second must not meet the bytecode of before
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        if done.returncode:
            last = done.stderr.strip().splitlines() or ["no word"]
            raise ChildProcessError(last[-1])
        said = json.loads(done.stdout.splitlines()[-1])
        return said["seconds"], len(self._tally.read_bytes()), said["value"]


def side_by_side(tool: str) -> Mapping[str, Any]:
    """The three runs of one tool, and how the last one's results are.

    Returns:
        Milliseconds and tasks of the first run, the second and the one after the edit, and of the
        last in a word: "right", "stale" where they are those of the helper before, or "wrong".

    Raises:
        WrongResultError: the results are not right before anything was edited.
    """
    with TemporaryDirectory(prefix="benchmark") as path:
        folder = Folder(Path(path))
        old = folder.run("no cache")[2]
        first, second = folder.run(tool), folder.run(tool)
        if not first[2] == second[2] == old:
            raise WrongResultError("other results came out than without a cache")
        folder.edit()
        new = folder.run("no cache")[2]
        third = folder.run(tool)
    verdict = "right" if third[2] == new else "stale" if third[2] == old else "wrong"
    figures: dict[str, Any] = {"after the edit: result": verdict}
    named = {"first run": first, "second run": second, "after the edit": third}
    for name, (seconds, tasks, _) in named.items():
        figures[name] = 1000 * seconds
        figures[f"{name}: tasks"] = tasks
    return figures


PROBES: Final = {"caches": side_by_side}
