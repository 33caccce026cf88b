"""Knows what many calls have in common: it is pickled once, and sent to a process once.

A function that stands in a module goes as its name, and with what else is the same for all calls of
it that is the head of each. What a notebook defines goes whole and anew each time: it may have
changed meanwhile, and so may what a body does to it there.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.executors.processes.pickles import packed
from cascade_nb.model.found_by_name import is_found_by_name
from cascade_nb.model.whole_pickler import modules_go_whole

_MOST: Final = 64  # heads that are kept


class PackedCall(NamedTuple):
    """A call, ready to be sent.

    Attributes:
        head: what it shares with others; None where all of it is in `parts`.
        parts: the rest.
    """

    head: bytes | None
    parts: Sequence[memoryview]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self.head or b"") + sum(map(len, self.parts))


class Heads:
    """Those of the calls that went last. Safe from any thread."""

    def __init__(self) -> None:
        #: By the function of a task: how it was called, with what, and a pickle of that.
        self._known: dict[Any, tuple[Any, tuple[Any, ...], bytes]] = {}

    def packed(
        self, function: Callable[..., Any], shared: tuple[Any, ...], args: tuple[Any, ...]
    ) -> PackedCall:
        """The call of a function with a channel, `shared` and `args`.

        Args:
            function: a way to call a task, of this package.
            shared: values that nobody changes, and last the function of the task; nothing where
                the call shares nothing with others.
            args: the rest.

        Raises:
            BaseException: something of it cannot be pickled.
        """
        head = self._head(function, shared) if shared else None
        if head is None:
            return PackedCall(None, packed((function, (*shared, *args))))
        return PackedCall(head, packed(args))

    def _head(self, function: Callable[..., Any], shared: tuple[Any, ...]) -> bytes | None:
        of_task = shared[-1]
        if type(of_task) is not types.FunctionType or not is_found_by_name(of_task):
            return None
        if modules_go_whole():
            return None
        known = self._known.get(of_task)
        if known is not None and known[0] is function and known[1] == shared:
            return known[2]
        stream, *buffers = packed((function, shared))
        if buffers:
            return None
        head = stream.tobytes()
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[of_task] = function, shared, head
        return head
