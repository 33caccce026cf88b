"""What a task may name and change without being another task for it."""

from __future__ import annotations

from typing import Any


class _Unkeyed:
    """Attributes of which no key can be made."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("it is not to be part of any key")


class SameInKeys:
    """Counts as the same in every key, whatever it holds.

    What a task names is in the task's key, by all that can be seen of it, but for what no key can
    be made of. A class of it says by `__reduce__` how it would be made anew.
    """

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__.get("_held")
        if held is None or name.startswith("__"):
            raise AttributeError(name)
        return getattr(held, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__.setdefault("_held", _Unkeyed()), name, value)
