"""What the project publishes speaks of the project alone, and is finished."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.project.sources import PACKAGE, published
from tools.environments import ROOT

#: What must stand nowhere: why -> pattern. None matches the line that it stands in.
NOWHERE = {
    "a path of somebody's machine": re.compile(r"(?<![\w.:*-])/(?:work|root|home|tmp|Users)/\w"),
    "an e-mail address": re.compile(
        # a decorator after the `\n` of a string is none
        r"(?<![\\\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b"
    ),
    "a package registry": re.compile(r"(?:pypi|pythonhosted|npmjs)\.org"),
    "something unfinished": re.compile(r"\b(?:TO[D]O|FIX[M]E)\b"),
}

STUB = re.compile(r"\bNotImplementedError\b")
SWALLOWED = re.compile(
    r"except(?: \(?(?:Base)?Exception\)?(?: as \w+)?)?:\s*(?:#[^\n]*\n)?\s*pass\b"
    r"|suppress\((?:Base)?Exception\)"
)


def notebooks() -> list[Path]:
    return [path for path in published() if path.suffix == ".ipynb"]


@pytest.mark.parametrize("reason", NOWHERE)
def test_no_file_has(reason: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in published()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if NOWHERE[reason].search(line)
    ]
    assert found == []


@pytest.mark.parametrize("pattern", [STUB, SWALLOWED], ids=["stubs", "swallowed exceptions"])
def test_the_package_has_no(pattern: re.Pattern[str]) -> None:
    files = PACKAGE.rglob("*.py")
    assert [str(p) for p in files if pattern.search(p.read_text(encoding="utf-8"))] == []


def test_notebooks_are_committed_without_outputs() -> None:
    for path in notebooks():
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None, path.name
