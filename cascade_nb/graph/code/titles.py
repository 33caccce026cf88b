"""Names pieces of code as a person would: `clean`, `helpers.clean`.

Among what keys are made of, functions and constants go by their names without the module: a
notebook's lines give the same keys as a module that has them, whatever that is called. Code that
asks for its module (`__name__`, `globals()`) reads it as a constant, and a function that is handed
on counts with its own. Classes go by both names, since an instance of a class of one module is none
of its twin in another.
"""

from __future__ import annotations

import types
from typing import Any, Final

from cascade_nb.graph.code.origin import CodeOwner, Origin, origin_of, qualified_name
from cascade_nb.model.containers.containers import holds
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Resource
from cascade_nb.model.tasks.task import Task

_OF_A_TASK: Final = frozenset({*vars(Task(lambda: None)), "__type_params__"})


class Label(str):
    """What a piece is called.

    Attributes:
        keyed: the same as it is in keys.
    """

    __slots__ = ("keyed",)
    keyed: str

    @classmethod
    def of(cls, shown: str, keyed: str | None = None) -> Label:
        """A label; without `keyed`, the same in both."""
        made = cls(shown)
        made.keyed = str(shown) if keyed is None else keyed
        return made

    def part(self, what: str) -> Label:
        """What a part of this piece is called: "default n of clean". The function that is looked at
        needs no name.
        """
        kind, _, shown = self.partition(" ")
        if kind == "function":
            return Label.of(what)
        return Label.of(f"{what} of {shown}", f"{what} of {self.keyed.partition(' ')[2]}")

    def told(self, what: str) -> Label:
        """What is said of this piece: "annotations of helper clean"."""
        return Label.of(f"{what} of {self}", f"{what} of {self.keyed}")


class Labels:
    """Those of one look at code, no two of which are the same, shown or in keys."""

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._keyed: set[str] = set()

    def unused(self, wanted: Label) -> Label:
        """`wanted`, with a number where it is taken."""
        return Label.of(_numbered(wanted, self._shown), _numbered(wanted.keyed, self._keyed))


def keyed(label: str) -> str:
    """A label as it is in keys."""
    return label.keyed if isinstance(label, Label) else label


def label_of(kind: str, thing: Any) -> Label:
    """What a function or a class is called, as a piece of this kind."""
    title = title_of(thing)
    return Label.of(f"{kind} {title}", f"{kind} {keyed_title(thing)}")


def constant_label(origin: Origin, name: str) -> Label:
    """What a constant of a module is called."""
    shown = f"constant {name_with_module(origin, name)}"
    return Label.of(shown, f"constant {name}" if origin.followed else shown)


def title_of(thing: Any) -> str:
    """How a person calls it: its name, with its module where that is not the notebook."""
    name = _name(thing)
    origin = origin_of(thing)
    return name_with_module(origin, name) if origin.followed else name


def keyed_title(thing: Any) -> str:
    """How keys call it."""
    return title_of(thing) if isinstance(thing, type) else _name(thing)


def name_with_module(origin: Origin, name: str) -> str:
    """A name, with its module where that is not the notebook."""
    return name if origin.owner is CodeOwner.USER else f"{origin.module}.{name}"


def written_name(function: types.FunctionType) -> str:
    """How the code itself is called, whatever name `functools.wraps` gave to the function."""
    code = function.__code__
    name: str = getattr(code, "co_qualname", code.co_name)
    return name.partition(".<locals>")[0] if "<locals>" in name else name


def wrapped_chain(thing: types.FunctionType) -> list[types.FunctionType]:
    """A function, what it wraps, what that wraps, and so on to the innermost."""
    chain = [thing]
    while isinstance(inner := chain[-1].__dict__.get("__wrapped__"), types.FunctionType):
        if any(inner is one for one in chain):
            break
        chain.append(inner)
    return chain


def plain_of(thing: Any) -> Any:
    """The function of a task or resource; anything else as it is."""
    return thing.fn if isinstance(thing, (Task, Resource)) else thing


def set_on_task(task: Task[Any, Any]) -> dict[str, Any]:
    """What was set on a task beside what a task has."""
    held = vars(task)
    return {} if held.keys() <= _OF_A_TASK else {k: held[k] for k in held.keys() - _OF_A_TASK}


def _numbered(wanted: str, taken: set[str]) -> str:
    name, count = str(wanted), 1
    while name in taken:
        count += 1
        name = f"{wanted}#{count}"
    taken.add(name)
    return name


def _name(thing: Any) -> str:
    return qualified_name(thing).replace(".<locals>", "")


def defaults_of(function: types.FunctionType) -> dict[str, Any]:
    """The defaults of a function's parameters, by their names, but for those in which a lazy value
    stands: what a call really gets in its place is among its arguments.
    """
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    named = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    named |= function.__kwdefaults__ or {}
    return {name: value for name, value in named.items() if not holds(value, Lazy)}
