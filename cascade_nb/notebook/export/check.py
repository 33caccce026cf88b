"""Has a module tried before it is written: that it runs without a notebook, and that its nodes have
the keys of the notebook's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.notebook.export.module_text import ModuleText

_CHILD: Final = "cascade_nb.notebook.export.child"
_PATIENCE: Final = 300.0  # seconds that a module may take to be imported
_SAID: Final = 300


class Check(NamedTuple):
    """What came of a module.

    Attributes:
        problems: why it cannot stand for the workspace, in words.
        anew: names of nodes whose keys are others.
    """

    problems: list[str]
    anew: list[str]


def check(name: str, module: ModuleText, here: Mapping[str, list[str | None]]) -> Check:
    """Import a module in a Python of its own, and compare its keys.

    Args:
        name: what the module is called.
        module: its text.
        here: by name, the keys of the workspace's nodes.
    """
    with tempfile.TemporaryDirectory(prefix="cascade-export-") as folder:
        file, asked = Path(folder, f"{name}.py"), Path(folder, "asked.json")
        answer = Path(folder, "answer.json")
        file.write_text(module.text, encoding="utf-8")
        told = {"file": str(file), "names": list(here), "path": sys.path}
        asked.write_text(json.dumps(told), encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - this Python
                [sys.executable, "-m", _CHILD, str(asked), str(answer)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Check([f"the module takes longer than {_PATIENCE:g} s to be imported"], [])
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or ["it ended itself"])[-1]
            return Check([f"the module cannot be imported: {last:.{_SAID}}"], [])
        said = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in said:
        return Check([_failure(module, said["error"], said["line"])], [])
    there = said["keys"]
    return Check([], [one for one, keys in here.items() if there[one] != keys])


def refusal(path: Path, problems: list[str]) -> UsageError:
    """One list of all that is in the way."""
    listed = "".join(f"\n  {one}" for one in problems)
    return UsageError(f"{path.name} was not written, since a module cannot have this:{listed}")


def _failure(module: ModuleText, error: str, line: int | None) -> str:
    one = module.at(line) if line is not None else None
    if one is None:
        return f"as a module it raises {error:.{_SAID}}"
    text = module.text.splitlines()[(line or 1) - 1].strip()
    return f"{one.place}, `{text:.60}`: as a module it raises {error:.{_SAID}}"
