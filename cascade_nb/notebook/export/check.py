"""Has a module tried before it is written: that it runs without a notebook, and that its nodes have
the keys of the notebook's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.notebook.cells.needed_lines import python_lines
from cascade_nb.notebook.export.module_text import ModuleText

_CHILD: Final = "cascade_nb.notebook.export.child"
_PATIENCE: Final = 300.0  # seconds that a module may take to be imported
_SAID: Final = 300
#: As it was when the magics came: what cells set in it since is nothing that a module has.
_AT_FIRST: Final = dict(os.environ)


class Check(NamedTuple):
    """What came of a module.

    Attributes:
        problems: why it cannot stand for the workspace, in words.
        others: names of nodes that are others than the notebook's.
        anew: names of nodes that are the same but for the module in which their classes and
            functions are.
    """

    problems: list[str]
    others: list[str]
    anew: list[str]


def check(path: Path, module: ModuleText, here: Mapping[str, list[str | None]]) -> Check:
    """Import a module in a Python of its own, and compare its keys.

    A class is another class in a module of another name, and a function that is handed on another
    function. So where keys differ, the module is imported once more under the name that a notebook
    has; what differs then too is no such matter.

    Args:
        path: where the module is to be.
        module: its text.
        here: by name, the keys of the workspace's nodes.
    """
    found = _differing(path, path.stem, module.text, module, here)
    if isinstance(found, str):
        return Check([found], [], [])
    if not found:
        return Check([], [], [])
    again = _differing(path, "__main__", module.body, module, here)
    others = found if isinstance(again, str) else [one for one in found if one in again]
    return Check([], others, [one for one in found if one not in others])


def _differing(
    path: Path, name: str, text: str, module: ModuleText, here: Mapping[str, list[str | None]]
) -> list[str] | str:
    """The names of nodes whose keys are others where a text is a module of this name; or why it
    cannot be one.
    """
    with tempfile.TemporaryDirectory(prefix="cascade-export-") as folder:
        file, asked = Path(folder, f"{path.stem}.py"), Path(folder, "asked.json")
        answer = Path(folder, "answer.json")
        file.write_text(text, encoding="utf-8")
        told = {
            "name": name,
            "file": str(file),
            "names": list(here),
            "folder": str(path.parent.resolve()),
        }
        asked.write_text(json.dumps(told), encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - this Python
                [sys.executable, "-m", _CHILD, str(asked), str(answer)],
                stdin=subprocess.DEVNULL,
                env=_AT_FIRST,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the module takes longer than {_PATIENCE:g} s to be imported"
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or ["it ended itself"])[-1]
            return f"the module cannot be imported: {last:.{_SAID}}"
        said = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in said:
        return _failure(module, said["error"], said["line"])
    there = said["keys"]
    return [one for one, keys in here.items() if there[one] != keys]


def refusal(path: Path, problems: list[str]) -> UsageError:
    """One list of all that is in the way."""
    listed = "".join(f"\n  {one}" for one in problems)
    return UsageError(f"{path.name} was not written, since a module cannot have this:{listed}")


def _failure(module: ModuleText, error: str, line: int | None) -> str:
    one = module.at(line) if line is not None else None
    if one is None:
        return f"as a module it raises {error:.{_SAID}}"
    text = python_lines(module.text)[(line or 1) - 1].strip()
    return f"{one.place}, `{text:.60}`: as a module it raises {error:.{_SAID}}"
