"""Random graphs for the pure machine, and random constraints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.engine.machine.dice import Dice, chance, one_of
from tests.support.oracle import Facts

TASKS: Final = ("load", "clean", "train")
TAGS: Final = ("big", "slow")
NAMES: Final = 4
RUNS: Final = 4
POOLS: Final[Mapping[str, float]] = {"gpu": 2.0, "memory": 4.0}
HOLDERS: Final = ("person:ann", "program:nightly", "agent:claude")
SCOPES: Final = (
    *("global", "task:*", "global"),  # where runs meet
    *(f"task:{glob}" for glob in (*TASKS, "c*")),
    *(f"tag:{glob}" for glob in (*TAGS, "*")),
    *(f"node:n{n}" for n in range(NAMES)),
    *(f"from:n{n}" for n in range(NAMES)),
    *(f"run:r{n}" for n in range(RUNS)),
)
# Sums of such numbers are exact as floats, so the oracle's fractions and the engine's floats agree.
TIMES: Final = (0.25, 0.5, 1.0, 2.0, 5.0)
RATES: Final = (1.0, 2.0, 0.5, 0.25)


@dataclasses.dataclass(frozen=True)
class Spec:
    """One node of a random graph.

    Attributes:
        needs, condition: earlier nodes.
        truth: what becomes of the condition.
        items: how many items it grows, for a mapped one.
        fails: how many attempts fail.
        attempts, delay: how many there may be, and the wait between them.
        steps: how many nodes it is continued by, one after the other.
        tolerant: whether it goes on without an input that was skipped or failed.
    """

    facts: Facts
    needs: tuple[int, ...] = ()
    condition: int | None = None
    truth: bool = True
    items: int | None = None
    fails: int = 0
    attempts: int = 1
    delay: float = 0.0
    steps: int = 0
    tolerant: bool = False


def random_specs(dice: Dice, run: str, most: int = 7) -> list[Spec]:
    """A graph of 1 to `most` nodes; what a node needs comes before it."""
    links = one_of(dice, (3, 3, 2, 1))
    greed = one_of(dice, (20, 20, 90))  # where everything needs something, queues grow
    specs: list[Spec] = []
    downstream: list[frozenset[str]] = []
    for index in range(1 + dice.pick(most)):
        wanted = [dice.pick(index) for _ in range(dice.pick(links))] if index else []
        needs = tuple(dict.fromkeys(wanted))
        condition = dice.pick(index) if index and chance(dice, 15) else None
        names = frozenset({f"n{dice.pick(NAMES)}"} if chance(dice, 40) else ())
        above = [downstream[n] for n in (*needs, *(() if condition is None else (condition,)))]
        downstream.append(names.union(*above))
        facts = Facts(
            run=run,
            task=one_of(dice, TASKS),
            tags=frozenset(tag for tag in TAGS if chance(dice, 25)),
            names=names,
            downstream_of=downstream[-1],
            needs=_amounts(dice, greed),
            rank=dice.pick(4),
        )
        specs.append(_behaving(dice, Spec(facts, needs, condition)))
    return specs


def random_constraint(
    dice: Dice, in_force: Sequence[tuple[str, str, str]], stops: bool
) -> tuple[tuple[str, str, str], dict[str, Any], float | None]:
    """Scope, type, holder, parameters, time to live; often one that is in force is changed.

    Args:
        stops: whether there are breakpoints, too.
    """
    scope, holder = one_of(dice, SCOPES), one_of(dice, HOLDERS) if chance(dice, 25) else HOLDERS[0]
    usual = ("pause", "concurrency", "concurrency", "concurrency", "rate_limit")
    type_ = one_of(dice, (*usual, *["breakpoint"] * 5) if stops else usual)
    if in_force and chance(dice, 35):
        scope, type_, holder = one_of(dice, in_force)
    ttl = one_of(dice, TIMES) if chance(dice, 30) else None
    params: dict[str, Any] = {}
    if type_ == "concurrency":
        params = {"limit": one_of(dice, (1, 2, 1, 3, 0))}
    elif type_ == "rate_limit":
        params = {"rate": one_of(dice, RATES), "capacity": one_of(dice, (1, 2, 3))}
    elif type_ == "breakpoint":
        params = {"condition": one_of(dice, (0, 1, 1, 2))}  # none, or one of two
    return (scope, type_, holder), params, ttl


def _amounts(dice: Dice, percent: int) -> dict[str, float]:
    if not chance(dice, percent):
        return {}
    amounts = {"gpu": float(one_of(dice, (1, 2, 0))), "memory": float(one_of(dice, (0, 1, 3, 4)))}
    return {name: amount for name, amount in amounts.items() if amount or chance(dice, 20)}


def _behaving(dice: Dice, spec: Spec) -> Spec:
    truth = not chance(dice, 40)
    kind = one_of(dice, ("plain", "plain", "plain", "map", "continued"))
    fails, attempts, delay = 0, 1, 0.0
    if chance(dice, 30):
        attempts = 1 + dice.pick(3)
        fails = dice.pick(attempts + 1)
        delay = one_of(dice, (0.0, *TIMES))
    return dataclasses.replace(
        spec,
        truth=truth,
        items=dice.pick(4) if kind == "map" else None,
        steps=1 + dice.pick(3) if kind == "continued" else 0,
        fails=fails,
        attempts=attempts,
        delay=delay,
        tolerant=chance(dice, 20),
    )
