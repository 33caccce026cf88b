"""Finds what `cascade-nb run` is to run: a name in a file of Python, in a module, in a notebook."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import importlib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Final, NamedTuple

from cascade_nb.defaults import default_engine
from cascade_nb.errors import ParamError, UnknownNameError, UsageError, nearest
from cascade_nb.grammar.values import literal_or_text, parameter_texts, read_value
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.field import text_of
from cascade_nb.model.params.param import REQUIRED, Param, check_given
from cascade_nb.model.params.param_types import param_type_of
from cascade_nb.model.tasks.task import Task
from cascade_nb.text import quoted

_EXAMPLE: Final = "such as `cascade-nb run flow.py:report`"
_SHOWN: Final = 60
#: Files whose lines run now, since one of them may ask for a run of what it defines.
_being_read: Final[set[Path]] = set()


class Place(NamedTuple):
    """Where there are targets.

    Attributes:
        names: what they are called, of those that can be run.
        find: gives what a name means; raises a `UsageError` where it means nothing to run.
        bindings: what names mean to one another; None where they are values as they stand.
    """

    names: list[str]
    find: Callable[[str], Any]
    bindings: Bindings | None = None


def split_target(text: str) -> tuple[str, str]:
    """The file or module, and the name in it; empty where none is given.

    Raises:
        UsageError: there is no file or module.
    """
    where, colon, name = text.rpartition(":")
    if not colon or "/" in name or "\\" in name:  # C:\flow.py has a colon too
        where, name = text, ""
    if not where:
        raise UsageError(f"say which file or module has {quoted(name)}, {_EXAMPLE}")
    return where, name


def module_place(where: str) -> Place:
    """The targets of a file of Python, or of a module that can be imported.

    Raises:
        UsageError: there is none such.
        Exception: whatever it raises itself.
    """
    module = _from_file(Path(where)) if where.endswith(".py") else _imported(where)
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, (Lazy, Task, Graph)) and not name.startswith("_")
    }

    def find(name: str) -> Any:
        value: Any = module
        for part in name.split("."):
            if not hasattr(value, part):
                raise UnknownNameError("name", name, found, f" in {where}")
            value = getattr(value, part)
        return value

    own = [n for n, it in found.items() if not isinstance(it, Param) and _is_of(module, it)]
    return Place(own, find)


def graph_of(
    place: Place, text: str, name: str, given: list[str], *, whole: bool = True
) -> tuple[Graph, dict[str, Any]]:
    """What is to run, and its parameters.

    Args:
        place: where it is.
        text: how that was called.
        name: what to run; empty for the only thing there is.
        given: texts ``name=value``.
        whole: whether all is to be given that is needed.

    Raises:
        UsageError: it is not clear what, or it cannot be run.
        ParamError: a parameter is unknown or missing, or does not fit.
    """
    said = parameter_texts(given)
    if not name and len(place.names) == 1:
        name = place.names[0]
    if not name:
        there = f"; there is {', '.join(place.names)}" if place.names else "; there is nothing"
        raise UsageError(f"say what of {text} is to run: {text}:NAME{there}")
    target = place.find(name)
    if isinstance(target, Task):
        target = _called(name, target, said)
    if isinstance(target, types.FunctionType):
        raise UsageError(f"{name} of {text} is a function and no task; `@cs.task` makes it one")
    try:
        graph = default_engine().graph_of(target, place.bindings)
    except UsageError as error:
        raise UsageError(f"{name} of {text} cannot be run: {error}") from None
    known = graph.params()
    check_given(said, known)
    params = {one: read_value(known[one], it) for one, it in said.items()}
    for one in known.values():
        if whole and one.default is REQUIRED and one.name not in said:
            raise ParamError(f"parameter {one.name!r} has no default: give it with -p {one.name}=…")
    return graph, params


def parameter_lines(place: Place, text: str, name: str) -> list[str]:
    """The parameters of what is to run, as its help shows them; of a task its own arguments.

    Args:
        place, text, name: as for `graph_of`.

    Raises:
        UsageError: it cannot be run.
    """
    target = place.find(name or place.names[0])
    rows: list[tuple[str, str]] = []
    if isinstance(target, Task):
        for one in _arguments_of(target):
            kind = _kind_of(None if one.annotation is one.empty else one.annotation)
            rows.append((one.name, f"{kind}, {_default(one.default, one.empty)}"))
    else:
        for param in graph_of(place, text, name, [], whole=False)[0].params().values():
            about = f"; {param.description}" if param.description else ""
            kind = "any value" if param.kind is None else param.kind.name
            rows.append((param.name, f"{kind}, {_default(param.default, REQUIRED)}{about}"))
    width = max((len(head) for head, _ in rows), default=0) + len("-p =…")
    return [f"  {f'-p {head}=…':<{width}}  {rest}" for head, rest in rows]


def _kind_of(annotation: Any) -> str:
    """What an argument of a task is annotated as, in words."""
    if annotation is None:
        return "any value"
    try:
        return param_type_of(annotation).name
    except ParamError:  # no matter to who does not give it as text
        return str(getattr(annotation, "__name__", annotation))


def _default(default: Any, none: Any) -> str:
    """A default as one would type it."""
    if default is none:
        return "needed"
    typed = isinstance(default, (enum.Enum, dt.date, dt.time, dt.timedelta, PurePath, Decimal))
    return f"default {text_of(default) if typed else short_repr(default, _SHOWN)}"


def _arguments_of(task: Task[Any, Any]) -> list[inspect.Parameter]:
    """Those that can be given by name."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(task.fn).parameters.values()
    return [one for one in found if one.kind not in several]


