"""Other people's engines, each used the way its documentation shows; they live in `environment`.

Functions that a user would have written before (one for each node, where nodes are wired by their
parameters' names) are made untimed. Timed is what is done with them: the graph, and its run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from benchmarks.bare import bodies_of
from benchmarks.cases import Case, Contender, NotForThisError
from benchmarks.shapes import SHAPES, Bodies, expected

THREADS: Final = 6


class NamedFunctions:
    """A kit that writes one function for each node, wired by the names of their parameters.

    Args:
        bodies: what the functions call.
    """

    def __init__(self, bodies: Any) -> None:
        self._bodies = bodies
        self._lines: list[str] = []

    def _write(self, parameters: list[str], expression: str) -> str:
        name = f"n{len(self._lines)}"
        typed = ", ".join(f"{parameter}: object" for parameter in parameters)
        self._lines.append(f"def {name}({typed}) -> object: return bodies.{expression}")
        return name

    def leaf(self, number: int) -> str:
        """A node that reads nothing."""
        return self._write([], f"leaf({number})")

    def step(self, before: str) -> str:
        """A node that reads one other."""
        return self._write([before], f"step({before})")

    def add(self, left: str, right: str) -> str:
        """A node that reads two."""
        return self._write([left, right], f"add({left}, {right})")

    def join(self, left: str, middle: str, right: str) -> str:
        """A node that reads three."""
        return self._write([left, middle, right], f"join({left}, {middle}, {right})")

    def total(self, values: list[str]) -> str:
        """A node that reads a list of others."""
        return self._write(values, f"total([{', '.join(values)}])")

    def functions(self) -> list[Callable[..., Any]]:
        """All of them."""
        names: dict[str, Any] = {"bodies": self._bodies, "__name__": __name__}
        exec("\n".join(self._lines), names)  # noqa: S102 - it has just been written here
        return [names[f"n{number}"] for number in range(len(self._lines))]


class TopologicalGraph:
    """A kit that fills a networkx graph."""

    def __init__(self, bodies: Any, graph: Any) -> None:
        self._bodies = bodies
        self.graph = graph

    def _node(self, call: Callable[..., Any], inputs: tuple[int, ...]) -> int:
        number = len(self.graph)
        self.graph.add_node(number, call=call, inputs=inputs)
        self.graph.add_edges_from([(source, number) for source in inputs])
        return number

    def leaf(self, number: int) -> int:
        """A node that reads nothing."""
        return self._node(lambda: self._bodies.leaf(number), ())

    def step(self, before: int) -> int:
        """A node that reads one other."""
        return self._node(self._bodies.step, (before,))

    def add(self, left: int, right: int) -> int:
        """A node that reads two."""
        return self._node(self._bodies.add, (left, right))

    def join(self, left: int, middle: int, right: int) -> int:
        """A node that reads three."""
        return self._node(self._bodies.join, (left, middle, right))

    def total(self, values: list[int]) -> int:
        """A node that reads a list of others."""
        return self._node(lambda *items: self._bodies.total(list(items)), tuple(values))


def _shape_of(workload: str) -> tuple[Callable[[int, Any], Any], Any, Any]:
    """The shape, its bodies and how to look at its value."""
    bodies, look = bodies_of(workload)
    return SHAPES.get(workload, SHAPES["chain"]), bodies, look


def networkx(workload: str, mode: str, size: int) -> Case:
    """Its topological order, and a loop over it."""
    if mode != "inline" or workload in ("map", "naps"):
        raise NotForThisError("it orders what is known beforehand, and runs nothing itself")
    nx = importlib.import_module("networkx")
    shape, bodies, look = _shape_of(workload)

    def work() -> Any:
        kit = TopologicalGraph(bodies, nx.DiGraph())
        target = shape(size, kit)
        values: dict[int, Any] = {}
        for number in nx.topological_sort(kit.graph):
            node = kit.graph.nodes[number]
            values[number] = node["call"](*[values[source] for source in node["inputs"]])
        return look(values[target])

    return Case(work, expected(workload, size))


def pipefunc(workload: str, mode: str, size: int) -> Case:
    """A `Pipeline`, run in this process."""
    if mode != "inline" or workload == "naps":
        raise NotForThisError("its parallel runs use processes")
    module = importlib.import_module("pipefunc")
    if workload == "map":
        return _pipefunc_map(module, size)
    shape, bodies, look = _shape_of(workload)
    kit = NamedFunctions(bodies)
    target = shape(size, kit)
    functions = kit.functions()

    def work() -> Any:
        made = [module.PipeFunc(function, function.__name__) for function in functions]
        return look(module.Pipeline(made).run(target, kwargs={}))

    return Case(work, expected(workload, size))


def _pipefunc_map(module: Any, size: int) -> Case:
    def items() -> list[int]:
        return Bodies.items(size)

    def work() -> Any:
        first = module.PipeFunc(items, "before", mapspec="... -> before[i]", internal_shape="?")
        each = module.PipeFunc(Bodies.step, "values", mapspec="before[i] -> values[i]")
        last = module.PipeFunc(Bodies.total, "total")
        # its check of annotations cannot see that a list is gone through item by item
        pipeline = module.Pipeline([first, each, last], validate_type_annotations=False)
        results = pipeline.map({}, parallel=False, storage="dict", show_progress=False)
        return results["total"].output

    return Case(work, expected("map", size))


def hamilton(workload: str, mode: str, size: int) -> Case:
    """A driver over a module of functions."""
    if mode != "inline" or workload in ("map", "naps"):
        raise NotForThisError("its maps need an executor of their own")
    ad_hoc = importlib.import_module("hamilton.ad_hoc_utils")
    driver = importlib.import_module("hamilton.driver")
    shape, bodies, look = _shape_of(workload)
    kit = NamedFunctions(bodies)
    target = shape(size, kit)
    module = ad_hoc.create_temporary_module(*kit.functions())

    def work() -> Any:
        built = driver.Builder().with_modules(module).build()
        return look(built.execute([target])[target])

    return Case(work, expected(workload, size))


class DelayedKit:
    """The bodies as dask's delayed functions."""

    def __init__(self, bodies: Any, delayed: Callable[..., Any]) -> None:
        self.leaf = delayed(bodies.leaf, pure=False)
        self.step = delayed(bodies.step, pure=False)
        self.add = delayed(bodies.add, pure=False)
        self.join = delayed(bodies.join, pure=False)
        self.total = delayed(bodies.total, pure=False)
        self.items = delayed(bodies.items, pure=False)


