"""Writes tests of a module: each of its ends comes to a value, with what its parameters need."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from cascade_nb.concurrency.safe_parse import literal
from cascade_nb.model.params.param import REQUIRED

#: They are shown as they are made, behind their module.
_OF_MODULES: Final = (dt.date, dt.datetime, dt.time, dt.timedelta)
_BARE: Final = (decimal.Decimal, fractions.Fraction, uuid.UUID)


class TestsText:
    """The tests of a module.

    Args:
        module: its name.
        ends: by name of a node that no other reads, values of the parameters that have no default;
            `REQUIRED` where nobody has given one.

    Attributes:
        text: of the tests.
        left_open: the names of parameters for which somebody has to write a value first.
    """

    def __init__(self, module: str, ends: Mapping[str, Mapping[str, Any]]) -> None:
        self._imports: set[str] = set()
        self._open: dict[str, None] = {}
        tests: list[str] = []
        for end, params in ends.items():
            tests += ["", f"def test_{end}_comes_to_a_value() -> None:"]
            if not params:
                tests += [f"    cs.run({module}.{end})", ""]
                continue
            lines = [f"        {self._line(name, value)}" for name, value in params.items()]
            tests += [
                "    params = {",
                *lines,
                "    }",
                f"    cs.run({module}.{end}, params=params)",
            ]
            tests += [""]
        imports = [f"import {one}" for one in sorted(self._imports)]
        head = [f'"""Runs what {module}.py defines."""', "", *imports, *[""][: len(imports)]]
        head += ["import cascade_nb as cs", "", f"import {module}", ""]
        self.text = "\n".join([*head, *tests])
        self.left_open = list(self._open)

    def _line(self, name: str, value: Any) -> str:
        written = None if value is REQUIRED else self._written(value)
        if written is None:
            self._open[name] = None
            return f"# {name!r}: a value is to be written here, since there is no default"
        return f"{name!r}: {written},"

    def _written(self, value: Any) -> str | None:
        """A value as Python writes it; None where nothing written would be the same."""
        if isinstance(value, PurePath):
            self._imports.add("pathlib")
            return f"pathlib.Path({str(value)!r})"
        try:
            text = repr(value)
        except Exception:  # of somebody's class, or of a number of very many digits
            return None
        if type(value) in _OF_MODULES:
            if getattr(value, "tzinfo", None) not in (None, dt.timezone.utc):
                return None
            self._imports.add("datetime")
            return text
        if type(value) in _BARE:
            self._imports.add(type(value).__module__)
            return f"{type(value).__module__}.{text}"
        try:
            same = literal(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        return text if type(same) is type(value) and repr(same) == text else None
