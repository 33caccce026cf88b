"""Resources: things that tasks borrow, such as a connection, a pool, a temporary folder."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, overload

from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.annotations import signature_of
from cascade_nb.model.options.checks import checked_name
from cascade_nb.model.pickling import reduced
from cascade_nb.text import quoted

SCOPES: Final = ("run", "task")
_NOT_GIVEN: Final = object()


class Resource:
    """How to open and close something that tasks borrow; `cs.resource` makes one.

    Attributes:
        fn: a generator function, sync or async, that yields the thing once: what stands before the
            `yield` opens it, what stands after closes it. Its own parameters may be injected.
        scope: "run": opened by the first task of a run that asks, closed when the run ends; "task":
            opened and closed around each attempt.
    """

    def __init__(self, fn: Callable[..., Any], scope: str, name: str | None) -> None:
        if not (inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)):
            raise TaskDefinitionError(
                f"a resource is a function that yields once, and {quoted(fn)} does not yield"
            )
        if scope not in SCOPES:
            raise TaskDefinitionError(
                f"a resource lasts for a 'run' or a 'task', not {quoted(scope)}"
            )
        self.fn = fn
        self.__doc__ = fn.__doc__
        self.scope = scope
        self.name = checked_name(name or fn.__name__, "resource name")
        self.is_async = inspect.isasyncgenfunction(fn)
        self.needs: dict[str, Resource] = {}
        for parameter in signature_of(fn).parameters.values():
            if isinstance(parameter.default, Injected):
                self.needs[parameter.name] = parameter.default.resource
            elif parameter.default is parameter.empty:
                raise TaskDefinitionError(
                    f"resource {self.name}: nobody gives {parameter.name!r}; a resource's "
                    "parameters "
                    "need a default or cs.inject(…)"
                )
        if scope == "run" and any(other.scope == "task" for other in self.needs.values()):
            raise TaskDefinitionError(
                f"resource {self.name} lasts for the run, so it cannot hold one that lasts "
                "for a task"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.fn)

    def __repr__(self) -> str:
        return f"<resource {self.name}, for a {self.scope}>"


class Injected:
    """The place of a resource among a task's arguments."""

    __slots__ = ("resource",)

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def __repr__(self) -> str:
        return f"inject({self.resource.name})"


@overload
def resource(fn: Callable[..., Any], /) -> Resource: ...
@overload
def resource(
    *, scope: str = ..., name: str | None = ...
) -> Callable[[Callable[..., Any]], Resource]: ...
def resource(fn: Any = _NOT_GIVEN, /, *, scope: str = "run", name: str | None = None) -> Any:
    """Make a generator function a resource that tasks borrow through `inject`.

    Args:
        fn: the generator function, when the decorator stands without parentheses.
        scope: "run" or "task", see `Resource`.
        name: what to call it, if not like the function.

    Returns:
        A `Resource`, for `inject`.

    Raises:
        TaskDefinitionError: it does not yield, or has a parameter that nobody gives.

    Example:
        >>> @cs.resource
        ... def numbers():
        ...     yield [1, 2, 3]  # opened when a task first needs it; closed below, after the run
        >>> @cs.task
        ... def add_up(xs=cs.inject(numbers)):
        ...     return sum(xs)
        >>> cs.run(add_up())
        6
    """
    if fn is not _NOT_GIVEN:
        return Resource(fn, scope, name)
    return lambda function: Resource(function, scope, name)


def inject(resource: Resource) -> Any:
    """Where a task wants a resource: a default in its signature, or an argument of its call.

    Args:
        resource: what `@cs.resource` made.

    Returns:
        What stands in the place of the resource until the task runs.

    Raises:
        TaskDefinitionError: `resource` was not made by `@cs.resource`.

    Example:
        >>> @cs.resource
        ... def database():
        ...     yield {"rows": 7}
        >>> @cs.task
        ... def count(db=cs.inject(database)):
        ...     return db["rows"]
        >>> cs.run(count())
        7
    """
    if not isinstance(resource, Resource):
        raise TaskDefinitionError(
            f"cs.inject() takes what @cs.resource made, not {quoted(resource)}"
        )
    return Injected(resource)
