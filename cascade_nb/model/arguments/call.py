"""Keeps a function with everything it is called with, until its body has values of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.model.arguments.inputs import replace
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.isolation import are_quick_to_copy, copied_call
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Injected, Resource


class Call(NamedTuple):
    """A function with everything it is called with; `Injected` stands where a resource will.

    Attributes:
        fn, args, kwargs: what is called, with what.
        injects: whether it needs resources.
        inside: by identity, the results of the lazy values that still stand in containers among its
            arguments, see `made`; None where none do.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] | list[Any]
    kwargs: Mapping[str, Any]
    injects: bool = False
    inside: Mapping[object, Any] | None = None

    def resources(self) -> list[Resource]:
        """What has to be opened first."""
        values = (*self.args, *self.kwargs.values())
        return [value.resource for value in values if type(value) is Injected]

    @property
    def immutable(self) -> bool:
        """Whether nobody could change anything in its arguments, as in numbers and texts."""
        # Loops, since a generator or a set costs more.
        for value in self.args:
            if type(value) not in FROZEN:
                return False
        for value in self.kwargs.values():  # noqa: SIM110 - as above
            if type(value) not in FROZEN:
                return False
        return True

    @property
    def is_quick(self) -> bool:
        """Whether `owned` takes microseconds and runs no code of the user's."""
        if self.inside is not None and not all(type(one) in FROZEN for one in self.inside.values()):
            return False
        return are_quick_to_copy((*self.args, *self.kwargs.values()))

    def made(self) -> Call:
        """The same with its containers made again around the results.

        A set or a dict asks what it is made of for its hash, which may be code of the user's: not
        for who holds a lock.

        Raises:
            UsageError: one cannot be made again.
        """
        if self.inside is None:
            return self
        args, kwargs = replace((tuple(self.args), dict(self.kwargs)), Lazy, self._result_of)
        return Call(self.fn, args, kwargs, self.injects)

    def _result_of(self, lazy: Lazy) -> Any:
        assert self.inside is not None
        if lazy.identity not in self.inside:
            raise came_too_late(lazy)
        return self.inside[lazy.identity]

    def owned(self) -> Call:
        """The same with values of its own, which it may change as it likes; see `made`."""
        made = self.made()
        args, kwargs = copied_call(made.args, made.kwargs)
        return Call(self.fn, args, kwargs, self.injects)

    def run(self) -> Any:
        """What it gives with values of its own."""
        own = self.owned()
        return own.fn(*own.args, **own.kwargs)

    def with_resources(self, opened: Mapping[Resource, Any]) -> Call:
        """The same with the opened resources in their places."""

        def put(value: Any) -> Any:
            return opened[value.resource] if type(value) is Injected else value

        kwargs = {name: put(value) for name, value in self.kwargs.items()}
        return Call(self.fn, [put(value) for value in self.args], kwargs)


def came_too_late(lazy: Lazy) -> UsageError:
    """What to say of a lazy value that nothing of the run has computed."""
    return UsageError(
        f"the lazy value {lazy.label} came into an argument after the call was made, so nothing "
        "has computed it; make the call again with it"
    )
