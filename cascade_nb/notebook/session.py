"""What the magics of one shell share."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize
from weakref import WeakSet

from cascade_nb.control.constraint import KINDS, Constraint, Scope, parse_scope
from cascade_nb.defaults import default_engine
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.run import Run
from cascade_nb.engine.status import NodeState
from cascade_nb.errors import ConstraintError, UnknownNameError, UsageError, nearest
from cascade_nb.model.lazy import Lazy
from cascade_nb.notebook.shell import Shell
from cascade_nb.notebook.workspace import Workspace


class Session:
    """One notebook at work: its names, and the runs that were started from it.

    Attributes:
        shell: IPython's.
        workspace: the names that its cells defined.
        latest: the run that a magic started last.
        shown_in: that run, and the number of the cell that has its panel.
        done: ids of named nodes that a run was through with.
    """

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.workspace = Workspace(shell.user_ns)
        self.latest: Run | None = None
        self.shown_in: tuple[Run, int] | None = None
        self.done: set[str] = set()
        self._noticed: WeakSet[Run] = WeakSet()

    @property
    def engine(self) -> Engine:
        """What runs are started on."""
        return default_engine()

    @property
    def params(self) -> dict[str, Any]:
        """Parameters as runs were given them last."""
        return self.engine.given

    @property
    def engines(self) -> list[Engine]:
        """All of this process: what holds one holds them all, as `cs.pause` does."""
        others = [engine for engine in Engine.alive() if engine is not self.engine]
        return [self.engine, *others]

    def constraints(self) -> dict[tuple[Scope, str], Constraint]:
        """What is in force, by scope and type."""
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
        for node in run.graph.nodes:
            if node.name is not None and states[node.index] in (NodeState.DONE, NodeState.REUSED):
                self.done.add(node.id)

    def live_runs(self) -> list[Run]:
        """Those that are not over, the newest of each engine first."""
        return [run for engine in self.engines for run in reversed(engine.runs)]

    def runs(self) -> list[Run]:
        """Those that are not over, and the one started last by a magic."""
        live = self.live_runs()
        return [*live, *([self.latest] if self.latest and self.latest not in live else [])]

    def run_named(self, name: str | None, *, live: bool = False) -> Run:
        """The run of this number or id; without one, the only one there is to mean.

        Args:
            live: whether it must not be over.

        Raises:
            UsageError: there is none, or more than one can be meant.
            UnknownNameError: there is no such run.
        """
        known = [run for run in self.runs() if not (live and run.done())]
        nothing = "nothing is running" if live else "nothing was run yet; `%cascade run` starts"
        if name is not None:
            for run in known:
                if name in (str(run.number), run.id):
                    return run
            advice = "" if known else f"; {nothing}"
            raise UnknownNameError("run", name, [str(run.number) for run in known], advice)
        if not known:
            raise UsageError(nothing)
        if live and len(known) > 1:
            names = ", ".join(f"{run.number} ({run.graph.title})" for run in known)
            raise UsageError(f"several runs go on, so say which by its number: {names}")
        return known[0]

    def targets(self, names: list[str]) -> tuple[list[str], object]:
        """What to run: what these names mean, else `Workspace.default_target`.

        Returns:
            the names, and the target for them.

        Raises:
            UsageError: there is nothing to run, or it is not clear what is meant.
        """
        chosen = [self.spelled(name) for name in names] or [self.workspace.default_target()]
        values = [self.workspace.target(name) for name in chosen]
        return chosen, values[0] if len(values) == 1 else values

    def spelled(self, name: str) -> str:
        """`name` as Python spells it, to which ``ﬁt`` and ``fit`` are one, where that is known."""
        if name.isascii():
            return name
        here, python = self.workspace, normalize("NFKC", name)
        known = python in here.namespace or python in here.chains or python in here.definitions
        return python if known else name

    def scope(self, text: str | None) -> Scope:
        """A scope out of its text; the bare name of a task or node is one too, where it is clear.

        Raises:
            ConstraintError: there is no such scope, or a bare name can mean two things.
        """
        if text is None or ":" in text or text in KINDS:
            return parse_scope(text if text is not None else "global")
        text = self.spelled(text)
        tasks, nodes = self.task_names(), self.node_names()
        as_task = Scope("task", text)
        is_task = any(as_task.matches(name) for name in tasks)
        if is_task and text in nodes:
            raise ConstraintError(f"{text!r} is a task and a node; say task:{text} or node:{text}")
        if is_task:
            return as_task
        if text in nodes:
            return Scope("node", text)
        raise ConstraintError(
            f"there is no scope, task or node {text!r}{nearest(text, [*KINDS, *tasks, *nodes])}; a "
            "scope is global, task:…, tag:…, node:…, from:… or run:…"
        )

    def short_scope(self, text: str) -> str:
        """The shortest text that means this scope here; quick, since it may be asked for often."""
        kind, _, value = text.partition(":")
        if kind in ("task", "node") and value.isidentifier() and value not in KINDS:
            is_node = isinstance(self.shell.user_ns.get(value), Lazy)
            if is_node == (kind == "node"):
                return value
        return text

    def task_names(self) -> set[str]:
        """The names of tasks that are defined here or part of a run."""
        defined = {task.name for task in self.workspace.tasks().values()}
        return defined.union(
            *({node.task_name for node in run.graph.nodes} for run in self.live_runs())
        )

    def tags(self) -> set[str]:
        """The tags of nodes that are defined here or part of a run."""
        graphs = [run.graph for run in self.live_runs()]
        here = self.workspace.overview()
        if here is not None:
            graphs.append(here)
        return {tag for graph in graphs for node in graph.nodes for tag in node.options.tags}

    def node_names(self) -> set[str]:
        """The names of nodes that are defined here or part of a run."""
        return set(self.workspace.meanings()).union(
            *({node.name for node in run.graph.nodes if node.name} for run in self.live_runs())
        )
