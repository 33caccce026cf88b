"""The base of all lazy values: what can be asked for one, and what it refuses.

A lazy value is immutable: every `.with_…` gives a new one. It compares and hashes by identity,
because two calls of one function are two pieces of work even when their arguments are equal.
Operators on it give further lazy values; every other use of it as a value is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from cascade_nb.errors import LazyValueError, PolicyError, UsageError
from cascade_nb.model.lazy.condition import checked_condition
from cascade_nb.model.lazy.operators import Operators
from cascade_nb.model.lazy.refusals import Refusals
from cascade_nb.model.lazy.timed import Timed
from cascade_nb.model.lazy.value_lookup import looked_up
from cascade_nb.model.options.caching import Cache, checked_cache
from cascade_nb.model.options.checks import NOTHING, checked_name, checked_needs
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.options.pause_condition import PauseIf
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.pickling import reduced_lazy
from cascade_nb.text import quoted

Self = TypeVar("Self", bound="Lazy")


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked for a call beyond its function and arguments; immutable.

    Attributes:
        name, tags, after, timeout, cache: see `Lazy.named`.
        condition: whether it runs: a bool, or a lazy value that decides.
        needs: amount by name of the engine's `system_resources`.
        reuse, track_files, shares_process, suspend: see `cs.task`.
        priority: of what could start, the higher starts first; None where nothing was said.
        pause_before: whether a run stops before it.
        pause_if: where it does so only on a condition, that.
        follows: the step of a sequence before this one: unlike those of `after`, it also runs when
            this one is skipped, and this one is skipped when it is.
        otherwise: the value where the condition is false; `NO_ELSE` where there is none.
        plain: whether nothing here adds an edge: no order, no condition, no need.
    """

    name: str | None = None
    tags: frozenset[str] = frozenset()
    after: tuple[Lazy, ...] = ()
    condition: Any = True
    retry: Retry | None = None
    timeout: float | None = None
    needs: Mapping[str, Any] = dataclasses.field(default_factory=lambda: NOTHING)
    reuse: bool = True
    track_files: bool = True
    shares_process: bool = False
    suspend: bool = True
    cache: Cache | None = None
    priority: int | None = None
    pause_before: bool = False
    pause_if: PauseIf | None = None
    follows: tuple[Lazy, ...] = ()
    otherwise: Any = NO_ELSE
    plain: bool = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        adds_edges = self.after or self.follows or self.condition is not True or self.needs
        object.__setattr__(self, "plain", not adds_edges)

    def __reduce__(self) -> tuple[Any, ...]:
        """A mapping that nobody can change has no pickle, so an empty one is left out."""
        fields = (f for f in dataclasses.fields(self) if f.init)
        said = {f.name: getattr(self, f.name) for f in fields}
        said["needs"] = dict(said["needs"])
        return _options, (said,)

    def but(self, **changes: Any) -> Options:
        """These options with some of them changed.

        Args:
            changes: by attribute, the new values.

        Returns:
            New options; these stay as they are.

        Example:
            >>> report.options.but(timeout=60.0).timeout
            60.0
        """
        return dataclasses.replace(self, **changes)


PLAIN: Final = Options()


def _options(said: dict[str, Any]) -> Options:
    """What `Options.__reduce__` wrote; the plain ones are always the same object."""
    return shared(Options(**{**said, "needs": said["needs"] or NOTHING}))


def shared(options: Options) -> Options:
    """`options`, or where they ask for nothing the one object that stands for that."""
    # Lazy values in them refuse `==`, and so may the value that stands for a skipped one.
    asked = not options.plain or options.otherwise is not NO_ELSE
    return options if asked or options != PLAIN else PLAIN


