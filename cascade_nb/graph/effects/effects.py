"""Finds what a task's code does beside computing: the state of the process that it uses, and what
nobody can know beforehand.

It is found by names: those that the task and the helpers it leads to read, as far as they lead to
something real. What is reached in another way, through an object that is made while it runs, is
not seen.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import threading
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.global_writes import (
    WrittenGlobal,
    closure_written,
    written_global,
    written_in_words,
)
from cascade_nb.graph.effects.held_writes import bound_written, held_written
from cascade_nb.graph.effects.shared_state import DOUBTS, NOT_SHARED, STATES
from cascade_nb.graph.effects.unseen import (
    BUILTINS,
    FILES,
    FOLLOWS,
    LOOKUPS,
    OPENS,
    Mentions,
    follows_links,
    mentions_in,
    opens_for_later,
    unseen_in_words,
    unseen_use,
    used_to_read,
)
from cascade_nb.graph.effects.uses import (
    OF_PATHS,
    OF_READERS,
    PATH_METHOD,
    REBOUND_CELL,
    Use,
    uses_of,
)
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.resources import Injected, Resource
from cascade_nb.model.tasks.task import Task

_MISSING: Final = object()
_MOST: Final = 2_000  # pieces of code looked at


class Effects(NamedTuple):
    """What code does beside computing.

    Attributes:
        states: by what `state_in_words` knows, whether it changes that state of the process.
        doubts: what its result also depends on and nobody can know, in words: "reads the clock".
        unseen: the same of files, which a user may name.
        mentions: where it reads files in a way that is not seen, or asks whether they are there,
            what its code mentions.
    """

    states: Mapping[str, bool]
    doubts: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    mentions: Mentions | None = None


PYPLOT: Final = "pyplot"
NONE: Final = Effects({}, ())


def effects_of(task: AnyTask) -> Effects:
    """What the code of `task`, and of all helpers that it leads to today, does."""
    look = _Look(task.fn)
    states: dict[str, bool] = {}
    doubts: dict[str, None] = {}
    seeded: set[str] = set()
    for name, how in look.names():
        for kind, changes, seeds in _states_of(name, how):
            states[kind] = states.get(kind, False) or changes
            if seeds:
                seeded.add(kind)
        for words in _doubts_of(name, how):
            doubts[words] = None
    states.update(dict.fromkeys(look.written, True))
    drawn = (kind for kind in states.keys() - seeded if kind not in look.written)
    if any(kind not in STATES or STATES[kind].draws for kind in drawn):
        doubts["draws random numbers"] = None
    if any(_is(one, threading.local) for one in look._values):
        doubts["reads what each thread has for itself"] = None
    told = [words for words in DOUBTS if words in doubts]
    told += unseen_in_words(look.unseen, LOOKUPS)
    if not (states or told or look.unseen):
        return NONE
    return Effects(states, tuple(told), tuple(unseen_in_words(look.unseen, FILES)), look.mentions())


def state_in_words(kind: str) -> str:
    """How a sentence calls a state, after "uses"."""
    if kind in STATES:
        return STATES[kind].words
    return written_in_words(kind) or f"the generator {kind.partition(' ')[0]}"


@functools.lru_cache(maxsize=4096)
def _states_of(name: str, how: str) -> tuple[tuple[str, bool, bool], ...]:
    """The states that a name touches: which, whether it changes them, whether it seeds them."""
    if name.startswith(_GENERATOR):
        return ((name.removeprefix(_GENERATOR), True, False),)
    if name in NOT_SHARED or _is_class(name):
        return ()
    found = []
    for kind, state in STATES.items():
        if _is_among(name, how, state.changes):
            found.append((kind, True, name in state.seeds))
        elif _is_among(name, how, state.reads):
            found.append((kind, False, False))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _doubts_of(name: str, how: str) -> tuple[str, ...]:
    return tuple(words for words, names in DOUBTS.items() if _is_among(name, how, names))


def _is_among(name: str, how: str, names: frozenset[str]) -> bool:
    if f"{name}{how}" in names or (how != "=" and name in names):
        return True
    parts = name.split(".")
    if how == "=" and any(f"{'.'.join(parts[:n])}=" in names for n in range(1, len(parts))):
        return True  # an attribute of something that is not to be touched: pandas.options.x.y = 1
    if len(parts) > 2 and parts[-1] == "rvs" and f"{'.'.join(parts[:2])}.*.rvs" in names:
        return True
    return any(f"{'.'.join(parts[:n])}." in names for n in range(1, len(parts)))


def _is_class(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return module in ("numpy.random", "random", "tensorflow.random") and last[:1].isupper()


_GENERATOR: Final = "a generator: "


class _Look:
    """One look at a function's code, through all helpers.

    Args:
        function: where to begin.
        cached: whether it is one whose results are cached.

    Attributes:
        unseen: what it reads that nobody is told of: by which way, the names that it has for it.
        written: kinds of state that are globals which it writes.
    """

    def __init__(self, function: Any, cached: bool = False) -> None:
        self._function = function
        self._cached = cached
        self._values: list[Any] = []
        self._codes: list[types.CodeType] = []
        self._opened_before: set[int] = set()  # functions that open what tasks are given
        self.unseen: dict[str, dict[str, None]] = {}
        self.written: dict[str, None] = {}

    def names(self) -> Iterator[tuple[str, str]]:
        """The full names that it uses, and how."""
        seen: set[int] = set()
        todo: deque[Any] = deque([self._function])
        while todo and len(seen) < _MOST:
            thing = todo.popleft()
            if _is(thing, Injected):
                thing = thing.resource
            if _is(thing, Resource):
                self._opened_before.add(id(thing.fn))
            if _is(thing, (Task, Resource)):
                thing = thing.fn
            if id(thing) in seen:
                continue
            seen.add(id(thing))
            if _is(thing, types.FunctionType):
                todo.extend(_beside(thing))
                if is_followed(thing.__globals__):
                    yield from self._uses(thing, todo)
            elif _is(thing, types.MethodType):
                self._note(bound_written(thing))
                todo.extend((thing.__func__, type(thing.__self__)))
            elif _is(thing, functools.partial):
                self._note(bound_written(thing))
                todo.extend((thing.func, *thing.args, *thing.keywords.values()))
            elif _is(thing, functools._lru_cache_wrapper):
                if not self._cached and _Look(thing.__wrapped__, cached=True).reads():
                    self.unseen.setdefault(OPENS, {})[f"{thing.__name__}, which is cached"] = None
                todo.append(thing.__wrapped__)
            elif _is(thing, (staticmethod, classmethod)):
                todo.append(thing.__func__)
            elif _is(thing, property):
                todo.extend(filter(None, (thing.fget, thing.fset, thing.fdel)))
            elif _is(thing, type):
                module = sys.modules.get(_module_of(thing))
                if _is(module, types.ModuleType) and is_followed(vars(module)):
                    todo.extend((*vars(thing).values(), *thing.__bases__))
            else:
                self._values.append(thing)

    def _uses(self, function: types.FunctionType, todo: deque[Any]) -> Iterator[tuple[str, str]]:
        space, of_task = function.__globals__, function is self._function
        self._codes.append(function.__code__)
        self._note(held_written(function))
        for use in uses_of(function.__code__):
            if use.how == REBOUND_CELL:
                self._note(closure_written(function, use))
                continue
            name, leads_to = _resolved(use, space)
            if name == "builtins.hash" and function.__name__ == "__hash__":
                continue
            if name != "os.environ":
                self._note(written_global(use, space))
            if name:
                yield name, use.how
                if follows_links(name):
                    self.unseen[FOLLOWS] = {}
                way, told = unseen_use(use, name, space, of_task)
                if id(function) in self._opened_before and (opener := opens_for_later(name)):
                    way, told = OPENS, opener
                if way:
                    self.unseen.setdefault(way, {})[told] = None
            todo.extend(leads_to)

    def _note(self, written: Iterable[WrittenGlobal]) -> None:
        self.written.update({one.kind: None for one in written})

    def reads(self) -> bool:
        """Whether it reads something of outside, by the names that it uses."""
        deque(self.names(), 0)
        return any(used_to_read(code) for code in self._codes)

    def mentions(self) -> Mentions | None:
        """The texts in all that was looked at, where they may matter."""
        return mentions_in(self._codes, self._values, self.unseen.keys())


def _beside(function: types.FunctionType) -> Iterator[Any]:
    """What a function holds that its body may call."""
    yield from (vars(function).get("__wrapped__"),)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()


def _resolved(use: Use, space: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The full name of what is used, where it has one, and what of it is to be looked at."""
    if use.module is not None:
        value, name = _imported(*use.module)
    else:
        value = space.get(use.names[0], _MISSING)
        name = "" if value is _MISSING else _full_name(value, use.names[0])
        if value is _MISSING and use.names[0] in BUILTINS:
            name = f"builtins.{use.names[0]}"
    leads_to: list[Any] = [] if value is _MISSING else [value]
    for n, attribute in enumerate(use.names[1:], 2):
        if name.startswith(_GENERATOR):
            break
        stored = use.how == "=" and n == len(use.names)
        value = _MISSING if stored else _attribute(value, attribute)
        inner = _full_name(value, "") if _is(value, types.ModuleType) else ""
        name = inner or (f"{name}.{attribute}" if name else "")
        leads_to = [*leads_to[-1:], value]
    if not name and len(use.names) > 1 and use.names[-1] in (OF_PATHS | OF_READERS):
        name = f"{PATH_METHOD}.{use.names[-1]}"
    things = [one for one in leads_to if not _is(one, types.ModuleType)]
    kinds = [type(one) for one in things if not _is(one, (type, types.FunctionType))]
    return name, (*things, *kinds)


