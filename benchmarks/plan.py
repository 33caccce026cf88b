"""Who is measured at what, and how long each may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from benchmarks.cases import ARRAY_TASKS, MEGABYTES

SIZES: Final = (1_000, 10_000, 100_000)
QUICK_SIZES: Final = (1_000, 10_000)

SHAPES: Final = ("wide", "chain", "layered", "tree")
MODES: Final = ("inline", "threads", "async")
LIMIT: Final = {
    "inline": "limit loop, events",
    "threads": "bare thread pool",
    "async": "bare asyncio",
}
#: Whose time is taken apart, and into which steps.
STAGES: Final = {"inline": SHAPES, "threads": SHAPES[:2], "async": SHAPES[:2]}
STEPS: Final = ("calls", "graph", "fingerprints", "machinery", "running", "events")
PEERS: Final = ("pipefunc", "hamilton", "dask", "dask graph", "joblib", "networkx loop")
ARRAYS: Final = ("handed on", "made anew")

#: Of results that last: what finds everything, where all is kept, whose caches are compared.
REUSED: Final = ("wide", "chain")
PLACES: Final = ("in memory", "in sqlite", "in redis")
KEPT: Final = 10_000
CACHES: Final = ("joblib.Memory", "pipefunc", "hamilton")

#: What has no business in a process that only said `import cascade_nb`.
UNWANTED: Final = ("IPython", "pandas", "dask", "redis", "paho", "aiomqtt", "ipywidgets", "numpy")

#: A contender whose name begins so runs in the peers' environment.
THEIRS: Final = "peer: "

OURS: Final = "benchmarks.ours"
BARE: Final = "benchmarks.bare"
OTHERS: Final = "benchmarks.peers"
LASTING: Final = "benchmarks.lasting"


@dataclass(frozen=True)
class Trial:
    """One contender at one workload: a process of its own in each round.

    Attributes:
        module: where the contender is, or the probe.
        contender, workload, mode: who, at what, how.
        sizes: nodes; each is measured in turn. A probe has none.
        rounds: in how many rounds it takes part at most.
        budget: seconds that a process may take.
        repeat_for: seconds in which one size is measured again and again.
        probe: what is called instead of timing cases, with the arguments `given`.
    """

    module: str
    contender: str
    workload: str
    mode: str
    sizes: tuple[int, ...] = ()
    rounds: int = 99
    budget: float = 90.0
    repeat_for: float = 0.5
    warm: bool = True
    probe: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Under what its figures are kept."""
        return self.contender, self.workload, self.mode

    @property
    def is_peer(self) -> bool:
        """Whether it runs in the peers' environment."""
        return self.module == OTHERS or self.contender.startswith(THEIRS)

    def order(self) -> Mapping[str, Any]:
        """What its process is told."""
        if self.probe is not None:
            return {"module": self.module, "probe": self.probe, "with": dict(self.given)}
        return {
            "module": self.module,
            "contender": self.contender,
            "workload": self.workload,
            "mode": self.mode,
            "sizes": self.sizes,
            "budget": self.budget,
            "repeat_for": self.repeat_for,
            "warm": self.warm,
        }


def plan(quick: bool) -> list[Trial]:
    """Everything, contenders of one workload side by side."""
    return [
        *_graphs(quick),
        *_maps(quick),
        *_naps(),
        *_builds(quick),
        *_arrays(quick),
        *_probes(quick),
        *_lasting(quick),
    ]


def _graphs(quick: bool) -> Iterator[Trial]:
    sizes, again = (QUICK_SIZES, 0.03) if quick else (SIZES, 0.3)
    for mode in MODES:
        for shape in SHAPES:
            yield Trial(OURS, "cascade", shape, mode, sizes, repeat_for=again)
            yield Trial(BARE, LIMIT[mode], shape, mode, sizes, repeat_for=again)
            if quick:
                continue
            if mode == "inline":
                yield Trial(OURS, "cascade, fresh", shape, mode, sizes)
                yield Trial(OURS, "cascade, silent", shape, mode, sizes)
                yield Trial(BARE, "limit loop", shape, mode, sizes)
                yield Trial(BARE, "graphlib loop", shape, mode, sizes)
            for peer in _peers_for(shape, mode):
                yield Trial(OTHERS, peer, shape, mode, sizes, rounds=2, budget=30.0)
    if quick:
        for peer in _peers_for("wide", "inline"):
            yield Trial(OTHERS, peer, "wide", "inline", SIZES[:1], 1, 6.0, 0.1)


def _peers_for(workload: str, mode: str) -> Iterator[str]:
    """The peers that can do it at all."""
    for peer in PEERS:
        parallel = peer in ("dask", "dask graph", "joblib")
        if mode == "async" or (mode == "threads" and not parallel):
            continue
        if peer == "joblib" and workload not in ("wide", "map"):
            continue
        if workload == "map" and peer in ("hamilton", "dask graph", "networkx loop"):
            continue
        yield peer


