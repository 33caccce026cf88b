"""The project's files as the tests of this folder read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.environments import ROOT

PACKAGE = ROOT / "cascade_nb"

#: Folders and files that are the project's text; what commands make lies elsewhere.
PUBLISHED = (
    ".ci",
    "benchmarks",
    "binder",
    "cascade_nb",
    "docs",
    "notebooks",
    "tests",
    "tools",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
)


@dataclass(frozen=True)
class Import:
    """One imported module.

    Args:
        module: its full name; for `from a.b import c` that is `a.b`.
        names: the names taken from it; empty for `import a.b`.
        line: where it stands.
    """

    module: str
    names: tuple[str, ...]
    line: int

    @property
    def top(self) -> str:
        """The first word of the module's name."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    path: Path

    @property
    def inside(self) -> str:
        """Its path inside the package, such as `engine/runs/run.py`."""
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def name(self) -> str:
        """By which it is imported, such as `cascade_nb.engine.runs.run`."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    @property
    def room(self) -> str:
        """The room it stands in: a folder, or a top module by its own name."""
        first = self.path.relative_to(PACKAGE).parts[0]
        return first.removesuffix(".py")

    @property
    def part(self) -> str:
        """What of its room it is: a folder, or a module of its own."""
        inside = self.path.relative_to(PACKAGE).parts[1:]
        return inside[0].removesuffix(".py") if inside else ""

    @property
    def imports(self) -> tuple[Import, ...]:
        """Everything it imports, anywhere in it, `import_module("…")` too."""
        return imports_of(self.path)


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """Everything that a Python file imports; each is read once for all tests that ask."""
    return tuple(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def modules() -> list[Module]:
    """Every Python file of the package."""
    return [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def published() -> Iterator[Path]:
    """Every text file of the project."""
    for name in PUBLISHED:
        path = ROOT / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            hidden = {"__pycache__", ".ipynb_checkpoints"} & set(file.parts)
            if file.is_file() and not hidden and b"\0" not in file.read_bytes():
                yield file


def _imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield Import(alias.name, (), node.lineno)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                name = "." * level + (module or "")
                yield Import(name, tuple(alias.name for alias in aliases), node.lineno)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(name, (), node.lineno)
