"""Tells quickly whether the code that a task leads to may have changed since the last look.

A key says what code was when it was worked out, and a helper is looked up when it is called. What
the names on the way led to then is remembered by identity, so that the question costs a dictionary
look-up for each name, and can be asked before a result is kept.
"""

from __future__ import annotations

import functools
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from cascade_nb.graph.code.environment import (
    ASKING,
    ASKING_FOR_FOLDER,
    ASKING_FOR_PROGRAMS,
    is_asked,
)
from cascade_nb.graph.code.modules import FileVersion, file_version, resolved, set_in
from cascade_nb.graph.code.origin import (
    Origin,
    counts,
    file_of_module,
    origin_of_module,
    origin_of_namespace,
)
from cascade_nb.graph.code.source import is_read, names_in
from cascade_nb.graph.code.targets import LOOKING_UP
from cascade_nb.graph.values.code_objects import is_code
from cascade_nb.model.copying.glances import Glance, may_change
from cascade_nb.model.copying.stamps import content_stamp
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.resources import Resource
from cascade_nb.model.tasks.task import Task

_MISSING: Final = object()
# What these look up is found when the code runs, by itself or by a library.
_ASKING: Final = ASKING | ASKING_FOR_FOLDER | ASKING_FOR_PROGRAMS | LOOKING_UP
_WRAPPING: Final = (types.FunctionType, type, functools._lru_cache_wrapper)
_FEW: Final = 16  # functions whose key takes microseconds
_LONG: Final = 4_096  # characters of a text from which on it is not hashed in a moment
_FIXED: Final = (
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    types.ModuleType,
    types.BuiltinFunctionType,
)
_OPEN: Final = frozenset({list, dict, set})


