"""Reads from a function's annotation how many values it returns."""

from __future__ import annotations

import ast
import functools
import inspect
import typing
from typing import Any

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.annotations import annotations_of
from cascade_nb.text import quoted


def checked_outputs(outputs: object, name: str) -> int | None:
    """`outputs`, if it can be the number of a task's outputs.

    Raises:
        TaskDefinitionError: it is no whole number of at least 1.
    """
    if outputs is None:
        return None
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise TaskDefinitionError(
            f"{name}: outputs is how many values it returns, at least 1, not {quoted(outputs, 40)}"
        )
    return outputs


def outputs_of(fn: Any) -> int | None:
    """How many values the return annotation of `fn` names: 2 for ``tuple[int, str]``, and for a
    named tuple as many as it has fields; None where it does not say.
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    code = fn if inspect.isroutine(fn) else type(fn).__call__
    annotation = annotations_of(code).get("return")
    if isinstance(annotation, str):
        return _of_text(annotation, getattr(code, "__globals__", {}))
    return _of_type(annotation)


def _of_type(annotation: Any) -> int | None:
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        fields = getattr(annotation, "_fields", None)
        if fields is not None:
            return len(fields)
    if typing.get_origin(annotation) is not tuple:
        return None
    parts = typing.get_args(annotation)
    return None if Ellipsis in parts or not parts else len(parts)


def _of_text(annotation: str, names: dict[str, Any]) -> int | None:
    """What an annotation says that stands there as text; only names are looked up."""
    try:
        said = parse(annotation, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        return None
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        return _of_text(said.value, names)  # text in quotes, where annotations are text anyway
    if isinstance(said, ast.Name):
        return _of_type(names.get(said.id))
    if not isinstance(said, ast.Subscript):
        return None
    what = said.value.attr if isinstance(said.value, ast.Attribute) else said.value
    name = what.id if isinstance(what, ast.Name) else what
    if name not in ("tuple", "Tuple"):
        return None
    parts = said.slice.elts if isinstance(said.slice, ast.Tuple) else [said.slice]
    many = any(isinstance(part, ast.Constant) and part.value is Ellipsis for part in parts)
    return None if many or not parts else len(parts)
