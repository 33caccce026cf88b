"""Shares out what the engine was told it has, such as GPUs, and refuses needs that could never be
met.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final

from cascade_nb.control.gates import Gate, Ticket
from cascade_nb.control.words import amount_text
from cascade_nb.errors import PolicyError, nearest
from cascade_nb.model.options.checks import checked_needs

GPU: Final = "gpu"  # the resource whose units are told apart
_ROUNDING: Final = 1e-9


class PoolGate(Gate):
    """An amount of something that the engine was told it has.

    Waiters are served strictly in order: one that needs much is not overtaken for ever by many that
    need little. Nothing that waits holds a share, so everything comes to its turn.
    """

    says_the_same = False

    def __init__(self, name: str, total: float) -> None:
        super().__init__(None)
        self.name = name
        self.total = total
        self.shares: dict[Ticket, float] = {}

    @property
    def title(self) -> str:
        """What events call any of them."""
        return "resources"

    @property
    def free(self) -> float:
        """What is not taken."""
        return self.total - math.fsum(self.shares.values())

    def refuses(self, ticket: Ticket, now: float) -> bool:
        """Whether there is not enough, or another comes first."""
        amount = self.amount(ticket)
        if amount <= 0:
            return False
        first = self.first()
        overtakes = first is not None and first.rank < ticket.rank
        return overtakes or amount > self.free + _ROUNDING

    def refuses_start(self, ticket: Ticket, now: float) -> bool:
        """Never."""
        return False  # its share is its own since it was admitted

    def amount(self, ticket: Ticket) -> float:
        """What this ticket needs of it."""
        return (ticket.needs or {}).get(self.name, 0.0)

    def take(self, ticket: Ticket) -> None:
        """Its share is its own."""
        if amount := self.amount(ticket):
            self.shares[ticket] = amount

    def give_back(self, ticket: Ticket) -> bool:
        """Its share is free."""
        return self.shares.pop(ticket, None) is not None

    def passed(self) -> Collection[Ticket]:
        """Whose shares are taken."""
        return self.shares.keys()


class DevicePool(PoolGate):
    """Devices, of which each is a unit of its own: no two tasks have one at the same time, unless
    they ask for parts of it.

    Attributes:
        units: by ticket, which devices it has, counted from 0.
    """

    def __init__(self, name: str, total: float) -> None:
        super().__init__(name, total)
        self.units: dict[Ticket, tuple[int, ...]] = {}
        whole = math.floor(total + _ROUNDING)
        self._left = [1.0] * whole + ([total - whole] if total - whole > _ROUNDING else [])

    def refuses(self, ticket: Ticket, now: float) -> bool:
        """Whether no devices are free for it, or another comes first."""
        return super().refuses(ticket, now) or self._units_for(self.amount(ticket)) is None

    def take(self, ticket: Ticket) -> None:
        """Its devices are its own."""
        amount = self.amount(ticket)
        units = None if ticket in self.shares else self._units_for(amount)
        if amount and units is not None:
            super().take(ticket)
            self.units[ticket] = units
            for unit in units:
                self._left[unit] -= min(amount, 1.0)

    def give_back(self, ticket: Ticket) -> bool:
        """Its devices are free."""
        amount = self.shares.get(ticket, 0.0)
        for unit in self.units.pop(ticket, ()):
            self._left[unit] += min(amount, 1.0)
        return super().give_back(ticket)

    def _units_for(self, amount: float) -> tuple[int, ...] | None:
        """The devices that so much would be of: a part of the fullest that has room for it, or
        whole ones; None where there are not enough.
        """
        if amount < 1:
            room = [(left, n) for n, left in enumerate(self._left) if left >= amount - _ROUNDING]
            return (min(room)[1],) if room else None
        many = math.ceil(amount - _ROUNDING)
        whole = [n for n, left in enumerate(self._left) if left >= 1 - _ROUNDING]
        return tuple(whole[:many]) if len(whole) >= many else None


def pools_of(resources: Mapping[str, float]) -> dict[str, PoolGate]:
    """A gate for each resource, by name.

    Raises:
        PolicyError: an amount is negative or no number.
    """
    amounts = checked_needs(resources).items()
    return {name: (DevicePool if name == GPU else PoolGate)(name, total) for name, total in amounts}


def check_against(pools: Mapping[str, PoolGate], needs: Mapping[str, float], label: str) -> None:
    """Refuse needs that could never be met.

    Raises:
        PolicyError: there is no such resource, or less of it in all.
    """
    for name, amount in needs.items():
        if name not in pools:
            raise PolicyError(
                f"{label} needs {name!r}, and the engine was not told of any"
                f"{nearest(name, pools)}: Engine(system_resources={{{name!r}: …}})"
            )
        whole = math.floor(pools[name].total) if name == GPU else math.inf
        if amount > pools[name].total or (amount > 1 and math.ceil(amount) > whole):
            raise PolicyError(
                f"{label} needs {amount_text(amount)} {name}, and there is only "
                f"{amount_text(pools[name].total)} in all; it could never start"
            )
