"""A run's core on its own, with no engine, loop or thread: what a driver does is done at random.

Whatever the core says is to be done may be done at once or much later, and in any order: ready
nodes begin when the dice say so, results become safe one by one, collections are looked through
while other things end. Every list that it gives is checked as it is taken.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.control.gate_kinds.resource_pools import pools_of
from cascade_nb.engine.core.arguments import ABSENT, Expansion, Reader
from cascade_nb.engine.core.changes import Ended, Save, UserCode
from cascade_nb.engine.core.initial_state import make_initial_state
from cascade_nb.engine.core.priorities import NativeSolver
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.core.scheduler import DONE, FAILED, READY, RUNNING, SKIPPED, State
from cascade_nb.graph.build import Bindings, build_graph
from cascade_nb.model.tasks.present import Continued, returned
from cascade_nb.testing import VirtualClock
from tests.engine.machine.bench import Bench
from tests.engine.machine.dice import Dice, chance, one_of
from tests.engine.machine.expected import Expected
from tests.engine.machine.programs import Program, random_program

LONG: Final = 5_000  # steps after which a program counts as one that never ends
_ENDS: Final = {"skipped": SKIPPED, "failed": FAILED, "fell": FAILED, "replaced": DONE}


@dataclasses.dataclass(frozen=True)
class Request:
    """What such a run is asked for."""

    on_error: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    bindings: Bindings | None = None


class Alone:
    """One run without an engine.

    Attributes:
        failures: indexes of what failed for good and said so.
        queued, running: indexes.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.program = _in_one_lane(random_program(dice, threads=False))
        self.bench = Bench(self.program, VirtualClock(), lambda _: None, threads=True)
        graph = build_graph(self.bench.target)
        initial = asyncio.run(
            make_initial_state("r", graph, {}, (), NativeSolver(), {}, demand=chance(dice, 50))
        )
        self.core = RunCore(
            graph, Request(self.program.on_error), initial, pools=pools_of({"gpu": 2.0})
        )
        self.failures: list[int] = []
        self.queued: set[int] = set()
        self.running: set[int] = set()
        self._to_save: list[Save] = []
        self._to_expand: list[int] = []
        self._to_answer: list[UserCode] = []
        self._due: set[int] = set()
        self._told: set[tuple[int, str]] = set()
        self._may_stop = chance(dice, 20)

    def play(self) -> None:
        """From the first node to the last, and judge it."""
        self.core.begin()
        self._take()
        for _ in range(LONG):
            moves = [
                move
                for move, some in (
                    (self._start, self.queued),
                    (self._end, self.running),
                    (self._save, self._to_save),
                    (self._expand, self._to_expand),
                    (self._answer, self._to_answer),
                    (self._try_again, self._due),
                )
                if some and not (self.core.stopping is not None and move in self._beginning)
            ]
            if not moves:
                break
            one_of(self._dice, moves)()
            if self._may_stop and chance(self._dice, 3):
                self.core.stop("cancelled")
            self._take()
        else:
            raise AssertionError("it never ends")
        if self.core.stopping is None:
            assert not self.core.scheduler.unfinished, self._story()
        self.core.cancel_rest()
        assert not self.core.scheduler.unfinished
        assert min(self.core.scheduler.state) >= DONE or self.core.stopping is None
        self._judge()

    # ---- moves -----------------------------------------------------------------------------

    @property
    def _beginning(self) -> tuple[Callable[[], None], ...]:
        """What a run that stops does no more."""
        return (self._start, self._expand, self._answer, self._try_again)

    def _start(self) -> None:
        index = one_of(self._dice, sorted(self.queued))
        self.queued.remove(index)
        self.core.started(index)
        self.running.add(index)

    def _end(self) -> None:
        core, index = self.core, one_of(self._dice, sorted(self.running))
        self.running.remove(index)
        number = core.tries.get(index, 1)
        try:
            call = core.call_of(index).made()
            assert ABSENT not in (*call.args, *call.kwargs.values()), "a skipped value is read"
            result = returned(call.fn(*call.args, **call.kwargs))
        except Exception as error:
            core.failed(index, number, 0.0, error)
            return
        if isinstance(result, Continued):
            core.continued(index, result.value, number, 0.0)
        elif chance(self._dice, 50):
            core.made(index, 0.0, result)
        else:
            core.succeeded(index, 0.0)
            self._to_save.append(Save(index, number, 0.0, result, tell=True))

    def _save(self) -> None:
        """A result is safe."""
        one = self._to_save.pop(self._dice.pick(len(self._to_save)))
        assert self.core.scheduler.state[one.node] == RUNNING
        self.core.finished(one.node, one.value)

    def _expand(self) -> None:
        core, index = self.core, self._to_expand.pop(self._dice.pick(len(self._to_expand)))
        if core.scheduler.state[index] != READY:
            return  # it was skipped meanwhile
        node = core.node_of(index)
        columns, fixed = core.results.reader.columns_of(node)
        core.items_found(index, Expansion(node, len(core.results.work), columns, fixed), 0.0)

    def _answer(self) -> None:
        """Code of the user's that a node waits for is over."""
        code = self._to_answer.pop(self._dice.pick(len(self._to_answer)))
        try:
            value = code.call()
        except Exception as error:
            self.core.user_code_gave(code, None, error)
        else:
            self.core.user_code_gave(code, value, None)

    def _try_again(self) -> None:
        index = one_of(self._dice, sorted(self._due))
        self._due.remove(index)
        assert self.core.due(index)

    # ---- what follows ----------------------------------------------------------------------

    def _take(self) -> None:
        """Take what the core says is to be done."""
        core, changes = self.core, self.core.changes
        if changes.stopped:
            self.queued.clear()
            self._due.clear()
        for place in changes.anew:
            assert place not in self.queued | self.running, f"the place {place} is in use"
            self._told = {told for told in self._told if told[0] != place}
        for index in changes.ready:
            assert core.stopping is None, "something is ready though the run stops"
            assert core.scheduler.state[index] == READY, f"{index} is queued and not ready"
            assert index not in self.queued, f"{index} is queued twice"
            self.queued.add(index)
        for ended in changes.over:
            self._hear(ended)
        for save in changes.save:
            assert core.scheduler.state[save.node] == RUNNING
        self._to_save += changes.save
        self._to_expand += changes.expand
        self._to_answer += changes.user_code
        for again in changes.again:
            core.wait(again.node, 1.0, str(again.error))
            self._due.add(again.node)
        for taken in (changes.ready, changes.over, changes.save, changes.expand, changes.again):
            taken.clear()
        changes.user_code.clear()
        changes.anew.clear()
        changes.stopped = changes.more = False
        assert not core.agenda, "something is left to be looked at"

    def _hear(self, ended: Ended) -> None:
        state = self.core.scheduler.state[ended.node]
        assert state == _ENDS[ended.how] or state == DONE, f"{ended} while it is {State(state)}"
        assert (ended.node, ended.how) not in self._told, f"{ended} is told twice"
        self._told.add((ended.node, ended.how))
        if ended.how == "failed":
            self.failures.append(ended.node)

    def _judge(self) -> None:
        program, expected, core = self.program, Expected(self.program), self.core
        targets = core.graph.targets
        for step in program.targets:
            place = core.graph.place[self.bench.lazies[step].identity]
            if expected.end(step).how != "value":
                assert core.scheduler.state[place] != DONE, f"{step} has a result all the same"
        if core.stopping == "cancelled":
            return
        if expected.failed:
            assert self.failures, "what fails by itself did not"
        elif expected.clear:
            ends = [expected.end(index) for index in program.targets]
            if any(end.how == "skipped" for end in ends):
                assert any(target in core.skipped for target in targets)
            else:
                value = Reader(core.results.values, core.results.place).value_of(core.graph.shape)
                assert value == self.bench.value_of([end.value for end in ends])
            ran, could = self.bench.bodies, expected.bodies
            assert ran.keys() <= could.keys(), f"{ran.keys() - could.keys()} ran for nobody"
        for key, times in self.bench.bodies.items():
            most = program.steps[key[0]].attempts
            assert times <= most or program.shares, f"{times} attempts of {most} at {key}"

    def _story(self) -> list[str]:
        return [State(state).name.lower() for state in self.core.scheduler.state]


def _in_one_lane(program: Program) -> Program:
    """Without what needs a loop, a clock or a thread."""
    plain: dict[str, Any] = {"lane": "thread", "yields": 0, "seconds": 0.0}
    plain |= {"rests": False, "acts": False, "borrows": ""}
    steps = tuple(dataclasses.replace(step, **plain) for step in program.steps)
    return dataclasses.replace(program, steps=steps)
