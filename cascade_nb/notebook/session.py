"""Holds what the magics of one shell share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from unicodedata import normalize
from weakref import WeakSet

from cascade_nb.control.constraint import GLOBAL, KINDS, Constraint, Key, Scope
from cascade_nb.defaults import default_engine
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import NodeState, Phase, RunStatus
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.scopes import node_names, read_scope
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.grammar.values import read_value
from cascade_nb.graph.graph import Graph
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import check_given
from cascade_nb.notebook.shell import Running, Shell, running_cell
from cascade_nb.notebook.workspace.workspace import Workspace

_ASSIGNED: Final = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*%cascade[ \t]+(.*)$", re.MULTILINE)
_ITEM: Final = re.compile(r"([^\[\]]+)\[(\d+)\]")


class Launched(NamedTuple):
    """What a cell has started last.

    Attributes:
        run: the run.
        names: what it was to run.
        here: the cell as it was run then.
    """

    run: Run
    names: list[str]
    here: Running


class Session:
    """One notebook at work: its names, and the runs that were started from it.

    Attributes:
        shell: IPython's.
        workspace: the names that its cells defined.
        latest, asked: the run that a magic started last, and the names that it was to run.
        shown_in: that run, and the number of the cell that has its panel.
        done: ids of named nodes that a run was through with.
        panels: by id of a run, the widget that shows it.
        chosen: by name, the values that parameters were given for all runs from then on.
        form, overview: what those are given in, and the panel of all runs, once they were shown.
        graphs: by cell, the graph that stands below it.
        over: is told of a run that is over, and of the named nodes that it was through with.
    """

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.workspace = Workspace(shell.user_ns)
        self.latest: Run | None = None
        self.shown_in: tuple[Run, int] | None = None
        self.asked: list[str] = []
        self.done: set[str] = set()
        self.panels: dict[str, Any] = {}
        self.chosen: dict[str, Any] = {}
        self.form: Any = None
        self.overview: Any = None
        self.graphs: dict[Hashable, Any] = {}
        self.over: Callable[[Run, frozenset[str]], object] = lambda run, through: None
        self._launched: dict[Hashable, Launched] = {}
        self._noticed: WeakSet[Run] = WeakSet()

    @property
    def engine(self) -> Engine:
        """What runs are started on."""
        return default_engine()

    @property
    def params(self) -> dict[str, Any]:
        """Parameters as runs were given them last."""
        return self.engine.given

    def chosen_for(self, known: Collection[str]) -> dict[str, Any]:
        """What was chosen for these parameters."""
        return {name: value for name, value in self.chosen.items() if name in known}

    def params_of(self, target: object, given: Mapping[str, str]) -> dict[str, Any]:
        """What a run of `target` is given: what was chosen, and before that what was typed.

        Raises:
            GraphError, ParamError: there is nothing to run, or something given does not fit it.
        """
        if not (self.chosen or given):
            return {}
        known = self.engine.graph_of(target, self.workspace).params()
        check_given(given, known)
        typed = {name: read_value(known[name], text) for name, text in given.items()}
        return self.chosen_for(known) | typed

    @property
    def engines(self) -> list[Engine]:
        """All of this process: what holds one holds them all, as `cs.pause` does."""
        others = [engine for engine in Engine.alive() if engine is not self.engine]
        return [self.engine, *others]

    def constraints(self) -> dict[Key, Constraint]:
        """What is in force, by scope, type and holder."""
        return {
            constraint.key: constraint
            for engine in reversed(self.engines)
            for constraint in engine.constraints.constraints()
        }

    def notice(self, *runs: Run) -> None:
        """Have these, and all that go on, tell what they were through with when they are over."""
        for run in (*runs, *self.live_runs()):
            if run not in self._noticed:
                self._noticed.add(run)
                run.add_done_callback(self._over)

    def _over(self, run: Run) -> None:
        states = run.changed_since(-1)[1]
        through = frozenset(
            node.id
            for node in run.graph.nodes
            if node.name is not None and states[node.index] in (NodeState.DONE, NodeState.REUSED)
        )
        self.done |= through
        self.over(run, through)

    def launched(self, here: Running, run: Run, names: Sequence[str]) -> None:
        """A cell has started this run of these names."""
        gone = [key for key, one in self._launched.items() if one.run.done()]
        for key in gone:
            del self._launched[key]
        self._launched[here.cell.key] = Launched(run, list(names), here)

    def goes_on_of(self, here: Running, names: Sequence[str]) -> Run | None:
        """The run of these names that a cell started when it was run before, if it goes on and the
        text of the cell is the same. Where the frontend gives cells no identity, and within one
        execution: None.
        """
        before = self._launched.get(here.cell.key)
        if before is None or before.here.number == here.number or before.run.done():
            return None
        same = before.names == list(names) and before.here.text == here.text
        return before.run if same else None

    def live_runs(self) -> list[Run]:
        """Those that are not over, the newest of each engine first."""
        return [run for engine in self.engines for run in reversed(engine.runs)]

    def runs(self) -> list[Run]:
        """Those that are not over, and the one started last by a magic."""
        live = self.live_runs()
        return [*live, *([self.latest] if self.latest and self.latest not in live else [])]

    def live_run(self, name: str | None) -> Run:
        """The run of this number or id that is not over; without one, the only one.

        Raises:
            UsageError: there is none, it is over, or more than one can be meant.
            UnknownNameError: there is no such run.
        """
        live = self.live_runs()
        if name is None:
            if len(live) > 1:
                names = ", ".join(f"{run.number} ({run.graph.title})" for run in live)
                raise UsageError(f"several runs go on, so say which by its number: {names}")
            if not live:
                raise UsageError("nothing is running")
            return live[0]
        for run in live:
            if name in (str(run.number), run.id):
                return run
        for status in self.statuses():
            if name in (str(status.number), status.run_id):
                raise UsageError(f"run {status.number} is over: {status.headline}")
        advice = "" if live else "; nothing is running"
        raise UnknownNameError("run", name, [str(run.number) for run in live], advice)

    def statuses(self) -> list[RunStatus]:
        """Of the runs that are not over, and of those that were, the newest first."""
        ended = [one for engine in self.engines for one in reversed(engine.history.runs)]
        over = sorted(ended, key=lambda one: -one.started)
        return [*(run.status for run in self.live_runs()), *(one.status for one in over)]

    def status_named(self, name: str | None) -> RunStatus:
        """The status of the run of this number or id; without one, of the latest. Runs that are
        over are remembered too.

        Raises:
            UsageError: there is none yet.
            UnknownNameError: there is no such run.
        """
        known, nothing = self.statuses(), "nothing was run yet; `%cascade run` starts"
        if name is None:
            if not known:
                raise UsageError(nothing)
            return known[0]
        for of_this_name in (lambda one: str(one.number), lambda one: one.run_id[: len(name)]):
            for status in known:
                if of_this_name(status) == name:
                    return status
        there = [str(status.number) for status in known]
        raise UnknownNameError("run", name, there, "" if known else f"; {nothing}")

    def targets(self, names: list[str], *, again: bool = True) -> tuple[list[str], object]:
        """What to run: what these names mean; without any, what ran last if that failed, else
        `Workspace.default_target`.

        Args:
            names: what to run.
            again: whether it may be what ran last.

        Returns:
            the names, and the target for them.

        Raises:
            UsageError: there is nothing to run, or it is not clear what is meant.
        """
        chosen = [self.spelled(name) for name in names] or (self._unfinished() if again else [])
        chosen = chosen or [self.workspace.default_target()]
        values = [self._target(name) for name in chosen]
        return chosen, values[0] if len(values) == 1 else values

    def _target(self, name: str) -> Any:
        """What a name means, or ``t[17]``, an item of what it means."""
        item = _ITEM.fullmatch(name)
        if item is None or name in self.workspace.meanings():
            return self._whole(name)
        whole = self._whole(item[1])
        try:
            return whole[int(item[2])]
        except (LookupError, TypeError, UsageError):
            size = f" has {len(whole)}, from 0" if isinstance(whole, Sequence) else " has none such"
            raise UnknownNameError("item", name, (), f"; {item[1]}{size}") from None

    def _whole(self, name: str) -> Any:
        """What a name means; or, for what has none, the id or the label of a node: ``map(train)``.

        Raises:
            UnknownNameError, TargetError, DroppedNameError: as `Workspace.target`.
        """
        try:
            return self.workspace.target(name)
        except UnknownNameError:
            here = self.workspace.overview()
            nodes = [] if here is None else [n for n in here.nodes if name in (n.id, n.called)]
            if len(nodes) != 1:
                raise
            return nodes[0].lazy

    def meaning(self, name: str) -> tuple[Any, str]:
        """What there is to run under a name, an id or a label, or as an item of a container; None
        where nothing is. For an item of what is one node: that node, and which item, ``[17]``.

        Raises:
            UnknownNameError: a container has no such item.
        """
        item = _ITEM.fullmatch(name)
        if item is not None:
            whole, _ = self.meaning(item[1])
            if isinstance(whole, Lazy):
                return whole, f"[{item[2]}]"
            return (None if whole is None else self._target(name)), ""
        try:
            return self._whole(name), ""
        except UsageError:
            return None, ""

    def spelled(self, name: str) -> str:
        """`name` as Python spells it, to which ``ﬁt`` and ``fit`` are one, where that is known."""
        if name.isascii():
            return name
        here, python = self.workspace, normalize("NFKC", name)
        known = python in here.namespace or python in here.chains or python in here.definitions
        return python if known else name

    def _unfinished(self) -> list[str]:
        """What ran last, if it came to no value and is still there."""
        outcome = None if self.latest is None else self.latest.outcome
        known = self.workspace.meanings()
        again = outcome in (Phase.FAILED, Phase.CANCELLED)
        return self.asked if again and all(name in known for name in self.asked) else []

    def bind_failed(self, line: str) -> None:
        """Bind the latest run where the cell that runs was to, as in `run = %cascade run x --wait`.

        What raises binds nothing, and the name would go on to mean an older run. `line` is what
        stands behind the magic that failed.
        """
        for found in _ASSIGNED.finditer(running_cell(self.shell).text):
            if self.latest is not None and found[2].split() == line.split():
                self.shell.user_ns[found[1]] = self.latest

    def scope(self, text: str | None, *, items: bool = False) -> Scope:
        """A scope out of its text, or a clear bare name of a task, node or, with `items`, an item.

        Raises:
            ConstraintError: there is no such scope, or a bare name can mean two things.
            UsageError: it is of a run that is over.
        """
        if text is None:
            return GLOBAL
        scope = read_scope(self.spelled(text), self._graphs(), items=items)
        if not scope.of_run:
            return scope
        try:  # people know a run by its number
            return scope.of_that_run(self.live_run(scope.of_run).id)
        except UnknownNameError:
            return scope

    def short_scope(self, text: str) -> str:
        """The shortest text that means this scope here; quick, since it may be asked for often."""
        kind, _, value = text.partition(":")
        name = value.partition("[")[0] if kind == "node" else value  # or an item, to be resumed
        if kind in ("task", "node") and name.isidentifier() and value not in KINDS:
            is_node = isinstance(self.shell.user_ns.get(name), Lazy)
            if is_node == (kind == "node"):
                return value
        return text

    def task_names(self) -> set[str]:
        """The names of tasks that are defined here or part of a run."""
        defined = {task.name for task in self.workspace.tasks().values()}
        return defined.union(*({node.task_name for node in one.nodes} for one in self._graphs()))

    def tags(self) -> set[str]:
        """The tags of nodes that are defined here or part of a run."""
        here = self.workspace.overview()
        graphs = [*self._graphs(), *([here] if here is not None else [])]
        return {tag for graph in graphs for node in graph.nodes for tag in node.options.tags}

    def node_names(self) -> set[str]:
        """The names of nodes that are defined here or part of a run."""
        return node_names(self._graphs())

    def _graphs(self) -> list[Graph]:
        return [run.graph for run in self.live_runs()]
