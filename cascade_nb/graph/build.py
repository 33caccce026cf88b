"""Builds a graph from a target: each lazy value that the target needs becomes one node."""

from __future__ import annotations

from typing import Any, Protocol

from cascade_nb.errors import CycleError, TargetError, TaskCallError
from cascade_nb.graph.graph import FREE, Control, Graph, Node
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.arguments.inputs import OutOfReachError, scan
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import Param
from cascade_nb.model.routing import Router
from cascade_nb.model.tasks.task import Task
from cascade_nb.model.upstream import otherwise_of, upstream_of

_OPEN = -1
_SHOWN = 80  # characters of what is no target


class Bindings(Protocol):
    """What names mean now, where lazy values were given names that may be bound anew."""

    @property
    def version(self) -> int:
        """It grows whenever a name may have come to mean something else."""
        ...

    def current(self, lazy: Lazy) -> Lazy:
        """What stands today where `lazy` was written.

        Raises:
            DroppedNameError: its name was dropped.
        """
        ...

    def current_task(self, task: AnyTask) -> AnyTask:
        """The task of this name as it is defined today."""
        ...

    def name_of(self, lazy: Lazy) -> str | None:
        """The name that is bound to `lazy`."""
        ...

    def is_lost(self, lazy: Lazy) -> bool:
        """Whether `lazy` stands only for a name that means nothing any more: what it once read is
        not followed then, since names that it read may have come to read it.
        """
        ...


def build_graph(target: Any, bindings: Bindings | None = None) -> Graph:
    """The graph of everything that `target` needs.

    It walks with a stack of its own, so the depth of a graph is not bounded by Python's.

    Args:
        target: a lazy value, or lists, tuples, dicts, sets or dataclasses that hold some.
        bindings: what names mean now; without it, what was written is what is meant.

    Returns:
        A `Graph`; nothing runs.

    Raises:
        TargetError: there is no lazy value in `target`.
        CycleError: a node needs itself, which only bindings can bring about.
        DroppedNameError: a node reads a name that was dropped.
        TaskCallError: a task was redefined and an earlier call does not fit it any more.

    Example:
        >>> [node.id for node in cs.build_graph(report).nodes]
        ['size', 'fetch#1', 'report']
    """
    try:
        wanted, _ = scan((target,))
    except OutOfReachError as error:
        raise TargetError(error.told("the target")) from None
    if not wanted:
        if isinstance(target, Task):
            fix = f"call the task: {target.name}(…)"
        else:
            fix = "a target is what calling a task gives, or a container of such"
        what = repr(target) if isinstance(target, Task) else short_repr(target, _SHOWN)
        raise TargetError(f"{what} is no lazy value, so there is nothing to run; {fix}")
    builder = _Builder(bindings)
    for lazy in wanted:
        builder.add(builder.now(lazy))
    targets = tuple(dict.fromkeys(builder.place[builder.now(lazy).identity] for lazy in wanted))
    return Graph(builder.nodes, targets, target, builder.place)