def _maps(quick: bool) -> Iterator[Trial]:
    sizes, again = (QUICK_SIZES, 0.03) if quick else (SIZES, 0.3)
    for mode in MODES:
        yield Trial(OURS, "cascade", "map", mode, sizes, repeat_for=again)
        yield Trial(BARE, LIMIT[mode], "map", mode, sizes, repeat_for=again)
        if not quick and mode == "inline":
            yield Trial(OURS, "cascade, fresh", "map", mode, sizes)
    for mode in MODES[:2]:
        for peer in _peers_for("map", mode):
            if not quick:
                yield Trial(OTHERS, peer, "map", mode, sizes, rounds=2, budget=120.0)
            elif mode == "inline":
                yield Trial(OTHERS, peer, "map", mode, SIZES[:1], 1, 5.0, 0.1)


def _naps() -> Iterator[Trial]:
    for mode, size in (("async", 1_000), ("threads", 200)):
        for module, contender in ((OURS, "cascade"), (BARE, LIMIT[mode])):
            yield Trial(module, contender, "naps", mode, (size,), 5, repeat_for=0.4)


def _builds(quick: bool) -> Iterator[Trial]:
    for shape in SHAPES[:2] if quick else SHAPES:
        sizes, rounds = (SIZES[-1:], 1) if quick else (SIZES, 99)
        yield Trial(OURS, "cascade, build only", shape, "inline", sizes, rounds, repeat_for=0.2)


def _arrays(quick: bool) -> Iterator[Trial]:
    size = (ARRAY_TASKS,)
    for workload in ARRAYS:
        rounds = 2 if quick else 3
        yield Trial(OURS, "cascade", workload, "threads", size, rounds, warm=False)
        yield Trial(BARE, "limit loop", workload, "inline", size, rounds, warm=False)
        if not quick:
            for peer in ("pipefunc", "hamilton", "dask", "dask graph", "networkx loop"):
                yield Trial(OTHERS, peer, workload, "inline", size, rounds, warm=False)


def probe(room: str, name: str, workload: str, mode: str, rounds: int, **given: Any) -> Trial:
    """What a module measures in its own way."""
    module = f"benchmarks.{room}"
    return Trial(module, "cascade", workload, mode, (), rounds, probe=name, given=given)


def _probes(quick: bool) -> Iterator[Trial]:
    for mode, shapes in STAGES.items():
        for shape in shapes[:1] if quick else shapes:
            made = probe("stages", "stages", f"stages, {shape}", mode, 1 if quick else 3)
            yield replace(made, given={"workload": shape, "mode": mode, "size": QUICK_SIZES[-1]})
    for shape in ("wide",) if quick else ("wide", "chain"):
        for heard in ("heard",) if quick else ("heard", "silent"):
            made = probe("memory", "a node", f"memory, {shape}", heard, 1 if quick else 3)
            given = {"workload": shape, "size": SIZES[-1], "listening": heard == "heard"}
            yield replace(made, given=given)
    yield probe("memory", "flatness", "flatness", "threads", 1, runs=300 if quick else 1_000)
    kernels = [("wide", "inline"), ("wide", "threads"), ("wide", "async"), ("map", "inline")]
    for shape, mode in kernels[:1] if quick else kernels:
        made = probe("kernel", "under load", f"kernel, {shape}", mode, 1 if quick else 3)
        yield replace(made, given={"workload": shape, "mode": mode, "size": SIZES[-1]})
    words = list(UNWANTED)
    yield probe("importing", "import", "import", "cascade_nb", 5, module="cascade_nb", words=words)
    if not quick:
        yield probe("importing", "import", "import", "asyncio", 5, module="asyncio", words=[])
        for name in ("dask.delayed", "pipefunc", "hamilton.driver"):
            made = probe("importing", "import", "import", name, 5, module=name, words=[])
            yield replace(made, contender=f"{THEIRS}{name}")


def _lasting(quick: bool) -> Iterator[Trial]:
    rounds = 1 if quick else 3
    for shape in REUSED[:1] if quick else REUSED:
        for size in QUICK_SIZES if quick else SIZES:
            made = probe("reused", "second run", f"second run, {shape}", f"{size:,}", rounds)
            yield replace(made, given={"workload": shape, "size": size})
    for place in PLACES:
        yield Trial(LASTING, "cascade", "results kept", place, (KEPT,), rounds, repeat_for=0.3)
    yield probe("hashing", "array", "hashing", f"{MEGABYTES} MB array", rounds, megabytes=MEGABYTES)
    for tool in ("cascade",) if quick else ("cascade", "no cache", *CACHES):
        made = probe("caches", "caches", "caches", "200 tasks", min(rounds, 2), tool=tool)
        yield replace(made, contender=f"{THEIRS}{tool}" if tool in CACHES else tool)