def dask(workload: str, mode: str, size: int) -> Case:
    """`dask.delayed`, one after the other or in threads."""
    if mode == "async" or workload == "naps":
        raise NotForThisError("it runs no coroutines")
    delayed = importlib.import_module("dask.delayed").delayed
    shape, bodies, look = _shape_of(workload)
    kit = DelayedKit(bodies, delayed)
    how = {"scheduler": "synchronous"}
    if mode == "threads":
        how = {"scheduler": "threads", "num_workers": THREADS}  # type: ignore[dict-item]

    def work() -> Any:
        if workload == "map":
            # its graphs do not grow while they run, so what is mapped over is computed first
            items = kit.items(size).compute(**how)
            return kit.total([kit.step(item) for item in items]).compute(**how)
        return look(shape(size, kit).compute(**how))

    return Case(work, expected(workload, size))


class RawGraph:
    """A kit that fills a dictionary of dask's tasks: a function and the keys of what it reads."""

    def __init__(self, bodies: Any) -> None:
        self._bodies = bodies
        self.graph: dict[str, Any] = {}

    def _node(self, *task: Any) -> str:
        key = f"n{len(self.graph)}"
        self.graph[key] = task
        return key

    def leaf(self, number: int) -> str:
        """A node that reads nothing."""
        return self._node(self._bodies.leaf, number)

    def step(self, before: str) -> str:
        """A node that reads one other."""
        return self._node(self._bodies.step, before)

    def add(self, left: str, right: str) -> str:
        """A node that reads two."""
        return self._node(self._bodies.add, left, right)

    def join(self, left: str, middle: str, right: str) -> str:
        """A node that reads three."""
        return self._node(self._bodies.join, left, middle, right)

    def total(self, values: list[str]) -> str:
        """A node that reads a list of others."""
        return self._node(self._bodies.total, values)


def dask_graph(workload: str, mode: str, size: int) -> Case:
    """A dictionary written by hand and one of dask's schedulers: `dask.delayed` makes the same
    one, at a price that is not the scheduler's.
    """
    if mode == "async" or workload in ("map", "naps"):
        raise NotForThisError("it runs a graph that is known beforehand, and no coroutines")
    if mode == "inline":
        get = importlib.import_module("dask.local").get_sync
    else:
        get = partial(importlib.import_module("dask.threaded").get, num_workers=THREADS)
    shape, bodies, look = _shape_of(workload)

    def work() -> Any:
        kit = RawGraph(bodies)
        target = shape(size, kit)
        return look(get(kit.graph, target))

    return Case(work, expected(workload, size))


def joblib(workload: str, mode: str, size: int) -> Case:
    """`Parallel`, one after the other or in threads."""
    if mode == "async" or workload not in ("wide", "map"):
        raise NotForThisError("it has no graphs")
    module = importlib.import_module("joblib")
    jobs = 1 if mode == "inline" else THREADS

    def work() -> Any:
        parallel = module.Parallel(n_jobs=jobs, prefer="threads")
        if workload == "map":
            step = module.delayed(Bodies.step)
            return Bodies.total(parallel(step(item) for item in Bodies.items(size)))
        leaf = module.delayed(Bodies.leaf)
        return Bodies.total(parallel(leaf(number) for number in range(size - 1)))

    return Case(work, expected(workload, size))


CONTENDERS: Final[Mapping[str, Contender]] = {
    "pipefunc": pipefunc,
    "hamilton": hamilton,
    "dask": dask,
    "dask graph": dask_graph,
    "joblib": joblib,
    "networkx loop": networkx,
}
