"""The default of `otherwise` in `.run_if`: what is skipped has no value."""

from __future__ import annotations

from typing import Final


class _NoElse:
    """What stands for the value of a skipped node that has none."""

    def __reduce__(self) -> str:
        return "NO_ELSE"  # there is one, and it is known by its identity

    def __repr__(self) -> str:
        return "<skipped>"


NO_ELSE: Final = _NoElse()
