"""Remembers where lazy values stood, as long as there are these values."""

from __future__ import annotations

from weakref import KeyedRef, ref

from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.notebook.workspace.layers import Place


class Places:
    """By lazy value, where it stood that a name meant or means.

    A graph asks for every edge, and so it is kept by what stands for a lazy value in dictionaries:
    for its hash a lazy value first looks who asks.
    """

    def __init__(self) -> None:
        self._known: dict[object, tuple[KeyedRef[object, Lazy], Place]] = {}
        here = ref(self)  # or each of its many references would hold it

        def gone(reference: ref[Lazy]) -> None:
            places = here()
            if places is not None and isinstance(reference, KeyedRef):
                places._known.pop(reference.key, None)

        self._gone = gone

    def get(self, lazy: Lazy) -> Place | None:
        """Where it stood; None for one that no name meant."""
        found = self._known.get(lazy.identity)
        return None if found is None else found[1]

    def __contains__(self, lazy: Lazy) -> bool:
        return lazy.identity in self._known

    def __getitem__(self, lazy: Lazy) -> Place:
        return self._known[lazy.identity][1]

    def __setitem__(self, lazy: Lazy, place: Place) -> None:
        reference = KeyedRef(lazy, self._gone, lazy.identity)
        self._known[lazy.identity] = reference, place

    def __len__(self) -> int:
        return len(self._known)

    def copy(self) -> Places:
        """The same, of which neither sees what is put into the other."""
        made = Places()
        for reference, place in list(self._known.values()):
            lazy = reference()
            if lazy is not None:
                made[lazy] = place
        return made
