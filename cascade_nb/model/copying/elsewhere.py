"""Stands for a value that is in the memory of another machine, until somebody reads it here."""

from __future__ import annotations

import abc
from typing import Any


class Elsewhere(abc.ABC):
    """A value that is not here. Whoever reads a copy of it is given one of the value itself, which
    comes here then, once.
    """

    __slots__ = ("__weakref__",)

    @property
    @abc.abstractmethod
    def is_lost(self) -> bool:
        """Whether it is gone for good, as far as is known; without asking anybody."""

    @abc.abstractmethod
    def become(self, value: Any) -> None:
        """It was made again: whoever holds this has that from now on."""

    @abc.abstractmethod
    def fetch(self) -> Any:
        """The value. It waits for another machine: not for a loop, and not under a lock.

        Raises:
            ClusterError: it is gone.
        """
