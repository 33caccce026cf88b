"""One run of the pipeline with one tool's cache, in a process of its own.

    python -m benchmarks.cached cascade FOLDER

The folder has `pipeline.py` and takes what the tool keeps. Imports are not timed, and so is nothing
that a user would have written beforehand; what is timed is what is called to get the results.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

LEAVES: Final = 120
PAIRS: Final = LEAVES // 2
TARGETS: Final = PAIRS // 3
TASKS: Final = LEAVES + PAIRS + TARGETS

#: What has to run again when the helper was edited: half of the pairs, and what reads them.
OUTDATED: Final = PAIRS // 2 + TARGETS // 2

#: Runs the pipeline; made untimed.
Ready = Callable[[], list[int]]


class Calls(Protocol):
    """The pipeline's functions in one tool's way."""

    def loaded(self, number: int, /) -> Any:
        """A node that reads nothing."""

    def weighed(self, left: Any, right: Any, /) -> Any:
        """A node that reads two and calls the helper."""

    def mixed(self, left: Any, right: Any, /) -> Any:
        """A node that reads two."""

    def gathered(self, first: Any, second: Any, third: Any, /) -> Any:
        """A node that reads three."""


def wired(calls: Calls) -> list[Any]:
    """The pipeline: 120 numbers are loaded, made into 60 pairs and gathered in 20 results."""
    leaves = [calls.loaded(number) for number in range(LEAVES)]
    pairs = [
        (calls.weighed if n < PAIRS // 2 else calls.mixed)(leaves[2 * n], leaves[2 * n + 1])
        for n in range(PAIRS)
    ]
    return [calls.gathered(*pairs[3 * n : 3 * n + 3]) for n in range(TARGETS)]


class Wrapped:
    """Each function once, wrapped."""

    def __init__(self, pipeline: Any, wrap: Callable[[Any], Any]) -> None:
        self.loaded = wrap(pipeline.loaded)
        self.weighed = wrap(pipeline.weighed)
        self.mixed = wrap(pipeline.mixed)
        self.gathered = wrap(pipeline.gathered)


class Named:
    """Names for the nodes, where nodes are wired by names.

    Attributes:
        nodes: by name, the function, the names that its parameters read and their values.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.nodes: dict[str, tuple[Any, dict[str, str], dict[str, int]]] = {}

    def loaded(self, number: int) -> str:
        """A node that reads nothing."""
        return self._node(self._pipeline.loaded, {}, {"number": number})

    def weighed(self, left: str, right: str) -> str:
        """A node that reads two and calls the helper."""
        return self._node(self._pipeline.weighed, {"left": left, "right": right})

    def mixed(self, left: str, right: str) -> str:
        """A node that reads two."""
        return self._node(self._pipeline.mixed, {"left": left, "right": right})

    def gathered(self, first: str, second: str, third: str) -> str:
        """A node that reads three."""
        reads = {"first": first, "second": second, "third": third}
        return self._node(self._pipeline.gathered, reads)

    def _node(self, fn: Any, reads: dict[str, str], values: dict[str, int] | None = None) -> str:
        name = f"{fn.__name__}_{len(self.nodes)}"
        self.nodes[name] = fn, reads, values or {}
        return name


def nothing(pipeline: Any, folder: Path) -> Ready:
    """Plain calls, which keep nothing: what must come out."""
    return lambda: wired(pipeline)


def joblib(pipeline: Any, folder: Path) -> Ready:
    """`Memory` on a folder, around each function."""
    memory = importlib.import_module("joblib").Memory(folder / "joblib", verbose=0)
    return lambda: wired(Wrapped(pipeline, memory.cache))


def pipefunc(pipeline: Any, folder: Path) -> Ready:
    """A `Pipeline` with a `DiskCache`, each function with `cache=True`."""
    module = importlib.import_module("pipefunc")
    named = Named(pipeline)
    targets = wired(named)

    def run() -> list[int]:
        functions = [
            module.PipeFunc(fn, name, renames=reads, bound=values, cache=True)
            for name, (fn, reads, values) in named.nodes.items()
        ]
        kwargs = {"cache_dir": str(folder / "pipefunc")}
        made = module.Pipeline(functions, cache_type="disk", cache_kwargs=kwargs)
        return list(made.run(targets, kwargs={}))

    return run


def hamilton(pipeline: Any, folder: Path) -> Ready:
    """A driver built `.with_cache()`; a function with many nodes has them by `@parameterize`."""
    driver = importlib.import_module("hamilton.driver")
    modifiers = importlib.import_module("hamilton.function_modifiers")
    ad_hoc = importlib.import_module("hamilton.ad_hoc_utils")
    named = Named(pipeline)
    targets = wired(named)
    nodes: dict[Any, dict[str, Any]] = {}
    for name, (fn, reads, values) in named.nodes.items():
        nodes.setdefault(fn, {})[name] = {
            **{parameter: modifiers.source(read) for parameter, read in reads.items()},
            **{parameter: modifiers.value(value) for parameter, value in values.items()},
        }
    functions = [modifiers.parameterize(**many)(fn) for fn, many in nodes.items()]
    module = ad_hoc.create_temporary_module(*functions)

    def run() -> list[int]:
        built = driver.Builder().with_modules(module).with_cache(str(folder / "hamilton")).build()
        results = built.execute(targets)
        return [results[target] for target in targets]

    return run


def cascade(pipeline: Any, folder: Path) -> Ready:
    """An engine whose state is a database in the folder."""
    cs = importlib.import_module("cascade_nb")
    ours = importlib.import_module("benchmarks.ours")
    state = importlib.import_module("cascade_nb.state.urls").state_from

    def run() -> list[int]:
        bench = ours.Bench(state=state(f"sqlite:///{folder / 'results.db'}"))
        try:
            value: list[int] = bench.run(wired(Wrapped(pipeline, cs.task)))
        finally:
            bench.close()
        return value

    return run


TOOLS: Final[Mapping[str, Callable[[Any, Path], Ready]]] = {
    "no cache": nothing,
    "joblib.Memory": joblib,
    "pipefunc": pipefunc,
    "hamilton": hamilton,
    "cascade": cascade,
}


def main() -> None:
    """Run it once; print the seconds and the results as JSON."""
    tool, folder = sys.argv[1], Path(sys.argv[2])
    sys.path.insert(0, str(folder))
    ready = TOOLS[tool](importlib.import_module("pipeline"), folder)
    began = time.perf_counter()
    value = ready()
    print(json.dumps({"seconds": time.perf_counter() - began, "value": value}))


if __name__ == "__main__":
    main()
