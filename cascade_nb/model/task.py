"""Functions that make lazy values instead of running."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NoReturn, ParamSpec, TypeVar, overload

from cascade_nb.errors import MapError, TaskCallError, TaskDefinitionError, nearest
from cascade_nb.model.collections import equal_lengths, items_of
from cascade_nb.model.inputs import scan, snapshot
from cascade_nb.model.lazy import Lazy, LazyResult, MappedLazyResult, lazy_call, lazy_map
from cascade_nb.model.policy import (
    NOTHING,
    PLAIN,
    Options,
    Retry,
    checked_name,
    checked_needs,
    checked_timeout,
)
from cascade_nb.model.resources import Injected
from cascade_nb.model.travel import reduced

P = ParamSpec("P")
R = TypeVar("R")

EXECUTORS: Final = ("thread", "async", "inline")


class Task(Generic[P, R]):
    """A function whose call is a node of a graph.

    Attributes:
        fn: the function itself.
        name: how it is called in the graph, in scopes (`task:<name>`) and in messages.
        executor: where its body runs: "thread", "async" (on the loop) or "inline" (on the loop, in
            slices, for tiny pure functions).
        options: what every call of it starts with.
        version: part of the fingerprint; change it to say that the task means something new.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        executor: str | None = None,
        options: Options = PLAIN,
        version: str | None = None,
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn: Callable[..., Any] = fn
        self.name = _task_name(fn, name)
        self.options = options
        self.version = version
        self.executor = _executor(fn, executor, self.name)
        self.signature = inspect.signature(fn)
        self._read_signature()

    def _read_signature(self) -> None:
        """What a call needs to know of the signature, so that the usual call need not bind it."""
        least = most = 0
        self._simple = True
        self._standing: dict[str, Any] = {}
        self.optional: frozenset[str] = frozenset()
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                most += 1
                least += parameter.default is parameter.empty
            else:
                self._simple = False
            if isinstance(parameter.default, (Lazy, Injected)):
                self._standing[parameter.name] = parameter.default
            elif parameter.default is not parameter.empty:
                self.optional |= {parameter.name}
        self._least, self._most = least, most

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> LazyResult:
        """One call, not run yet.

        Raises:
            TaskCallError: the function does not take these arguments.
        """
        if self._simple and not kwargs and self._least <= len(args) <= self._most:
            if not self._standing:
                inputs, nested = scan(args)
                if nested:
                    args = snapshot(args)
                return lazy_call(self, args, NOTHING, inputs, nested, self.options)
        else:
            self.check(args, kwargs)
        named = self._with_standing(args, kwargs)
        inputs, nested = scan((*args, *named.values()))
        if nested:
            args, named = snapshot(args), snapshot(named)
        return lazy_call(self, args, named, inputs, nested, self.options)

    def map(self, *args: Any, **collections: Any) -> MappedLazyResult:
        """Call it once for each item of the collections, which are gone through side by side.

        Args:
            collections: by parameter name; all of the same length. A lazy one is gone through when
                its value is there; literal ones may hold lazy items. An empty one gives ``[]``.

        Raises:
            MapError: a collection is none, the lengths differ, or it is given without a name.
            TaskCallError: the function has no such parameter, or misses others.
        """
        if args:
            raise MapError(
                f"{self.name}.map() needs the parameter's name: "
                f"{self.name}.map({next(iter(self.signature.parameters), 'x')}=…)"
            )
        return self._mapped(collections, {})

    def partial(self, **fixed: Any) -> PartialTask:
        """The task with some parameters given, for a call or a `.map` over the others.

        Raises:
            TaskCallError: the function has no such parameter.
        """
        for name in fixed:
            self._check_parameter(name)
        return PartialTask(self, fixed)

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that the function would refuse.

        Raises:
            TaskCallError: the arguments do not fit the signature.
        """
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            # A misspelt name is told before the parameter that is missing because of it.
            unknown = next((name for name in kwargs if not self._takes(name)), None)
            reason = str(error) if unknown is None else self._unknown(unknown)
            raise TaskCallError(
                f"{self.name}{self.signature} cannot be called so: {reason}"
            ) from None

    def _mapped(self, collections: Mapping[str, Any], fixed: Mapping[str, Any]) -> MappedLazyResult:
        if not collections:
            raise MapError(f"{self.name}.map() needs at least one collection to go through")
        literal = {
            name: value
            if isinstance(value, Lazy)
            else items_of(value, f"{self.name}.map({name}=…)")
            for name, value in collections.items()
        }
        equal_lengths(
            {n: len(v) for n, v in literal.items() if not isinstance(v, Lazy)}, f"{self.name}.map()"
        )
        for name in collections:
            if name in fixed:
                raise TaskCallError(f"{self.name}.map(): {name!r} is given as fixed value already")
        self.check((), {**fixed, **literal})
        standing = self._with_standing((), {**fixed, **literal})
        steady = {n: v for n, v in standing.items() if n not in literal}
        inputs, nested = scan((*literal.values(), *steady.values()))
        if nested:
            literal, steady = snapshot(literal), snapshot(steady)
        return lazy_map(self, literal, steady, inputs, nested, self.options)

    def _with_standing(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments, with defaults that are lazy or injected filled in."""
        given = self.signature.bind_partial(*args, **named).arguments if self._standing else ()
        missing = {n: v for n, v in self._standing.items() if n not in given}
        return {**named, **missing}

    def _check_parameter(self, name: str) -> None:
        if not self._takes(name):
            raise TaskCallError(f"{self.name}{self.signature}: {self._unknown(name)}")

    def _takes(self, name: str) -> bool:
        parameters = self.signature.parameters
        return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def _unknown(self, name: str) -> str:
        return f"there is no parameter {name!r}{nearest(name, self.signature.parameters)}"

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise TaskDefinitionError(
            f"{self.name} is a method; a task is a plain function: move it out of the class "
            "and give "
            "it the object as an argument"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.fn)

    def __repr__(self) -> str:
        return f"<task {self.name}{self.signature}>"


