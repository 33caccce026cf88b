"""The public names are what they were, unless somebody means to change them.

After a change that is meant, write the list anew and read its difference:

    python -m tests.project.test_public_names
"""

from __future__ import annotations

import importlib
import types
from pathlib import Path

import pytest

from tests.project.sources import PACKAGE

PINNED = Path(__file__).with_name("public_names.txt")

#: Top modules whose names users may import; every room with an __init__ file is one too.
TOP_MODULES = ("errors", "testing")


def public_modules() -> list[str]:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    tops = {name for name in TOP_MODULES if (PACKAGE / f"{name}.py").exists()}
    return ["cascade_nb", *sorted(f"cascade_nb.{name}" for name in rooms | tops)]


def names_of(module: types.ModuleType) -> list[str]:
    """Its `__all__`; without one, what it defines under a public name."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def public_names() -> str:
    lines = [
        f"{name}.{public}"
        for name in public_modules()
        for public in sorted(names_of(importlib.import_module(name)))
    ]
    return "\n".join(lines) + "\n"


def test_the_public_names_are_the_pinned_ones() -> None:
    assert public_names().splitlines() == PINNED.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", public_modules())
def test_a_listed_name_is_there_and_listed_once(name: str) -> None:
    module = importlib.import_module(name)
    names = names_of(module)
    assert len(names) == len(set(names))
    assert [public for public in names if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", public_modules())
def test_a_public_class_or_function_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    values = {public: getattr(module, public) for public in names_of(module)}
    silent = [
        public
        for public, value in values.items()
        if isinstance(value, (type, types.FunctionType)) and not (value.__doc__ or "").strip()
    ]
    assert silent == []


if __name__ == "__main__":
    PINNED.write_text(public_names(), encoding="utf-8")
