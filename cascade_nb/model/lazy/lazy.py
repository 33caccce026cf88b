"""One call of a task, not run yet.

A lazy value is immutable: every `.with_…` gives a new one. It compares and hashes by identity,
because two calls of one function are two pieces of work even when their arguments are equal.
Operators on it give further lazy values; every other use of it as a value is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cascade_nb.errors import LazyValueError, PolicyError, UsageError
from cascade_nb.model.lazy.operators import Operators, unpacked
from cascade_nb.model.lazy.refusals import Refusals, refuse_change
from cascade_nb.model.lazy.value_lookup import looked_up
from cascade_nb.model.options.caching import checked_cache
from cascade_nb.model.options.options import (
    NO_ELSE,
    PLAIN,
    Options,
    Retry,
    checked_name,
    checked_needs,
    checked_timeout,
)
from cascade_nb.model.pickling import reduced_lazy

if TYPE_CHECKING:
    from cascade_nb.model.tasks.task import Task

Self = TypeVar("Self", bound="Lazy")
T_co = TypeVar("T_co", covariant=True)


class Lazy(Refusals, Operators):
    """What every lazy value can do: say how it is to be run, and refuse to be used as a value.

    Attributes:
        identity: stands for it, and for no other, in dictionaries of this package.
        inputs: the lazy values that it reads, each once, in the order of its arguments.
        options: what is asked for it beyond its function.
    """

    __slots__ = ("__weakref__", "identity", "inputs", "options")

    identity: object
    inputs: tuple[Lazy, ...]
    options: Options

    @property
    def label(self) -> str:
        """How it is called where a person reads it."""
        raise LazyValueError(f"a bare {type(self).__name__} stands for nothing")

    @property
    def value(self) -> Any:
        """The result that stands for it, as an earlier run made it; nothing is computed.

        Raises:
            LazyValueError: none stands; the message says why.
            StateError: where results are kept cannot be read.
        """
        return looked_up(self)

    def _with(self: Self, options: Options) -> Self:
        """A copy that differs in its options only."""
        raise LazyValueError(f"{self.label} takes no options")

    def named(self: Self, name: str) -> Self:
        """The same under a name of its own, which the graph, the panel and `node:` scopes show.

        Raises:
            UsageError: the name is empty, too long, or has '/', '#' or '+' in it.
        """
        return self._with(self.options.but(name=checked_name(name)))

    def tagged(self: Self, *tags: str) -> Self:
        """The same with tags added, for `tag:` scopes and the eye.

        Raises:
            UsageError: a tag is empty, too long, or has '/', '#' or '+' in it.
        """
        added = {checked_name(tag, "tag") for tag in tags}
        return self._with(self.options.but(tags=self.options.tags | added))

    def after(self: Self, *others: Lazy) -> Self:
        """The same, started only when `others` are done, though it reads none of their results.

        A skipped one counts as done; a failed one does not. What it comes after is part of what its
        result stands on, and when one of `others` runs in a run, it runs too.

        Raises:
            UsageError: one of `others` is no lazy value.
        """
        for other in others:
            if not isinstance(other, Lazy):
                raise UsageError(
                    ".after() takes lazy values, the results of task calls, not the "
                    f"{type(other).__name__} {other!r:.60}"
                )
        return self._with(self.options.but(after=self.options.after + others))

    def run_if(self: Self, condition: Any, otherwise: Any = NO_ELSE) -> Self:
        """The same, run only if `condition` is true, else skipped.

        The condition is looked at first: what only a skipped node needs does not run either. What
        reads a skipped node is skipped too, unless its parameter has a default. A result that an
        earlier run kept stands only where the condition is true now.

        Args:
            condition: a lazy value, whose result is asked for its truth, or a plain value.
            otherwise: the result where the condition is false, instead of being skipped: a plain
                value, or lazy ones, which then run only for that.

        Example:
            >>> cs.run(report.run_if(False, otherwise="no report today"))
            'no report today'
        """
        settled = condition if isinstance(condition, Lazy) else bool(condition)
        otherwise = NO_ELSE if settled is True else otherwise
        return self._with(self.options.but(condition=settled, otherwise=otherwise))

    def with_retry(
        self: Self,
        max_attempts: int = 3,
        delay: float = 0.0,
        backoff: float = 1.0,
        jitter: float = 0.0,
        on: type[BaseException] | tuple[type[BaseException], ...] = (Exception,),
    ) -> Self:
        """The same, tried up to `max_attempts` times in all; see `Retry` for the rule of the waits.

        On a mapped result each item is tried for itself.

        Raises:
            PolicyError: a number that makes no sense, or `on` is no exception class.

        Example:
            >>> cs.run(report.with_retry(3, delay=0.5, backoff=2, on=OSError))  # waits 0.5 s, 1 s
            3
        """
        kinds = on if isinstance(on, tuple) else (on,)
        return self._with(
            self.options.but(retry=Retry(max_attempts, delay, backoff, jitter, kinds))
        )

    def with_timeout(self: Self, seconds: float) -> Self:
        """The same, failed with `TaskTimeoutError` when one attempt takes longer than `seconds`.

        An async task is cancelled. A thread cannot be stopped: it is reported as still running, and
        its late result is dropped. On a mapped result the time counts for each item.

        Raises:
            PolicyError: `seconds` is no finite number above zero.
        """
        return self._with(self.options.but(timeout=checked_timeout(seconds)))

    def with_cache(
        self: Self,
        *,
        ttl: float | str | None = None,
        files: Any = None,
        version: str | int | None = None,
        reuse: bool | None = None,
    ) -> Self:
        """The same, with rules for when its kept result stands; what is not given stays as it was.

        Args:
            ttl: seconds, or text such as "90s", "10m", "1h30m" or "1d". An older result counts as
                absent, and with it what was made of it.
            files: paths and globs whose files it reads though no argument says so. When one of
                them comes, goes or is written, its result counts as absent.
            version: change it to say that the result means something new.
            reuse: False for a result that never stands for a new run.

        Raises:
            PolicyError: a length of time, a path, a version or a `reuse` that makes no sense.

        Example:
            >>> daily = report.with_cache(ttl="1d", files="data/*.csv")
        """
        if reuse is not None and not isinstance(reuse, bool):
            raise PolicyError(f"reuse is True or False, not {reuse!r:.60}")
        options = self.options
        return self._with(
            options.but(
                cache=checked_cache(options.cache, ttl, files, version),
                reuse=options.reuse if reuse is None else reuse,
            )
        )

    def with_constraints(self: Self, **resources: Any) -> Self:
        """The same, started only while so much of each of the engine's `system_resources` is free.

        Args:
            resources: amount by resource name, e.g. ``gpu=1``; a lazy amount is computed first.

        Raises:
            PolicyError: an amount is negative or no number.
        """
        needs = checked_needs(resources, Lazy)
        return self._with(self.options.but(needs={**self.options.needs, **needs}))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced_lazy(self)

    def __repr__(self) -> str:
        name = f" as {self.options.name!r}" if self.options.name else ""
        return f"<lazy {self.label}{name}>"


class CallFields(Lazy):
    """The fields of a `LazyResult` while it is being filled; see `lazy_call`."""

    __slots__ = ("args", "kwargs", "nested", "task")

    def __init__(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: tuple[Lazy, ...],
        nested: bool,
        options: Options,
    ) -> None:
        self.identity = object()
        self.task = task
        self.args = args
        self.kwargs = kwargs
        self.inputs = inputs
        self.nested = nested
        self.options = options


class LazyResult(CallFields, Generic[T_co]):
    """One call of a task, not run yet; immutable. ``cs.run(x)`` gives its value.

    Attributes:
        task: what was called.
        args, kwargs: with what; lazy values stand where their results will.
        nested: whether a lazy value is inside a container among the arguments, or a resource
            injected.
    """

    __slots__ = ()
    __setattr__ = refuse_change
    __delattr__ = refuse_change

    @property
    def label(self) -> str:
        """Its name, or its task's; an operator as it would be written."""
        return self.options.name or self.task.label_of(self.args)

    def __iter__(self) -> Iterator[LazyResult[Any]]:
        """One lazy value for each output of its task, where it says how many it has."""
        count = self.task.outputs
        return super().__iter__() if count is None else iter(unpacked(self, count))

    def _with(self, options: Options) -> LazyResult[T_co]:
        return lazy_call(self.task, self.args, self.kwargs, self.inputs, self.nested, options)


