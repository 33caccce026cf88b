"""The user's namespace as a cell has it while it runs, and which names the cell binds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

ABSENT: Final = object()
#: What IPython itself binds while a cell runs: its input, its output and what was shown last.
_IPYTHONS: Final = re.compile(r"_+(\d+|i+\d*|oh|dh|ih)?|In|Out")


class Names(MutableMapping[str, Any]):
    """The user's namespace as the body of a cell has it; it notes which names are bound.

    Not every way of binding a name comes through here: loops, a walrus in a comprehension,
    ``global`` in a function and a magic inside the cell write into the namespace itself. `watched`
    finds the first, and `compare` the others.

    Attributes:
        bound: the names that were bound, the one bound last at the end.
        deleted: the names that were deleted.
        before: what each of them was first.
        told: sentences about what the cell did, to be shown below it.
        concerns: whether the workspace has anything of it.
    """

    def __init__(
        self, namespace: MutableMapping[str, Any], helpers: Mapping[str, Any] | None = None
    ) -> None:
        self._namespace = namespace
        self._helpers = helpers or {}
        self._first: dict[str, Any] = {}
        self.bound: dict[str, None] = {}
        self.deleted: dict[str, None] = {}
        self.before: dict[str, Any] = {}
        self.told: dict[str, None] = {}
        self.concerns = False

    def __getitem__(self, name: str) -> Any:
        try:
            return self._namespace[name]
        except KeyError:
            return self._helpers[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.before.setdefault(name, self._first.get(name, ABSENT))
        self._namespace[name] = value
        self.bound.pop(name, None)
        self.bound[name] = None

    def __delitem__(self, name: str) -> None:
        self.before.setdefault(name, self._first.get(name, ABSENT))
        del self._namespace[name]
        self.bound.pop(name, None)
        self.deleted[name] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)

    # What a dict has beside that. Code of others, such as pandas' `query`, looks for the names of a
    # cell in the locals of its frame, and everywhere else those are a dict.

    def copy(self) -> dict[str, Any]:
        """The names as a dict of their own."""
        return dict(self._namespace)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._namespace, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self._namespace}

    def begin(self) -> None:
        """From here on what changes is the cell's doing."""
        self._first = dict(self._namespace)

    def end(self) -> None:
        """Let go of what was: a traceback may keep this object for long."""
        self._first, self.before = {}, {}

    @contextmanager
    def watched(self, names: Collection[str]) -> Iterator[None]:
        """Note which of `names` are bound and deleted in the namespace itself inside this."""
        namespace = self._namespace
        first = {name: namespace.get(name, ABSENT) for name in names}
        try:
            yield
        finally:
            for name, before in first.items():
                now = namespace.get(name, ABSENT)
                if now is before:
                    continue
                self.before.setdefault(name, self._first.get(name, ABSENT))
                self.bound.pop(name, None)
                (self.deleted if now is ABSENT else self.bound)[name] = None

    def compare(self) -> None:
        """Note what was bound and deleted past this mapping."""
        namespace, first = self._namespace, self._first
        for name, value in namespace.items():
            before = first.get(name, ABSENT)
            if before is value or name in self.bound or _IPYTHONS.fullmatch(name):
                continue
            self.before.setdefault(name, before)
            self.bound[name] = None
        for name, before in first.items():
            if name not in namespace and name not in self.deleted:
                self.before.setdefault(name, before)
                self.deleted[name] = None
