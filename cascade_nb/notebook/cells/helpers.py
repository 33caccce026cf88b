"""What the rewritten code of a `%%cascade` cell calls, and what it has to say afterwards."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, Final
from weakref import ref

from cascade_nb.errors import TaskDefinitionError
from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.arguments.capture import ReadOnceError
from cascade_nb.model.arguments.inputs import OutOfReachError, scan
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.refusals import ways_out_of
from cascade_nb.model.resources import Injected
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.cells.unpacking import as_rest, each, unpack
from cascade_nb.notebook.roles.demand import READ_ONCE
from cascade_nb.notebook.roles.plain_bodies import plain_inside
from cascade_nb.notebook.roles.uses import AWAITED
from cascade_nb.notebook.workspace.layers import standing_for

# No identifiers, so that no name of the user's can be one of them.
TASK: Final = "<task>"
READ: Final = "<read>"
UNPACK: Final = "<unpack>"
REST: Final = "<rest>"
EACH: Final = "<each>"
LOOSE: Final = "<loose>"
NOW: Final = "<now>"
FUNCTION: Final = "<function>"
ASKED: Final = "<asked>"
PLAIN_INSIDE: Final = "<plain inside>"

_IS_ATOM: Final = ATOMS.__contains__

GIVES_NOTHING: Final = "it returns nothing, and has no name"


class Helpers:
    """What the rewritten code of one cell calls.

    Attributes:
        names: by the names under which the code finds them.
        ran: the tasks that ran at once, with the reason.
    """

    def __init__(self) -> None:
        self.names: Mapping[str, Callable[..., Any]] = {
            TASK: _as_task,
            READ: _as_read,
            UNPACK: unpack,
            REST: as_rest,
            EACH: each,
            LOOSE: self._loose,
            NOW: self._now,
            FUNCTION: _as_function,
            ASKED: self._asked,
            PLAIN_INSIDE: plain_inside,
        }
        self.ran: dict[str, str] = {}
        self._questions: dict[str, list[int]] = {}
        self._seen: list[tuple[ref[Lazy], str, int]] = []
        self._values: dict[str, str] = {}
        self._in_place: dict[tuple[AnyTask, int, str], Callable[..., Any]] = {}

    def caught(
        self, refused: Iterable[tuple[Exception, int]], error: BaseException | None
    ) -> list[str]:
        """What is to be said of refusals that the cell caught, each with its line.

        Args:
            refused: all that there were.
            error: what the cell ended with.
        """
        came: list[BaseException | None] = [error]
        for one in came:
            came += [] if one is None else [one.__cause__, one.__context__]
        asked = {line for lines in self._questions.values() for line in lines}
        told = {
            f"The error of line {line} was caught: {one}": None
            for one, line in refused
            if not (any(one is shown for shown in came) or line in asked)
        }
        return list(told)

    def untold(self) -> list[str]:
        """What is to be said of calls that nothing keeps, once the cell is over."""
        told = []
        if self.ran:
            names = "; ".join(f"`{name}`: {reason}" for name, reason in self.ran.items())
            told.append(
                f"Ran at once, as a function like `_{next(iter(self.ran))}` would. {names}. What "
                "is to run later gets a name for its call, whose value no line of the cell uses."
            )
        for question, lines in self._questions.items():
            where = ", ".join(map(str, lines))
            told.append(
                f"`{question}` (line {where}) is answered of a call that has not run, not of its "
                "value."
            )
        dead = {(label, line) for lazy, label, line in self._seen if lazy() is None}
        by_label: dict[str, list[int]] = {}
        for label, line in sorted(dead, key=lambda one: one[1]):
            by_label.setdefault(label, []).append(line)
        for label, lines in by_label.items():
            where = ", ".join(map(str, lines))
            at_once = f"name the function `_{label}` to have it run at once"
            told.append(
                f"Nothing keeps the value of `{label}` (line {where}), so it does not run: give "
                f"the call a name and run that, or {self._values.get(label, at_once)}."
            )
        return told

    def _loose(self, value: Any, line: int) -> Any:
        """The value of an expression that is a statement."""
        for lazy in value if type(value) is list else (value,):
            if isinstance(lazy, Lazy):
                self._seen.append((ref(lazy), lazy.label, line))
                if lazy.inputs and lazy.label not in self._values:
                    self._values[lazy.label] = _with_values(lazy, lazy.inputs[0])
        return value

    def _now(self, called: Any, line: int, reason: str) -> Any:
        """What is called in the place of `called` where its value is used at once; for an empty
        `reason`, where it is a statement. A cell may ask for it a million times.
        """
        if not isinstance(called, Task):
            return called
        place = (called, line, reason)
        try:
            return self._in_place[place]
        except KeyError:
            return self._in_place.setdefault(place, self._at_once(called, line, reason))

    def _at_once(self, called: Task[Any, Any], line: int, reason: str) -> Callable[..., Any]:
        if not reason:
            reason = GIVES_NOTHING if _gives_nothing(called.fn) else READ_ONCE
        name_called = getattr(called, "__name__", called.name)
        is_node = _needs_a_node(called) or (called.executor == "async" and reason != AWAITED)
        function: Any = None
        is_quick = False

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal function, is_quick
            if is_quick and not kwargs and all(map(_IS_ATOM, map(type, args))):
                return function(*args)  # nearly always, in a loop
            if reason == READ_ONCE:
                try:
                    return called(*args, **kwargs)
                except ReadOnceError:
                    pass  # nothing of it is read yet
            elif is_node or not _are_values(args, kwargs):
                return called(*args, **kwargs)
            if function is None:
                self.ran.setdefault(name_called, f"{reason}, line {line}")
                function = plain_inside(called.fn)
                is_quick = reason != READ_ONCE and not is_node
            return function(*args, **kwargs)  # given what the call was, no copies

        return call

    def _asked(self, value: Any, line: int, question: str) -> Any:
        """What something is asked about, and not for its value."""
        if isinstance(value, Lazy):
            lines = self._questions.setdefault(question, [])
            if line not in lines:
                lines.append(line)
        return value


def _with_values(call: Lazy, given: Lazy) -> str:
    """How to have a call run at once that is given what is not computed yet."""
    is_plain = isinstance(call, LazyResult) and _gives_nothing(call.task.fn)
    named = "" if is_plain else f"name the function `_{call.label}` and "
    return f"{named}give it values, and it runs at once: {ways_out_of(given).partition(';')[0]}"


def _as_task(made: Any) -> Any:
    """What a `def` at the top level is bound to: a task, unless its own decorators made it one, or
    something that is no function.
    """
    if isinstance(made, Lazy):
        raise TaskDefinitionError(
            f"the decorator `{made.label}` is a task, whose call gives no function; a function "
            "whose name begins with '_' stays plain and can decorate"
        )
    if isinstance(made, (Task, type)) or not callable(made):
        return made
    try:
        return Task(made)
    except TaskDefinitionError as error:
        advice = "; a name that begins with '_' stays a plain function"
        raise TaskDefinitionError(f"{error}{advice}") from None


def _as_read(value: Any) -> Any:
    return standing_for(value) if isinstance(value, Lazy) else value


def _as_function(value: Any) -> Any:
    """What is called in the place of a task, where somebody else calls it."""
    if not isinstance(value, Task):
        return value
    return value if _needs_a_node(value) else plain_inside(value.fn)


def _are_values(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether nothing is lazy in what a call is given."""
    given = (*args, *kwargs.values()) if kwargs else args
    if all(map(_is_plainly_a_value, given)):
        return True
    try:
        inputs, nested = scan(given)
    except OutOfReachError:
        return False
    return not inputs and not nested


def _is_plainly_a_value(value: Any) -> bool:
    """Whether nothing need be looked for inside of it, which takes as long as many a call does."""
    kind = type(value)
    if kind in ATOMS:
        return True
    if kind is Task:
        value, kind = value.fn, type(value.fn)
    if kind is FunctionType:
        has_own = value.__closure__ or value.__defaults__ or value.__kwdefaults__ or value.__dict__
        return not has_own
    dtype = value.dtype if kind.__module__ == "numpy" and hasattr(value, "dtype") else None
    return dtype is not None and not dtype.hasobject


def _needs_a_node(task: AnyTask) -> bool:
    """Whether a parameter's default is a resource, or what another call gives."""
    defaults = (parameter.default for parameter in task.signature.parameters.values())
    return any(isinstance(default, (Lazy, Injected)) for default in defaults)


def _gives_nothing(function: Any) -> bool:
    """Whether a function returns nothing but None."""
    if not isinstance(function, FunctionType):
        return False
    before = None
    for step in dis.get_instructions(function):
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return False
        if step.opname == "RETURN_VALUE" and (
            before is None or before.opname != "LOAD_CONST" or before.argval is not None
        ):
            return False
        before = step
    return True
