"""Puts the tables of a full run into the page that explains them."""

from __future__ import annotations

from typing import Final

from tools.environments import ROOT

PAGE: Final = ROOT / "benchmarks" / "README.md"
BEGIN: Final = "<!-- tables -->\n"
END: Final = "<!-- end of tables -->\n"


def with_tables(page: str, tables: str) -> str:
    """The page with other tables between its two marks.

    Raises:
        ValueError: one of the marks is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN.strip()} or no {END.strip()}")
    return f"{before}{BEGIN}\n{tables.strip()}\n\n{END}{after}"


def write(tables: str) -> None:
    """Put `tables` into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