def _attribute(value: Any, name: str) -> Any:
    """An attribute, without running code of the user's."""
    if _is(value, types.ModuleType):
        return vars(value).get(name, _MISSING)
    kind = value if _is(value, type) else type(value)
    return next((vars(cls)[name] for cls in kind.__mro__ if name in vars(cls)), _MISSING)


def _imported(module: str, part: str) -> tuple[Any, str]:
    """What an import inside a body gives, and its full name; it need not have been done yet."""
    there = sys.modules.get(module, _MISSING)
    if not part or (module.rpartition(".")[2] == part and _attribute(there, part) is _MISSING):
        return there, module
    value = _attribute(there, part)
    if value is _MISSING:
        value = sys.modules.get(f"{module}.{part}", _MISSING)
    return value, _full_name(value, part) or f"{module}.{part}"


def _full_name(value: Any, called: str) -> str:
    """The name under which the tables know it; "" for what is nobody's."""
    if _is(value, types.ModuleType):
        return str(value.__name__)
    owner = getattr(value, "__self__", None) if _is(value, _BOUND) else None
    if owner is not None and not _is(owner, (types.ModuleType, type)):
        kind = type(owner)
        if _module_of(kind) == "random":
            return f"random.{value.__name__}"
        if _module_of(kind).startswith("numpy.random"):
            return f"numpy.random.{value.__name__}"
    if value is os.environ:
        return "os.environ"
    if _is(value, (type, types.FunctionType, *_BOUND)):
        module = _module_of(value)
        module = {"posix": "os", "nt": "os", "_random": "random", "_socket": "socket"}.get(
            module, module
        )
        module = "numpy.random" if module.startswith("numpy.random") else module
        return f"{module}.{value.__qualname__}"
    kind = type(value)
    module = _module_of(kind)
    if module.startswith("numpy.random") and kind.__name__ in ("Generator", "RandomState"):
        return f"{_GENERATOR}{called} {id(value)}"
    if kind is random.Random:
        return f"{_GENERATOR}{called} {id(value)}"
    return f"{module}.{kind.__qualname__}" if module in _CLIENTS else ""


def _is(value: Any, kinds: Any) -> bool:
    """`isinstance` by the type alone: a proxy may do anything when asked for its class."""
    return issubclass(type(value), kinds)


def _module_of(thing: Any) -> str:
    """The name of the module of a function or class; "" where it says something else."""
    said = getattr(thing, "__module__", None)
    return said if type(said) is str else ""


_BOUND: Final = (types.BuiltinFunctionType, types.MethodType, types.BuiltinMethodType)
_CLIENTS: Final = frozenset({"requests.sessions", "httpx", "aiohttp.client", "socket"})
