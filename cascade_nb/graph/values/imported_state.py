"""Remembers what modules of the user's held when they had just been imported, which is what their
files gave: by that it is told later what somebody has set in them.

Python tells nobody when a module has been run. An import finds a *spec*, on which Python notes when
it begins and when it is over; that of a module under edit tells of the latter here. What is kept is
a reference for each name, a weak one where there may be much behind it.
"""

from __future__ import annotations

import functools
import importlib.machinery
import operator
import sys
import types
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.copying.glances import Glance

_CODE: Final = (type, types.FunctionType)
_CONTAINERS: Final = frozenset({list, dict, set, tuple, bytearray})
_MANY: Final = 1_000  # parts of a container that are looked at
_MISSING: Final = object()


class ImportedState:
    """What a module held at a moment.

    Args:
        module: it.
    """

    def __init__(self, module: types.ModuleType) -> None:
        self._name = module.__name__
        self._values: dict[str, Any] = {}
        self._weak: dict[str, weakref.ref[Any]] = {}
        self._glances: dict[str, Glance] = {}
        self._parts: dict[str, tuple[dict[Any, Any], tuple[Any, ...]]] = {}
        for name, value in list(vars(module).items()):
            if not (name.startswith("__") or issubclass(type(value), types.ModuleType)):
                self._remember(name, value)

    def names(self) -> Collection[str]:
        """The names that it had."""
        return self._values.keys() | self._weak.keys()

    def has(self, name: str) -> bool:
        """Whether it had a name."""
        return name in self._values or name in self._weak

    def is_other(self, name: str, now: Any) -> bool:
        """Whether a name that it had stands for something else now."""
        if name in self._weak:
            return self._weak[name]() is not now
        held = self._values[name]
        if held is now:
            return False
        atom = ATOMS.get(type(now))
        return atom is None or type(held) is not type(now) or atom(held) != atom(now)

    def is_altered(self, name: str, now: Any, stored: Collection[str]) -> bool:
        """Whether what a name stood for, and stands for still, holds something else now: a small
        container of data, a function, a class of the module, an object of one.

        A container in which there are functions, classes or objects is a registry, which other
        modules fill when they are imported.

        Args:
            name: the name.
            now: what it stands for.
            stored: attributes that do not count, since the module's own code stores them.
        """
        if name in self._glances:
            return not self._glances[name].holds() and _is_data(now)
        if name not in self._parts:
            return False
        before, held = self._parts[name]
        holds = self._held_by(now)
        if len(holds) == len(held) and all(map(operator.is_, holds, held)):
            return False
        after = self._parts_of(now) or {}
        every = (before.keys() | after.keys()).difference(stored)
        return any(before.get(one, _MISSING) is not after.get(one, _MISSING) for one in every)

    def _remember(self, name: str, value: Any) -> None:
        kind = type(value)
        if kind in ATOMS or kind in _CONTAINERS or issubclass(kind, _CODE):
            self._values[name] = value
        else:
            try:
                self._weak[name] = weakref.ref(value)
            except TypeError:
                self._values[name] = value
        if kind in _CONTAINERS:
            self._glances[name] = Glance(value)
        elif (parts := self._parts_of(value)) is not None:
            self._parts[name] = parts, self._held_by(value)

    def _parts_of(self, value: Any) -> dict[Any, Any] | None:
        """What a class of the module has, a function, the cases of a generic one, or an object of a
        class of the module; None for others.
        """
        if type(value) is types.FunctionType:
            code = {"__code__": value.__code__, "__defaults__": value.__defaults__}
            return {**code, **vars(value), **_cases_of(value)}
        if issubclass(type(value), type):
            if vars(value).get("__module__") != self._name:
                return None
            return {
                name: one
                for name, one in vars(value).items()
                if type(one) is types.FunctionType or not name.startswith("_")
            }
        kinds = type(value).__mro__[:-1]
        if any(kind.__module__ != self._name for kind in kinds):  # which may store what they like
            return None
        worked_out = {name for kind in kinds for name, one in vars(kind).items()
                      if type(one) is functools.cached_property}  # fmt: skip
        return {name: one for name, one in attributes(value).items() if name not in worked_out}

    @staticmethod
    def _held_by(value: Any) -> tuple[Any, ...]:
        """The same and more, in a moment: where this is as it was, that is."""
        if issubclass(type(value), types.FunctionType):
            said: tuple[Any, ...] = (value.__code__, value.__defaults__)
            return (
                (*said, *vars(value).values(), *_cases_of(value).values()) if vars(value) else said
            )
        return tuple((vars(value) if issubclass(type(value), type) else attributes(value)).values())


def _is_data(container: Any) -> bool:
    """Whether there is nothing in a container but data."""
    todo, seen = [container], 0
    while todo and seen < _MANY:
        one, seen = todo.pop(), seen + 1
        if type(one) in _CONTAINERS - {bytearray}:
            todo += [*one, *one.values()] if type(one) is dict else one
        elif type(one) not in ATOMS:
            return False
    return True


def _cases_of(function: types.FunctionType) -> Mapping[Any, Any]:
    """Those of a generic function, by their classes."""
    cases = vars(function).get("registry")
    return cases if isinstance(cases, types.MappingProxyType) else {}


_states: dict[str, tuple[object, ImportedState]] = {}


def state_of(module: types.ModuleType) -> ImportedState:
    """What a module held when it had just been imported. Of one whose import was not seen it is
    what it holds when this is asked first; so it is after a reload.
    """
    spec = vars(module).get("__spec__")
    known = _states.get(module.__name__)
    if known is None or known[0] is not spec:
        known = _states[module.__name__] = spec, ImportedState(module)
    return known[1]


class _Telling(importlib.machinery.ModuleSpec):
    """A spec that has what was imported remembered when the import is over. It is one of Python's
    own from then on.
    """

    @property
    def _initializing(self) -> bool:
        return bool(vars(self).get("_initializing", False))

    @_initializing.setter
    def _initializing(self, begins: bool) -> None:
        vars(self)["_initializing"] = begins
        if begins:
            return
        self.__class__ = importlib.machinery.ModuleSpec  # type: ignore[assignment]
        module = sys.modules.get(self.name)
        if isinstance(module, types.ModuleType) and vars(module).get("__spec__") is self:
            try:
                state_of(module)
                for done in _told:
                    done(self.name)
            except Exception:  # of the user's classes: no import fails for our sake
                _states.pop(self.name, None)  # it is looked at when somebody asks


# Who is told of the names of modules that have been imported.
_told: list[Callable[[str], object]] = []


class _Watch:
    """Finds what Python itself would find in the folders of `sys.path`.

    Args:
        concerns: tells by the name of a module and its file whether to remember what it gives.
    """

    def __init__(self, concerns: Callable[[str, str], bool]) -> None:
        self._concerns = concerns

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module; None where there is none, and for the others to find a reload's."""
        if target is not None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or type(spec) is not importlib.machinery.ModuleSpec:
            return spec
        if spec.has_location and self._concerns(name, str(spec.origin)):
            spec.__class__ = _Telling
        return spec


def watch_imports(concerns: Callable[[str, str], bool], done: Callable[[str], object]) -> None:
    """Remember from now on what modules hold when they have been imported. Once for the process.

    Args:
        concerns: tells by the name of a module and its file whether to remember what it gives.
        done: is told the name of each of those when its import is over.
    """
    _told.append(done)
    finders: list[Any] = sys.meta_path
    own = importlib.machinery.PathFinder
    if own in finders:  # whoever finds modules before Python does so still
        finders.insert(finders.index(own), _Watch(concerns))
