"""Tells what a hold would do before it is done: how many it holds, and how many would finish."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cascade_nb.control.constraint import Scope
from cascade_nb.engine.core.scheduler import DONE, RUNNING, WAITING
from cascade_nb.engine.observing.readings import Readings
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.scopes import nodes_under
from cascade_nb.graph.graph import Graph


class HoldEffect(NamedTuple):
    """What a hold of a scope would do to a run.

    Attributes:
        holds: how many nodes and items would be held, now or when they come to their turn.
        finishing: how many are under way, and would finish.
    """

    holds: int = 0
    finishing: int = 0

    def __add__(self, other: object) -> HoldEffect:  # to two runs
        assert isinstance(other, HoldEffect)
        return HoldEffect(self.holds + other.holds, self.finishing + other.finishing)

    @property
    def words(self) -> str:
        """In a sentence: "Holds 14, 3 will finish."."""
        finishing = f", {self.finishing:,} will finish" if self.finishing else ""
        return f"Holds {self.holds:,}{finishing}."

    def words_before(self, judged: bool) -> str:
        """Of a breakpoint: "Holds 14, each when it would start."; with a condition, if `judged`."""
        each = ", each" if self.holds != 1 else ""
        return f"{'Judges' if judged else 'Holds'} {self.holds:,}{each} when it would start."


def hold_effect(run: Readings, graph: Graph, scope: Scope) -> HoldEffect:
    """What a hold of `scope` would do just now.

    Args:
        run: the run.
        graph: its graph.
        scope: such as `from:clean`; where it is one of a run, then of this.
    """
    about = range(len(graph.nodes)) if scope.kind == "run" else sorted(nodes_under(scope, graph))

    def read(view: RunView) -> HoldEffect:
        return _counted(view, about) if view.core.graph is graph else HoldEffect()

    return run.look(lambda view, _: read(view)) or HoldEffect()


def _counted(view: RunView, about: Iterable[int]) -> HoldEffect:
    """Under the view's lock. What has no body of its own, as a parameter, is not counted; a map
    counts as its items once it has some.
    """
    core, holds, finishing = view.core, 0, 0
    state = core.scheduler.state
    for index in about:
        if core.kinds.of[index].queue is None or state[index] >= DONE:
            continue
        for place in core.items(index) if core.is_expanded(index) else (index,):
            finishing += state[place] == RUNNING
            holds += WAITING <= state[place] < RUNNING
    return HoldEffect(holds, finishing)
