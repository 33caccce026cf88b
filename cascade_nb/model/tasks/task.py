"""Tasks: functions whose calls make lazy values instead of running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.errors import MapError, TaskCallError, TaskDefinitionError
from cascade_nb.model.arguments.capture import are_captured_as_they_are, captured
from cascade_nb.model.arguments.collections import columns_of, how_of
from cascade_nb.model.arguments.inputs import OutOfReachError, inputs_of_plain, scan, snapshot
from cascade_nb.model.arguments.signature import HasSignature
from cascade_nb.model.arguments.watched import is_watched, named_with_records, with_records
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult, lazy_call, lazy_map
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.model.options.checks import NOTHING, checked_version
from cascade_nb.model.options.given_executor import given_executor
from cascade_nb.model.pickling import reduced
from cascade_nb.model.resources import Injected
from cascade_nb.model.tasks.body import ARE_VALUES, in_body, in_plain_code, learned, plain_codes
from cascade_nb.model.tasks.found_lazies import advise_on_uncaught_errors
from cascade_nb.model.tasks.functions import (
    check_function,
    executor_for,
    name_of,
    wrap,
)
from cascade_nb.model.tasks.outputs import checked_outputs, outputs_of
from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task_names import remember

P = ParamSpec("P")
R = TypeVar("R")


class Task(HasSignature, Generic[P, R]):
    """A function whose call makes a lazy value, a node of the graph to come; `cs.task` makes one.

    Attributes:
        fn: the function itself.
        name: how it is called in the graph, in scopes (`task:<name>`) and in messages.
        executor: where its body runs: "thread", "processes", "async" (on the loop) or "inline" (on
            the loop, in slices, for tiny pure functions); "given" for an object, as `given` has it.
        says_where: whether that was said of it, so that no run says otherwise.
        options: what every call of it starts with.
        version: part of the fingerprint; change it to say that the task means something new.
        ignore: the parameters whose values are no part of the fingerprint.
    """

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        executor: str | Submits | None = None,
        options: Options = PLAIN,
        version: str | None = None,
        outputs: int | None = None,
        ignore: Iterable[str] | str = (),
    ) -> None:
        if isinstance(fn, (Task, PartialTask)):
            known = fn.name if isinstance(fn, Task) else fn.task.name
            raise TaskDefinitionError(f"{known} is a task already")
        check_function(fn)
        wrap(self, fn)
        self.fn: Callable[..., Any] = fn
        self.name, self.options = name_of(fn, name), options
        self.version = None if version is None else checked_version(version)
        self._outputs = checked_outputs(outputs, self.name)
        self.executor = executor_for(fn, executor, self.name)
        self.given = given_executor(executor)
        self.says_where = executor is not None
        remember(self)
        advise_on_uncaught_errors()
        self._read(fn)
        self.ignore = self._known_ones(ignore)

    # A type checker knows no way of saying "this, or a lazy value of this" of each parameter: the
    # first form is what an editor shows, and the second takes lazy values too.
    @overload
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> LazyResult[R]: ...
    @overload
    def __call__(self, /, *args: Any, **kwargs: Any) -> LazyResult[R]: ...
    def __call__(self, /, *args: Any, **kwargs: Any) -> LazyResult[R]:
        """One call, not run yet. In the body of a task it is the call of the plain function.

        In a body, `lazy` makes a node. So does a call there that is given a lazy value, which the
        plain function could do nothing with.

        Args:
            args, kwargs: as the function takes them. Lazy values among them, in containers too, are
                run first, and their results put in their places.

        Returns:
            A `LazyResult`; in the body of a task what the function returns.

        Raises:
            TaskCallError: the function does not take these arguments, or a lazy value stands where
                its result cannot be put.

        Example:
            >>> total(fetch(3))
            <lazy total>
            >>> cs.run(total(fetch(3)))
            3
        """
        if in_body() or (plain_codes and in_plain_code(self)):
            if ARE_VALUES(map(type, args)) and not (kwargs or self._is_looked_at):
                return self.fn(*args)  # type: ignore[no-any-return]  # recursion, mostly
            if self._is_plain_call(args, kwargs):
                return self.fn(*args, **kwargs)  # type: ignore[no-any-return]
        elif not kwargs and len(args) in self._fits:
            # What `_node` does, for nearly every call that builds a large graph.
            inputs = inputs_of_plain(args)
            if inputs is not None:
                return lazy_call(self, args, NOTHING, inputs, False, self.options)
        return self._node(args, kwargs)

    @property
    def outputs(self) -> int | None:
        """How many values `a, b = task(…)` unpacks; None where nobody says it."""
        return outputs_of(self.fn) if self._outputs is None else self._outputs

    def label_of(self, args: tuple[Any, ...]) -> str:
        """How a call with these arguments is called where a person reads it.

        Args:
            args: what is given by place.

        Returns:
            The task's name; of an operator, how one would write it.

        Example:
            >>> fetch.label_of((3,))
            'fetch'
        """
        return self.name

    @overload
    def lazy(self, /, *args: P.args, **kwargs: P.kwargs) -> LazyResult[R]: ...
    @overload
    def lazy(self, /, *args: Any, **kwargs: Any) -> LazyResult[R]: ...
    def lazy(self, /, *args: Any, **kwargs: Any) -> LazyResult[R]:
        """One call, not run yet, also in the body of a task.

        What a body returns of such, alone or inside lists, tuples, dicts, sets or dataclasses, is
        run in its place: loops, recursion and fan-outs are written that way.

        Args:
            args, kwargs: as the function takes them.

        Returns:
            A `LazyResult`, whoever asks.

        Raises:
            TaskCallError: the function does not take these arguments, or a lazy value stands where
                its result cannot be put.

        Example:
            >>> @cs.task
            ... def all_of(sizes):
            ...     return [fetch.lazy(size) for size in sizes]
            >>> cs.run(all_of([1, 2]))
            [[0], [0, 1]]
        """
        return self._node(args, kwargs)

    def map(self, /, *args: Any, how: Any = "zip", **collections: Any) -> MappedLazyResult[R]:
        """Call it once for each item of the collections, which are gone through side by side.

        A parameter that is the same for every item is given by `partial` before.

        Args:
            args: nothing; a collection is given by name.
            how: "zip": side by side; "product": each item with each of the others, the last
                collection fastest; `cs.grid` knows the axes of its result.
            collections: by parameter name; side by side of the same length. Lazy ones are gone
                through when they are there; literal ones may hold lazy items; empty ones give [].

        Returns:
            A `MappedLazyResult`, whose value is the list of results in the items' order.

        Raises:
            MapError: a collection is none, the lengths differ, or it is given without a name.
            TaskCallError: the function has no such parameter, or misses others.

        Example:
            >>> cs.run(fetch.map(n=[1, 2, 3]))
            [[0], [0, 1], [0, 1, 2]]
        """
        if args:
            self._refuse_nameless_map()
            where, name = f"{self.name}.map", next(iter(self.signature.parameters), "x")
            raise MapError(f"{where}() needs the parameter's name: {where}({name}=…)")
        return self.mapped(collections, {}, how)

    def partial(self, /, **fixed: Any) -> PartialTask:
        """The task with some parameters given, for a call or a `.map` over the others.

        Args:
            fixed: by parameter name, what every call is given; lazy values may be among them.

        Returns:
            A `PartialTask`, which is called and mapped like the task.

        Raises:
            TaskCallError: the function has no such parameter.

        Example:
            >>> @cs.task
            ... def power(base, exponent):
            ...     return base ** exponent
            >>> cs.run(power.partial(exponent=2).map(base=[1, 2, 3]))
            [1, 4, 9]
        """
        for name in fixed:
            self.check_parameter(name)
        return PartialTask(self, fixed)

    def _node(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LazyResult[Any]:
        """One call as a lazy value.

        Raises:
            TaskCallError: the function does not take these arguments, or a lazy value stands where
                its result cannot be put.
        """
        if kwargs or len(args) not in self._fits:
            self.check(args, kwargs)
        named = self._with_lazy_defaults(args, kwargs) if kwargs or not self._simple else NOTHING
        try:
            inputs, nested = scan((*args, *named.values()))
        except OutOfReachError as error:
            raise error.in_call(self.name, self.signature, args, named) from None
        return self._captured(args, named, inputs, nested)

    def _captured(
        self,
        args: tuple[Any, ...],
        named: Mapping[str, Any],
        inputs: tuple[Lazy, ...],
        nested: bool,
    ) -> LazyResult[Any]:
        """One call with arguments as they are now.

        Raises:
            TaskCallError: an argument can be gone through only once.
        """
        if nested and not are_captured_as_they_are((*args, *named.values())):
            args, named = snapshot((args, named))
        args, named, records = captured(self, args, named)
        args = with_records(args, records, nested)
        # What is watched is looked at on the way that nested arguments go.
        return lazy_call(self, args, named, inputs, nested or is_watched(records), self.options)

    def _is_plain_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call in a body can be made at once.

        Raises:
            TaskCallError: it takes a resource, which only a node is given.
        """
        named = self._with_lazy_defaults(args, kwargs) if self._lazy_defaults else kwargs
        for value in (*args, *named.values()):
            if isinstance(value, Lazy):
                return False
            if value.__class__ is Injected:
                raise TaskCallError(
                    f"{self.name} borrows the resource {value.resource.name!r}, which only a node "
                    f"is given: return {self.name}.lazy(…), or hand the thing itself as argument"
                )
        return learned(args)

    def mapped(
        self, collections: Mapping[str, Any], fixed: Mapping[str, Any], how: Any = "zip"
    ) -> MappedLazyResult[Any]:
        """One call for each item of `collections`, which are all given `fixed`.

        Args:
            collections, how: as `map` takes them.
            fixed: by parameter name, what is the same for every item.

        Returns:
            A `MappedLazyResult`.

        Raises:
            MapError, TaskCallError: as `map`; or a parameter is given twice.

        Example:
            >>> fetch.mapped({"n": [1, 2]}, {})
            <lazy map(fetch)>
        """
        self._refuse_nameless_map()
        where = f"{self.name}.map"
        how, collections = how_of(where, how, collections, self.signature.parameters)
        literal = columns_of(where, collections, how)
        for name in collections:
            if name in fixed:
                raise TaskCallError(f"{self.name}.map(): {name!r} is given as fixed value already")
        given = {**fixed, **literal}
        args, named = self.placed(given)
        self.check(args, named)
        standing = {**given, **self._with_lazy_defaults(args, named)}
        steady = {n: v for n, v in standing.items() if n not in literal}
        try:
            inputs, nested = scan((*literal.values(), *steady.values()))
        except OutOfReachError as error:
            names = (*literal, *steady)
            raise error.in_call(where, self.signature, (), names) from None
        if nested and not are_captured_as_they_are((*literal.values(), *steady.values())):
            literal, steady = snapshot((literal, steady))
        _, own, records = captured(self, (), {**literal, **steady}, ours=literal)
        literal = {name: own[name] for name in literal}
        fixed = named_with_records({name: own[name] for name in steady}, records)
        return lazy_map(self, literal, fixed, inputs, nested, self.options, how)

    def _refuse_nameless_map(self) -> None:
        """Refuse to give items by name to what does not tell its parameters' names.

        Raises:
            MapError: so it is.
        """
        if not self.names_parameters:
            raise MapError(
                f"{self.name} does not say what its parameters are called, so .map has no name to "
                f"give an item by: make the task of a function that calls it, "
                f"`def {self.name}_of(x): …`"
            )

    if not TYPE_CHECKING:  # for a type checker a task has what is written above

        def __getattr__(self, name: str) -> Any:
            """What its function has beside itself, such as `cache_clear` of an `lru_cache`."""
            if name.startswith("_") or name == "fn" or not hasattr(self.fn, name):
                of_call = not name.startswith("_") and hasattr(LazyResult, name)
                way = f"; its calls have: x = {self.name}(…), then x.{name}" if of_call else ""
                told = f"{type(self).__name__!r} object has no attribute {name!r}{way}"
                raise AttributeError(told)
            return getattr(self.fn, name)

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise TaskDefinitionError(
            f"{self.name} is a method; a task is a plain function: move it out of the class and "
            "give it the object as an argument"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.fn)

    def __repr__(self) -> str:
        return f"<task {self.name}{self.signature}>"
