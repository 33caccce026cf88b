"""Puts tables of a full run into the page that explains them."""

from __future__ import annotations

from typing import Final

from tools.environments import ROOT

PAGE: Final = ROOT / "benchmarks" / "README.md"


def with_tables(page: str, tables: str, what: str = "tables") -> str:
    """The page with other tables between its two marks.

    Args:
        page: its text.
        tables: as Markdown.
        what: the word that the marks have.

    Raises:
        ValueError: one of the marks is missing.
    """
    opening, closing = f"<!-- {what} -->\n", f"<!-- end of {what} -->\n"
    before, begin, rest = page.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {opening.strip()} or no {closing.strip()}")
    return f"{before}{begin}\n{tables.strip()}\n\n{end}{after}"


def write(tables: str, what: str = "tables") -> None:
    """Put `tables` into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), tables, what), encoding="utf-8")
