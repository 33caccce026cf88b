"""Writes a graph as JSON.

Tasks are written by where they can be imported from; arguments with their types. What JSON cannot
hold is written as a readable mark: the graph can still be looked at, and a node that would need
such a value says so when it runs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from cascade_nb.errors import SerializationError
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.serialization.graph_reader import (
    FORMAT,
    NUMBERS,
    VERSION,
    Unrunnable,
)
from cascade_nb.graph.serialization.import_paths import stands, where_is
from cascade_nb.graph.serialization.value_writer import ValueWriter
from cascade_nb.model.arguments.collections import HOW
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.options.no_else import NO_ELSE
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.model.routing import DEFAULT, Router
from cascade_nb.text import quoted


def to_json(graph: Graph) -> str:
    """`graph` as JSON, one node a line.

    Args:
        graph: what `build_graph` gave.

    Returns:
        Text that `from_json` reads; the same graph gives the same text.

    Raises:
        SerializationError: two tasks cannot be told apart by path and name, or lazy values stand
            inside something that has no JSON.

    Example:
        >>> from cascade_nb.graph import from_json, to_json
        >>> text = to_json(cs.build_graph(report))
        >>> from_json(text, tasks={"fetch": fetch, "total": total})
        <graph of report: 3 nodes>
    """
    return _Text(graph).text()


class _Text:
    """One graph on its way to text."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._writer = ValueWriter(lambda lazy: graph.place[lazy.identity])
        self._tasks: dict[AnyTask, int] = {}

    def text(self) -> str:
        nodes = [self._line_of(node) for node in self._graph.nodes]
        target = _line(self._exactly(self._graph.shape))
        tasks = [_line(_written_task(task)) for task in self._tasks]
        if len(set(tasks)) < len(tasks):
            twice = next(line for line in tasks if tasks.count(line) > 1)
            raise SerializationError(
                f"two tasks are both written as {twice}; give them names: @cs.task(name=…)"
            )
        lines = (
            f'{{"{FORMAT}": {VERSION},',
            f'"tasks": [{_rows(tasks)}],',
            f'"nodes": [{_rows(nodes)}],',
            f'"target": {target}}}',
        )
        return "\n".join(lines)

    def _line_of(self, node: Node) -> str:
        try:
            return _line(self._node(node))
        except SerializationError as error:
            raise SerializationError(f"{node.label}: {error}") from error

    def _node(self, node: Node) -> dict[str, Any]:
        lazy, write = node.lazy, self._writer.write
        said: dict[str, Any] = {"kind": node.kind.value}
        if isinstance(lazy, (LazyResult, MappedLazyResult)):
            assert node.task is not None
            task = lazy.task if isinstance(lazy.task, Unrunnable) else node.task
            said["task"] = self._tasks.setdefault(_real(task), len(self._tasks))
        if isinstance(lazy, LazyResult):
            said["args"] = [write(value) for value in lazy.args]
            said["kwargs"] = self._values(lazy.kwargs)
        elif isinstance(lazy, MappedLazyResult):
            said["collections"] = self._values(lazy.collections)
            said["fixed"] = self._values(lazy.fixed)
            if lazy.how != HOW[0]:
                said["how"] = lazy.how
        elif isinstance(lazy, Router):
            said["selector"] = self._exactly(lazy.selector)
            routes = dict(lazy.routes)
            if DEFAULT in routes:
                said["default"] = self._exactly(routes.pop(DEFAULT))
            said["routes"] = [
                [self._exactly(key), self._exactly(one)] for key, one in routes.items()
            ]
        elif isinstance(lazy, Param):
            return {**said, **self._param(lazy)}
        options = self._options(node)
        return {**said, "options": options} if options else said

    def _exactly(self, value: Any) -> Any:
        """`value` where no task would notice that it is not there."""
        before = self._writer.opaque
        said = self._writer.write(value)
        if self._writer.opaque > before:
            raise SerializationError(
                f"{quoted(value, 80)} cannot be written as JSON; have a task make it"
            )
        return said

    def _param(self, param: Param) -> dict[str, Any]:
        said: dict[str, Any] = {"name": param.name, "description": param.description}
        if param.default is not REQUIRED:
            said["default"] = self._writer.write(param.default)
        if param.type is not None:
            said["type"] = self._writer.write(param.type)
        return said

    def _options(self, node: Node) -> dict[str, Any]:
        """What differs from the default."""
        options, write = node.options, self._writer.write
        said: dict[str, Any] = {
            "name": node.name,
            "tags": sorted(options.tags),
            "after": [write(lazy) for lazy in options.after],
            "follows": [write(lazy) for lazy in options.follows],
            "retry": None if options.retry is None else _written_retry(options.retry),
            "timeout": options.timeout,
            "priority": options.priority,
            "pause_before": options.pause_before,
            "needs": self._values(options.needs),
        }
        said = {name: value for name, value in said.items() if value}
        if options.condition is not True:
            said["condition"] = write(options.condition)
            if options.otherwise is not NO_ELSE:
                said["otherwise"] = self._exactly(options.otherwise)
        if options.pause_if is not None:
            if not stands(options.pause_if):
                raise SerializationError(
                    "the condition of its breakpoint cannot be imported, so JSON cannot name it"
                )
            said["pause_if"] = where_is(options.pause_if).written()
        if not options.reuse:
            said["reuse"] = False
        if options.cache is not None:
            said["cache"] = {k: v for k, v in dataclasses.asdict(options.cache).items() if v}
        return said

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._writer.write(value) for name, value in values.items()}


def _written_task(task: AnyTask) -> dict[str, str]:
    where = where_is(task)
    return {**where.written(), "name": task.name, "executor": task.executor}


def _written_retry(retry: Retry) -> dict[str, Any]:
    numbers = {name: getattr(retry, name) for name in NUMBERS}
    return {**numbers, "on": [where_is(kind).written() for kind in retry.on]}


def _real(task: AnyTask) -> AnyTask:
    return task.real if isinstance(task, Unrunnable) else task


def _line(data: Any) -> str:
    return json.dumps(data, allow_nan=False)


def _rows(lines: list[str]) -> str:
    return "\n" + ",\n".join(lines) + "\n" if lines else ""
