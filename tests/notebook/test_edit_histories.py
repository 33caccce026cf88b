"""Pause, edit, undo, resume, edit, at any moment: in the end a run gives what a fresh one gives."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Collection
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine, Run
from cascade_nb.events import TaskEvent, TaskExecutionStarted
from cascade_nb.protocols.state_backend import Entry, SaveCallback
from cascade_nb.state import MemoryState
from cascade_nb.testing import SpySubscriber
from tests.engine.states import PaperState
from tests.engine.tools import until
from tests.notebook.sheet import Sheet
from tests.support.examples import PROFILE
from tests.support.same_in_keys import SameInKeys

HISTORIES: Final = {"default": 300, "soak": 10_000}[PROFILE]
PATIENCE: Final = 60.0

#: What each cell says in its n-th version: constants, helpers, bodies, arguments, and every way in
#: which a graph unfolds. Each task works for a moment before it looks at its helper.
CELLS: Final = {
    "constant": "K = {v}",
    "helper": "def _h(x): return ('h{v}', x, K)\ndef _n(x): return {v}",
    "a": "def a(x):\n    world.work()\n    return ('a{v}', x, _h(x))",
    "na": "na = a({v})",
    "b": "async def b(x):\n    await world.rest()\n    return ('b{v}', x, _h('b'))",
    "nb": "nb = b(na)\nunnamed = [b(a(70 + {v}))]",
    "m": "def m(x):\n    world.work()\n    return ('m{v}', x, _h(x))",
    "nm": "nm = m.map(x=list(range({v}, {v} + 3)))",
    "late": "def split(x):\n    world.work()\n"
    "    return [(x, i) for i in range(1 + ({v} + _n(x)) % 3)]\n"
    "async def item(p):\n    await world.rest()\n    return ('i', p, K)\n"
    "ni = item.map(p=split(na))",
    "d": "def cond(x):\n    world.work()\n    return ({v} + _n(x)) % 2 == 0\n"
    "def d(x):\n    world.work()\n    return ('d', x, _h(1))\n"
    "def e(x=None): return ('e', x)\n"
    "nd = d(nb).run_if(cond(na))\nne = e(nd)\nno = d(a(90)).run_if(cond(8), otherwise={v})",
    "r": "def pick(x):\n    world.work()\n    return ({v} + _n(x)) % 2\n"
    "def left(x): return ('left', x, K)\n"
    "def right(x): return ('right{v}', x)\n"
    "nr = cs.Router(pick(na), {{0: left(nb), 1: right(nm)}})",
    "f": "def flaky(x):\n    world.fail_now_and_then()\n    return ('f{v}', x, _h(2))\n"
    "nf = flaky(na).with_retry(9)",
    "c": "def cont(x):\n    world.work()\n    return a.lazy(('c{v}', x))\nnc = cont(nb)",
    "t": "def total(*xs): return xs\nt = total({parts})",
}
#: The cells that a history may have or not, and what its target reads of each.
PARTS: Final = {
    "late": "ni",
    "d": "ne, no",
    "r": "nr",
    "f": "nf",
    "c": "nc",
    "nm": "nm",
    "nb": "unnamed",
}


class World(SameInKeys):
    """What tasks do besides; it counts as the same in every key."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._permits = threading.Semaphore(0)
        self._failed = 0
        self.quiet = False

    def __reduce__(self) -> tuple[Any, ...]:
        return World, (0,)

    def let_go(self, count: int) -> None:
        """So many tasks may go on, or end where they are held."""
        self._permits.release(count)

    def work(self) -> None:
        assert self.quiet or self._permits.acquire(timeout=PATIENCE)

    async def rest(self) -> None:
        if not self.quiet:
            await until(lambda: self._permits.acquire(blocking=False))

    def fail_now_and_then(self) -> None:
        self._failed = (
            0 if self.quiet or self._failed == 4 else self._random.choice((0, self._failed + 1))
        )
        if self._failed:
            raise ValueError("not yet")