def _types_of(task: Task[Any, Any]) -> Mapping[str, Any]:
    """What the arguments of a task are annotated as; nothing where that means nothing here."""
    try:
        return typing.get_type_hints(task.fn)
    except Exception:  # a name that is imported for type checkers alone, or the user's own code
        return {}


def _read(annotation: Any, text: str) -> Any:
    """An argument as it is annotated, where that can be read; else a Python literal, or text."""
    if annotation is not None:
        with contextlib.suppress(ParamError, TypeError, ValueError, ArithmeticError):
            return param_type_of(annotation).take(text)
    return literal_or_text(text)


def _called(name: str, task: Task[Any, Any], said: dict[str, str]) -> Any:
    """The call of a task with what is given for its own arguments, which are taken out of `said`.

    Raises:
        ParamError: it needs an argument that was not given.
    """
    arguments: dict[str, Any] = {}
    types_of = _types_of(task)
    for parameter in _arguments_of(task):
        if parameter.name in said:
            text = said.pop(parameter.name)
            arguments[parameter.name] = _read(types_of.get(parameter.name), text)
        elif parameter.default is parameter.empty:
            close = nearest(parameter.name, said)
            raise ParamError(f"{name} needs {parameter.name}: -p {parameter.name}=…{close}")
    return task(**arguments)


def refuse_what_is_being_read(file: str) -> None:
    """Refuse to run what a file defines while its lines are being read.

    Raises:
        UsageError: they are.
    """
    if Path(file).resolve() in _being_read:
        raise UsageError(
            f"{file} runs itself while it is imported: put its `cs.main(…)` below "
            '`if __name__ == "__main__":`'
        )


def _from_file(path: Path) -> types.ModuleType:
    program = sys.modules.get("__main__")
    of_it = getattr(program, "__file__", None)
    if program is not None and of_it is not None and Path(of_it).resolve() == path.resolve():
        return program  # `python flow.py`: its lines have run, and are not to run twice
    if not path.is_file():
        near = [str(one) for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise UnknownNameError("file", str(path), near)
    name = path.stem
    folder = str(path.parent.resolve())
    if folder not in sys.path:  # it finds its neighbours, as when Python runs it
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None or not name.isidentifier():
        raise UsageError(f"{path} has no name of a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _being_read.add(path.resolve())
    try:
        with _is_to_stay(str(path)):
            spec.loader.exec_module(module)
    finally:
        _being_read.discard(path.resolve())
    return module


def _imported(name: str) -> types.ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with _is_to_stay(name):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"there is no file or module {quoted(name)}, {_EXAMPLE}") from None
        raise


@contextlib.contextmanager
def _is_to_stay(name: str) -> Iterator[None]:
    try:
        yield
    except SystemExit as error:
        raise UsageError(
            f"{name} ended itself while it was imported (SystemExit: {error.code!s:.60}): put "
            'what it does as a script below `if __name__ == "__main__":`'
        ) from error


def _is_of(module: types.ModuleType, value: object) -> bool:
    """Whether a task was defined there; one that was imported is no target of that module."""
    return not isinstance(value, Task) or getattr(value.fn, "__module__", "") == module.__name__
