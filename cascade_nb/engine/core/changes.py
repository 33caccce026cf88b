"""Collects what follows from one thing that happened to a run, for its driver to carry out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cascade_nb.control.gates import Ticket
from cascade_nb.model.options.retry import Retry


class Ended(NamedTuple):
    """A node that is over, as far as that is to be told.

    Attributes:
        node: its index.
        how: "failed", "cancelled" or "skipped"; "fell" for a mapped node that fails with its items,
            who said why; "replaced" where something else stands for its result.
        number, took: the attempt, and its seconds.
        error: what a failed one raised.
        reason, detail: why one was skipped.
    """

    node: int
    how: str
    number: int = 1
    took: float = 0.0
    error: BaseException | None = None
    reason: str = ""
    detail: str = ""


class Save(NamedTuple):
    """A result that no body gave just now, such as that of a router or of a mapped node.

    Attributes:
        node: the index of that node.
        number, took: the attempt that led to it, and its seconds.
        tell: whether the node has a body of its own, whose end is to be told.
    """

    node: int
    number: int
    took: float
    value: Any
    tell: bool


class Again(NamedTuple):
    """Attempt `number` at the node of this index failed, and another follows."""

    node: int
    number: int
    error: BaseException
    policy: Retry


class UserCode(NamedTuple):
    """Code of the user's that a ready node waits for and that is no body, such as what says whether
    an object is true: it may take as long as it likes, so it runs without the lock.

    Attributes:
        node: the index of the node.
        call: runs it.
        then: goes on with what it gave, under the lock again.
    """

    node: int
    call: Callable[[], Any]
    then: Callable[[Any], None]


class Changes:
    """Decisions of a `RunCore`: one object for the whole run, filled by its moves and emptied by
    its driver.

    Attributes:
        ready: indexes that go to their queues now.
        over: what ended, in order.
        save: results that are to be kept before their nodes are over.
        expand: indexes of mapped nodes whose collections are there.
        again: attempts that are due once more.
        anew: indexes of places that are used for another node.
        freed: tickets that wait for nothing any more.
        stopped: whether nothing that is queued may start.
        user_code: what is to run without the lock.
        more: whether there is anything but `ready`.
    """

    __slots__ = (
        "again",
        "anew",
        "expand",
        "freed",
        "more",
        "over",
        "ready",
        "save",
        "stopped",
        "user_code",
    )

    def __init__(self) -> None:
        self._empty()

    def _empty(self) -> None:
        self.ready: list[int] = []
        self.over: list[Ended] = []
        self.save: list[Save] = []
        self.expand: list[int] = []
        self.again: list[Again] = []
        self.anew: list[int] = []
        self.freed: list[Ticket] = []
        self.user_code: list[UserCode] = []
        self.stopped = False
        self.more = False

    def drop(self) -> tuple[list[Ended], list[Ticket]]:
        """The run is over, and nothing follows any more but what these tell: what ended, and what
        waits for nothing.
        """
        over, freed = self.over, self.freed
        self._empty()
        return over, freed

    def end(self, ended: Ended) -> None:
        """A node is over."""
        self.over.append(ended)
        self.more = True

    def keep(self, save: Save) -> None:
        """A result is to be kept."""
        self.save.append(save)
        self.more = True