class Lazy(Refusals, Operators, Timed):
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

        Example:
            >>> cs.run(report)
            3
            >>> report.value
            3

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

        In a `%%cascade` cell a value that is bound to a name has that one already.

        Args:
            name: 1 to 120 printable characters without '/', '#' and '+'.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            UsageError: `name` is no such text.

        Example:
            >>> fetch(3).named("small")
            <lazy fetch as 'small'>
        """
        return self._with(self.options.but(name=checked_name(name)))

    def tagged(self: Self, *tags: str) -> Self:
        """The same with tags added: `cs.pause("tag:slow")` holds everything that is tagged "slow".

        Args:
            tags: each 1 to 120 printable characters without '/', '#' and '+'.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            UsageError: a tag is no such text.

        Example:
            >>> sorted(report.tagged("slow", "nightly").options.tags)
            ['nightly', 'slow']
        """
        added = {checked_name(tag, "tag") for tag in tags}
        return self._with(self.options.but(tags=self.options.tags | added))

    def after(self: Self, *others: Lazy) -> Self:
        """The same, started only when `others` are done, though it reads none of their results.

        A skipped one counts as done; a failed one does not. What it comes after is part of what its
        result stands on, and when one of `others` runs in a run, it runs too.

        Args:
            others: what calls of tasks gave.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            UsageError: one of `others` is no lazy value.

        Example:
            >>> written = fetch(1)
            >>> cs.run(report.after(written))
            3
        """
        for other in others:
            if not isinstance(other, Lazy):
                raise UsageError(
                    ".after() takes lazy values, the results of task calls, not the "
                    f"{type(other).__name__} {quoted(other)}"
                )
        return self._with(self.options.but(after=self.options.after + others))

    def run_if(self: Self, condition: Any, otherwise: Any = NO_ELSE) -> Self:
        """The same, run only if `condition` is true, else skipped.

        The condition is looked at first: what only a skipped node needs does not run. What reads a
        skipped node is skipped too, unless its parameter has a default.

        Args:
            condition: a lazy value, whose result is asked for its truth, or a plain value.
            otherwise: the result where it is false: a plain value, or lazy ones, run only for that.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            UsageError: it has a condition already, or this is a function that was not called.

        Example:
            >>> cs.run(report.run_if(False, otherwise="no report today"))
            'no report today'
        """
        condition = checked_condition(self, condition)
        otherwise = NO_ELSE if condition is True else otherwise
        return self._with(self.options.but(condition=condition, otherwise=otherwise))

    def with_retry(
        self: Self,
        max_attempts: int = 3,
        delay: float = 0.0,
        backoff: float = 1.0,
        jitter: float = 0.0,
        on: type[BaseException] | tuple[type[BaseException], ...] = (Exception,),
    ) -> Self:
        """The same, tried up to `max_attempts` times in all.

        Attempt *n* is followed, when it fails, by a wait of ``delay * backoff ** (n - 1)`` seconds,
        at most an hour. On a mapped result each item is tried for itself.

        Args:
            max_attempts: all attempts counted, the first included; at least 1.
            delay: seconds before the second attempt.
            backoff: the factor from one wait to the next; at least 1.
            jitter: the part of a wait, 0 to 1, by which it is stretched at random, so that many
                failing tasks do not come back at the same moment.
            on: the exceptions that are worth another attempt; any other fails the task at once.

        Returns:
            A new lazy value; this one stays as it is.

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

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            PolicyError: a length of time, a path, a version or a `reuse` that makes no sense.

        Example:
            >>> daily = report.with_cache(ttl="1d", files="data/*.csv")
        """
        if reuse is not None and not isinstance(reuse, bool):
            raise PolicyError(f"reuse is True or False, not {quoted(reuse)}")
        cache = checked_cache(self.options.cache, ttl, files, version)
        reuse = self.options.reuse if reuse is None else reuse
        return self._with(self.options.but(cache=cache, reuse=reuse))

    def with_constraints(self: Self, **resources: Any) -> Self:
        """The same, started only while so much of each of the engine's `system_resources` is free.

        Args:
            resources: amount by resource name, e.g. ``gpu=1``; a lazy amount is computed first.

        Returns:
            A new lazy value; this one stays as it is.

        Raises:
            PolicyError: an amount is negative or no number.

        Example:
            >>> engine = cs.Engine(system_resources={"gpu": 2})  # on it two of these run at a time:
            >>> dict(report.with_constraints(gpu=1).options.needs)
            {'gpu': 1}
        """
        needs = checked_needs(resources, Lazy)
        return self._with(self.options.but(needs={**self.options.needs, **needs}))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced_lazy(self)

    def __repr__(self) -> str:
        if (name := self.options.name) is None:
            return f"<lazy {self.label}>"
        nameless = self._with(self.options.but(name=None))
        return f"<lazy {nameless.label} as {name!r}>"
