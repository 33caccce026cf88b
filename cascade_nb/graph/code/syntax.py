"""Reads source text: digests it without comments, docstrings, layout and annotations, and says what
the text of a module binds.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.safe_parse import literal, safely
from cascade_nb.graph.values.atoms import ATOMS, digest, frame, text
from cascade_nb.graph.values.own_changes import READING

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Nothing of these decides what happens: where a name stands already says whether it is read or set.
_SILENT: Final = frozenset({"ctx", "type_comment", "kind", "type_ignores", "type_params"})
_TYPES: Final = frozenset({"annotation", "returns"})
# Of what is called by a small letter, this keeps what it is given.
_KEEPS: Final = frozenset(
    {"partial", "partialmethod", "dict", "append", "add", "insert", "setdefault", "setattr", "put"}
)

# With these a module may bind any name itself.
_BINDING: Final = re.compile(
    r"\b((globals|vars|locals)\(\)|(setattr|exec)\(|sys\.modules|__dict__\b|import \*)"
)
_WORKED_OUT: Final = frozenset(
    {"RESUME", "LOAD_CONST", "LOAD_SMALL_INT", "RETURN_VALUE", "RETURN_CONST"}
)


class Written(NamedTuple):
    """What the text of a module, or of a class in it, binds once and does not change itself.

    Attributes:
        values: of the names that are bound to a literal.
        functions: names of functions without decorators.
        classes: what stands in the classes without decorators.
        names: all that it binds.
    """

    values: Mapping[str, Any]
    functions: frozenset[str]
    classes: Mapping[str, Written]
    names: frozenset[str]


def function_digest(node: Function) -> bytes:
    """The digest of a function's parameters and body.

    Its name, decorators, defaults and annotations are not in it: a name is no more than how others
    call it, decorators and defaults are objects by now and count as such, annotations do nothing.
    """
    kind = b"async" if isinstance(node, ast.AsyncFunctionDef) else b"def"
    body = node.body if isinstance(node.body, list) else [ast.Return(node.body)]
    return digest(frame(b"n", kind) + _parameters(node.args) + _statements(body, typed=False))


def annotations_digest(node: Function) -> bytes:
    """The digest of a function's own annotations, for decorators that read them."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    found = [argument.annotation for argument in every]
    return digest(_value([*found, getattr(node, "returns", None)], typed=False))


def expression_digest(node: ast.expr) -> bytes:
    """The digest of an expression."""
    return digest(_value(node, typed=False))


def module_digest(tree: ast.Module) -> bytes:
    """The digest of a whole file."""
    return digest(_statements(tree.body, typed=False))


def dotted(node: ast.expr) -> tuple[str, ...]:
    """The names of ``a.b.c`` or ``a.b.c(…)``; nothing for another expression."""
    names: list[str] = []
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def held_names(node: Function) -> frozenset[tuple[str, ...]]:
    """The names that a function reads for more than to call what they stand for, each with the
    attributes that are read from it: to give it back, to keep it. What a call is given it calls
    too, as ``map(f, xs)`` does, unless it makes an object that keeps it.
    """
    every = list(ast.walk(node))
    apart = {id(one.value) for one in every if isinstance(one, ast.Attribute)}
    for call in every:
        if isinstance(call, ast.Call):
            apart.update(map(id, _called_in(call)))
    names = (one for one in every if isinstance(one, (ast.Name, ast.Attribute)))
    return frozenset(dotted(one) for one in names if id(one) not in apart)


def _called_in(call: ast.Call) -> list[ast.expr]:
    """What in a call it does no more with than to call it."""
    name = (dotted(call.func) or ("",))[-1]
    if name in _KEEPS or name[:1].isupper():
        return [call.func]
    return [call.func, *call.args, *(one.value for one in call.keywords)]


def _parameters(arguments: ast.arguments) -> bytes:
    groups: list[Sequence[ast.arg | None]] = [
        arguments.posonlyargs,
        arguments.args,
        [arguments.vararg],
        arguments.kwonlyargs,
        [arguments.kwarg],
    ]
    names = [",".join(arg.arg for arg in group if arg is not None) for group in groups]
    return b"".join(map(text, names))


def _statements(body: Iterable[ast.stmt], *, typed: bool) -> bytes:
    """A block; texts, dots and `pass` that stand alone in it do nothing."""
    said = [statement for statement in body if not _idle(statement, typed)]
    return b"[%d;" % len(said) + b"".join([_value(statement, typed=typed) for statement in said])


