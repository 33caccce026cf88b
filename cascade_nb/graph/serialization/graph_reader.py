"""Reads a graph from JSON as `graph_writer` wrote it; whatever it would not write is refused."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.errors import ParamError, SerializationError, TaskCallError, UsageError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.graph.serialization.fields import Fields
from cascade_nb.graph.serialization.value_reader import Loader
from cascade_nb.graph.serialization.value_writer import Opaque
from cascade_nb.model.arguments.collections import HOW
from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import lazy_call, lazy_map
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options, shared
from cascade_nb.model.options.checks import checked_needs
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.options.pause_condition import checked_pause_if
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.model.routing import DEFAULT, Router
from cascade_nb.model.tasks.functions import GIVEN
from cascade_nb.model.tasks.task import Task
from cascade_nb.text import quoted

VERSION: Final = 1
FORMAT: Final = "cascade_graph"
NUMBERS: Final = ("max_attempts", "delay", "backoff", "jitter", "max_delay")


def from_json(text: str, *, tasks: Mapping[str, Any] | None = None) -> Graph:
    """The graph that `to_json` wrote.

    Modules are imported by the names in `text`, and only what `@cs.task` made is called when the
    graph runs. Load what you would run.

    Args:
        text: what `to_json` gave.
        tasks: by import path or by name, what stands for a task that cannot be imported, such as
            one of a notebook; by import path, the same for a resource.

    Returns:
        A graph like the one that was written, whose nodes have the same ids.

    Raises:
        SerializationError: the text is no graph, or something in it cannot be found here.

    Example:
        >>> from cascade_nb.graph import from_json, to_json
        >>> text = to_json(cs.build_graph(fetch(cs.Param("n", 3))))
        >>> from_json(text, tasks={"fetch": fetch}).params()
        {'n': <lazy n>}
    """
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, TypeError, RecursionError) as error:
        raise SerializationError(f"this is no JSON: {str(error)[:200]}") from None
    try:
        return GraphReader(content, tasks or {}).graph()
    except RecursionError:
        raise SerializationError("a value is nested too deeply") from None


class Unrunnable(Task[..., Any]):
    """Stands for a task whose call had arguments that JSON cannot hold; it fails when it runs."""

    def __init__(self, task: AnyTask, missing: list[Opaque]) -> None:
        self.real = task
        things = ", ".join(f"a {thing.type} ({thing.text[:60]!r})" for thing in missing)

        @functools.wraps(task.fn)
        def fail(*args: Any, **kwargs: Any) -> Any:
            raise SerializationError(
                f"{task.name} needs {things}, which its graph's JSON does not hold; build this "
                "part of the graph anew with the real value"
            )

        super().__init__(fail, name=task.name, executor="inline", options=task.options)


class GraphReader:
    """Reads one graph from parsed JSON.

    Args:
        content: the parsed JSON.
        given: by import path or name, what stands for a task or resource.

    Raises:
        SerializationError: it describes no graph.
    """

    def __init__(self, content: Any, given: Mapping[str, Any]) -> None:
        if not isinstance(content, dict) or content.get(FORMAT) != VERSION:
            found = content.get(FORMAT) if isinstance(content, dict) else None
            raise SerializationError(
                f"this is no graph of version {VERSION}"
                + (f" but {quoted(found, 40)}" if found else "")
            )
        fields = Fields(content, "the graph")
        fields.take(FORMAT, int)
        self._given = given
        self._lazies: list[Lazy] = []
        self._loader = Loader(self._lazies, given)
        self._tasks = [self._task(number, one) for number, one in fields.each("tasks")]
        for number, data in fields.each("nodes"):
            self._lazies.append(self._numbered(number, data))
        self._shape = self._loader.load(fields.take("target", object))
        fields.end()

    def graph(self) -> Graph:
        """The graph.

        Raises:
            SerializationError: there is nothing in it to run.
        """
        if not scan((self._shape,))[0]:
            raise SerializationError("its target holds no node")
        return build_graph(self._shape)

    def _task(self, number: int, data: Any) -> AnyTask:
        try:
            return self._found(Fields(data, "a task"))
        except UsageError as error:
            raise SerializationError(f"task {number}: {error}") from error

    def _found(self, fields: Fields) -> AnyTask:
        where = self._loader.where(
            {"module": fields.take("module", str), "qualname": fields.take("qualname", str)}
        )
        name, executor = fields.take("name", str), fields.take("executor", str)
        fields.end()
        found = self._given.get(str(where), self._given.get(name))
        if found is None:
            try:
                found = where.found()
            except SerializationError as error:
                raise SerializationError(
                    f"{error}; give it by hand: from_json(…, tasks={{{str(where)!r}: {name}}})"
                ) from None
        if not isinstance(found, Task):
            raise SerializationError(f"{where} is no task; mark it with @cs.task")
        if found.executor != executor:
            raise SerializationError(
                f"{where} runs as {found.executor!r} and not as {executor!r} any more"
            )
        if found.name != name:  # another task of the same function
            given: Any = "thread" if executor == GIVEN else executor
            if found.given is not None:
                given = found.given.executor
            return Task(
                found.fn, name=name, executor=given, version=found.version, ignore=found.ignore
            )
        return found

    def _numbered(self, number: int, data: Any) -> Lazy:
        try:
            return self._node(Fields(data, "a node"))
        except (UsageError, TypeError) as error:
            raise SerializationError(f"node {number}: {error}") from error

    def _node(self, fields: Fields) -> Lazy:
        kind = fields.take("kind", str)
        if kind == "param":
            return self._param(fields)
        if kind not in ("task", "map", "router"):
            raise SerializationError(f"there is no kind of node {quoted(kind, 40)}")
        self._loader.missing = []
        options = self._options(Fields(fields.take("options", dict, {}), "options"))
        if kind == "router":
            selector = self._loader.load(fields.take("selector", object))
            routes = [self._loader.load(pair) for pair in fields.take("routes", list)]
            default = fields.take("default", object, DEFAULT)
            fields.end()
            if default is not DEFAULT:
                default = self._loader.load(default)
            return Router(selector, dict(routes), default=default, options=options)
        number = fields.take("task", int)
        if not 0 <= number < len(self._tasks):
            raise SerializationError(f"there is no task {number}")
        task = self._tasks[number]
        if kind == "task":
            args = tuple(self._loader.load(fields.take("args", list)))
            kwargs = self._values(fields.take("kwargs", dict))
            fields.end()
            _check(task, args, kwargs)
            inputs, nested = scan((*args, *kwargs.values()))
            return lazy_call(self._runnable(task), args, kwargs, inputs, nested, options)
        columns = self._values(fields.take("collections", dict))
        fixed = self._values(fields.take("fixed", dict))
        how = fields.take("how", str, HOW[0])
        fields.end()
        if how not in HOW:
            raise SerializationError(
                f"there is no way {quoted(how, 40)} of going through collections"
            )
        if not columns or not all(isinstance(c, (list, Lazy)) for c in columns.values()):
            raise SerializationError("a map goes through lists")
        _check(task, *task.placed({**fixed, **columns}))
        inputs, nested = scan((*columns.values(), *fixed.values()))
        return lazy_map(self._runnable(task), columns, fixed, inputs, nested, options, how)

    def _param(self, fields: Fields) -> Param:
        name, description = fields.take("name", str), fields.take("description", str)
        default = fields.take("default", object, REQUIRED)
        self._loader.missing = []
        kind = self._loader.load(fields.take("type", object, None))
        fields.end()
        if self._loader.missing or isinstance(kind, (Lazy, list, dict)):
            raise SerializationError(f"the type of parameter {name!r} cannot be found here")
        self._loader.missing = []
        default = default if default is REQUIRED else self._loader.load(default)
        if self._loader.missing:
            default = REQUIRED  # it is not in the JSON, so a run must give it
        try:
            return Param(name, default, kind, description)
        except ParamError as error:
            raise SerializationError(f"parameter {name!r}: {error}") from error

    def _options(self, fields: Fields) -> Options:
        retry = fields.take("retry", dict, None)
        load = self._loader.load
        condition = load(fields.take("condition", object, True))
        otherwise = fields.take("otherwise", object, NO_ELSE)
        otherwise = otherwise if otherwise is NO_ELSE else load(otherwise)
        after, follows = (
            load(fields.take("after", list, [])),
            load(fields.take("follows", list, [])),
        )
        if not all(isinstance(lazy, Lazy) for lazy in (*after, *follows)):
            raise SerializationError("what it comes after is no node")
        order = {"after": tuple(after), "follows": tuple(follows)}
        options = PLAIN.but(**order, reuse=fields.take("reuse", bool, True))
        lazy = _Holder(options).tagged(*fields.take("tags", list, [])).run_if(condition, otherwise)
        if (name := fields.take("name", str, None)) is not None:
            lazy = lazy.named(name)
        if (timeout := fields.take("timeout", (int, float), None)) is not None:
            lazy = lazy.with_timeout(timeout)
        if (priority := fields.take("priority", int, None)) is not None:
            lazy = lazy.with_priority(priority)
        if fields.take("pause_before", bool, False):
            asks = fields.take("pause_if", dict, None)
            condition = None if asks is None else self._loader.where(asks).found()
            options = lazy.options.but(
                pause_before=True,
                pause_if=None if condition is None else checked_pause_if(condition),
            )
            lazy = _Holder(options)
        if (cache := fields.take("cache", dict, None)) is not None:
            lazy = _cached(lazy, Fields(cache, "a cache rule"))
        needs = checked_needs(self._values(fields.take("needs", dict, {})), Lazy)
        fields.end()
        made = lazy.options.but(
            needs=needs,
            retry=None if retry is None else self._retry(retry),
        )
        return shared(made)

    def _retry(self, data: dict[str, Any]) -> Retry:
        fields = Fields(data, "a retry")
        kinds = tuple(self._loader.where(path).found() for path in fields.take("on", list))
        numbers = {name: fields.take(name, (int, float)) for name in NUMBERS}
        fields.end()
        return Retry(**numbers, on=kinds)

    def _runnable(self, task: AnyTask) -> AnyTask:
        return Unrunnable(task, self._loader.missing) if self._loader.missing else task

    def _values(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: self._loader.load(value) for name, value in data.items()}


class _Holder(Lazy):
    """Takes options through the same checks as those of users."""

    __slots__ = ()

    def __init__(self, options: Options) -> None:
        self.inputs, self.options = (), options

    def _with(self, options: Options) -> _Holder:
        return _Holder(options)


def _cached(lazy: _Holder, fields: Fields) -> _Holder:
    ttl, version = fields.take("ttl", (int, float), None), fields.take("version", str, None)
    files = fields.take("files", list, None)
    fields.end()
    return lazy.with_cache(ttl=ttl, files=files, version=version)


def _check(task: AnyTask, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    try:
        task.check(args, kwargs)
    except TaskCallError as error:
        raise SerializationError(f"{task.name} has changed: {error}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