class CodeSnapshot:
    """What the code of one task leads to, by identity, at the moment when this is made.

    Attributes:
        certain: whether nothing of it can be changed in place, as a list can; only then `holds`
            says all there is to say of names.
        files: of modules that bodies import themselves, maybe for the first time.
        wholes: the names of these modules, and of those that a function holds as objects.
        is_of_functions: whether it is of few functions and small constants alone.
        glances: at what of it can be changed in place, except for tables.
    """

    def __init__(self, task: AnyTask) -> None:
        self.certain = True
        self.is_of_functions = True
        self._names: list[tuple[Callable[[str, Any], Any], str, Any]] = []
        self._large: list[tuple[Callable[[str, Any], Any], str, Callable[[], Any]]] = []
        self._codes: list[tuple[types.FunctionType, Any, Any, Any]] = []
        self.files: list[str] = []
        self.wholes: list[str] = []
        self.glances: list[Glance] = []
        self._stamps: list[FileVersion | None] | None = None
        self._seen: set[object] = set()
        self._todo: list[Any] = [task.fn]
        while self._todo:
            self._look(self._todo.pop())
        del self._seen, self._todo

    def holds(self) -> bool:
        """Whether every name leads to what it led to."""
        # It is asked before each result that is kept, so by hand.
        for function, code, defaults, named in self._codes:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not named
            ):
                return False
        for get, name, value in self._names:
            if get(name, _MISSING) is not value:
                return False
        return not self._large or all(get(n, _MISSING) is there() for get, n, there in self._large)

    def stands(self) -> bool:
        """Whether nothing was changed in place either, as far as that can be seen quickly."""
        return self.holds() and all(glance.holds() for glance in self.glances)

    def state(self) -> list[bytes]:
        """What it leads to that is no code, as it is now: to be compared with another's."""
        named = (value for _, _, value in self._names if not is_code(value))
        return [content_stamp(value) for value in (*named, *(one.value for one in self.glances))]

    def set_since(self) -> list[str]:
        """What of it stands in modules and was set there by somebody to something else than their
        files say, as ``module.name``. Not for the loop.
        """
        read: dict[str, set[str]] = {}
        for get, name, *_ in (*self._names, *self._large):
            space: Any = getattr(get, "__self__", None)
            if type(space) is dict and space is not sys.modules["__main__"].__dict__:
                read.setdefault(str(space.get("__name__")), set()).add(name)
        return [
            f"{module}.{name}"
            for module in dict.fromkeys([*read, *self.wholes])
            for name in set_in(module)
            if module in self.wholes or name in read[module]  # of a whole it is looked up late
        ]

    @staticmethod
    def may_be_quick(task: AnyTask) -> bool:
        """Whether the code of a task was looked at before, so that it is known where it is from."""
        return isinstance(task.fn, types.FunctionType) and is_read(task.fn.__code__)

    @property
    def is_quick(self) -> bool:
        """Whether the key of the code can be worked out in microseconds, without a look at a file:
        it was before.
        """
        return (
            self.is_of_functions
            and self.certain
            and not self.files
            and not self._large
            and len(self._codes) <= _FEW
            and all(is_read(code) for _, code, _, _ in self._codes)
        )

    def see_files(self) -> None:
        """Remember what the files are now. Not for the loop."""
        self._stamps = [file_version(file) for file in self.files]

    def files_hold(self) -> bool:
        """Whether the files are what they were when they were seen. Not for the loop."""
        return self._stamps is None or self._stamps == [file_version(file) for file in self.files]

    def _look(self, thing: Any) -> None:
        if isinstance(thing, (Task, Resource)):
            thing = thing.fn
        if isinstance(thing, (staticmethod, classmethod)):
            thing = thing.__func__
        if isinstance(thing, types.MethodType):
            self.is_of_functions = False
            self._look(thing.__self__)
            thing = thing.__func__
        if isinstance(thing, property):
            self._todo += [part for part in (thing.fget, thing.fset, thing.fdel) if part]
            return
        if isinstance(thing, _WRAPPING) and (wrapped := vars(thing).get("__wrapped__")) is not None:
            self._todo.append(wrapped)
        if is_asked(thing):
            self.certain = False
        elif isinstance(thing, types.FunctionType):
            self._function(thing)
        elif isinstance(thing, type):
            self._class(thing)
        elif not (isinstance(thing, _FIXED) or is_code(thing)):
            self.certain = False
            if may_change(thing):
                self.glances.append(Glance(thing))
        elif isinstance(thing, (str, bytes)) and len(thing) > _LONG:
            self.is_of_functions = False

    def _is_followed(self, thing: Any, origin: Origin) -> bool:
        if not origin.followed and counts(thing, origin):
            self.is_of_functions = False  # a library made it at run time, around who knows what
        return origin.followed

    def _function(self, function: types.FunctionType) -> None:
        space = function.__globals__
        if id(function) in self._seen or not self._is_followed(
            function, origin_of_namespace(space)
        ):
            return
        self._seen.add(id(function))
        self._codes.append(
            (function, function.__code__, function.__defaults__, function.__kwdefaults__)
        )
        if not _ASKING.isdisjoint(function.__code__.co_names):
            self.certain = False  # what stands in the environment is looked up when it runs
        for value in _held(function):
            if isinstance(value, types.ModuleType):
                self.certain = False
                self.wholes.append(value.__name__)
            self._look(value)
        references, imports = names_in(function.__code__)
        for names in references:
            self._follow(space, names)
        for found in imports:
            name = resolved(found, space)
            # What it has is looked up late.
            followed = origin_of_module(name).followed
            self.certain = self.certain and name != "__main__" and not followed
            if followed and name not in self._seen:
                self._seen.add(name)
                file = file_of_module(name)
                if file is not None:
                    self.files.append(file)
                    self.wholes.append(name)

    def _class(self, cls: type) -> None:
        origin = origin_of_module(str(cls.__module__))
        if id(cls) in self._seen or not self._is_followed(cls, origin):
            return
        self._seen.add(id(cls))
        self.is_of_functions = False
        self._todo += cls.__bases__
        for name, value in list(vars(cls).items()):
            if callable(value) or isinstance(value, (staticmethod, classmethod, property)):
                self._names.append((vars(cls).get, name, value))
                self._todo.append(value)
            elif type(value) in _OPEN:
                self._look(value)

    def _remember(self, space: Mapping[str, Any], name: str, value: Any) -> None:
        """What a name leads to, without keeping large data alive."""
        if not (isinstance(value, _FIXED) or is_code(value)):
            try:
                self._large.append((space.get, name, weakref.ref(value)))
                return
            except TypeError:  # a list, a tuple
                pass
        self._names.append((space.get, name, value))

    def _follow(self, space: Mapping[str, Any], names: tuple[str, ...]) -> None:
        """Along ``a.b.c``, as far as modules under edit go."""
        for name in names:
            value = space.get(name, _MISSING)
            if (id(space), name) not in self._seen:
                self._seen.add((id(space), name))
                self._remember(space, name, value)
                if value is not _MISSING:
                    self._look(value)
            if not isinstance(value, types.ModuleType):
                return
            if not origin_of_module(value.__name__).followed:
                return
            self.is_of_functions = False
            space = vars(value)


def with_other_files(snapshots: Mapping[AnyTask, CodeSnapshot]) -> set[AnyTask]:
    """The tasks whose files are not what they were. Not for the loop."""
    return {task for task, snapshot in snapshots.items() if not snapshot.files_hold()}


class InPlace:
    """Tells when something that tasks lead to was changed in place for the first time: what tasks
    change they change again, and are known for it from then on.

    Attributes:
        glances: at what is watched.
    """

    def __init__(self, snapshots: Iterable[CodeSnapshot]) -> None:
        self.glances: list[Glance] = []
        self._changed: dict[int, Any] = {}
        self.watch(snapshots)

    def watch(self, snapshots: Iterable[CodeSnapshot]) -> None:
        """Watch what could be changed, as it was when these were made."""
        found = {id(glance.value): glance for one in snapshots for glance in one.glances}
        self.glances = [found[place] for place in found.keys() - self._changed.keys()]

    def has_changed(self) -> bool:
        """Whether any of it was changed since."""
        changed = [glance.value for glance in self.glances if not glance.holds()]
        self._changed.update((id(value), value) for value in changed)
        return bool(changed)


def _held(function: types.FunctionType) -> Iterator[Any]:
    """The values that a function carries along."""
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue
