"""Gets the result of a node, from the run's memory or from where it is kept, and shows it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, NamedTuple

from cascade_nb.control.words import ago, seconds_text
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.inspection.node_facts import NodeFacts
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.planning.planner import Found
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.graph.graph import NodeKind
from cascade_nb.model.copying.isolation import reader_copy
from cascade_nb.model.params.param import Param
from cascade_nb.notebook.drawer.references import Named
from cascade_nb.notebook.drawer.shown_value import (
    PATIENCE,
    TooSlowError,
    as_json,
    facts_of_value,
    shown_value,
    within,
)
from cascade_nb.notebook.drawer.texts import SHORT, Json, plain
from cascade_nb.state.sizes import size_in_memory

_AGE: Final = 2.0  # seconds that an age is waited for
_WITH_RESULT: Final = (NodeState.DONE, NodeState.REUSED)


class Result(NamedTuple):
    """The result of a node for one reader.

    Attributes:
        value: it.
        is_kept: whether this is the kept object itself.
        age: when it was made, in words, and how long that took; empty where nobody knows.
    """

    value: Any
    is_kept: bool
    age: str


class Results:
    """Gets and shows results; each call may block, and is made in a thread of its own.

    Args:
        loop: of the kernel, where states are asked.
        context: of the cell that has the panel.
        formatter: gives the shell's formatters.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, context: Context, formatter: Callable[[], Any]
    ) -> None:
        self._loop, self._context, self._formatter = loop, context, formatter
        self._slow: dict[str, float] = {}

    def tab(self, run: Run, facts: NodeFacts, named: Named) -> Json:
        """What the tab Result shows; where there is none, why."""
        try:
            result = self.get(run, facts, named)
        except CascadeError as error:
            return {"none": plain(str(error), SHORT)}
        since = self._slow.get(named.name)
        size = size_in_memory(result.value)
        told: Json = {
            "facts": [
                *facts_of_value(result.value, size),
                *([["made", result.age]] if result.age else []),
            ]
        }
        if since is not None:
            passed = seconds_text(time.monotonic() - since)
            slow = f"Its repr was asked for {passed} ago and is not there yet."
            return {**told, "text": "", "data": {}, "notes": [slow]}
        began, formatter = time.monotonic(), self._formatter()

        def show() -> Any:
            try:
                return shown_value(formatter, result.value, size, result.is_kept)
            finally:
                self._slow.pop(named.name, None)

        self._slow[named.name] = began
        try:
            return {**told, **as_json(within(PATIENCE, show, self._context.copy()))}
        except TooSlowError:
            slow = f"Its repr takes more than {seconds_text(PATIENCE)}; it is not waited for."
            return {**told, "text": "", "data": {}, "notes": [slow]}

    def get(self, run: Run, facts: NodeFacts, named: Named) -> Result:
        """The result of a node or item, copied for one reader.

        Raises:
            UsageError: there is none.
            StateError: where it is kept cannot be reached.
        """
        node = named.node
        if isinstance(node.lazy, Param):
            return Result(node.lazy.value_in(run.request.params), False, "")
        if facts.there:
            age = self._age(run, facts, named)
            copy = reader_copy(facts.value)
            return Result(copy, copy is facts.value, age)
        if facts.state not in _WITH_RESULT:
            raise UsageError(f"No result: {run.why(named.name)[0]}.")
        let_go = "was let go after its last reader; a node with a name keeps its result"
        if named.item is not None or node.kind is NodeKind.ROUTER:
            raise UsageError(f"The result of {named.name} {let_go}.")
        found = self._find(run, named, PATIENCE)
        if found is None:
            raise UsageError("The kernel is busy; ask again when its cell has ended.")
        if not found.there:
            raise UsageError(f"The result of {named.name} {let_go} ({found.words}).")
        return Result(found.value, False, _made(found, self._wall(run)))

    def _age(self, run: Run, facts: NodeFacts, named: Named) -> str:
        if facts.state is NodeState.REUSED and named.item is None:
            found = self._find(run, named, _AGE)
            return "" if found is None or not found.there else _made(found, self._wall(run))
        if facts.started is None or facts.took is None:
            return ""
        return f"{ago(max(0.0, facts.started - facts.took))}, in {seconds_text(facts.took)}"

    def _find(self, run: Run, named: Named, patience: float) -> Found | None:
        """What stands for it where results are kept; None where the loop does not come to it."""
        engine = run.engine
        if not isinstance(engine, Engine):
            return None
        looking = engine.find(named.node.lazy, params=_params(run, named))
        future = asyncio.run_coroutine_threadsafe(looking, self._loop)
        try:
            return future.result(patience)
        except concurrent.futures.TimeoutError:
            future.cancel()
            return None

    @staticmethod
    def _wall(run: Run) -> float:
        return run.engine.clock.wall()


def _params(run: Run, named: Named) -> dict[str, Any]:
    return dict(run.request.params)


def _made(found: Found, now: float) -> str:
    if found.made is None or found.seconds is None:
        return ""
    return f"{ago(max(0.0, now - found.made))}, in {seconds_text(found.seconds)}"