def _idle(statement: ast.stmt, typed: bool) -> bool:
    if isinstance(statement, ast.AnnAssign):  # of a name alone it makes a variable of the function
        return statement.value is None and not typed and not isinstance(statement.target, ast.Name)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def _value(value: object, *, typed: bool) -> bytes:
    """The bytes of a node, a list of nodes, or a plain field; `typed` where annotations count."""
    if isinstance(value, ast.AST):
        return _node(value, typed=typed)
    if isinstance(value, list):
        if value and isinstance(value[0], ast.stmt):
            return _statements(value, typed=typed)
        return b"[%d;" % len(value) + b"".join([_value(item, typed=typed) for item in value])
    atom = ATOMS.get(type(value))
    return atom(value) if atom is not None else text(repr(value))


def _node(node: ast.AST, *, typed: bool) -> bytes:
    if isinstance(node, ast.AnnAssign) and not typed:
        if node.value is None:
            return b"declares" + _value(node.target, typed=False)
        node = ast.Assign(targets=[node.target], value=node.value)
    fields = [
        text(name) + _value(value, typed=_typed(node, name, typed))
        for name, value in ast.iter_fields(node)
        # what is not there is left out, since later Pythons add fields that are mostly empty
        if name not in _SILENT
        and value is not None
        and value != []
        and (name not in _TYPES or isinstance(node, ast.AnnAssign) or _typed(node, name, typed))
    ]
    return text(type(node).__name__) + b"(%d;" % len(fields) + b"".join(fields)


def _typed(node: ast.AST, field: str, typed: bool) -> bool:
    """Whether annotations count in this field of `node`.

    They make the fields of a class, and a decorator may read those of its function.
    """
    if isinstance(node, ast.ClassDef):
        return field == "body"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return bool(node.decorator_list) and field in ("args", "returns")
    return typed and not isinstance(node, ast.Lambda)


def written_in(tree: ast.Module, source: str) -> Written | None:
    """What the text of a module binds; None where it may bind anything.

    Args:
        tree: of the module.
        source: its text.
    """
    return None if _BINDING.search(source) else _written(tree, _changed_in(tree))


def _written(scope: ast.Module | ast.ClassDef, changed: frozenset[str]) -> Written:
    bound = Counter(_bound_in(scope.body))
    values: dict[str, Any] = {}
    functions: set[str] = set()
    classes: dict[str, Written] = {}
    for one in scope.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if one.decorator_list or bound[one.name] > 1 or one.name in changed:
                continue
            if isinstance(one, ast.ClassDef):
                classes[one.name] = _written(one, changed)
            else:
                functions.add(one.name)
        targets = one.targets if isinstance(one, ast.Assign) else [getattr(one, "target", None)]
        expression = one.value if isinstance(one, ast.Assign | ast.AnnAssign) else None
        if expression is None:
            continue
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        with contextlib.suppress(ValueError, TypeError, RecursionError, MemoryError):
            values.update(
                (name, _constant(expression))
                for name in names
                if bound[name] == 1 and name not in changed
            )
    return Written(values, frozenset(functions), classes, frozenset(bound) | changed)


def _constant(expression: ast.expr) -> Any:
    """What an expression without a name is.

    Raises:
        ValueError: it is none of literals and sums of them that the compiler works out.
    """
    with contextlib.suppress(ValueError):
        return literal(expression)
    code = safely(lambda: compile(ast.Expression(expression), "", "eval"))
    if not _WORKED_OUT.issuperset(one.opname for one in dis.get_instructions(code)):
        raise ValueError("it has to be computed")
    return eval(code, {})  # noqa: S307 - it is a constant


def _bound_in(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names that a scope binds, as often as it does."""
    todo = [*body]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name
        elif isinstance(one, ast.alias):
            yield one.asname or one.name.partition(".")[0]
        elif isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            yield one.id
        else:
            for name in ("name", "rest"):  # an exception's, what a pattern captures
                if isinstance(found := getattr(one, name, None), str):
                    yield found
            todo += [] if isinstance(one, ast.Lambda) else ast.iter_child_nodes(one)


def _changed_in(tree: ast.Module) -> frozenset[str]:
    """The names that functions of a module bind, and those of containers that it may change."""
    changed: set[str] = set()
    read: set[ast.AST] = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Global):
            changed.update(one.names)
        elif isinstance(one, ast.Subscript | ast.Attribute):
            if isinstance(one, ast.Attribute) or isinstance(one.ctx, ast.Load):
                read.update({one.value} if getattr(one, "attr", "get") in READING else ())
        elif isinstance(one, ast.For | ast.AsyncFor | ast.comprehension):
            read.add(one.iter)
        elif isinstance(one, ast.Compare):
            read.update(one.comparators)
    containers: set[str] = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(
            one.value, ast.List | ast.Dict | ast.Set
        ):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            containers.update(target.id for target in targets if isinstance(target, ast.Name))
    for one in ast.walk(tree):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one not in read:
            changed.update({one.id} & containers)
    return frozenset(changed)
