"""Names pieces of code as a person would: `clean`, `helpers.clean`."""

from __future__ import annotations

import types
from typing import Any

from cascade_nb.graph.code.origin import CodeOwner, Origin, origin_of, qualified_name
from cascade_nb.model.resources import Resource
from cascade_nb.model.tasks.task import Task


def title_of(thing: Any) -> str:
    """How a person calls it: its name, with its module where that is not the notebook."""
    name = qualified_name(thing).replace(".<locals>", "")
    origin = origin_of(thing)
    return name_with_module(origin, name) if origin.followed else name


def name_with_module(origin: Origin, name: str) -> str:
    """A name, with its module where that is not the notebook."""
    return name if origin.owner is CodeOwner.USER else f"{origin.module}.{name}"


def written_name(function: types.FunctionType) -> str:
    """How the code itself is called, whatever name `functools.wraps` gave to the function."""
    code = function.__code__
    name: str = getattr(code, "co_qualname", code.co_name)
    return name.partition(".<locals>")[0] if "<locals>" in name else name


def plain_of(thing: Any) -> Any:
    """The function of a task or resource; anything else as it is."""
    return thing.fn if isinstance(thing, (Task, Resource)) else thing
