"""The decorator `cs.task`, which makes a function a task."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, ParamSpec, Protocol, TypeVar, overload

from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.lazy.lazy import PLAIN, Options
from cascade_nb.model.options.checks import (
    checked_flag,
    checked_name,
    checked_names,
    checked_needs,
    checked_priority,
    checked_timeout,
)
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.tasks.functions import no_such_option
from cascade_nb.model.tasks.task import Task

P = ParamSpec("P")
R = TypeVar("R")


class _NotGiven:
    """What stands for the function where `@cs.task(…)` stands above it."""

    def __repr__(self) -> str:
        return "<what stands below>"


_NOT_GIVEN: Final = _NotGiven()


class Decorator(Protocol):
    """What `task(…)` with options gives."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    fn: Callable[P, Coroutine[Any, Any, R]],
    /,
    *,
    name: str | None = ...,
    executor: str | Submits | None = ...,
    tags: tuple[str, ...] | list[str] | set[str] = ...,
    retry: Retry | int | None = ...,
    timeout: float | None = ...,
    resources: Mapping[str, float] | None = ...,
    version: str | None = ...,
    reuse: bool = ...,
    track_files: bool = ...,
    shares_process: bool = ...,
    suspend: bool = ...,
    priority: int | None = ...,
    outputs: int | None = ...,
    ignore: Iterable[str] | str = ...,
) -> Task[P, R]: ...
@overload
def task(
    fn: Callable[P, R],
    /,
    *,
    name: str | None = ...,
    executor: str | Submits | None = ...,
    tags: tuple[str, ...] | list[str] | set[str] = ...,
    retry: Retry | int | None = ...,
    timeout: float | None = ...,
    resources: Mapping[str, float] | None = ...,
    version: str | None = ...,
    reuse: bool = ...,
    track_files: bool = ...,
    shares_process: bool = ...,
    suspend: bool = ...,
    priority: int | None = ...,
    outputs: int | None = ...,
    ignore: Iterable[str] | str = ...,
) -> Task[P, R]: ...
@overload
def task(
    *,
    name: str | None = ...,
    executor: str | Submits | None = ...,
    tags: tuple[str, ...] | list[str] | set[str] = ...,
    retry: Retry | int | None = ...,
    timeout: float | None = ...,
    resources: Mapping[str, float] | None = ...,
    version: str | None = ...,
    reuse: bool = ...,
    track_files: bool = ...,
    shares_process: bool = ...,
    suspend: bool = ...,
    priority: int | None = ...,
    outputs: int | None = ...,
    ignore: Iterable[str] | str = ...,
) -> Decorator: ...
def task(
    fn: Any = _NOT_GIVEN,
    /,
    *,
    name: str | None = None,
    executor: str | Submits | None = None,
    tags: tuple[str, ...] | list[str] | set[str] = (),
    retry: Retry | int | None = None,
    timeout: float | None = None,
    resources: Mapping[str, float] | None = None,
    version: str | None = None,
    reuse: bool = True,
    track_files: bool = True,
    shares_process: bool = False,
    suspend: bool = True,
    priority: int | None = None,
    outputs: int | None = None,
    ignore: Iterable[str] | str = (),
    **unknown: Any,
) -> Any:
    """Make a function a task: its call gives a `LazyResult` and runs nothing.

    Args:
        fn: the function, sync or async, when the decorator stands without parentheses.
        name: what to call it, if not like the function.
        executor: "thread" (default of a `def`), "processes": in a process of its own, which a pause
            suspends and a cancel ends at once, "async" (an `async def`), "inline": on the loop,
            for pure functions of microseconds; one that takes longer holds the kernel up; or an
            executor, such as a `concurrent.futures` pool of your own.
        tags: for `tag:` scopes.
        retry: a `Retry`, or the number of attempts in all.
        timeout: seconds that one attempt may take.
        resources: how much of the engine's `system_resources` each call needs while it runs.
        version: changes the fingerprint when it changes.
        reuse: False for a task with effects, whose earlier result never stands for a new run.
        track_files: False where files that it opens, or returns paths of, do not count.
        shares_process: True where it may run beside tasks that use the same state of the process.
        suspend: False where a pause is not to suspend it in its process, since it holds what others
            need: it goes on to its end.
        priority: a whole number, of which the higher starts first; see `Lazy.with_priority`.
        outputs: how many values its result has, so that `a, b = task(…)` gives a lazy value for
            each. A return annotation such as ``tuple[int, str]`` says it too.
        ignore: names of parameters that do not change the result, such as "verbose" and "n_jobs": a
            kept result stands whatever their values.

    Returns:
        A `Task`, or with options what makes one of a function.

    Raises:
        TaskDefinitionError: it is no function, a generator, a method, the executor does not fit it,
            or there is no such option, or no such parameter to ignore.
        PolicyError: a retry, timeout, need or priority that makes no sense.

    Example:
        >>> @cs.task
        ... def double(x): return 2 * x
        >>> cs.run(double(4))
        8
    """
    for word in unknown:
        raise TaskDefinitionError(no_such_option(word, task.__kwdefaults__ or ()))
    flags = {"reuse": reuse, "track_files": track_files}
    flags |= {"shares_process": shares_process, "suspend": suspend}
    options = task_options(tags, retry, timeout, resources, priority, **flags)

    def make(function: Callable[..., Any]) -> Task[..., Any]:
        return Task(
            function,
            name=name,
            executor=executor,
            options=options,
            version=version,
            outputs=outputs,
            ignore=ignore,
        )

    return make if fn is _NOT_GIVEN else make(fn)


def task_options(
    tags: Iterable[str],
    retry: Retry | int | None,
    timeout: float | None,
    resources: Mapping[str, float] | None,
    priority: int | None = None,
    *,
    reuse: bool,
    track_files: bool,
    shares_process: bool,
    suspend: bool = True,
) -> Options:
    """What every call of a task starts with; the plain ones are always the same object.

    Raises:
        PolicyError: a retry, timeout, need or priority that makes no sense.
        UsageError: a tag that cannot be one.
    """
    asked = any(one is not None for one in (retry, timeout, resources, priority))
    if (
        tags == ()
        and not asked
        and reuse is True
        and track_files is True
        and shares_process is False
        and suspend is True
    ):
        return PLAIN
    return Options(
        tags=frozenset(checked_name(tag, "tag") for tag in checked_names(tags, "tags")),
        retry=retry if isinstance(retry, Retry) or retry is None else Retry(retry),
        timeout=None if timeout is None else checked_timeout(timeout),
        needs=checked_needs({} if resources is None else resources),
        reuse=checked_flag("reuse", reuse),
        track_files=checked_flag("track_files", track_files),
        shares_process=checked_flag("shares_process", shares_process),
        suspend=checked_flag("suspend", suspend),
        priority=None if priority is None else checked_priority(priority),
    )
