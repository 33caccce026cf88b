"""Groups the nodes of a run by task and options, to look these up once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

from cascade_nb.control.gates import Subject
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.errors import UsageError
from cascade_nb.graph.effects.effects import NONE, PYPLOT, effects_of
from cascade_nb.graph.effects.unseen import Mentions
from cascade_nb.graph.graph import FREE, Graph, Node
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.model.options.pause_condition import PauseIf
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.resources import Injected
from cascade_nb.model.tasks.operations import Operation


class Place(NamedTuple):
    """Where bodies of sync tasks run.

    Attributes:
        key: by which the engine finds it: "thread", "processes", or one of its own making.
        remote: whether that is in other processes.
        executor: what is there, where it is somebody's own: as long as this is held, it is there.
    """

    key: str
    remote: bool
    executor: Any = None


THREADS: Final = Place("thread", False)
PROCESSES: Final = Place("processes", True)
_ON_LOOP: Final = frozenset({"async", "inline"})
#: Queues of which no worker of an executor takes anything.
NO_WORKERS: Final = frozenset({None, *_ON_LOOP})


def place_by_name(task: AnyTask) -> Place:
    """Where a task runs that says so by name."""
    return PROCESSES if task.executor == "processes" else THREADS


class Spent(NamedTuple):
    """What the attempts of a task took: how many there were, the seconds of all and of the longest,
    and of those in processes the seconds of the processor and the most bytes at a peak.
    """

    attempts: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    cpu: float = 0.0
    memory: int = 0


class TaskGroup:
    """The nodes of one task with the same options in one run.

    Attributes:
        name: the task's name.
        queue: "async", "inline", or the key of a place; None for what has no body of its own.
        remote: whether it runs in other processes.
        options: what was asked for them.
        subject: what scopes ask of them.
        light: whether an attempt needs no more than its call: no retry, no timeout, no resources,
            no look at files.
        by_size: whether its nodes run inline only where what they are given is tiny.
        files: paths and globs that count whether they are opened or not.
        mentions: what its code mentions that may be files, where it reads some in a way that is not
            seen.
        times, seconds: how many attempts succeeded, and how long they took together.
        failed, lost: how many did not, and how long they took together.
        longest: how long the longest of all took.
        cpu, memory: what those in processes used: seconds of the processor, and bytes at the peak
            of the largest.
    """

    __slots__ = (
        "by_size",
        "cpu",
        "failed",
        "files",
        "light",
        "longest",
        "lost",
        "memory",
        "mentions",
        "name",
        "options",
        "queue",
        "remote",
        "seconds",
        "subject",
        "times",
    )

    def __init__(
        self,
        name: str,
        queue: str | None,
        options: Options,
        subject: Subject,
        mentions: Mentions | None = None,
        remote: bool = False,
    ) -> None:
        self.name = name
        self.queue = queue
        self.remote = remote
        self.options = options
        self.subject = subject
        self.files = () if options.cache is None else options.cache.files
        self.mentions = mentions if options.track_files else None
        needs = options.retry or options.timeout is not None or options.needs or self.files
        self.light = not needs and self.mentions is None
        self.by_size = False
        self.times = 0
        self.seconds = 0.0
        self.failed = 0
        self.lost = 0.0
        self.longest = 0.0
        self.cpu = 0.0
        self.memory = 0


class TaskGroups:
    """The kind of each node of a run.

    Args:
        run_id: the run's identity.
        graph: what runs.
        above: what scopes ask of the task that started the run, if one did.
        on: where sync tasks run that do not say it.
        place_of: gives where a task runs that does.

    Attributes:
        of: by index.
        use_pyplot: whether the code of any of them uses pyplot.
        plain: by index of the graph's own nodes, whether it goes straight from ready to its queue.
    """

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        above: Subject | None = None,
        on: Place = THREADS,
        place_of: Callable[[AnyTask], Place] = place_by_name,
    ) -> None:
        self._run_id = run_id
        self._on = on
        self._place_of = place_of
        self._above = above
        self._known: dict[tuple[object, ...], TaskGroup] = {}
        self.use_pyplot = False
        self.of: list[TaskGroup] = []
        task: object = None
        options: Options | None = None
        for node in graph.nodes:
            lazy = node.lazy
            # Most nodes are of the kind of the one before, and one look tells.
            if task is None or node.task is not task or lazy.options is not options or lazy.nested:
                kind = self.kind_of(node)
                task = None if node.task is None or lazy.nested else node.task
                options = lazy.options
            self.of.append(kind)
        self.plain: list[bool] = [
            node.control is FREE and node.lazy.__class__ is LazyResult for node in graph.nodes
        ]

    @property
    def all(self) -> list[TaskGroup]:
        """Each of them once."""
        return list(self._known.values())

    def kind_of(self, node: Node) -> TaskGroup:
        """The kind of a node."""
        options = node.lazy.options
        injects = _injects(node.lazy)
        key = (node.task or type(node.lazy), injects, _asked_alike(options))
        kind = self._known.get(key)
        if kind is None:
            queue, remote, _ = self._queue_of(node)
            effects = NONE if node.task is None else effects_of(node.task)
            apart = options.shares_process or remote
            states = NONE.states if apart else effects.states
            self.use_pyplot |= PYPLOT in states
            subject = Subject(
                self._run_id,
                node.task_name,
                options.tags,
                self._above,
                states,
                options.pause_before,
                options.pause_if,
            )
            kind = TaskGroup(node.task_name, queue, options, subject, effects.mentions, remote)
            self._known[key] = kind
            kind.by_size = isinstance(node.task, Operation)
        needs_attempt = (
            options.timeout is not None
            or PYPLOT in kind.subject.states
            or kind.files
            or kind.mentions is not None
        )
        if kind.queue == "inline" and (needs_attempt or injects):
            return self.in_thread(kind)
        return kind

    def _queue_of(self, node: Node) -> tuple[str | None, bool, Any]:
        """Where a node runs, as a `Place` says it.

        Raises:
            UsageError: it is to run in a process, and is given a resource of this one.
        """
        task = node.task
        if task is None or task.executor in _ON_LOOP:
            return None if task is None else task.executor, False, None
        place = self._place_of(task) if task.says_where else self._on
        if not place.remote or not _injects(node.lazy):
            return place
        if not task.says_where:
            return THREADS
        raise UsageError(
            f"{node.label} is to run in a process, and the resource that it takes lives in this "
            f"one: open it inside of the task, or leave out executor={_said(task)}"
        )

    def add(self, node: Node, index: int) -> None:
        """A node that was not in the graph from the start, at `index`."""
        kind = self.kind_of(node)
        if index == len(self.of):
            self.of.append(kind)
        else:
            self.of[index] = kind

    def add_items(self, expansion: Expansion) -> TaskGroup:
        """The items of a mapped node; gives their kind."""
        kind = self.kind_of(expansion.node)
        if kind.queue == "inline" and expansion.injects:
            kind = self.in_thread(kind)
        self.of.extend([kind] * expansion.count)
        return kind

    def timings(self) -> dict[str, tuple[int, float]]:
        """By task name, how many attempts succeeded and how long they took together, in seconds."""
        found: dict[str, tuple[int, float]] = {}
        for kind in self._known.values():
            if kind.times:
                times, seconds = found.get(kind.name, (0, 0.0))
                found[kind.name] = (times + kind.times, seconds + kind.seconds)
        return found

    def spent(self) -> dict[str, Spent]:
        """By task name, what its attempts took."""
        found: dict[str, Spent] = {}
        for kind in self._known.values():
            attempts, seconds, longest, cpu, memory = found.get(kind.name, Spent())
            found[kind.name] = Spent(
                attempts + kind.times + kind.failed,
                seconds + kind.seconds + kind.lost,
                max(longest, kind.longest),
                cpu + kind.cpu,
                max(memory, kind.memory),
            )
        return found

    def in_thread(self, kind: TaskGroup) -> TaskGroup:
        """The same for nodes that cannot run inline: a slice on the loop can neither wait for a
        resource nor stop in time, nor do much, and what runs there has no figures of its own.
        """
        key = (kind, _IN_THREAD)
        if key not in self._known:
            self._known[key] = TaskGroup(
                kind.name, "thread", kind.options, kind.subject, kind.mentions
            )
        return self._known[key]


_IN_THREAD: Final = -1
_PLAIN: Final = ("plain",)


def _asked_alike(options: Options) -> tuple[object, ...]:
    """What options ask for that makes a kind; what each node has for itself, such as its name, does
    not. Thousands of calls may each have said the same anew, and a kind each would cost whoever
    counts them. Objects of users count by identity: the kind holds them.
    """
    if options is PLAIN:
        return _PLAIN
    flags = options.track_files, options.shares_process, options.suspend, options.pause_before
    retry, cache, condition = options.retry, options.cache, options.pause_if
    asked = (
        None if retry is None else (*_numbers_of(retry), *map(id, retry.on)),
        None if cache is None else (cache.ttl, cache.files, cache.version),
        tuple((name, *_amount(one)) for name, one in options.needs.items()),
        None if condition is None else _condition(condition),
    )
    return (options.tags, options.timeout, options.priority, *flags, *asked)


def _numbers_of(retry: Retry) -> tuple[object, ...]:
    kind = None if type(retry) is Retry else id(retry)  # a class of the user's own may add to it
    return kind, retry.max_attempts, retry.delay, retry.backoff, retry.jitter, retry.max_delay


def _amount(one: Any) -> tuple[object, ...]:
    return (None, one) if type(one) in (int, float) else (id(one),)


def _condition(pause_if: PauseIf) -> tuple[int, ...]:
    """A function that is written in a call is another one each time, of the same code."""
    if type(pause_if) is not FunctionType or pause_if.__defaults__ or pause_if.__kwdefaults__:
        return (id(pause_if),)
    cells = pause_if.__closure__ or ()
    return (id(pause_if.__code__), id(pause_if.__globals__), *map(id, cells))


def _said(task: AnyTask) -> str:
    return repr(task.executor) if task.given is None else "…"


def _injects(lazy: Lazy) -> bool:
    if isinstance(lazy, MappedLazyResult):
        return any(type(value) is Injected for value in lazy.fixed.values())
    return (
        isinstance(lazy, LazyResult)
        and lazy.nested
        and any(type(value) is Injected for value in (*lazy.args, *lazy.kwargs.values()))
    )
