"""Says which nodes are ready: a pure state machine, in the manner of `graphlib`.

No input or output, no clock, no loop: it knows the state of each node and the legal moves between
them. A node is *demanded* because a target or another node needs it, is *ready* when everything it
needs is over, and whoever drives it then says what became of it::

    IDLE ──demand──▶ WAITING ──▶ READY ──start──▶ RUNNING ──finish──▶ DONE
                        ▲          │  ▲              │ │ └──fail────▶ FAILED
                        └───need───┴──┼──────────────┘ └──again──▶ READY
                                      skip, cancel ──▶ SKIPPED, CANCELLED

One move carries all of control flow: `need` says that a node which is ready or running needs more
before it can be over. A condition that turned out true needs the inputs; a router needs the branch
it chose; a mapped node needs the items it grew into; a task that returned a lazy value needs that.

There are no stages: a node is ready as soon as its own needs are over. Every move costs O(1) or
    O(out-degree).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final

from cascade_nb.errors import IllegalMoveError


class State(enum.IntEnum):
    """Where a node stands. From DONE on it is over."""

    IDLE = 0
    WAITING = 1
    READY = 2
    RUNNING = 3
    DONE = 4
    FAILED = 5
    SKIPPED = 6
    CANCELLED = 7


# Plain numbers, since an attribute of an enum costs more than the whole move it stands in.
IDLE: Final = int(State.IDLE)
WAITING: Final = int(State.WAITING)
READY: Final = int(State.READY)
RUNNING: Final = int(State.RUNNING)
DONE: Final = int(State.DONE)
FAILED: Final = int(State.FAILED)
SKIPPED: Final = int(State.SKIPPED)
CANCELLED: Final = int(State.CANCELLED)

_NOBODY: Final = -1

_STORY: Final = {
    IDLE: (),
    WAITING: ("demanded",),
    READY: ("demanded", "ready"),
    RUNNING: ("demanded", "ready", "started"),
    DONE: ("demanded", "ready", "started", "finished"),
    FAILED: ("demanded", "ready", "started", "failed"),
    SKIPPED: ("skipped",),
    CANCELLED: ("cancelled",),
}


class Scheduler:
    """The states of a graph's nodes.

    Args:
        needs: by node, the indexes of what it needs at first.
        done: nodes that are over from the start, since their results are there.
        skipped: nodes that never will be asked for.

    Attributes:
        state: by node, a `State` as a plain number; to be read, and written by the moves alone.
        unfinished: how many demanded nodes are not over.
    """

    __slots__ = ("_dependents", "_missing", "_needs", "state", "unfinished")

    def __init__(
        self,
        needs: Sequence[Sequence[int]],
        done: Iterable[int] = (),
        skipped: Iterable[int] = (),
    ) -> None:
        self._needs: list[Sequence[int]] = list(needs)
        count = len(self._needs)
        self.state = [IDLE] * count
        self._missing = [0] * count
        # What waits for each: nearly always one node, and a list for it would take more memory than
        # all the rest that is known of the node here.
        self._dependents: list[int | list[int]] = [_NOBODY] * count
        self.unfinished = 0
        for node in done:
            self.state[node] = DONE
        for node in skipped:
            self.state[node] = SKIPPED

    def demand(self, roots: Iterable[int]) -> list[int]:
        """Nodes that are wanted. Gives those among them, and among what they need, that are
        ready.
        """
        state, missing, dependents = self.state, self._missing, self._dependents
        ready = []
        stack = list(roots)
        while stack:
            node = stack.pop()
            if state[node] != IDLE:
                continue
            self.unfinished += 1
            count = 0
            for source in self._needs[node]:
                now = state[source]
                if now < DONE:
                    count += 1
                    others = dependents[source]
                    if others == _NOBODY:
                        dependents[source] = node
                    elif isinstance(others, int):
                        dependents[source] = [others, node]
                    else:
                        others.append(node)
                    if now == IDLE:
                        stack.append(source)
            if count:
                state[node] = WAITING
                missing[node] = count
            else:
                state[node] = READY
                ready.append(node)
        return ready

    def start(self, node: int) -> None:
        """A ready node is being worked on.

        Raises:
            IllegalMoveError: it is not ready.
        """
        if self.state[node] != READY:
            raise self._illegal("start", node)
        self.state[node] = RUNNING

    def finish(self, node: int) -> Sequence[int]:
        """A running node has its result. Gives what is ready now.

        Raises:
            IllegalMoveError: it is not running.
        """
        state, missing = self.state, self._missing
        if state[node] != RUNNING:
            raise self._illegal("finish", node)
        state[node] = DONE
        self.unfinished -= 1
        others = self._dependents[node]
        if others == _NOBODY:
            return ()
        self._dependents[node] = _NOBODY
        ready: list[int] = []
        for other in (others,) if isinstance(others, int) else others:
            left = missing[other] = missing[other] - 1
            if not left and state[other] == WAITING:
                state[other] = READY
                ready.append(other)
        return ready

    def fail(self, node: int) -> tuple[list[int], Sequence[int]]:
        """A demanded node failed for good. Gives what is ready now, and what had needed it.

        A node that waits can fail too: a mapped one fails with its items.

        Raises:
            IllegalMoveError: nobody demanded it, or it is over.
        """
        if not WAITING <= self.state[node] <= RUNNING:
            raise self._illegal("fail", node)
        return self._over(node, FAILED)

    def skip(self, node: int) -> tuple[list[int], Sequence[int]]:
        """A node that has not started will not. Gives what is ready now, and what had needed it.

        Raises:
            IllegalMoveError: it runs or is over.
        """
        before = self.state[node]
        if before >= RUNNING:
            raise self._illegal("skip", node)
        if before == IDLE:  # nobody had counted it, and nobody waits for it
            self.state[node] = SKIPPED
            return [], ()
        return self._over(node, SKIPPED)

    def again(self, node: int) -> None:
        """A running node is ready once more: another attempt is due, or it had not really begun.

        Raises:
            IllegalMoveError: it is not running.
        """
        if self.state[node] != RUNNING:
            raise self._illegal("be tried again", node)
        self.state[node] = READY

    def need(self, node: int, more: Iterable[int]) -> list[int]:
        """A ready or running node needs more before it can be over. Gives what is ready now.

        When all of `more` is over already it is among what is ready. What is new in `more` is
        demanded.

        Raises:
            IllegalMoveError: the node is neither ready nor running.
        """
        state, dependents = self.state, self._dependents
        if state[node] not in (READY, RUNNING):
            raise self._illegal("need more", node)
        ready = self.demand(more := tuple(more))
        count = 0
        for source in more:
            if state[source] < DONE:
                count += 1
                dependents[source] = [*_each(dependents[source]), node]
        if count:
            state[node] = WAITING
            self._missing[node] = count
        else:
            state[node] = READY
            ready.append(node)
        return ready

    def undo(self, node: int) -> None:
        """The result of a node is lost: it is idle, until it is demanded once more.

        Raises:
            IllegalMoveError: it is not done.
        """
        if self.state[node] != DONE:
            raise self._illegal("be undone", node)
        self.state[node] = IDLE

    def also_wait(self, node: int, more: Sequence[int]) -> None:
        """A node that waits has to wait for these demanded ones, too.

        Raises:
            IllegalMoveError: it does not wait.
        """
        if self.state[node] != WAITING:
            raise self._illegal("wait for more", node)
        for source in more:
            self._dependents[source] = [*_each(self._dependents[source]), node]
        self._missing[node] += len(more)

    def grow(self, needs: Sequence[int], spare: int | None = None) -> int:
        """Add a node, idle until demanded. Gives its index.

        Args:
            needs: what it needs at first.
            spare: the index of a node that is done and that nothing will ever ask for again: it is
                used anew, so that a loop of any length has a graph of bounded size.

        Raises:
            IllegalMoveError: the spare node is not done.
        """
        if spare is not None:
            if self.state[spare] != DONE:
                raise self._illegal("be used anew", spare)
            self._needs[spare], self.state[spare] = needs, IDLE
            return spare
        self._needs.append(needs)
        self.state.append(IDLE)
        self._missing.append(0)
        self._dependents.append(_NOBODY)
        return len(self.state) - 1

    def expand(self, node: int, count: int) -> range:
        """A ready node grows `count` items, all ready, and is ready itself when they are over.

        The same as `grow` and `need`, at a cost per item that matters when there are 100,000.

        Raises:
            IllegalMoveError: the node is not ready.
        """
        if self.state[node] != READY:
            raise self._illegal("expand", node)
        first = len(self.state)
        if count:
            self.state[node] = WAITING
            self._missing[node] = count
        self._needs.extend([()] * count)
        self.state.extend([READY] * count)
        self._missing.extend([0] * count)
        self._dependents.extend([node] * count)
        self.unfinished += count
        return range(first, first + count)

    def cancel(self, node: int) -> None:
        """A node that is not over never will be done; what needs it is left as it is.

        Raises:
            IllegalMoveError: it is over.
        """
        if self.state[node] >= DONE:
            raise self._illegal("be cancelled", node)
        if self.state[node] != IDLE:
            self.unfinished -= 1
        self.state[node] = CANCELLED

    def waiting_for(self, node: int) -> list[int]:
        """Which of a node's first needs are not over."""
        return [source for source in self._needs[node] if self.state[source] < DONE]

    def _over(self, node: int, end: int) -> tuple[list[int], Sequence[int]]:
        state, missing = self.state, self._missing
        state[node] = end
        self.unfinished -= 1
        others, self._dependents[node] = _each(self._dependents[node]), _NOBODY
        ready = []
        for other in others:
            left = missing[other] = missing[other] - 1
            if not left and state[other] == WAITING:
                state[other] = READY
                ready.append(other)
        return ready, others

    def _illegal(self, move: str, node: int) -> IllegalMoveError:
        state = self.state[node]
        return IllegalMoveError(move, node, State(state).name.lower(), _STORY[state])


def _each(others: int | list[int]) -> Sequence[int]:
    """Those who wait for a node, however few they are."""
    if isinstance(others, int):
        return () if others == _NOBODY else (others,)
    return others
