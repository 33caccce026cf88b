"""Finds what a task's code does beside computing: the state of the process that it uses, and what
nobody can know beforehand.

It is found by names: those that the task and the helpers it leads to read, as far as they lead to
something real. What is reached in another way, through an object that is made while it runs, is
not seen.
"""

from __future__ import annotations

import functools
import sys
import threading
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.database_writes import (
    connects,
    may_change_database,
    says_change,
)
from cascade_nb.graph.effects.doubts import (
    ASKS_NETWORK,
    BY_CHANCE,
    DOUBTS,
    DRAWS,
    called_as,
    draws_by_chance,
    is_chance_itself,
    is_fixed,
    reads_tables,
    to_elsewhere,
)
from cascade_nb.graph.effects.full_names import (
    GENERATOR,
    KNOWN,
    full_name,
    is_of,
    looked_up,
    module_of,
    reads_namespace,
    resolved,
)
from cascade_nb.graph.effects.global_writes import (
    WrittenGlobal,
    closure_written,
    place_of,
    written_global,
    written_in_words,
)
from cascade_nb.graph.effects.held_things import beside, has_own, held_by, is_written_by_attrs
from cascade_nb.graph.effects.held_writes import bound_written, held_written
from cascade_nb.graph.effects.shared_state import (
    NOT_SHARED,
    STATES,
    is_of_a_library,
    sets_loggers,
)
from cascade_nb.graph.effects.unseen import (
    ASKS,
    FILES,
    FOLLOWS,
    LOOKS_UP,
    LOOKUPS,
    OPENS,
    Mentions,
    follows_links,
    mentions_in,
    opens_by_descriptor,
    opens_for_later,
    texts_and_paths_in,
    texts_of_code,
    unseen_in_words,
    unseen_use,
)
from cascade_nb.graph.effects.waiting import only_waits
from cascade_nb.graph.uses.uses import REBOUND_CELL, used_to_read, uses_of
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.resources import Injected, Resource
from cascade_nb.model.tasks.task import Task

_LOGGERS: Final = ("logging.getLogger", "logging.root")
_KNOWN: Final = tuple(KNOWN)
_HELD: Final = "held"  # how something is used that a value holds: nobody knows
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
    written = dict.fromkeys(look.written.values(), True)
    states.update(written)
    if look.changes_databases():
        states["sqlite"] = True
    drawn = (kind for kind in states.keys() - seeded if kind not in written)
    if any(kind not in STATES or STATES[kind].draws for kind in drawn):
        doubts[DRAWS] = None
    if look.asks_elsewhere():
        doubts[ASKS_NETWORK] = None
    if any(is_of(one, threading.local) for one in look._values):
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
    if name.startswith(GENERATOR):
        return ((name.removeprefix(GENERATOR), True, False),)
    if name in NOT_SHARED or _is_class(name):
        return ()
    found = []
    for kind, state in STATES.items():
        if _is_among(name, how, state.changes):
            found.append((kind, True, name in state.seeds and not how))
        elif _is_among(name, how, state.reads):
            found.append((kind, False, False))
    if how == "=" and not found and is_of_a_library(name):
        found.append(("patches", True, False))
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