class MapFields(Lazy):
    """The fields of a `MappedLazyResult` while it is being filled."""

    __slots__ = ("collections", "fixed", "nested", "task")

    def __init__(
        self,
        task: Task[..., Any],
        collections: Mapping[str, Any],
        fixed: Mapping[str, Any],
        inputs: tuple[Lazy, ...],
        nested: bool,
        options: Options,
    ) -> None:
        self.identity = object()
        self.task = task
        self.collections = collections
        self.fixed = fixed
        self.inputs = inputs
        self.nested = nested
        self.options = options


class MappedLazyResult(MapFields, Generic[T_co]):
    """A task mapped over collections; its result is the list of the items' results, in order.

    Attributes:
        task: what is called for each item.
        collections: by parameter, what is gone through; lazy ones expand when they are known.
        fixed: by parameter, what is the same for every item.
    """

    __slots__ = ()
    __setattr__ = refuse_change
    __delattr__ = refuse_change

    @property
    def label(self) -> str:
        """`map(<task>)`, whatever its name."""
        return f"map({self.task.name})"

    def _with(self, options: Options) -> MappedLazyResult[T_co]:
        return lazy_map(self.task, self.collections, self.fixed, self.inputs, self.nested, options)


def lazy_call(
    task: Task[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    inputs: tuple[Lazy, ...],
    nested: bool,
    options: Options = PLAIN,
) -> LazyResult[Any]:
    """A `LazyResult` of these fields.

    It is filled as a plain object and then given its immutable class: a third of the time that
    calls of `object.__setattr__` take, and graphs have many nodes. (Once there is an audit hook,
    which a run brings, Python tells it of that, and it is no slower than the calls would be.)
    """
    draft = CallFields(task, args, kwargs, inputs, nested, options)
    draft.__class__ = LazyResult
    return draft  # type: ignore[return-value]


def lazy_map(
    task: Task[..., Any],
    collections: Mapping[str, Any],
    fixed: Mapping[str, Any],
    inputs: tuple[Lazy, ...],
    nested: bool,
    options: Options,
) -> MappedLazyResult[Any]:
    """A `MappedLazyResult` of these fields."""
    draft = MapFields(task, collections, fixed, inputs, nested, options)
    draft.__class__ = MappedLazyResult
    return draft  # type: ignore[return-value]
