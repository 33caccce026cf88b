"""Random workflows, as plain data: what each step reads, when it fails, what it returns."""

from __future__ import annotations

import dataclasses
from typing import Final

from tests.engine.machine.dice import Dice, chance, one_of

LANES: Final = ("inline", "async", "thread")
TASKS: Final = ("load", "clean", "train")
TAGS: Final = ("big", "slow")
SECONDS: Final = (0.25, 0.5, 1.0, 2.0)
DEFAULT: Final = 17  # what an optional parameter is when its input was skipped
MODULUS: Final = 1_000_003


@dataclasses.dataclass(frozen=True)
class Step:
    """One node of a workflow.

    Attributes:
        kind: "call" gives a number, "pick" a small one, "list" some numbers; "map" goes over one or
            over what it reads; "router" goes by what it reads first.
        reads: earlier steps.
        shape: how they stand in the call: "plain", "list", or "deep" inside containers.
        optional: whether its parameters have defaults; only for plain calls.
        condition: an earlier step, or a plain truth.
        fails: how many attempts fail, of a map those of every second item; `attempts` there may be.
        seconds, yields: how long it takes, on the clock and in turns of the loop; async ones only.
        rests: whether it has a checkpoint.
        returns: "value"; "chain" for one that is continued `length` times; "shared" for one that
            returns an earlier step.
        acts: whether its body pauses something.
        borrows: which resources it borrows: "", "run" or "task".
        dead_end: whether a router has no route for the last key.
    """

    index: int
    kind: str
    task: str
    lane: str
    reads: tuple[int, ...] = ()
    shape: str = "plain"
    optional: bool = False
    after: tuple[int, ...] = ()
    condition: int | bool = True
    fails: int = 0
    attempts: int = 1
    delay: float = 0.0
    seconds: float = 0.0
    yields: int = 0
    rests: bool = False
    returns: str = "value"
    length: int = 0
    shared: int = 0
    acts: bool = False
    name: str | None = None
    tags: frozenset[str] = frozenset()
    gpu: float = 0.0
    lazy_gpu: bool = False
    borrows: str = ""
    dead_end: bool = False

    @property
    def can_fail(self) -> bool:
        """Whether there is a way for it to fail by itself."""
        return self.dead_end or self.fails >= self.attempts


@dataclasses.dataclass(frozen=True)
class Program:
    """A workflow and what is asked of it."""

    steps: tuple[Step, ...]
    targets: tuple[int, ...]
    on_error: str

    @property
    def shares(self) -> bool:
        """Whether a step may return an earlier one, which then may have to run again."""
        return any(step.returns == "shared" for step in self.steps)


def random_program(dice: Dice, *, threads: bool, most: int = 9) -> Program:
    """A workflow of 1 to `most` steps.

    Args:
        threads: whether sync bodies run in real threads and so may rest at checkpoints.
    """
    temper = one_of(dice, (0, 0, 25, 60))  # how often things fail, in percent
    steps: list[Step] = []
    for index in range(1 + dice.pick(most)):
        steps.append(_step(dice, index, steps, temper, threads))
    last = len(steps) - 1
    others = [index for index in range(last) if chance(dice, 15)]
    return Program(tuple(steps), (*others, last), one_of(dice, ("stop", "continue")))


def _step(dice: Dice, index: int, before: list[Step], temper: int, threads: bool) -> Step:
    kind = one_of(dice, ("call", "call", "call", "pick", "list", "map", "router"))
    picks = [step.index for step in before if step.kind == "pick"]
    if kind == "router" and not (picks and index > 1):
        kind = "call"
    reads = _some(dice, index, 3)
    if kind == "router":
        reads = (one_of(dice, picks), dice.pick(index), dice.pick(index))
    elif kind == "map":
        lists = [step.index for step in before if step.kind == "list"]
        reads = (one_of(dice, lists), *reads[:1]) if lists and chance(dice, 60) else reads
    lane = one_of(dice, LANES)
    step = Step(
        index=index,
        kind=kind,
        task=one_of(dice, TASKS),
        lane=lane,
        reads=reads,
        shape=one_of(dice, ("plain", "plain", "list", "deep")) if kind != "router" else "plain",
        after=_some(dice, index, 1) if chance(dice, 15) else (),
        condition=_condition(dice, index),
        name=f"n{index}" if chance(dice, 30) else None,
        tags=frozenset(tag for tag in TAGS if chance(dice, 20)),
        dead_end=kind == "router" and chance(dice, temper),
    )
    return step if kind == "router" else _with_body(dice, step, temper, threads)


def _with_body(dice: Dice, step: Step, temper: int, threads: bool) -> Step:
    """What its body does."""
    is_async = step.lane == "async"
    can_wait = is_async or (threads and step.lane == "thread")
    attempts = 1 + dice.pick(3) if chance(dice, 30) else 1
    returns = one_of(dice, ("value", "value", "value", "chain", "shared"))
    if step.kind in ("list", "pick") or not step.index:
        returns = "value"  # who maps over it or goes by it needs to know what it is
    return dataclasses.replace(
        step,
        optional=step.kind != "map" and step.shape == "plain" and chance(dice, 25),
        attempts=attempts,
        fails=dice.pick(attempts) if not chance(dice, temper) else dice.pick(attempts + 1),
        delay=one_of(dice, (0.0, *SECONDS)),
        seconds=one_of(dice, SECONDS) if is_async and chance(dice, 30) else 0.0,
        yields=dice.pick(4) if is_async else 0,
        rests=chance(dice, 25) and can_wait,
        returns=returns,
        length=1 + dice.pick(4),
        shared=dice.pick(step.index) if step.index else 0,
        acts=chance(dice, 6),
        gpu=float(1 + dice.pick(2)) if chance(dice, 20) else 0.0,
        lazy_gpu=chance(dice, 20),
        borrows=one_of(dice, ("", "", "", "run", "task")) if can_wait else "",
    )


def _condition(dice: Dice, index: int) -> int | bool:
    if index and chance(dice, 15):
        return dice.pick(index)
    return not chance(dice, 4)


def _some(dice: Dice, index: int, most: int) -> tuple[int, ...]:
    """Up to `most` earlier steps, each once."""
    return (
        tuple(dict.fromkeys(dice.pick(index) for _ in range(dice.pick(most + 1)))) if index else ()
    )


def fold(value: object) -> int:
    """One number for whatever a step may read."""
    if isinstance(value, (list, tuple)):
        return sum((place + 2) * fold(item) for place, item in enumerate(value)) + len(value)
    if isinstance(value, dict):
        return fold(list(value.values()))
    assert isinstance(value, int), value
    return value


def combine(index: int, values: object) -> int:
    """The number that a step makes of what it reads."""
    return (index * 1009 + fold(values)) % MODULUS


def outcome_of(step: Step, values: object) -> int | list[int]:
    """The result of a step's body."""
    number = combine(step.index, values)
    if step.kind == "pick":
        return number % 3
    if step.kind == "list":
        return [number + place for place in range(number % 4)]
    return number


def fails_for(step: Step, item: object) -> int:
    """How many attempts fail: of a map those at every second item."""
    return step.fails if step.kind != "map" or fold(item) % 2 else 0
