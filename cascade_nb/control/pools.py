"""What the engine was told it has, such as GPUs, and needs that could never be met."""

from __future__ import annotations

from collections.abc import Mapping

from cascade_nb.control.limits import PoolGate
from cascade_nb.control.words import amount_text
from cascade_nb.errors import PolicyError, nearest
from cascade_nb.model.policy import checked_needs


def pools_of(resources: Mapping[str, float]) -> dict[str, PoolGate]:
    """A gate for each resource, by name.

    Raises:
        PolicyError: an amount is negative or no number.
    """
    return {name: PoolGate(name, total) for name, total in checked_needs(resources).items()}


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
        if amount > pools[name].total:
            raise PolicyError(
                f"{label} needs {amount_text(amount)} {name}, and there is only "
                f"{amount_text(pools[name].total)} in all; it could never start"
            )
