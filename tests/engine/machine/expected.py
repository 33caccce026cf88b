"""What a workflow ought to come to, by plain recursion, one step after the other."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from tests.engine.machine.programs import DEFAULT, Program, Step, combine, fails_for, outcome_of


class End(NamedTuple):
    """How a step ends: "value", "failed", "doomed" by a failure before it, or "skipped"."""

    how: str
    value: Any = None


class Expected:
    """The ends of the steps that a program asks for.

    Attributes:
        asked: the steps that are asked for.
        perhaps: those that may be, depending on what ends first: when one input of a step is
            known to be bad, the others are not asked for any more.
    """

    def __init__(self, program: Program) -> None:
        self._steps = program.steps
        self._ends: dict[int, End] = {}
        self._attempts: dict[tuple[int, str], int] = {}
        self.asked: set[int] = set()
        self.perhaps: set[int] = set()
        for target in program.targets:
            self._ask(target, self.asked)

    @property
    def failed(self) -> set[int]:
        """The steps that fail by themselves, whatever ends first."""
        return {index for index in self.asked if self.end(index).how == "failed"}

    @property
    def clear(self) -> bool:
        """Whether nothing depends on what ends first."""
        return all(self.end(i).how in ("value", "skipped") for i in self.asked | self.perhaps)

    @property
    def bodies(self) -> Counter[tuple[int, str]]:
        """How often each body runs, by step and item, of all steps that may be asked for."""
        known = self.asked | self.perhaps
        return Counter({key: n for key, n in self._attempts.items() if key[0] in known})

    def end(self, index: int) -> End:
        """How a step ends, if it is asked for."""
        if index not in self._ends:
            self._ends[index] = self._work_out(self._steps[index])
        return self._ends[index]

    # ---- how it ends -----------------------------------------------------------------------

    def _work_out(self, step: Step) -> End:
        if step.condition is not True:
            condition = self._condition(step)
            if condition.how in ("failed", "doomed"):
                return End("doomed")
            if condition.how == "skipped" or not condition.value:
                return End("skipped")
        if self._blocked(step):
            before = [self.end(index).how for index in (*_inputs(step), *step.after)]
            return End("doomed" if {"failed", "doomed"} & set(before) else "skipped")
        reads = [self.end(index) for index in _inputs(step)]
        values = [DEFAULT if end.how == "skipped" else end.value for end in reads]
        if step.kind == "router":
            return self._route(step, values[0])
        if step.kind == "map":
            return self._map(step, values)
        return self._run(step, None, values)

    def _condition(self, step: Step) -> End:
        return End("value", False) if step.condition is False else self.end(step.condition)

    def _blocked(self, step: Step) -> bool:
        """Whether something that it needs is bad."""
        reads = [self.end(index).how for index in _inputs(step)]
        after = [self.end(index).how for index in step.after]
        return bool(
            {"failed", "doomed"} & {*reads, *after} or ("skipped" in reads and not step.optional)
        )

    def _route(self, step: Step, key: int) -> End:
        if key == 2:
            return End("failed") if step.dead_end else End("value", 5)
        branch = self.end(step.reads[1 + key])
        return branch if branch.how != "failed" else End("doomed")

    def _map(self, step: Step, values: list[Any]) -> End:
        items, others = columns_of(step, self._steps, values)
        ends = [self._run(step, item, [item, others]) for item in items]
        for how in ("failed", "doomed", "skipped"):
            if any(end.how == how for end in ends):
                return End(how)
        return End("value", [end.value for end in ends])

    def _run(self, step: Step, item: Any, values: Any) -> End:
        fails = fails_for(step, item)
        self._attempts[step.index, repr(item)] = min(fails + 1, step.attempts)
        if fails >= step.attempts:
            return End("failed")
        if step.returns == "shared":
            end = self.end(step.shared)
            return end if end.how != "failed" else End("doomed")
        return End("value", outcome_of(step, values))

    # ---- whether it is asked for -----------------------------------------------------------

    def _ask(self, index: int, into: set[int]) -> None:
        if index in self.asked or index in into:
            return
        into.add(index)
        step = self._steps[index]
        if step.condition is not True:
            if step.condition is not False:
                self._ask(step.condition, into)
            condition = self._condition(step)
            if condition.how != "value" or not condition.value:
                return
            if self._blocked(step):
                into = self.perhaps
        for source in (*_inputs(step), *step.after):
            self._ask(source, into)
        if self._blocked(step):
            return
        if step.kind == "router":
            key = self.end(step.reads[0]).value
            if key != 2:
                self._ask(step.reads[1 + key], into)
        elif step.returns == "shared" and self._returns_it(step):
            self._ask(step.shared, into)

    def _returns_it(self, step: Step) -> bool:
        """Whether any of its bodies comes so far."""
        self.end(step.index)
        tried = [n for key, n in self._attempts.items() if key[0] == step.index]
        return bool(tried) and (step.kind == "map" or step.fails < step.attempts)


def _inputs(step: Step) -> tuple[int, ...]:
    """What it reads before it knows more."""
    return step.reads[:1] if step.kind == "router" else step.reads


def columns_of(step: Step, steps: tuple[Step, ...], values: list[Any]) -> tuple[list[Any], Any]:
    """What a map goes over, and what every item gets: a list that it reads, or literal items.

    No two items are equal, since that is how their bodies are told apart.
    """
    if step.reads and steps[step.reads[0]].kind == "list":
        return list(values[0]), combine(0, values[1:])
    return list(enumerate([*values, *range(step.length)])), 0
