"""What comments, docstrings and pages name is there, and has not got another name since."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.project.sources import PACKAGE
from tools.environments import ROOT

PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
#: Written like one of ours, and of somebody else's, or of a user's notebook.
NOT_OURS = {
    "_x23_",
    "asyncio.to_thread",
    "cache_clear",
    "chmod",
    "pickle.PicklingError",
    "pyproject.toml",
    "sklearn.set_config",
    "x.1",
    "x.2",
}
QUOTED = re.compile(r"`[^`\n]*`")
NAME = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`")
FILE = re.compile(r"\b((?:[a-z_]+/)+[a-z_]+\.py)\b")


def modules_and_pages() -> list[Path]:
    return [*sorted(PACKAGE.rglob("*.py")), *(ROOT / name for name in PAGES)]


def words_of_code() -> set[str]:
    """Every word of the code of package and tests, what is quoted in it left out."""
    found: set[str] = set()
    for folder in (PACKAGE, ROOT / "tests"):
        for path in folder.rglob("*.py"):
            if path != Path(__file__):
                found.update(re.findall(r"\w+", QUOTED.sub("", path.read_text(encoding="utf-8"))))
    return found


def missing_names() -> Iterator[str]:
    known = words_of_code()
    for path in modules_and_pages():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for name in NAME.findall(line):
                if name not in NOT_OURS and not {name, name.rpartition(".")[2]} & known:
                    yield f"{path.relative_to(ROOT)}:{number}: {name}"


def test_names_in_backticks_are_names_of_the_code() -> None:
    assert list(missing_names()) == []


def test_files_that_are_named_are_there() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules_and_pages()
        for name in FILE.findall(path.read_text(encoding="utf-8"))
        if not any((folder / name).exists() for folder in (ROOT, PACKAGE))
    ]
    assert missing == []