class _Builder:
    def __init__(self, bindings: Bindings | None) -> None:
        self.bindings = bindings
        self.nodes: list[Node] = []
        self.place: dict[object, int] = {}
        self.counts: dict[str, int] = {}

    def now(self, lazy: Lazy) -> Lazy:
        """What stands today where `lazy` was written."""
        if self.bindings is None:
            return lazy
        current = self.bindings.current(lazy)
        if current is not lazy and current.identity in self.place:
            self.place[lazy.identity] = self.place[current.identity]
        return current

    def add(self, root: Lazy) -> None:
        """Make nodes of `root` and of what it needs, deepest first."""
        place, bindings, nodes, counts = self.place, self.bindings, self.nodes, self.counts
        stack = [root]
        while stack:
            lazy = stack[-1]
            own = lazy.identity
            if place.get(own, _OPEN) >= 0:
                stack.pop()
                continue
            place[own] = _OPEN
            ready = True
            options = lazy.options
            if bindings is not None and bindings.is_lost(lazy):
                stack.pop()
                self._make(lazy, lost=True)
                continue
            needed = (
                lazy.inputs if options.plain and type(lazy) is not Router else upstream_of(lazy)
            )
            for read in needed if len(needed) < 2 else reversed(needed):
                other = read if bindings is None else bindings.current(read)
                index = place.get(other.identity)
                if index is None:
                    stack.append(other)
                    ready = False
                elif index == _OPEN:
                    # Open and not finished: it stands below on the way to here, since siblings are
                    # opened one after the other.
                    raise CycleError(self._way_back(stack, other))
            if not ready:
                continue
            stack.pop()
            if lazy.__class__ is not LazyResult or not options.plain or bindings is not None:
                self._make(lazy)
                continue
            # What `_make` does, for nearly every node of a large graph.
            if not needed:
                inputs: tuple[int, ...] = ()
            elif len(needed) == 1:
                inputs = (place[other.identity],)
            else:
                inputs = tuple([place[other.identity] for other in needed])
            base = options.name or lazy.task.name
            counts[base] = ordinal = counts.get(base, 0) + 1
            place[own] = index = len(nodes)
            nodes.append(Node(index, lazy, lazy.task, inputs, options.name, ordinal))

    def _make(self, lazy: Lazy, *, lost: bool = False) -> None:
        """The node of `lazy`, whose inputs have theirs; that of a lost one reads nothing."""
        task = self._task(lazy)
        name = self._name(lazy)
        inputs = () if lost else self._inputs(lazy)
        routed = isinstance(lazy, Router)
        free = lost or (lazy.options.plain and not routed)
        control = FREE if free else self._control(lazy)
        base = name or (task.name if task is not None else type(lazy).__name__)
        self.counts[base] = ordinal = self.counts.get(base, 0) + 1
        nodes = self.nodes
        self.place[lazy.identity] = index = len(nodes)
        nodes.append(Node(index, lazy, task, inputs, name, ordinal, control))

    def _name(self, lazy: Lazy) -> str | None:
        if isinstance(lazy, Param):
            return lazy.name
        bound = self.bindings.name_of(lazy) if self.bindings is not None else None
        return bound or lazy.options.name

    def _inputs(self, lazy: Lazy) -> tuple[int, ...]:
        needs = [amount for amount in lazy.options.needs.values() if isinstance(amount, Lazy)]
        # A dict, because two names may have come to mean the same value.
        return tuple(dict.fromkeys(self._index(other) for other in (*lazy.inputs, *needs)))

    def _index(self, lazy: Lazy) -> int:
        return self.place[self.now(lazy).identity]

    def _control(self, lazy: Lazy) -> Control:
        options = lazy.options
        condition = options.condition
        is_lazy = isinstance(condition, Lazy)
        routes = lazy.routes.values() if isinstance(lazy, Router) else ()
        return Control(
            after=tuple(dict.fromkeys(self._index(other) for other in options.after)),
            condition=self._index(condition) if is_lazy else None,
            wanted=True if is_lazy else bool(condition),
            routes=tuple(
                [self._index(route) if isinstance(route, Lazy) else None for route in routes]
            ),
            follows=tuple(dict.fromkeys(self._index(other) for other in options.follows)),
            otherwise=tuple(dict.fromkeys(map(self._index, otherwise_of(lazy)))),
        )

    def _task(self, lazy: Lazy) -> AnyTask | None:
        if not isinstance(lazy, (LazyResult, MappedLazyResult)):
            return None
        written: AnyTask = lazy.task
        if self.bindings is None:
            return written
        task = self.bindings.current_task(written)
        if task is not written:
            try:
                if isinstance(lazy, LazyResult):
                    task.check(lazy.args, lazy.kwargs)
                else:
                    task.check(*task.placed({**lazy.fixed, **lazy.collections}))
            except TaskCallError as error:
                called = self._name(lazy) or lazy.label
                raise TaskCallError(
                    f"{called} calls {written.name} as it was before it was redefined: {error}; "
                    "run the cell of that call again"
                ) from None
        return task

    def _way_back(self, stack: list[Lazy], end: Lazy) -> list[str]:
        """Names from `end` to `end`, each reading the next."""
        way = [lazy for lazy in stack if self.place.get(lazy.identity) == _OPEN]
        return [self._name(lazy) or lazy.label for lazy in (*way[way.index(end) :], end)]