class _Look:
    """One look at a function's code, through all helpers.

    Args:
        function: where to begin.
        cached: whether it is one whose results are cached.

    Attributes:
        unseen: what it reads that nobody is told of: by which way, the names that it has for it.
        written: kinds of state that are globals which it writes, by `place_of` them.
    """

    def __init__(self, function: Any, cached: bool = False) -> None:
        self._function = function
        self._cached = cached
        self._values: list[Any] = []
        self._codes: list[types.CodeType] = []
        self._opened_before: set[int] = set()  # functions that open what tasks are given
        self._connects = self._reads_tables = False
        self._named: set[int] = set()  # by id, what code names itself
        self._called: dict[int, str] = {}  # by id, the name of what is held under one
        self.unseen: dict[str, dict[str, None]] = {}
        self._waits = True  # whether all that it asks of files, it waits for
        self.written: dict[str, str] = {}

    def names(self) -> Iterator[tuple[str, str]]:
        """The full names that it uses, and how."""
        seen: set[int] = set()
        todo: deque[Any] = deque([self._function])
        while todo and len(seen) < _MOST:
            thing = todo.popleft()
            if is_of(thing, Injected):
                thing = thing.resource
            if is_of(thing, Resource):
                self._opened_before.add(id(thing.fn))
            if is_of(thing, (Task, Resource)):
                thing = thing.fn
            if id(thing) in seen:
                continue
            seen.add(id(thing))
            if is_of(thing, types.FunctionType):
                todo.extend(beside(thing))
                if is_written_by_attrs(thing):
                    continue
                if is_followed(thing.__globals__):
                    yield from self._uses(thing, todo)
                elif id(thing) not in self._named:
                    yield full_name(thing, ""), _HELD
            elif is_of(thing, types.MethodType):
                todo.extend((thing.__func__, type(thing.__self__)))
            elif is_of(thing, functools.partial):
                self._note(bound_written(thing))
                todo.extend((thing.func, *thing.args, *thing.keywords.values()))
            elif is_of(thing, functools._lru_cache_wrapper):
                if not self._cached and _Look(thing.__wrapped__, cached=True).reads():
                    self.unseen.setdefault(OPENS, {})[f"{thing.__name__}, which is cached"] = None
                todo.append(thing.__wrapped__)
            elif is_of(thing, (staticmethod, classmethod)):
                todo.append(thing.__func__)
            elif is_of(thing, property):
                todo.extend(filter(None, (thing.fget, thing.fset, thing.fdel)))
            elif is_of(thing, type):
                module = sys.modules.get(module_of(thing))
                if is_of(module, types.ModuleType) and is_followed(vars(module)):
                    todo.extend((*vars(thing).values(), *thing.__bases__, type(thing)))
            else:
                self._values.append(thing)
                yield from self._held(thing, todo)

    def _held(self, thing: Any, todo: deque[Any]) -> Iterator[tuple[str, str]]:
        """The full name of a value, and on the way to it what it holds."""
        if id(thing) not in self._named:
            yield full_name(thing, self._called.get(id(thing), "")), _HELD
        if is_chance_itself(thing):
            yield BY_CHANCE, ""
        todo.append(type(thing))
        for name, one in held_by(thing):
            self._called.setdefault(id(one), name or self._called.get(id(thing), ""))
            todo.append(one)

    def _uses(self, function: types.FunctionType, todo: deque[Any]) -> Iterator[tuple[str, str]]:
        space, of_task = function.__globals__, function is self._function
        self._codes.append(function.__code__)
        self._note(held_written(function))
        if opens_by_descriptor(function.__code__):
            self.unseen.setdefault(OPENS, {})["dir_fd=…"] = None
        yield from looked_up(function.__code__, space)
        for use in uses_of(function.__code__):
            if use.how == REBOUND_CELL:
                self._note(closure_written(function, use))
                continue
            name, leads_to = resolved(use, space)
            if name == BY_CHANCE and has_own(space, use.names[-1]):
                continue
            if name == "builtins.hash" and function.__name__ == "__hash__":
                continue
            if reads_namespace(use, space):
                self.unseen.setdefault(LOOKS_UP, {})[use.names[-1]] = None
            if not name.startswith(_KNOWN):
                self._note(written_global(use, space))
            if name and not is_fixed(name, function.__code__):
                yield name, use.how
            if name:
                yield from ((name, call) for call in called_as(use, function))
                self._reads_tables = self._reads_tables or reads_tables(name)
                self._connects = self._connects or connects(name, function.__code__)
                if name.startswith(_LOGGERS) and sets_loggers(function.__code__):
                    yield "logging.config.logger", ""
                if draws_by_chance(name, function.__code__):
                    yield BY_CHANCE, ""
                if follows_links(name):
                    self.unseen[FOLLOWS] = {}
                way, told = unseen_use(use, name, space, of_task)
                if id(function) in self._opened_before and (opener := opens_for_later(name)):
                    way, told = OPENS, opener
                if way:
                    self.unseen.setdefault(way, {})[told] = None
                if way == ASKS:
                    self._waits = self._waits and only_waits(function.__code__, space)
            todo.extend(leads_to)
            of_generator = name.removeprefix(GENERATOR) if name.startswith(GENERATOR) else ""
            called = of_generator.partition(" ")[0] or use.names[0]
            for value in leads_to:
                self._called.setdefault(id(value), called)
                self._named.add(id(value))
                if is_of(value, types.FunctionType) and draws_by_chance(
                    full_name(value, ""), function.__code__
                ):
                    yield BY_CHANCE, ""

    def _note(self, written: Iterable[WrittenGlobal]) -> None:
        for one in written:
            self.written.setdefault(place_of(one.kind), one.kind)

    def changes_databases(self) -> bool:
        """Whether it opens an SQLite database in a file and may change that."""
        return self._connects and (
            any(map(may_change_database, self._codes))
            or any(map(says_change, chain.from_iterable(map(texts_and_paths_in, self._values))))
        )

    def asks_elsewhere(self) -> bool:
        """Whether it reads tables, and mentions an address of another machine."""
        if not self._reads_tables:
            return False
        texts = chain.from_iterable(map(texts_of_code, self._codes))
        held = chain.from_iterable(map(texts_and_paths_in, self._values))
        return any(map(to_elsewhere, chain(texts, held)))

    def reads(self) -> bool:
        """Whether it reads something of outside, by the names that it uses."""
        deque(self.names(), 0)
        return any(used_to_read(code) for code in self._codes)

    def mentions(self) -> Mentions | None:
        """The texts in all that was looked at, where they may matter."""
        return mentions_in(self._codes, self._values, self.unseen, self._waits)