class PartialTask:
    """A task with some of its parameters given."""

    def __init__(self, task: Task[..., Any], fixed: Mapping[str, Any]) -> None:
        self.task = task
        self.fixed = dict(fixed)

    def __call__(self, *args: Any, **kwargs: Any) -> LazyResult:
        """One call with the given and these arguments; the later word counts.

        Raises:
            TaskCallError: the function does not take them together.
        """
        return self.task(*args, **{**self.fixed, **kwargs})

    def map(self, **collections: Any) -> MappedLazyResult:
        """`Task.map` over the parameters that are not given yet.

        Raises:
            MapError, TaskCallError: as `Task.map`.
        """
        return self.task._mapped(collections, self.fixed)

    def partial(self, **fixed: Any) -> PartialTask:
        """The same with more parameters given.

        Raises:
            TaskCallError: the function has no such parameter.
        """
        return self.task.partial(**{**self.fixed, **fixed})

    def __repr__(self) -> str:
        given = ", ".join(f"{name}=…" for name in self.fixed)
        return f"<task {self.task.name} with {given}>"


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    name: str | None = ...,
    executor: str | None = ...,
    tags: tuple[str, ...] | list[str] | set[str] = ...,
    retry: Retry | int | None = ...,
    timeout: float | None = ...,
    resources: Mapping[str, float] | None = ...,
    version: str | None = ...,
    reuse: bool = ...,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    executor: str | None = None,
    tags: tuple[str, ...] | list[str] | set[str] = (),
    retry: Retry | int | None = None,
    timeout: float | None = None,
    resources: Mapping[str, float] | None = None,
    version: str | None = None,
    reuse: bool = True,
) -> Any:
    """Make a function a task: its call gives a `LazyResult` and runs nothing.

    Args:
        fn: the function, sync or async, when the decorator stands without parentheses.
        name: what to call it, if not like the function.
        executor: "thread" (default of a `def`), "async" (an `async def`), or "inline": on the loop,
            for pure functions of microseconds; one that takes longer holds the kernel up.
        tags: for `tag:` scopes.
        retry: a `Retry`, or the number of attempts in all.
        timeout: seconds that one attempt may take.
        resources: how much of the engine's `system_resources` each call needs while it runs.
        version: changes the fingerprint when it changes.
        reuse: False for a task with effects, whose earlier result never stands for a new run.

    Raises:
        TaskDefinitionError: it is no function, a generator, a method, or the executor does not fit
            it.
        PolicyError: a retry, timeout or need that makes no sense.
    """
    options = PLAIN
    if tags or retry is not None or timeout is not None or resources or not reuse:
        options = Options(
            tags=frozenset(checked_name(tag, "tag") for tag in tags),
            retry=retry if isinstance(retry, Retry) or retry is None else Retry(retry),
            timeout=None if timeout is None else checked_timeout(timeout),
            needs=checked_needs(resources or {}),
            reuse=reuse,
        )

    def make(function: Callable[..., Any]) -> Task[..., Any]:
        return Task(function, name=name, executor=executor, options=options, version=version)

    return make if fn is None else make(fn)


def _task_name(fn: Any, name: str | None) -> str:
    if name is not None:
        return checked_name(name, "task name")
    own = getattr(fn, "__name__", None) or type(fn).__name__
    return "lambda" if own == "<lambda>" else checked_name(own, "task name")


def _executor(fn: Any, wanted: str | None, name: str) -> str:
    if not callable(fn) or isinstance(fn, type):
        raise TaskDefinitionError(f"a task is made of a function, and {fn!r:.60} is none")
    if isinstance(fn, Task):
        raise TaskDefinitionError(f"{name} is a task already")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise TaskDefinitionError(
            f"{name} is a generator, whose values nothing here would ask for; return a list"
        )
    is_async = inspect.iscoroutinefunction(fn)
    if wanted is None:
        return "async" if is_async else "thread"
    if wanted not in EXECUTORS:
        raise TaskDefinitionError(
            f"{name}: there is no executor {wanted!r}; there is {', '.join(EXECUTORS)}"
        )
    if is_async != (wanted == "async"):
        kind = "an async def runs on the loop" if is_async else "only an async def runs as 'async'"
        raise TaskDefinitionError(f"{name}: {kind}, so executor={wanted!r} does not fit it")
    return wanted
