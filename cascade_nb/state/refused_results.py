"""Warns of kept results that may not be read, once for each cause."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from cascade_nb.errors import RefusedBlobError, RefusedBlobWarning


class RefusedResults:
    """What one state backend has told of.

    A look-up that finds many is one warning. Another key is told of once and no more: where the key
    file was changed, every result there is was signed with another one.
    """

    def __init__(self) -> None:
        self._told_of_another_key = False

    def tell(self, refused: Mapping[str, RefusedBlobError]) -> None:
        """Warn of these, by key."""
        foreign = {key: error for key, error in refused.items() if error.of_another_key}
        others = {key: error for key, error in refused.items() if key not in foreign}
        if foreign and not self._told_of_another_key:
            self._told_of_another_key = True
            _warn(foreign)
        if others:
            _warn(others)


def _warn(refused: Mapping[str, RefusedBlobError]) -> None:
    key, error = next(iter(refused.items()))
    many = "" if len(refused) == 1 else f" (and {len(refused) - 1} more)"
    warnings.warn(f"the kept result {key}{many}: {error}", RefusedBlobWarning, stacklevel=4)
