"""Faults planted on purpose, to see that the tests would have found them."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import sys
import textwrap
from typing import Any

import pytest


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One function with one fault.

    Attributes:
        fault: what somebody might have forgotten, in words.
        where: module and qualified name, as in ``cascade_nb.control.manager:Manager.release``.
        old, new: the text of the function that is replaced; it must stand there exactly once.
    """

    fault: str
    where: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.fault.replace(" ", "-")

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the fault in.

        Raises:
            AssertionError: the text is not there any more; the mutant must follow the code.
        """
        module_name, _, path = self.where.partition(":")
        module = importlib.import_module(module_name)
        *owners, name = path.split(".")
        owner: Any = functools.reduce(getattr, owners, module)
        original = vars(owner)[name]
        source = textwrap.dedent(inspect.getsource(original))
        times = source.count(self.old)
        assert times == 1, f"{self.where} has {self.old!r} {times} times"
        scope: dict[str, Any] = {}
        exec(
            compile(source.replace(self.old, self.new), module.__file__ or "", "exec"),
            vars(module),
            scope,
        )
        monkeypatch.setattr(owner, name, scope[name])
        if owner is module:
            # Others have it by name, as `from module import function` gave it to them.
            for other in _importers(module_name, name, original):
                monkeypatch.setattr(other, name, scope[name])


def _importers(module_name: str, name: str, original: Any) -> list[Any]:
    top = module_name.partition(".")[0]
    return [
        module
        for key, module in list(sys.modules.items())
        if key.startswith(top) and vars(module).get(name) is original and key != module_name
    ]
