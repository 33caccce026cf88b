"""Graphs for tests of their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import Param
from cascade_nb.model.routing import Router
from cascade_nb.model.tasks.decorator import task
from cascade_nb.model.tasks.task import Task


def made(name: str) -> Task[..., Any]:
    """A task of this name that takes whatever it is given."""

    def body(*args: Any, **kwargs: Any) -> None: ...

    return task(name=name)(body)


@task
def train(model: object, data: object) -> None: ...


def siblings(count: int) -> Graph:
    """load → count times clean → gather."""
    start = made("load")()
    clean = made("clean")
    return build_graph(made("gather")([clean(start, i) for i in range(count)]))


def chain(length: int, name: str = "step") -> Graph:
    """One task, each call after the last."""
    step = made(name)
    value = step()
    for _ in range(length - 1):
        value = step(value)
    return build_graph(value)


def pipeline(models: int = 12) -> Graph:
    """raw → tidy → parts (with a parameter) → a map → best → report."""
    raw = made("load")().named("raw")
    tidy = made("clean")(raw).named("tidy")
    parts = made("split")(tidy, Param("seed", 7, int)).named("parts")
    candidates = train.partial(data=parts).map(model=list(range(models))).named("candidates")
    best = made("choose")(candidates).named("best")
    return build_graph(made("plot")(best).named("report"))


def every_kind() -> Graph:
    """Data, order and condition; a parameter, a router, a condition, a map."""
    threshold = Param("threshold", 0.5, float)
    raw = made("load")()
    fresh = made("is_fresh")(raw)
    tidy = made("clean")(raw, threshold).run_if(fresh)
    warm = made("warm_up")()
    scores = train.partial(data=tidy).map(model=made("models")()).after(warm)
    which = made("pick")(scores)
    return build_graph(Router(which, {"a": made("fast")(tidy), "b": scores, "c": None}))


def of_names(names: Iterable[str]) -> Graph:
    """A chain of tasks whose names nobody checked, as a broken file might bring them."""
    value: LazyResult[Any] | None = None
    for name in names:
        step = made("step")
        step.name = name
        value = step() if value is None else step(value)
    assert value is not None
    return build_graph(value)


def layered(count: int, kinds: int, reach: int = 20) -> Graph:
    """`count` nodes of `kinds` tasks, each reading two of the `reach` nodes before it."""
    tasks = [made(f"step{k}") for k in range(kinds)]
    values: list[Lazy] = [tasks[0]()]
    for i in range(1, count):
        near = values[max(0, i - reach) :]
        values.append(tasks[i % kinds](near[(i * 7) % len(near)], near[(i * 11) % len(near)]))
    return build_graph(made("gather")(values))


def row(count: int) -> Graph:
    """`count` nodes of as many tasks, one after the other."""
    value = made("step0")()
    for k in range(1, count):
        value = made(f"step{k}")(value)
    return build_graph(value)
