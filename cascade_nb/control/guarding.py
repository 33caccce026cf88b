"""Tells the memory guards in force how the memory stands, and does what follows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from cascade_nb.control.freed_gates import FreedGates
from cascade_nb.control.gate_index import GateIndex
from cascade_nb.control.gate_kinds.machine_memory import Reading, User
from cascade_nb.control.gate_kinds.memory_guard import GuardGate
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.words import size_text
from cascade_nb.text import readable

_NAMED: Final = 3  # processes that are told of


class Guarding(GateIndex):
    """The part of a constraint manager that memory guards are about."""

    restriction_epoch: int
    _owners: list[TicketOwner]
    _freed: FreedGates
    timer_changed: Callable[[], None]

    def guards(self) -> list[GuardGate]:
        """Those in force. Call under `lock`."""
        return [gate for gate in self._gates.values() if isinstance(gate, GuardGate)]

    @property
    def has_work(self) -> bool:
        """Whether anything runs or waits that a guard may hold. Call under `lock`."""
        return bool(self._owners)

    def stands_still(self, ticket: Ticket) -> Gate | None:
        """Why what runs in a process is to be suspended there. Call under `lock`."""
        pause = self.pause_over(ticket)
        if pause is not None:
            return pause
        return next((guard for guard in self.guards() if ticket in guard.stopped), None)

    def memory_read(
        self, reading: Reading | None, users: Sequence[User] = (), trouble: str = ""
    ) -> None:
        """How the memory stands; safe from any thread, and what follows is done when it returns.

        Args:
            reading: that; None where it cannot be read.
            users: the processes by size, where it was worth a look.
            trouble: why it cannot be read.
        """
        with self.lock:
            guards = self.guards()
            at = self._in_processes()
            told = _in_words(users, {pid: t.owner.names_of(t)[0] for pid, t in at.items()})
            moved = stops = False
            for guard in guards:
                if guard.note(reading, told, trouble):
                    moved = True
                    if not guard.closed:
                        self._freed.add(guard)
            self.restriction_epoch += moved
            if at or any(guard.stopped for guard in guards):
                sizes = {user.pid: user.size for user in users}
                for guard in guards:
                    ours = {t: sizes.get(pid, 0) for pid, t in at.items() if _is_about(guard, t)}
                    stops |= guard.balance(ours)
            if stops:
                for owner in list(self._owners):
                    owner.paused()  # those that are to stand still do so,
                    owner.lifted()  # and those that are to go on look again
            self._freed.hand_out(self.clock, self.timer_changed)

    def _in_processes(self) -> dict[int, Ticket]:
        """What runs in processes where it may be suspended, by the number of the process."""
        found = {}
        for owner in self._owners:
            for ticket in owner.in_flight():
                pid = owner.process_of(ticket)
                if pid is not None:
                    found[pid] = ticket
        return found


def _is_about(guard: GuardGate, ticket: Ticket) -> bool:
    by_name = guard.rule.scope.kind in ("node", "from")
    return guard.concerns(ticket) if by_name else guard.covers(ticket.subject)


def _in_words(users: Sequence[User], labels: dict[int, str]) -> str:
    """Who uses the memory: "train[3] 3.2 GB, this process 1.1 GB, firefox (process 88) 900 MB"."""
    told = []
    for user in users[:_NAMED]:
        name = "this process" if user.pid == os.getpid() else labels.get(user.pid, "")
        name = name or f"{readable(user.name)} (process {user.pid})"
        told.append(f"{name} {size_text(user.size)}")
    return ", ".join(told)