class _Once:
    """Refuses a second result for a key by which one is kept."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys: set[str] = set()
        self.twice: list[str] = []

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        if entry.key in self.keys:
            self.twice.append(f"{entry.value!r}")
        self.keys.add(entry.key)
        return super().put(entry, keeper)  # type: ignore[misc, no-any-return]


class OncePaper(_Once, PaperState):
    """Keeps everything, with a journal."""


class OnceMemory(_Once, MemoryState):
    """Keeps what has a name."""


class Notebook:
    """Cells, the run that they are edited under, and what they come to."""

    def __init__(self, seed: int, lasting: bool, parts: Collection[str]) -> None:
        self.sheet = Sheet()
        self._reads = ", ".join(PARTS[name] for name in parts)
        self.world = World(seed)
        self.sheet.names.update(world=self.world, cs=cs)
        self.state = OncePaper() if lasting else OnceMemory()
        self.engine = Engine(state_backend=self.state)  # type: ignore[arg-type]
        self.spy = SpySubscriber(self.engine.bus)
        self.versions = {name: 0 for name in CELLS if name not in PARTS or name in parts}
        self.versions.update(dict.fromkeys(("nb", "nm"), 0))
        self.first = dict(self.versions)
        self.before: list[tuple[str, int]] = []
        self.visited: list[dict[str, int]] = []
        for name in CELLS:
            if name in self.versions:
                self._write(name, 0)
        self.run = self.start()
        self.paused = False

    def start(self) -> Run:
        return self.engine.start(self.sheet.names["t"], bindings=self.sheet.workspace)

    def edit(self, name: str, version: int) -> None:
        self.engine.editing()
        self._write(name, version)
        self.versions[name] = version
        self.engine.edited()

    def _write(self, name: str, version: int) -> None:
        self.sheet.cell(name, CELLS[name].format(v=version, parts=self._reads))

    async def fresh(self) -> Any:
        self.world.quiet = True
        engine = Engine(reuse=False)
        value = await engine.run(self.sheet.names["t"], bindings=self.sheet.workspace)
        await engine.aclose()
        self.world.quiet = False
        return value

    async def do(self, op: tuple[Any, ...]) -> None:
        kind, *rest = op
        if kind in ("edit", "blink") and rest[0] not in self.versions:
            rest[0] = "helper"
        if kind == "wait":
            for _ in range(rest[0]):
                await asyncio.sleep(0.0005 if rest[0] > 5 else 0)
        elif kind == "step":
            self.world.let_go(rest[0])
            await asyncio.sleep(0.002)
        elif kind == "pause":
            self.engine.pause()
            self.paused = True
        elif kind == "resume":
            self.engine.resume()
            self.paused = False
        elif kind == "undo" and self.before:
            self.edit(*self.before.pop())
        elif kind == "blink":
            name, version, moment = rest
            there = self.versions[name]
            self.edit(name, version)
            self.world.let_go(1 + moment % 3)
            await self.do(("wait", moment))
            self.edit(name, there)
        elif kind == "edit":
            name, version = rest
            self.before.append((name, self.versions[name]))
            self.edit(name, version)
            self.visited.append(dict(self.versions))

    def is_held(self) -> bool:
        status = self.run.status
        # Of what a task continued itself with, only the headline tells that it is held. What has
        # run, and waits until it is known under which key it is kept, no edit reaches any more.
        last = {e.task_id: e for e in self.spy.events if isinstance(e, TaskEvent)}
        begun = [e for e in last.values() if isinstance(e, TaskExecutionStarted)]
        at_rest = all(e.task_name == "cont" for e in begun)
        return "held" in status.headline and not status.running and at_rest

    async def check(self) -> None:
        """The run, a later run, and runs of whatever the cells were before, are as fresh ones."""
        self.world.let_go(10_000)
        if self.paused:
            # Where all had begun before the pause, nothing was held that could be edited.
            await until(lambda: self.run.done() or self.is_held())
            if self.run.done():
                self.run = self.start()
            self.engine.resume()
            value = await asyncio.wait_for(self.run, PATIENCE)
            assert value == await self.fresh(), "the run that was edited"
            before = len(self.spy.events_of_type(TaskExecutionStarted))
            assert await self.start() == value
            ran = self.spy.events_of_type(TaskExecutionStarted)[before:]
            assert not ran, "what completed after the last edit was not kept"
        else:
            await asyncio.wait_for(self.run, PATIENCE)
            assert await self.start() == await self.fresh(), "a later run"
        for versions in (self.first, *self.visited[-2:-1]):
            for name, version in versions.items():
                if self.versions[name] != version:
                    self.edit(name, version)
            assert await self.start() == await self.fresh(), f"back at {versions}"
        assert not self.state.twice, "these were kept, and ran again"


VERSIONS = st.integers(0, 2)
EDITS = st.tuples(st.just("edit"), st.sampled_from(sorted(CELLS)), VERSIONS)
MOMENTS = st.sampled_from((0, 1, 2, 3, 5, 6, 12))
BLINKS = st.tuples(st.just("blink"), st.sampled_from(sorted(CELLS)), VERSIONS, MOMENTS)
WAITS = st.tuples(st.just("wait"), MOMENTS)
STEPS = st.tuples(st.just("step"), st.integers(1, 3))
PAUSES = st.sampled_from((("pause",), ("resume",), ("pause",)))
OPS = st.lists(
    st.one_of(EDITS, BLINKS, WAITS, STEPS, STEPS, PAUSES, st.just(("undo",))), max_size=12
)


async def history(
    ops: list[tuple[Any, ...]], seed: int, lasting: bool, parts: Collection[str]
) -> None:
    notebook = Notebook(seed, lasting, parts)
    try:
        for op in ops:
            await notebook.do(op)
        await notebook.check()
    finally:
        await notebook.engine.aclose()


@settings(max_examples=HISTORIES)
@given(
    ops=OPS,
    seed=st.integers(0, 999),
    lasting=st.booleans(),
    parts=st.lists(st.sampled_from(sorted(PARTS)), unique=True, min_size=1, max_size=3),
)
def test_random_edits_come_to_what_a_fresh_run_of_the_last_cells_gives(
    ops: list[tuple[Any, ...]], seed: int, lasting: bool, parts: list[str]
) -> None:
    asyncio.run(history(ops, seed, lasting, parts))
