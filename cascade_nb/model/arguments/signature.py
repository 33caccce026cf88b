"""Checks calls against the signature of a task's function, and fills in defaults that are lazy."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cascade_nb.errors import TaskCallError, TaskDefinitionError, nearest
from cascade_nb.model.annotations import signature_of
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.options.checks import checked_names
from cascade_nb.model.resources import Injected

#: Of what Python cannot tell how it is called, such as `max`: any call is tried.
_ANY: Final = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)
_SHAPES: Final = 64  # so many ways of giving arguments a task remembers as fitting


def signature_or_any(fn: Any) -> inspect.Signature:
    """How `fn` is called, as far as Python can tell."""
    try:
        return signature_of(fn)
    except (TypeError, ValueError):
        return _ANY


class HasSignature:
    """What a task knows of how its function is called.

    Attributes:
        name: that of the task.
        signature: that of its function; any call fits where Python does not tell it.
        optional: the parameters whose default is a plain value.
        by_place: those that a function takes by place alone.
    """

    name: str
    signature: inspect.Signature
    optional: frozenset[str]

    def _read(self, fn: Any) -> None:
        """What a call needs to know of the signature, so that the usual call need not bind it."""
        self.signature = signature_or_any(fn)
        self.by_place: tuple[str, ...] = ()
        least = most = 0
        self._simple = True
        self._lazy_defaults: dict[str, Any] = {}
        self._fitting: set[tuple[int | str, ...]] = set()
        self.optional: frozenset[str] = frozenset()
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                most += 1
                least += parameter.default is parameter.empty
            else:
                self._simple = False
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self.by_place += (parameter.name,)
            if isinstance(parameter.default, (Lazy, Injected)):
                self._lazy_defaults[parameter.name] = parameter.default
            elif parameter.default is not parameter.empty:
                self.optional |= {parameter.name}
        self._simple &= not self._lazy_defaults
        self._is_looked_at = bool(self._lazy_defaults)  # a call in a body, before it is made
        self._fits = frozenset(range(least, most + 1)) if self._simple else frozenset()

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that the function would refuse.

        Args:
            args, kwargs: what would be given by place and by name.

        Raises:
            TaskCallError: the arguments do not fit the signature.

        Example:
            >>> fetch.check((3,), {})
            >>> fetch.check((3, 4), {})
            Traceback (most recent call last):
            cascade_nb.errors.TaskCallError: fetch(n: 'int' = 3) -> 'list[int]' cannot be called ...
        """
        shape: tuple[int | str, ...] = (len(args), *kwargs)
        if shape in self._fitting:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            # A misspelt name is told before the parameter that is missing because of it.
            unknown = next((name for name in kwargs if not self._takes(name)), None)
            reason = str(error) if unknown is None else self._unknown(unknown)
            raise TaskCallError(
                f"{self.name}{self.signature} cannot be called so: {reason}"
            ) from None
        if len(self._fitting) < _SHAPES:
            self._fitting.add(shape)

    @property
    def names_parameters(self) -> bool:
        """Whether Python tells what the parameters are called."""
        return self.signature is not _ANY

    def placed(self, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arguments that are all given by name, as the function takes them: some by place alone.

        Args:
            named: value by parameter name.

        Returns:
            What to give by place, and the rest by name.

        Example:
            >>> fetch.placed({"n": 3})
            ((), {'n': 3})
        """
        if not self.by_place:
            return (), named
        left, args = dict(named), []
        for name in self.by_place:
            if name not in left:
                break
            args.append(left.pop(name))
        return tuple(args), left

    def _with_lazy_defaults(
        self, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The keyword arguments, with defaults that are lazy or injected filled in."""
        given = self.signature.bind_partial(*args, **named).arguments if self._lazy_defaults else ()
        missing = {n: v for n, v in self._lazy_defaults.items() if n not in given}
        return {**named, **missing}

    def _known_ones(self, names: Iterable[str] | str) -> frozenset[str]:
        """`names`, each of which a call may give.

        Raises:
            TaskDefinitionError: the function has no such parameter.
            UsageError: these are no names.
        """
        known = frozenset(checked_names(names, "the parameters to ignore"))
        for name in sorted(known):
            if not self._takes(name):
                raise TaskDefinitionError(f"ignore: {self.name}: {self._unknown(name)}")
        return known

    def check_parameter(self, name: str) -> None:
        """Refuse a name that no parameter of the function has.

        Args:
            name: what a call would give a value by.

        Raises:
            TaskCallError: there is no such parameter.

        Example:
            >>> fetch.check_parameter("n")
        """
        if not self._takes(name):
            raise TaskCallError(f"{self.name}{self.signature}: {self._unknown(name)}")

    def _takes(self, name: str) -> bool:
        parameters = self.signature.parameters
        return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def _unknown(self, name: str) -> str:
        return f"there is no parameter {name!r}{nearest(name, self.signature.parameters)}"
